"""Collected datasets with known answers: thresholds, fading, outcomes, memorisation."""

from functools import cache

import numpy as np
import synthetic
import synthetic_kinetics
from committed import predicted
from icl.theory.acquisition import t_icl_integrated

NU = 0.7


def star(length, exponent=1 / NU):
    """K* of the synthetic thresholds at N."""
    return 2200.0 * (np.asarray(length, dtype=float) / 64) ** exponent


def outcomes(
    experiment,
    length,
    n_items,
    seed,
    acquires,
    *,
    generator,
    t_icl=None,
    finals=(0.5, 0.99),
    steps=4000,
    every=100,
    **kwargs,
):
    """Runs that acquire ICL or memorise, as told, (R,) each."""
    step = np.arange(0, steps + 1, every)
    if t_icl is None:
        t_icl = synthetic.RATE * steps * generator.uniform(0.2, 0.45, len(seed))
    icl = synthetic.acquired_at(
        np.where(acquires, t_icl, np.inf), synthetic.RATE * step, final=finals[1]
    )
    iwl = np.where(acquires, 0.55, 1.0)[:, None] * np.ones(len(step))
    noise = synthetic.ACCURACY_NOISE * generator.standard_normal((2, *icl.shape))
    icl, iwl = np.clip(icl + noise[0], 0, 1), np.clip(iwl + noise[1], 0, 1)
    return synthetic.dataset(experiment, length, n_items, seed, icl, iwl, step, **kwargs)


def thresholds(
    *,
    lengths=(16, 24, 40, 64),
    exponent=1 / NU,
    seeds=8,
    per_length=6,
    ratio=1.4,
    own=0.08,
    shared=0.08,
    generator=None,
    experiment="thresholds",
    **kwargs,
):
    """Runs at several N and K; a seed acquires above a K of its own, log-normal around K*(N).

    `shared` is the part of that spread, in decades, that a seed has at every N, `own` the rest. The
    grid of K, `per_length` values `ratio` apart, is shifted at random.
    """
    generator = generator or np.random.default_rng(0)
    of_seed = shared * generator.standard_normal(seeds)
    length, n_items, seed, acquires = [], [], [], []
    for n in lengths:
        middle = star(n, exponent) * ratio ** generator.uniform(-0.5, 0.5)
        grid = np.round(middle * ratio ** (np.arange(per_length) - (per_length - 1) / 2))
        limit = np.log10(star(n, exponent)) + of_seed + own * generator.standard_normal(seeds)
        for k in grid:
            length += [n] * seeds
            n_items += [k] * seeds
            seed += list(range(seeds))
            acquires += list(np.log10(k) > limit)
    return outcomes(
        experiment, length, n_items, seed, np.array(acquires), generator=generator, **kwargs
    )


