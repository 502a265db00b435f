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

KINETICS_DEFAULTS: dict[str, Any] = {
    "context_length": 100,
    "beta0": 0.0,
    "weight_decay": 1e-4,
    "n_items": [1_000, 100_000, 1_000_000],
    "memorisation_exponent": 0.7,
    "critical_n_items": 10_000,
    "logit_spread": 0.5,
    "growth_exponent": 2.0,
    "capacity_i_infinity": 50.0,
    "time_max": 2e7,
    "n_times": 400,
}
LANDSCAPE_DEFAULTS: dict[str, Any] = {
    "context_length": 100,
    "beta_range": [-2.0, 8.0],
    "w_range": [-2.0, 8.0],
    "n_grid": 161,
    "starts": [[0.0, 0.0], [-1.0, 0.0], [1.0, -1.0], [-1.5, 2.5]],
    "time_max": 20_000.0,
    "n_times": 3000,
}
INITIAL_CONDITIONS_DEFAULTS: dict[str, Any] = {
    "context_length": 10_000,
    "beta0_range": [-6.0, 4.0],
    "n_beta0": 101,
    "near_origin_fit": [1.0, 4.0],
    "nullcline_fit": [-6.0, -4.0],
    "beta0_mean": 0.0,
    "beta0_sd": 0.5,
    "n_samples": 20_000,
    "n_bins": 60,
    "seed": 0,
}
PARAMETERS = {  # of each dataset, which carries them as attributes
    "kinetics": tuple(KINETICS_DEFAULTS),
    "landscape": tuple(LANDSCAPE_DEFAULTS),
    "initial_conditions": tuple(INITIAL_CONDITIONS_DEFAULTS),
}


def kinetics(params: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Compute figure 1: ICL and IWL against time for the two mechanisms of section 3.6.

    Capacity: an MLP that can hold `critical_n_items` items and no more, each as fast as any other.
    Differential: one that can hold them all, with I_K(inf) going as K^nu, the prefactor set so that
    I_K(inf) = t_ICL of equation 11 at `critical_n_items`. All else is the same.

    Returns c1, c3, w, icl_accuracy and iwl_accuracy over (mechanism, n_items, time); i_infinity
    over (mechanism, n_items), infinity where I_K diverges; the scalar t_icl.

    Args:
        params: Overrides of `KINETICS_DEFAULTS`: context_length N (tokens), beta0, weight_decay
            lambda_w on w (1/theory time), n_items K, memorisation_exponent nu, critical_n_items
            (items), logit_spread (logit), growth_exponent, capacity_i_infinity (theory time),
            time_max (theory time), n_times.
    """
    p = _merged(KINETICS_DEFAULTS, params)
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
        return dims, values, _named(long_name, units)

    return xr.Dataset(
        {
            "c1": stacked("c1", "mean of sigma(-phi+) over the items"),
            "c3": stacked("c3", "mean of exp(-phi+) over the items"),
            "w": stacked("w", "value strength w", "logit"),
            "icl_accuracy": stacked("icl_accuracy", "accuracy on novel items"),
            "iwl_accuracy": stacked("iwl_accuracy", "accuracy on training items without a copy"),
            "i_infinity": (
                dims[:2],
                np.reshape(i_infinity, shape),
                _named("I_K(inf) of the MLP alone", TIME),
            ),
            "t_icl": ((), t_icl, _named("t_ICL, equation 11", TIME)),
        },
        coords={
            "mechanism": (
                "mechanism",
                [str(Kinetics.CAPACITY), str(Kinetics.DIFFERENTIAL)],
                _named("mechanism of section 3.6"),
            ),
            "n_items": (
                "n_items",
                np.asarray(p["n_items"], dtype=np.int64),
                _named("items K", "items"),
            ),
            "time": ("time", time, _named("time", TIME)),
        },
        attrs=_attributes("kinetics", p),
    )


def landscape(params: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Compute figure 4: the loss over beta and w with no MLP, and paths of its gradient flow.

    Returns loss over (w, beta); path_beta, path_w and path_loss over (path, time); acquisition_time
    over path. The same loss and paths on D' are named balanced_*; separatrix, over beta, is the w
    above which a start on D' flows to ICL.

    Args:
        params: Overrides of `LANDSCAPE_DEFAULTS`: context_length N (tokens, even), beta_range,
            w_range (logit), n_grid, starts (pairs of beta0 and w0), time_max (theory time),
            n_times.
    """
    p = _merged(LANDSCAPE_DEFAULTS, params)
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
            "loss": (
                ("w", "beta"),
                loss_gaussian(beta[None, :], w[:, None], n),
                _named("mean loss, equation 5 with no MLP", "nat"),
            ),
            "path_beta": (
                ("path", "time"),
                np.array([x.beta for x in paths]),
                _named("beta along the gradient flow"),
            ),
            "path_w": (
                ("path", "time"),
                np.array([x.w for x in paths]),
                _named("w along the gradient flow", "logit"),
            ),
            "path_loss": (
                ("path", "time"),
                np.array([loss_gaussian(x.beta, x.w, n) for x in paths]),
                _named("loss along the gradient flow", "nat"),
            ),
            "acquisition_time": (
                "path",
                np.array([x.acquisition_time for x in paths]),
                _named("time at which ICL accuracy reaches 0.95", TIME),
            ),
            "balanced_loss": (
                ("w", "beta"),
                loss_balanced(beta[None, :], w[:, None], n),
                _named("mean loss on D', equation 5 with eta = 0 and no MLP", "nat"),
            ),
            "balanced_path_beta": (
                ("path", "time"),
                balanced_beta,
                _named("beta along the gradient flow on D'"),
            ),
            "balanced_path_w": (
                ("path", "time"),
                balanced_w,
                _named("w along the gradient flow on D'", "logit"),
            ),
            "separatrix": (
                "beta",
                separatrix(beta, n),
                _named("w above which a start on D' flows to ICL", "logit"),
            ),
        },
        coords={
            "beta": ("beta", beta, _named("query-key strength beta")),
            "w": ("w", w, _named("value strength w", "logit")),
            "path": ("path", np.arange(len(paths)), _named("start")),
            "time": ("time", time, _named("time", TIME)),
        },
        attrs=_attributes("landscape", p),
    )


