"""Collected datasets of the MLP alone, the minimal model and one-layer runs, with known answers."""

import json

import numpy as np
import synthetic
import xarray as xr
from icl.engine import memorised
from icl.theory.transience import icl_loss_after_fading, iwl_loss_after_acquisition, w_tracking

MLP = {"name": "mlp", "item_dim": 63, "hidden_dim": 128, "mlp_input": "normalised"}
MINIMAL = {"name": "minimal", "item_dim": 63, "hidden_dim": 128}
ITEMS = (250, 500, 1000, 2000, 4000)


def _of_model(data, model, curves, drop=()):
    """Give a dataset other curves (R, T), and its jobs another model."""
    (job,) = json.loads(data.attrs["jobs"])
    curves = {name: (("run", "evaluation"), np.array(curve)) for name, curve in curves.items()}
    data = data.drop_vars(list(drop)).assign(curves)
    return data.assign_attrs(jobs=json.dumps([{**job, "model": model}]))


def memorisation(
    *,
    experiment="memorisation",
    items=ITEMS,
    seeds=8,
    exponent=0.7,
    spread=0.04,
    shared=0.02,
    curvature=0.0,
    last_c1=5e-5,
    floor=0.0,
    decay=3.0,
    generator=None,
    **kwargs,
):
    """Runs of the MLP alone with c1 = (1 + t/tau)^-decay / 2, whose I_K(inf) is tau/4 (decay 3).

    I_K(inf) is K^exponent / 2, but for noise: `spread` of a run's own, `shared` by a seed's runs at
    every K (as a random exponent). A record ends when c1 is `last_c1`; a `floor` is a share of the
    items that are never memorised.
    """
    generator = generator or np.random.default_rng(0)
    k = np.repeat(np.asarray(items, dtype=float), seeds)
    seed = np.tile(np.arange(seeds), len(items))
    log_k = np.log(k / 1000)
    noise = spread * generator.standard_normal(len(k))
    noise = noise + log_k * np.tile(shared * generator.standard_normal(seeds), len(items))
    tau = 2 * np.exp(exponent * np.log(k) + curvature * log_k**2 + noise)
    end = (0.5 / last_c1) ** (1 / decay) - 1
    x = np.concatenate([[0], np.geomspace(end / 1e4, end, 160)])
    clock = tau[:, None] * x
    c1 = np.broadcast_to(0.5 * ((1 - floor) * (1 + x) ** -decay + floor), clock.shape)
    i_k = np.stack([memorised.integral(t, c[None])[0] for t, c in zip(clock, c1, strict=True)])
    data = synthetic.dataset(
        experiment,
        np.ones(len(k)),
        k,
        seed,
        np.zeros(clock.shape),
        c1,
        clock / synthetic.RATE,
        **kwargs,
    )
    summaries = [memorised.summarise(t, c[None]) for t, c in zip(clock, c1, strict=True)]
    data = _of_model(
        data,
        MLP,
        {
            "c1": c1,
            "c2": 1 - c1,
            "c3": 2 * c1,
            "i_k": i_k,
            "item_accuracy": 1 - floor / 2 - 0.5 * (1 + x) ** -3.0 * np.ones(clock.shape),
        },
        drop=("icl_accuracy", "iwl_accuracy", "icl_loss", "iwl_loss", "train_loss"),
    )
    return data.assign(
        {name: ("run", np.array([s[name][0] for s in summaries])) for name in summaries[0]}
    )