def kinetics(
    *,
    ratios=(0.25, 0.5, 1.0, 2.0, 4.0),
    exponent=1 / NU,
    star=700.0,
    seeds=24,
    spread=0.11,
    generator=None,
):
    """Runs at several rates of the MLP and K, whose K* goes as a power of the rate."""
    generator = generator or np.random.default_rng(0)
    of_seed = spread / 2**0.5 * generator.standard_normal(seeds)
    own, n_items, acquires = [], [], []
    for ratio in ratios:
        middle = star * ratio**exponent
        limit = np.log10(middle) + of_seed + spread / 2**0.5 * generator.standard_normal(seeds)
        for k in np.round(middle * 1.45 ** (np.arange(6) - 2.5)):
            own += [ratio] * seeds
            n_items += [k] * seeds
            acquires += list(np.log10(k) > limit)
    runs = len(own)
    return outcomes(
        "mlp_rates",
        np.full(runs, 32),
        n_items,
        np.tile(np.arange(seeds), runs // seeds),
        np.array(acquires),
        generator=generator,
        settings={"mlp_learning_rate": synthetic.RATE * np.array(own)},
    )


def memorisation(
    *,
    n_items=(100, 250, 600, 1500, 4000, 10000),
    nu=NU,
    prefactor=None,
    seeds=8,
    noise=0.03,
    generator=None,
    experiment="memorisation",
):
    """The MLP alone: I_K(inf) = prefactor K^nu, log-normal over seeds, and an exponential c1."""
    generator = generator or np.random.default_rng(0)
    k = np.repeat(np.asarray(n_items, dtype=float), seeds)
    seed = np.tile(np.arange(seeds), len(n_items))
    if prefactor is None:  # so that t_ICL = 2 N crosses it at the synthetic K*
        prefactor = 2 * 64 / star(64) ** nu
    total = prefactor * k**nu * np.exp(noise * generator.standard_normal(len(k)))
    step = np.linspace(0, 8 * total.max() / synthetic.RATE, 200).round()
    c1 = 0.5 * np.exp(-synthetic.RATE * step / total[:, None])
    flat = np.full(c1.shape, 0.5)
    data = synthetic.dataset(experiment, np.ones(len(k)), k, seed, flat, flat, step)
    i_k = total[:, None] * (1 - np.exp(-synthetic.RATE * step / total[:, None]))
    data = data.drop_vars(["icl_accuracy", "iwl_accuracy", "icl_loss", "iwl_loss", "train_loss"])
    return data.assign(
        c1=(("run", "evaluation"), c1),
        c2=(("run", "evaluation"), 1 - c1),
        c3=(("run", "evaluation"), 2 * c1),
        i_k=(("run", "evaluation"), i_k),
        i_recorded=("run", total),
        i_error=("run", 0.001 * total),
        i_tail_bound=("run", 0.01 * total),
    )


def bimodal(*, seeds=64, fraction=0.5, graded=False, generator=None, **kwargs):
    """Many seeds at one K; `graded`: finals with one mode between chance and one."""
    generator = generator or np.random.default_rng(0)
    acquires = generator.random(seeds) < fraction
    data = outcomes(
        "bimodality",
        np.full(seeds, 64),
        np.full(seeds, 2200.0),
        np.arange(seeds),
        acquires,
        generator=generator,
        **kwargs,
    )
    if graded:
        finals = np.clip(0.76 + 0.08 * generator.standard_normal(seeds), 0, 1)
        icl = data["icl_accuracy"].copy()
        icl[:, -1] = finals
        data = data.assign(icl_accuracy=icl)
    return data


def labels(
    experiment, *, n_items=(700, 1300, 2400), fractions=(0.5, 1, 1), seeds=16, generator=None, **kw
):
    """Runs on D or D' at one N, of which a fraction acquires at each K."""
    generator = generator or np.random.default_rng(0)
    acquires = generator.random((len(n_items), seeds)) < np.asarray(fractions)[:, None]
    return outcomes(
        experiment,
        np.full(seeds * len(n_items), 32),
        np.repeat(np.asarray(n_items, dtype=float), seeds),
        np.tile(np.arange(seeds), len(n_items)),
        acquires.ravel(),
        generator=generator,
        settings={"context_labels": "balanced" if experiment == "balanced" else "random"},
        **kw,
    )


def transience(
    *,
    decays=(0.0, 1e-3, 2e-3, 4e-3, 1e-1),
    slope=-1.0,
    base=400.0,
    spread=0.15,
    seeds=8,
    budget=1500.0,
    fades=True,
    both=False,
    generator=None,
    experiment="transience",
):
    """Runs that acquire at time 60 and fade at base (lambda / 1e-3)^slope.

    At the largest decay none acquires, without decay none fades.
    `both`: as in the minimal model, decay on w alone, and runs with it on beta and w as well.
    """
    generator = generator or np.random.default_rng(0)
    rows = [(decay, 0.0 if both else decay) for decay in decays]
    rows += [(decays[2], decays[2])] if both else []
    on_w, on_beta = (np.repeat(np.array(column), seeds) for column in zip(*rows, strict=True))
    seed = np.tile(np.arange(seeds), len(rows))
    step = np.linspace(0, budget / synthetic.RATE, 301).round()
    clock = synthetic.RATE * step
    acquires = on_w < max(decays)
    t_icl = np.where(acquires, 60 * np.exp(0.2 * generator.standard_normal(len(seed))), np.inf)
    icl = synthetic.acquired_at(t_icl, clock, final=0.999)
    with np.errstate(divide="ignore"):
        fade = base * (on_w / 1e-3) ** slope
    fade = fade * np.exp(spread * generator.standard_normal(len(seed)))
    fade = np.where(acquires & (on_w > 0) & fades, np.maximum(fade, 150.0), np.inf)
    icl = np.where(clock > fade[:, None], 0.5, icl)
    return synthetic.dataset(
        experiment,
        np.full(len(seed), 32),
        np.full(len(seed), 2000.0),
        seed,
        icl,
        1.5 - icl,
        step,
        settings={"w_decay": on_w, "beta_decay": on_beta, "attention_decay": on_beta},
    )


def saddle(*, seeds=128, wrong=0.0, generator=None):
    """Minimal models on D', a share of them on the other side than beta0's sign says."""
    generator = generator or np.random.default_rng(0)
    beta0 = generator.standard_normal(seeds)
    acquires = (beta0 > 0) ^ (generator.random(seeds) < wrong)
    data = outcomes(
        "minimal_balanced",
        np.full(seeds, 32),
        np.full(seeds, np.inf),
        np.arange(seeds),
        acquires,
        generator=generator,
        settings={"context_labels": "balanced"},
    )
    time = np.linspace(0, 1, data.sizes["evaluation"])
    end = np.where(acquires, 6.0, -2.0)
    beta = beta0[:, None] * (1 - time) + end[:, None] * time
    w = end[:, None] * time
    return data.assign(beta=(("run", "evaluation"), beta), w=(("run", "evaluation"), w))


def seeds_that_decide(*, seeds=16, generator=None, n_items=(150, 220, 330, 500, 750, 1100)):
    """The minimal model's transition, K = infinity and raw MLP; each seed acquires as predicted."""
    generator = generator or np.random.default_rng(0)
    t_icl = 150 * np.exp(0.2 * generator.standard_normal(seeds))
    k = np.repeat(np.asarray(n_items, dtype=float), seeds)
    seed = np.tile(np.arange(seeds), len(n_items))
    limit = t_icl.mean() * (k / 400) ** NU
    acquires = t_icl[seed] < limit
    transition = outcomes(
        "minimal_transition",
        np.full(len(k), 64),
        k,
        seed,
        acquires,
        generator=generator,
        t_icl=np.minimum(t_icl[seed] * 1.1, 300),
    )
    lengths = np.repeat([16, 32, 64], seeds)
    times = np.tile(t_icl, 3) * lengths / 64
    infinite = outcomes(
        "minimal_acquisition",
        lengths,
        np.full(len(lengths), np.inf),
        np.tile(np.arange(seeds), 3),
        np.ones(len(lengths), dtype=bool),
        generator=generator,
        t_icl=times,
        every=10,
    )
    alone = memorisation(
        n_items=(100, 300, 600, 1200),
        prefactor=t_icl.mean() / 400**NU,
        seeds=seeds,
        noise=0.0,
        experiment="memorisation_raw",
    )
    return {
        "minimal_transition": transition,
        "minimal_acquisition": infinite,
        "memorisation_raw": alone,
    }


def initial_beta(beta0, *, overlap=60.0):
    """The heads of some seeds before the first step: beta0 (S,) is that of items of unit length."""
    seeds = len(beta0)
    data = outcomes(
        "initial_beta",
        np.full(seeds, 64),
        np.full(seeds, np.inf),
        np.arange(seeds),
        np.zeros(seeds, dtype=bool),
        generator=np.random.default_rng(0),
    )
    curves = {"beta": np.asarray(beta0) / overlap, "item_overlap": np.full(seeds, overlap)}
    shape = data["icl_accuracy"].shape
    return data.assign(
        {n: (("run", "evaluation"), np.broadcast_to(v[:, None], shape)) for n, v in curves.items()}
    )


def from_beta0(*, seeds=256, steepness=1.0, spread=0.05, generator=None):
    """Minimal models from beta0 around 0, whose log t_ICL falls as the flow's, times a factor."""
    generator = generator or np.random.default_rng(0)
    beta0 = 0.25 * generator.standard_normal(seeds)
    grid = np.linspace(-1.5, 1.5, 31)
    flow = np.interp(beta0, grid, _flow(tuple(grid)))
    log_t = flow - (steepness - 1) * beta0 + spread * generator.standard_normal(seeds)
    last = np.exp(log_t).max() * 1.5 / synthetic.RATE
    data = outcomes(
        "minimal_beta0",
        np.full(seeds, 64),
        np.full(seeds, np.inf),
        np.arange(seeds),
        np.ones(seeds, dtype=bool),
        generator=generator,
        t_icl=np.exp(log_t),
        steps=round(last),
        every=round(last / 300),
    )
    shape = data["icl_accuracy"].shape
    beta = np.broadcast_to(beta0[:, None], shape)
    return data.assign(
        beta=(("run", "evaluation"), beta), w=(("run", "evaluation"), np.zeros(shape))
    )


@cache
def _flow(beta0):
    return np.log(t_icl_integrated(np.array(beta0), 64, flow="loss"))


def further(dataset):
    """The same runs as if of other seeds."""
    return dataset.assign_coords(seed=dataset["seed"] + 1000)


ROLES = {
    "mlp_rates": kinetics,
    "transition": synthetic.transition,
    "acquisition": synthetic.acquisition,
    "longest": lambda: synthetic.acquisition(lengths=(128,), seeds=16),
    "half_rate": lambda: transience(both=True, experiment="minimal_transience_slow"),
    "initial_beta": lambda: initial_beta(0.5 * np.random.default_rng(1).standard_normal(32)),
    "initial_conditions": lambda: predicted("initial_conditions", n_samples=100),
    "minimal_beta0": from_beta0,
    "order_parameters": synthetic_kinetics.heads,
    "more_seeds": lambda: further(synthetic.acquisition(lengths=(16, 24), seeds=8)),
    "two_layer": lambda: synthetic.acquisition(lengths=(8, 12, 16), seeds=8),
    "minimal_acquisition": lambda: seeds_that_decide()["minimal_acquisition"],
    "minimal_transition": lambda: seeds_that_decide()["minimal_transition"],
    "memorisation_raw": lambda: seeds_that_decide()["memorisation_raw"],
    "minimal_transience": lambda: transience(both=True, experiment="minimal_transience"),
    "minimal_balanced": saddle,
    "transience": transience,
    "thresholds": thresholds,
    "memorisation": memorisation,
    "capacity": lambda: memorisation(n_items=(20000,), seeds=3, experiment="capacity"),
    "bimodality": bimodal,
    "unstopped": bimodal,
    "loss": synthetic_kinetics.losses,
    "unbalanced": lambda: labels("unbalanced"),
    "balanced": lambda: labels("balanced", fractions=(0, 0.1, 0.3)),
}