def initial_conditions(params: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Compute figure A.1 and the slopes of the claim `exponential_beta0`.

    Returns t_icl and its two asymptotes over beta0, each asymptote also where it does not hold;
    local_slope over beta0; slope and slope_error over regime; density of t_ICL/N for normal beta0
    over `bin`, with its edges; t_icl_sample over sample.

    Args:
        params: Overrides of `INITIAL_CONDITIONS_DEFAULTS`: context_length N (tokens; t_ICL/N does
            not depend on it), beta0_range, n_beta0, near_origin_fit and nullcline_fit (ranges of
            beta0), beta0_mean, beta0_sd, n_samples, n_bins, seed.
    """
    p = _merged(INITIAL_CONDITIONS_DEFAULTS, params)
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
            "t_icl": ("beta0", t_icl, _named("t_ICL, equations 31 and 32 integrated", TIME)),
            "t_icl_near_origin": ("beta0", near_origin, _named("t_ICL, equation 35", TIME)),
            "t_icl_along_nullcline": (
                "beta0",
                nullcline,
                _named("t_ICL, equation 37 with its missing 1/2", TIME),
            ),
            "local_slope": (
                "beta0",
                np.gradient(np.log(t_icl), beta0),
                _named("d log t_ICL / d beta0"),
            ),
            "slope": (
                "regime",
                np.array([f.slope for f in fits]),
                _named("fitted d log t_ICL / d beta0"),
            ),
            "slope_error": (
                "regime",
                np.array([f.stderr for f in fits]),
                _named("standard error of the fitted slope"),
            ),
            "fit_range": (
                ("regime", "end"),
                np.array([p["near_origin_fit"], p["nullcline_fit"]], dtype=float),
                _named("range of beta0 that is fitted"),
            ),
            "t_icl_sample": ("sample", sample, _named("t_ICL of a seed", TIME)),
            "density": ("bin", density, _named("density of t_ICL over seeds", f"1/({TIME})")),
            "bin_left": ("bin", edges[:-1], _named("left edge of the bin", TIME)),
            "bin_right": ("bin", edges[1:], _named("right edge of the bin", TIME)),
            "log_normal_mean": (
                (),
                log_mean,
                _named("mean of log t_ICL of the tangent log-normal"),
            ),
            "log_normal_sd": ((), log_sd, _named("standard deviation of log t_ICL of the same")),
        },
        coords={
            "beta0": ("beta0", beta0, _named("initial beta")),
            "regime": ("regime", ["near_origin", "along_nullcline"], _named("regime of beta0")),
        },
        attrs=_attributes("initial_conditions", p),
    )


def _merged(defaults: Mapping[str, Any], params: Mapping[str, Any] | None) -> dict[str, Any]:
    unknown = set(params or {}) - set(defaults)
    if unknown:
        raise ValueError(f"unknown parameters: {sorted(unknown)}")
    return {**defaults, **(params or {})}


def _attributes(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    flat = {key: np.ravel(value) if np.ndim(value) else value for key, value in params.items()}
    return {"theory": name, **flat}


def _named(long_name: str, units: str = "1") -> dict[str, str]:
    return {"long_name": long_name, "units": units}


def _log_slope(beta0: np.ndarray, t_icl: np.ndarray, fit_range):
    low, high = fit_range
    inside = (beta0 >= low - 1e-9) & (beta0 <= high + 1e-9)
    if inside.sum() < 3:
        raise ValueError(f"fewer than 3 values of beta0 in [{low}, {high}]")
    return linregress(beta0[inside], np.log(t_icl[inside]))