def losses(
    *,
    seeds=8,
    ratio=1.0,
    spread=0.1,
    fades=True,
    t_acquired=100.0,
    t_faded=600.0,
    decades=1.0,
    constant=False,
    generator=None,
):
    """One-layer runs that acquire ICL, then fade; the other loss is `ratio` times equation 16.

    The small loss spans some decades below 0.02. If `constant`, the other loss is what equation 16
    says of the middle of them, at all times.
    """
    generator = generator or np.random.default_rng(0)
    step = np.arange(0, 10001, 50)
    clock = np.broadcast_to(synthetic.RATE * step, (seeds, len(step)))
    acquired = clock >= t_acquired
    gone = (clock >= t_faded) & fades
    icl_accuracy = np.where(gone, 0.5, np.where(acquired, 0.999, 0.5))
    factor = ratio * np.exp(spread * generator.standard_normal((seeds, 1)))
    factor = factor * np.exp(0.05 * generator.standard_normal(clock.shape))
    small = 0.022 * 10 ** (-decades * generator.random(clock.shape))
    seen = np.full_like(small, 0.022 * 10 ** (-decades / 2)) if constant else small
    icl = np.where(acquired, small, 0.7)
    iwl = np.where(acquired, factor * iwl_loss_after_acquisition(seen), 0.7)
    icl = np.where(gone, factor * icl_loss_after_fading(seen), icl)
    iwl = np.where(gone, small, iwl)
    data = synthetic.dataset(
        "loss",
        np.full(seeds, 32),
        np.full(seeds, 2000),
        np.arange(seeds),
        icl_accuracy,
        1 - icl_accuracy,
        step,
        settings={"attention_decay": 3e-3},
    )
    return data.assign(icl_loss=(("run", "evaluation"), icl), iwl_loss=(("run", "evaluation"), iwl))


def minimal_and_alone(
    *,
    seeds=8,
    slowdown=0.05,
    deviation=0.01,
    disturbed=0.0,
    w=None,
    t_icl=100.0,
    spread=0.1,
    generator=None,
):
    """Runs of the minimal model, and of its MLP alone, whose c3 falls as e^(-t/200).

    c3 of the former falls at `slowdown` of that rate from acquisition on; c1 is off by `deviation`
    just before, and ten times as far in a share of `disturbed`. c1 is half of c3, so that e^-w
    predicts a slowdown of 2 e^-w. w grows, unless it is given.
    """
    generator = generator or np.random.default_rng(0)
    step = np.arange(0, 10001, 50)
    clock = np.broadcast_to(synthetic.RATE * step, (seeds, len(step)))
    t = t_icl * np.exp(spread * generator.standard_normal((seeds, 1)))
    slow = slowdown * np.exp(spread * generator.standard_normal((seeds, 1)))
    off = deviation * np.exp(spread * generator.standard_normal((seeds, 1)))
    off = np.where(generator.random((seeds, 1)) < disturbed, 10 * off, off)
    log_c3 = -clock / 200
    after = -np.minimum(clock, t) / 200 - slow * np.maximum(clock - t, 0) / 200
    c1 = 0.5 * np.exp(log_c3)
    curves = {"c3": np.exp(after), "c1": c1 * (1 + off * clock / t), "w": 1 + clock / 100}
    if w is not None:
        curves["w"] = np.full(clock.shape, w)
    curves["beta"] = np.full(clock.shape, 9.0)
    icl = synthetic.acquired_at(t[:, 0], clock)
    coordinates = (np.full(seeds, 32), np.full(seeds, 1000), np.arange(seeds))
    whole = synthetic.dataset("minimal_kinetics", *coordinates, icl, 1 - icl, step)
    alone = synthetic.dataset("memorisation_raw", *coordinates, icl, icl, step)
    return {
        "minimal": _of_model(whole, MINIMAL, curves),
        "alone": _of_model(
            alone, {**MLP, "mlp_input": "raw"}, {"c3": np.exp(log_c3), "c1": c1}, ["icl_accuracy"]
        ),
    }


def tracking(*, seeds=8, bias=0.0, spread=0.02, decay=0.01, fades=True, generator=None):
    """Minimal-model runs whose w is W(c3/lambda), but for a relative bias."""
    generator = generator or np.random.default_rng(0)
    step = np.arange(0, 20001, 100)
    clock = np.broadcast_to(synthetic.RATE * step, (seeds, len(step)))
    rate = 300 if fades else 3000
    c3 = np.exp(-clock / rate)
    scatter = 1 + bias + spread * generator.standard_normal((seeds, 1))
    icl = synthetic.acquired_at(np.full(seeds, 50.0), clock)
    data = synthetic.dataset(
        "minimal_lambert",
        np.full(seeds, 32),
        np.full(seeds, 500),
        np.arange(seeds),
        icl,
        1 - icl,
        step,
        settings={"w_decay": decay, "attention_decay": 0.0, "beta_decay": 0.0, "mlp_decay": 0.0},
    )
    return _of_model(data, MINIMAL, {"c3": c3, "w": scatter * w_tracking(c3, decay)})


