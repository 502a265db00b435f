"""Collected datasets with known answers, in the form that `collect` writes."""

import json

import numpy as np
import xarray as xr
from scipy.special import expit, logit

ACCURACY_NOISE = 0.005
RATE = 0.1
SETTINGS = {
    "learning_rate": RATE,
    "method": "sgd",
    "precision": "float32",
    "mlp_learning_rate": RATE,
    "attention_decay": 1e-10,
    "beta_decay": 1e-10,
    "w_decay": 1e-10,
    "mlp_decay": 1e-10,
    "beta_shift": 0.0,
    "zipf_exponent": 0.0,
    "copies": 1,
    "label_noise": 0.0,
    "context_labels": "random",
    "hold": "nothing",
}
ITEMS = tuple(np.geomspace(500, 10000, 10).round())


def acquired_at(t_icl, clock, rise=0.1, final=0.99):
    """ICL accuracy (R, T), logistic from 0.5: 0.95 at t_icl, from 0.6 to 0.9 in `rise` of it."""
    t_icl = np.asarray(t_icl, dtype=float)[:, None]
    acquires = np.isfinite(t_icl)
    t = np.where(acquires, t_icl, 1.0)
    scaled = logit((np.array([0.6, 0.9, 0.95]) - 0.5) / (final - 0.5))
    scale = rise * t / (scaled[1] - scaled[0])
    curve = 0.5 + (final - 0.5) * expit((clock - t) / scale + scaled[2])
    return np.where(acquires, curve, 0.5)


def dataset(
    experiment,
    context_length,
    n_items,
    seed,
    icl_accuracy,
    iwl_accuracy,
    step,
    *,
    stop_reason=None,
    missing_blocks=(),
    settings=None,
):
    """Assemble a collected dataset from (R,) coordinates and (R, T) curves.

    `settings` gives values, one or (R,), to some of the settings that runs have as coordinates.
    """
    runs = len(seed)
    step = np.broadcast_to(np.asarray(step, dtype=float), icl_accuracy.shape)
    loss = np.where(np.isfinite(icl_accuracy), 0.3, np.nan)
    job = {
        "numerics": 1,
        "model": {
            "name": "one_layer",
            "item_dim": 63,
            "hidden_dim": 128,
            "attend_to": "context",
            "layernorm_affine": False,
        },
        "task": {"item_labels": "random", "redrawn_items": 512},
        "optimiser": {
            "learning_rate": RATE,
            "batch_size": 128,
            "weight_decay": {"attention": 1e-10, "mlp": 1e-10},
        },
    }
    curves = {
        "icl_accuracy": icl_accuracy,
        "iwl_accuracy": iwl_accuracy,
        "icl_loss": loss,
        "iwl_loss": loss,
        "train_loss": loss,
    }
    last = np.nanmax(np.where(np.isfinite(icl_accuracy), step, np.nan), axis=1)
    reason = np.zeros(runs) if stop_reason is None else stop_reason
    return xr.Dataset(
        {
            **{name: (("run", "evaluation"), np.array(curve)) for name, curve in curves.items()},
            "stop_step": ("run", last.astype(np.int64)),
            "stop_reason": ("run", np.asarray(reason, dtype=np.int8)),
        },
        coords={
            "seed": ("run", np.asarray(seed, dtype=np.int64)),
            "context_length": ("run", np.asarray(context_length, dtype=np.int64)),
            "n_items": ("run", np.asarray(n_items, dtype=float)),
            "step": (("run", "evaluation"), np.array(step)),
            "theory_time": (("run", "evaluation"), RATE * step),
            **{
                name: ("run", np.broadcast_to(value, runs).copy())
                for name, value in ({**SETTINGS, **(settings or {})}).items()
            },
        },
        attrs={
            "experiment": experiment,
            "preset": "laptop",
            "data_digest": f"{experiment:0<12}".encode().hex(),
            "missing_blocks": json.dumps(list(missing_blocks)),
            "jobs": json.dumps([job]),
        },
    )


def transition(
    *,
    n_items=ITEMS,
    seeds=8,
    threshold=2200.0,
    width=0.15,
    rise=0.1,
    steps=4000,
    every=50,
    generator=None,
    **kwargs,
):
    """Runs at finite K that acquire with a probability logistic in log K; else they memorise."""
    generator = generator or np.random.default_rng(0)
    k = np.repeat(np.asarray(n_items, dtype=float), seeds)
    seed = np.tile(np.arange(seeds), len(n_items))
    chance = 1 / (1 + np.exp(-2 * np.log(9) * np.log10(k / threshold) / width))
    acquires = generator.random(len(k)) < chance
    step = np.arange(0, steps + 1, every)
    t_icl = np.where(acquires, RATE * steps * generator.uniform(0.25, 0.5, len(k)), np.inf)
    icl = acquired_at(t_icl, RATE * step, rise=rise)
    learnt = np.where(acquires, 0.5 + 0.4 * (k.min() / k) ** 0.5, 1.0)[:, None]
    iwl = 0.5 + (learnt - 0.5) * (1 - np.exp(-step / 600))
    icl, iwl = (
        np.clip(curve + ACCURACY_NOISE * generator.standard_normal(icl.shape), 0, 1)
        for curve in (icl, iwl)
    )
    return dataset("transition", np.full(len(k), 64), k, seed, icl, iwl, step, **kwargs)


def outcomes_at_infinity(t_icl, length, evaluations=400):
    """Runs at K = infinity and one N that acquire ICL at these times (S,)."""
    seeds = len(t_icl)
    step = np.round(1.2 * t_icl.max() / RATE * np.linspace(0, 1, evaluations))
    icl = acquired_at(t_icl, RATE * step, rise=0.02)
    return dataset(
        "acquisition",
        np.full(seeds, length),
        np.full(seeds, np.inf),
        np.arange(seeds),
        icl,
        np.full(icl.shape, 0.5),
        step,
    )


def acquisition(
    *,
    lengths=(16, 24, 32, 48, 64),
    seeds=32,
    exponent=1.0,
    spread=0.3,
    budget=5.0,
    normal=False,
    censored_after=None,
    generator=None,
    **kwargs,
):
    """Runs at K = infinity with median t_ICL 2 N^exponent, stopped at their acquisition.

    The budget is in medians; `censored_after`, in medians, cuts runs off as if theirs were shorter.
    """
    generator = generator or np.random.default_rng(0)
    evaluations = 400
    n = np.repeat(lengths, seeds)
    seed = np.tile(np.arange(seeds), len(lengths))
    median = 2.0 * n.astype(float) ** exponent
    noise = generator.standard_normal(len(n))
    t_icl = median * (np.clip(1 + spread * noise, 0.1, None) if normal else np.exp(spread * noise))
    step = np.round(median[:, None] * budget / RATE * np.linspace(0, 1, evaluations))
    icl = acquired_at(t_icl, RATE * step, rise=0.1)
    end = np.full(len(n), evaluations - 1)
    if censored_after is not None:
        end[:] = int(evaluations * censored_after / budget)
    above = icl > 0.95
    confirmed = above[:, :-1] & above[:, 1:]
    stop = np.where(confirmed.any(axis=1), confirmed.argmax(axis=1) + 1, evaluations)
    stopped = stop <= end
    gone = np.arange(evaluations) > np.minimum(stop, end)[:, None]
    icl[gone] = np.nan
    iwl = np.where(gone, np.nan, 0.5)
    return dataset(
        "acquisition",
        n,
        np.full(len(n), np.inf),
        seed,
        icl,
        iwl,
        step,
        stop_reason=stopped.astype(int),
        **kwargs,
    )
