"""The datasets that figures 1, 4 and A.1 are drawn from: the theory and nothing else."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import linregress

from icl.theory.acquisition import (
    acquisition_time_distribution,
    t_icl_along_nullcline,
    t_icl_integrated,
    t_icl_near_origin,
)
from icl.theory.balanced import loss_balanced, separatrix
from icl.theory.flow import loss_flow
from icl.theory.landscape import loss_gaussian
from icl.theory.memorisation import Kinetics
from icl.theory.race import MemorisingMlp, race

TIME = "theory time"  # units of the learning rate times steps

# Of each dataset, which carries them as attributes; config/theory.yaml gives them values.
PARAMETERS = {
    "kinetics": (
        "context_length beta0 weight_decay n_items memorisation_exponent critical_n_items "
        "logit_spread growth_exponent capacity_i_infinity time_max n_times"
    ),
    "landscape": "context_length beta_range w_range n_grid starts time_max n_times",
    "initial_conditions": (
        "context_length beta0_range n_beta0 near_origin_fit nullcline_fit beta0_mean beta0_sd "
        "n_samples n_bins seed"
    ),
}


def kinetics(p: Mapping[str, Any]) -> xr.Dataset:
    """Compute figure 1: ICL and IWL against time for the two mechanisms of section 3.6.

    Capacity: an MLP that can hold `critical_n_items` items and no more, each as fast as any other.
    Differential: one that can hold them all, with I_K(inf) going as K^nu, the prefactor set so that
    I_K(inf) = t_ICL of equation 11 at `critical_n_items`. All else is the same.

    Returns c1, c3, w, icl_accuracy and iwl_accuracy over (mechanism, n_items, time); i_infinity
    over (mechanism, n_items), infinity where I_K diverges; the scalar t_icl.

    Parameters: context_length N (tokens), beta0, weight_decay lambda_w on w (1/theory time),
    n_items K, memorisation_exponent nu, critical_n_items (items), logit_spread (logit),
    growth_exponent, capacity_i_infinity and time_max (theory time), n_times.
    """
    n = p["context_length"]
    t_icl = float(t_icl_near_origin(p["beta0"], n))
    time = np.concatenate([[0.0], np.geomspace(1.0, p["time_max"], p["n_times"] - 1)])
    races, i_infinity = [], []
    for mechanism in (Kinetics.CAPACITY, Kinetics.DIFFERENTIAL):
        for n_items in p["n_items"]:
            load = n_items / p["critical_n_items"]
            if mechanism is Kinetics.CAPACITY:
                share, limit = min(1.0, 1 / load), p["capacity_i_infinity"]
            else:
                share, limit = 1.0, t_icl * load ** p["memorisation_exponent"]
            mlp = MemorisingMlp(limit, share, p["growth_exponent"], p["logit_spread"])
            races.append(race(mlp, n, time, beta0=p["beta0"], weight_decay=p["weight_decay"]))
            i_infinity.append(limit if share == 1 else np.inf)
    shape = (2, len(p["n_items"]))
    dims = ("mechanism", "n_items", "time")

    def stacked(name: str, long_name: str, units: str = "1"):
        values = np.reshape([getattr(r, name) for r in races], (*shape, time.size))
        return _variable(dims, values, long_name, units)

    return xr.Dataset(
        {
            "c1": stacked("c1", "mean of sigma(-phi+) over the items"),
            "c3": stacked("c3", "mean of exp(-phi+) over the items"),
            "w": stacked("w", "value strength w", "logit"),
            "icl_accuracy": stacked("icl_accuracy", "accuracy on novel items"),
            "iwl_accuracy": stacked("iwl_accuracy", "accuracy on training items without a copy"),
            "i_infinity": _variable(
                dims[:2], np.reshape(i_infinity, shape), "I_K(inf) of the MLP alone", TIME
            ),
            "t_icl": _variable((), t_icl, "t_ICL, equation 11", TIME),
        },
        coords={
            "mechanism": _variable(
                "mechanism",
                [str(Kinetics.CAPACITY), str(Kinetics.DIFFERENTIAL)],
                "mechanism of section 3.6",
            ),
            "n_items": _variable(
                "n_items", np.asarray(p["n_items"], dtype=np.int64), "items K", "items"
            ),
            "time": _variable("time", time, "time", TIME),
        },
        attrs=_attributes("kinetics", p),
    )


def landscape(p: Mapping[str, Any]) -> xr.Dataset:
    """Compute figure 4: the loss over beta and w with no MLP, and paths of its gradient flow.

    Returns loss over (w, beta); path_beta, path_w and path_loss over (path, time); acquisition_time
    over path. The same loss and paths on D' are named balanced_*; separatrix, over beta, is the w
    above which a start on D' flows to ICL.

    Parameters: context_length N (tokens, even), beta_range, w_range (logit), n_grid, starts (pairs
    of beta0 and w0), time_max (theory time), n_times.
    """
    n = p["context_length"]
    beta = np.linspace(p["beta_range"][0], p["beta_range"][1], p["n_grid"])
    w = np.linspace(p["w_range"][0], p["w_range"][1], p["n_grid"])
    time = np.concatenate([[0.0], np.geomspace(1e-2, p["time_max"], p["n_times"] - 1)])
    paths, balanced_paths = (
        [loss_flow(b, v, n, p["time_max"], times=time, form=form) for b, v in p["starts"]]
        for form in ("gaussian", "balanced")
    )
    balanced_beta, balanced_w = (
        np.array([getattr(x, name) for x in balanced_paths]) for name in ("beta", "w")
    )
    # The flow stays at the saddle; rounding would let it leave on either side.
    at_saddle = [b == v == 0 for b, v in p["starts"]]
    balanced_beta[at_saddle] = balanced_w[at_saddle] = 0.0
    return xr.Dataset(
        {
            "loss": _variable(
                ("w", "beta"),
                loss_gaussian(beta[None, :], w[:, None], n),
                "mean loss, equation 5 with no MLP",
                "nat",
            ),
            "path_beta": _variable(
                ("path", "time"), np.array([x.beta for x in paths]), "beta along the gradient flow"
            ),
            "path_w": _variable(
                ("path", "time"),
                np.array([x.w for x in paths]),
                "w along the gradient flow",
                "logit",
            ),
            "path_loss": _variable(
                ("path", "time"),
                np.array([loss_gaussian(x.beta, x.w, n) for x in paths]),
                "loss along the gradient flow",
                "nat",
            ),
            "acquisition_time": _variable(
                "path",
                np.array([x.acquisition_time for x in paths]),
                "time at which ICL accuracy reaches 0.95",
                TIME,
            ),
            "balanced_loss": _variable(
                ("w", "beta"),
                loss_balanced(beta[None, :], w[:, None], n),
                "mean loss on D', equation 5 with eta = 0 and no MLP",
                "nat",
            ),
            "balanced_path_beta": _variable(
                ("path", "time"), balanced_beta, "beta along the gradient flow on D'"
            ),
            "balanced_path_w": _variable(
                ("path", "time"), balanced_w, "w along the gradient flow on D'", "logit"
            ),
            "separatrix": _variable(
                "beta", separatrix(beta, n), "w above which a start on D' flows to ICL", "logit"
            ),
        },
        coords={
            "beta": _variable("beta", beta, "query-key strength beta"),
            "w": _variable("w", w, "value strength w", "logit"),
            "path": _variable("path", np.arange(len(paths)), "start"),
            "time": _variable("time", time, "time", TIME),
        },
        attrs=_attributes("landscape", p),
    )


def initial_conditions(p: Mapping[str, Any]) -> xr.Dataset:
    """Compute figure A.1 and the slopes of the claim `exponential_beta0`.

    Returns t_icl and its two asymptotes over beta0, each asymptote also where it does not hold;
    local_slope over beta0; slope and slope_error over regime; density of t_ICL/N for normal beta0
    over `bin`, with its edges; t_icl_sample over sample.

    Parameters: context_length N (tokens; t_ICL/N does not depend on it), beta0_range, n_beta0,
    near_origin_fit and nullcline_fit (ranges of beta0), beta0_mean, beta0_sd, n_samples, n_bins,
    seed.
    """
    n = p["context_length"]
    beta0 = np.linspace(p["beta0_range"][0], p["beta0_range"][1], p["n_beta0"])
    t_icl = t_icl_integrated(beta0, n)
    # Both asymptotes are drawn across the whole range, to show where they fail: scale one value of
    # each, taken where it holds, by its exponential.
    near_origin = t_icl_near_origin(0.0, n) * np.exp(-beta0)
    anchor = p["nullcline_fit"][0]
    nullcline = t_icl_along_nullcline(anchor, n) * np.exp(-2 * (beta0 - anchor))
    fits = [_log_slope(beta0, t_icl, p[name]) for name in ("near_origin_fit", "nullcline_fit")]
    distribution = acquisition_time_distribution(p["beta0_mean"], p["beta0_sd"], n)
    normal = np.random.default_rng(p["seed"]).standard_normal(p["n_samples"])
    sample = distribution.time_of(p["beta0_mean"] + p["beta0_sd"] * np.clip(normal, -6, 6))
    edges = np.linspace(0, distribution.quantile(0.995), p["n_bins"] + 1)
    counts, _ = np.histogram(sample, bins=edges)
    density = counts / (sample.size * np.diff(edges))
    log_mean, log_sd = distribution.log_normal_tangent()
    return xr.Dataset(
        {
            "t_icl": _variable("beta0", t_icl, "t_ICL, equations 31 and 32 integrated", TIME),
            "t_icl_near_origin": _variable("beta0", near_origin, "t_ICL, equation 35", TIME),
            "t_icl_along_nullcline": _variable(
                "beta0", nullcline, "t_ICL, equation 37 with its missing 1/2", TIME
            ),
            "local_slope": _variable(
                "beta0", np.gradient(np.log(t_icl), beta0), "d log t_ICL / d beta0"
            ),
            "slope": _variable(
                "regime", np.array([f.slope for f in fits]), "fitted d log t_ICL / d beta0"
            ),
            "slope_error": _variable(
                "regime", np.array([f.stderr for f in fits]), "standard error of the fitted slope"
            ),
            "fit_range": _variable(
                ("regime", "end"),
                np.array([p["near_origin_fit"], p["nullcline_fit"]], dtype=float),
                "range of beta0 that is fitted",
            ),
            "t_icl_sample": _variable("sample", sample, "t_ICL of a seed", TIME),
            "density": _variable("bin", density, "density of t_ICL over seeds", f"1/({TIME})"),
            "bin_left": _variable("bin", edges[:-1], "left edge of the bin", TIME),
            "bin_right": _variable("bin", edges[1:], "right edge of the bin", TIME),
            "log_normal_mean": _variable(
                (), log_mean, "mean of log t_ICL of the tangent log-normal"
            ),
            "log_normal_sd": _variable((), log_sd, "standard deviation of log t_ICL of the same"),
        },
        coords={
            "beta0": _variable("beta0", beta0, "initial beta"),
            "regime": _variable("regime", ["near_origin", "along_nullcline"], "regime of beta0"),
        },
        attrs=_attributes("initial_conditions", p),
    )


def _attributes(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    flat = {key: np.ravel(value) if np.ndim(value) else value for key, value in params.items()}
    return {"theory": name, **flat}


def _variable(dims: str | tuple[str, ...], values: Any, long_name: str, units: str = "1") -> tuple:
    return dims, values, {"long_name": long_name, "units": units}


def _log_slope(beta0: np.ndarray, t_icl: np.ndarray, fit_range):
    low, high = fit_range
    inside = (beta0 >= low - 1e-9) & (beta0 <= high + 1e-9)
    if inside.sum() < 3:
        raise ValueError(f"fewer than 3 values of beta0 in [{low}, {high}]")
    return linregress(beta0[inside], np.log(t_icl[inside]))