def heads(
    *,
    seeds=8,
    before=0.01,
    after=0.95,
    spread=0.02,
    parts=(0.99, 0.99, 0.52),
    generator=None,
):
    """One-layer runs whose score_r2 jumps when ICL is acquired.

    `parts`: ICL accuracy then of beta alone, of the label alone, and without beta.
    """
    generator = generator or np.random.default_rng(0)
    step = np.arange(0, 5001, 50)
    clock = np.broadcast_to(synthetic.RATE * step, (seeds, len(step)))
    icl = synthetic.acquired_at(np.full(seeds, 200.0), clock)
    own = spread * generator.standard_normal((seeds, 1))
    r2 = np.where(icl > 0.95, after, before) + own
    data = synthetic.dataset(
        "order_parameters",
        np.full(seeds, 32),
        np.full(seeds, np.inf),
        np.arange(seeds),
        icl,
        np.full(icl.shape, 0.5),
        step,
    )
    curves = {"score_r2": r2, "score_correlation": np.sqrt(np.clip(r2, 0, 1)), "beta": 3 * icl}
    curves |= {"w": 2 * icl, "value_label_pp": 2 * icl, "value_label_mm": 2 * icl}
    curves |= {"value_label_pm": -icl, "value_label_mp": -icl}
    for name, part in zip(("of_beta", "of_label", "without_beta"), parts, strict=True):
        accuracy = part + 0.005 * generator.standard_normal(icl.shape)
        curves[f"icl_{name}"] = np.where(icl > 0.95, accuracy, 0.5)
    curves |= {"icl_of_both": curves["icl_of_beta"], "icl_of_w": np.full(icl.shape, 0.5)}
    return _of_model(data, json.loads(data.attrs["jobs"])[0]["model"], curves)


def skewed(*, alphas=(0.0, 0.5, 1.0), items=(500, 1000, 2000), t_icl=100.0, seeds=4):
    """Runs on Zipf's ranks that acquire ICL exactly where I_K(inf) exceeds `t_icl`."""
    alone, whole = [], []
    for alpha in alphas:
        scale = 0.75 + 0.1 * alpha
        settings = {"zipf_exponent": alpha}
        alone.append(
            memorisation(
                experiment="zipf_memorisation",
                items=items,
                seeds=seeds,
                exponent=scale,
                spread=0.0,
                shared=0.0,
                settings=settings,
            )
        )
        for k in items:
            generator = np.random.default_rng(0)
            acquires = k**scale > t_icl
            whole.append(
                synthetic.transition(
                    n_items=(k,),
                    seeds=seeds,
                    threshold=1.0 if acquires else 1e9,
                    generator=generator,
                    settings=settings,
                )
            )
    return {
        "memorisation": _joined(alone, "zipf_memorisation"),
        "transition": _joined(whole, "zipf_transition"),
    }


def _joined(parts, experiment):
    joined = xr.concat(parts, dim="run", combine_attrs="override")
    return joined.assign_attrs(experiment=experiment)


def alone(**kwargs):
    return {"memorisation": memorisation(**kwargs)}


def capacity(threshold=1000, **kwargs):
    return {
        "memorisation": memorisation(**kwargs),
        "capacity": memorisation(experiment="capacity", items=(9000,), seeds=4, **kwargs),
        "transition": synthetic.transition(threshold=threshold, width=0.1),
    }


# For each claim data that reproduce it.
CASES = {
    "memorisation_exponent": alone,
    "not_capacity": capacity,
    "seed_invariance": lambda: alone(shared=0.0),
    "loss_relation": lambda: {"loss": losses()},
    "iwl_slowdown": minimal_and_alone,
    "lambert_tracking": lambda: {"minimal": tracking()},
    "independence": minimal_and_alone,
    "order_parameters": lambda: {"order_parameters": heads()},
}
