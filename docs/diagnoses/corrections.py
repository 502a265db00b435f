"""What does each thing that equation 12 leaves out explain of its constant?

    OMP_NUM_THREADS=1 python docs/diagnoses/corrections.py     # 40 minutes, on one core

Each is done to transformers before the first step, alone, in the study's regime and on seeds of no
claim. They then train at K = infinity, on fresh items:

- an MLP that has memorised: the MLP alone learns K items, near the study's K*, until c1 is 0.4 or
  0.3, and takes the place of the untrained MLP. That is free of charge; with what it takes, a share
  U/t_ICL of ICL's acquisition is at the untrained MLP's pace, U being I_K up to that c1;
- a transformer that has memorised: the whole learns these K items for as long, so that what it has
  by then acquired of ICL is in it, and the rest of t_ICL is added to U;
- its gain alone: the untrained MLP's readout times what gives it the gain of c1 = 0.4, by the
  definition of readout_gain.py and on the same K items; also where what it then says of the target
  alone is subtracted from the logit, in training too;
- its weights, shuffled: each array's elements in another order;
- no scores: Q becomes a multiple of K, so that K^T Q is beta0 times the identity but for noise of
  a tenth of that; K grows by sqrt(2), so that K^T Q learns as fast as before;
- no function: what the MLP, as it starts, says of the target alone is subtracted. Of an MLP that
  has memorised that is noise to fresh items, where to the K items it is the answer.

Prints, for each N: how long the MLP alone takes to c1, its gain on the K items and on fresh ones;
the factor on t_ICL, a geometric mean over seeds, each against itself unmodified, with a 95 %
interval by bootstrap over seeds; and equation 12's K* with that factor over the study's K*, from
the study's I_K and verdict. Then the same of t_ICL at finite K (threshold_constant.py), and of
I_K when ICL is acquired there, which is what equation 10 compares.

A correction explains the constant only if finite K brings it along. No scores and no function are
other networks, whose K* may move as well as their t_ICL does. So their K* is measured, too, where
they learn K items from the start, and equation 12's with the factor above is compared with it.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "docs/diagnoses")]

from icl.engine import machine, training
from icl.experiment.validation import Sources, check
from icl.job import Job, Stop
from icl.measurements import intervals
from icl.measurements.base import Estimate
from icl.measurements.transition import gap_around
from icl.models.layers import MLP, Parameters, mlp_outputs
from icl.models.one_layer import fast as fused_one_layer
from icl.models.one_layer import network as one_layer
from icl.record import Record
from icl.statistics import curves, fits
from icl.store import files
from icl.task import draws
from icl.theory.memorisation import i_k
from icl.verdicts import Verdict
from readout_gain import gain

STUDY = ROOT / "docs/gallery/study"
SEEDS = tuple(range(60_700, 60_724))  # of no claim
ITEMS = {16: 305, 32: 672, 64: 1871}  # N -> K, near the study's K*
LEVELS = (0.4, 0.3)
OTHERS = {16: "no scores", 32: "no scores"}
GRIDS = {16: (110, 140, 180, 230, 300, 400), 32: (180, 235, 305, 400, 520, 680)}
STEPS = {16: 700, 32: 1200}  # two to three times t_ICL of these
FEW = 12  # seeds, at each K
EVERY = 4  # steps of the MLP alone between looks at c1
ACCURACY, LEVEL = 0.95, 0.95
INITIALISE, FORWARD = one_layer.initialise, fused_one_layer.Step._forward


def forward(self, p, tables, sequences, first) -> None:
    """Take off the logit what the MLP said of the target alone at the start, where asked for."""
    FORWARD(self, p, tables, sequences, first)
    if "start_readout" in p:
        self.mlp.others.copy_(-mlp_outputs(p, self.token, "start_").squeeze(-1))


def train(job: Job, start: Parameters) -> Record:
    """Train from given weights, those of the job's seeds and maybe of more."""
    n = len(job.seeds)
    one_layer.initialise = lambda seeds, model: {name: p[:n].clone() for name, p in start.items()}
    fused_one_layer.Step._forward = forward
    record = training.train(job)
    one_layer.initialise, fused_one_layer.Step._forward = INITIALISE, FORWARD
    return record


def log_times(job: Job, start: Parameters) -> np.ndarray:
    """Return log t_ICL of each seed from given weights; one that never acquires has its end."""
    record = train(job, start)
    clock = np.tile(job.optimiser.learning_rate * record.steps, (len(SEEDS), 1))
    found = curves.acquisition_time(record.metrics["icl_accuracy"], clock, ACCURACY)
    if found.censored:
        print(f"{found.censored} seeds never acquire ICL: the factor is at least that", flush=True)
    return np.log(np.maximum(found.time, 0.01))  # one may have acquired it before


@dataclass(frozen=True)
class Memorising:
    """The MLP alone at the first look at which c1 is at a level."""

    weights: Parameters
    time: np.ndarray  # (R,) theory time
    used: np.ndarray  # (R,) I_K up to then


def memorise(job: Job) -> tuple[list[Memorising], torch.Tensor, torch.Tensor]:
    """Train the MLP alone; return it at each of `LEVELS`, its items' tokens and their labels."""
    run = training.Run(job, torch.device("cpu"))
    n, clock = len(SEEDS), job.optimiser.learning_rate * np.asarray(run.at)
    found = [Memorising({}, np.full(n, np.nan), np.full(n, np.nan)) for _ in LEVELS]
    while not run.is_over and np.isnan(found[-1].time).any():
        while not run.is_due:
            run.step()
        run.evaluate()
        c1, last = run.metrics["c1"][:, : run.evaluations], run.evaluations - 1
        for at, level in zip(found, LEVELS, strict=True):
            new = np.isnan(at.time) & (c1[:, last] <= level)
            at.time[new] = clock[last]
            at.used[new] = i_k(clock[: last + 1], c1)[new, last]
            for name in MLP:
                p = run.ensemble.parameters[name]
                at.weights.setdefault(name, p.clone())[new] = p[new]
    assert not np.isnan(found[-1].time).any(), "a seed never gets there: more steps are needed"
    dataset = run.ensemble.arithmetic.unpack(run.ensemble.data.tables)
    return found, one_layer.embed(dataset).unlabelled, dataset.labels


def learnt(job: Job, n_items: int, time: np.ndarray) -> Parameters:
    """Train the transformer on K items; return each seed's weights at its own time (R,)."""
    at = np.rint(time / job.optimiser.learning_rate).astype(int)
    run, found = training.Run(replace(job, n_items=n_items), torch.device("cpu")), Parameters()
    while run.steps < at.max():
        run.step()
        own = torch.from_numpy(at == run.steps)
        for name, p in run.ensemble.parameters.items():
            found.setdefault(name, p.clone())[own] = p[own]
    return found


def read_louder(start: Parameters, factor: torch.Tensor) -> Parameters:
    """Multiply the readout, and its bias, by a factor (R,)."""
    louder = {"readout": factor[:, None, None], "readout_bias": factor[:, None]}
    return start | {name: by * start[name] for name, by in louder.items()}


def factor_for(
    start: Parameters, wanted: np.ndarray, tokens: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Find what the readout must be multiplied by for a gain, by bisection: (R,)."""
    low, high = torch.zeros(len(wanted)), torch.full((len(wanted),), 12.0)  # powers of two
    for _ in range(24):
        middle = (low + high) / 2
        found = gain(read_louder(start, 2**middle), tokens, labels)[0]
        too_little = torch.from_numpy(found < wanted)
        low, high = torch.where(too_little, middle, low), torch.where(too_little, high, middle)
    return 2**low


def without_scores(start: Parameters, item_dim: int) -> Parameters:
    """Replace Q by a multiple of K that has the same beta; keep K^T K + Q^T Q."""
    key, query = start["key"], start["query"]
    on_items = key[..., :item_dim].square().sum(1).mean(1)
    beta = (key * query)[..., :item_dim].sum(1).mean(1)
    multiple = (beta / on_items)[:, None, None]
    return start | {"key": 2**0.5 * key, "query": multiple * key / 2**0.5}


def without_function(start: Parameters) -> Parameters:
    """Keep a copy of the MLP, for `forward`."""
    return start | {f"start_{name}": start[name].clone() for name in MLP}


def shuffled(weights: Parameters) -> Parameters:
    """Put each array's elements in another order."""
    generator, found = torch.Generator().manual_seed(0), {}
    for name, p in weights.items():
        flat = [row.flatten()[torch.randperm(row.numel(), generator=generator)] for row in p]
        found[name] = torch.stack(flat).view_as(p)
    return found


def starts_of(job: Job, alone: Job) -> tuple[dict[str, Parameters], dict[str, np.ndarray]]:
    """Make the weights that each row starts from, and the I_K that some took to make.

    Prints what they are like.
    """
    start = INITIALISE(torch.tensor(SEEDS), job.model)
    found, tokens, labels = memorise(alone)
    n, dim = job.evaluation.novel_items, job.model.item_dim
    novel = one_layer.embed(draws.novel_dataset(torch.tensor(SEEDS), n, dim, job.task))
    fresh = novel.unlabelled, novel.labels
    starts, used = {"nothing": start}, {}

    def report(name: str, p: Parameters, more: str = "") -> None:
        values = (gain(p, *items)[0].mean() for items in ((tokens, labels), fresh))
        on_items, on_fresh = (f"{value:.2f}" for value in values)
        said = gain(p, *fresh)[1].mean()
        print(f"  {name}: gain {on_items}, on fresh items {on_fresh}, where c1 is {said:.2f}{more}")

    report("untrained", start)
    for level, at in zip(LEVELS, found, strict=True):
        whole = learnt(job, int(alone.n_items), at.time)
        for name, p in (("MLP", start | at.weights), ("transformer", whole)):
            starts[f"{name} at c1 = {level}"] = p
            starts[f"{name} at c1 = {level}, no function"] = without_function(p)
        used |= {name: at.used for name in starts if str(level) in name}
        report(
            f"c1 = {level}", at.weights, f"; time {at.time.mean():.1f}, I_K {at.used.mean():.1f}"
        )
    starts["no scores"] = without_scores(start, dim)
    for name, p in (("as drawn", start), ("no scores", starts["no scores"])):
        key_query = p["key"].mT @ p["query"]
        print(f"  K^T Q, {name}: deviation of an element {key_query.std():.4f}")
    starts["no function"] = without_function(start)
    wanted = gain(found[0].weights, tokens, labels)[0]
    factor = factor_for(start, wanted, tokens, labels)
    starts["its gain"] = read_louder(start, factor)
    report("its gain", starts["its gain"], f"; readout times {factor.mean():.1f}")
    factor = factor_for(start, wanted, tokens, torch.zeros_like(labels))
    starts["its gain, no function"] = without_function(read_louder(start, factor))
    starts["no scores, no function"] = without_function(starts["no scores"])
    memorised = f"MLP at c1 = {LEVELS[0]}"
    starts[f"{memorised}, no scores"] = without_scores(starts[memorised], dim)
    starts["its weights, shuffled"] = start | shuffled(found[0].weights)
    report("shuffled", starts["its weights, shuffled"])
    return starts, used


@dataclass(frozen=True)
class Race:
    """The study's race at one N."""

    star: Estimate  # log K*, measured
    predicted: Estimate  # log K* by equation 12
    t_icl: float  # median, at K = infinity
    log_items: np.ndarray  # log K of the MLP alone
    log_total: np.ndarray  # log I_K(inf), mean over seeds
    finite: list[dict]  # rows of t_ICL at finite K over that at infinity
    alone: list[tuple[float, np.ndarray, np.ndarray]]  # K, theory time and I_K up to then of a run

    def spent(self, row: dict) -> Estimate:
        """Return I_K when ICL is acquired at finite K over t_ICL at K = infinity (eq. 10)."""

        def at(ratio: np.ndarray) -> np.ndarray:
            time = ratio * self.t_icl
            of_run = np.array([np.interp(time, clock, total) for _, clock, total in self.alone])
            items = np.array([k for k, *_ in self.alone])
            means = np.array([of_run[items == k].mean(0) for k in np.unique(items)])
            near = (np.interp(np.log(row["n_items"]), self.log_items, each) for each in means.T)
            return np.array(list(near)) / self.t_icl

        return intervals.rescaled(Estimate(row["ratio"], *row["interval"]), at)

    def left(self, factor: Estimate, star: Estimate | None = None) -> Estimate:
        """Return equation 12's K*, with a factor on t_ICL, over the measured or another one."""

        def moved(log_factor: np.ndarray) -> np.ndarray:
            at = np.log(self.t_icl) + np.append(log_factor, 0.0)
            total, items = self.log_total, self.log_items
            found = np.interp(at, total, items)
            slope = (items[1] - items[0]) / (total[1] - total[0])
            found = np.where(at < total[0], items[0] + slope * (at - total[0]), found)
            return found[:-1] - found[-1]

        by = intervals.rescaled(intervals.rescaled(factor, np.log), moved)
        minus = Estimate(-by.value, -by.high, -by.low)
        with_factor = intervals.difference(self.predicted, minus)
        return intervals.rescaled(intervals.difference(with_factor, star or self.star), np.exp)


def race(length: int) -> Race:
    """Read the study's race off its verdict and data."""
    judged = [Verdict.from_json(entry) for entry in files.read_json(STUDY / "claims.json")]
    (details,) = (v.details for v in judged if v.id == "threshold_constant")
    of = {
        key: next(row for row in details[key] if row["context_length"] == length)
        for key in ("by_length", "predicted_thresholds")
    }
    star, predicted = (
        intervals.rescaled(Estimate(row["threshold"], *row["interval"]), np.log)
        for row in of.values()
    )
    runs = [
        xr.open_dataset(STUDY / f"collected/{name}.nc")
        for name in ("memorisation_wide", "capacity")
    ]
    items, total = (
        np.concatenate([each[key].values for each in runs]) for key in ("n_items", "i_recorded")
    )
    k = np.unique(items)
    log_total = np.log([total[items == value].mean() for value in k])
    finite = [
        row
        for row in details["finite_over_infinite"]
        if row["context_length"] == length
        and row["n_items"] > np.exp(star.value)
        and np.isfinite(row["interval"]).all()
    ]
    alone = []
    for each in runs:
        of_run = each["n_items"], each["theory_time"], each["i_k"]
        for n_items, clock, until in zip(*(values.values for values in of_run), strict=True):
            known = np.isfinite(until)
            alone.append((float(n_items), clock[known], until[known]))
    at_infinity = of["predicted_thresholds"]["median_t_icl"]
    return Race(star, predicted, at_infinity, np.log(k), log_total, finite, alone)


def geometric_mean(logs: np.ndarray) -> Estimate:
    """Estimate the geometric mean over seeds (R,) of factors whose logarithms are given."""
    resamples = np.random.default_rng(0).integers(len(logs), size=(5000, len(logs)))
    level = curves.expanded_level(LEVEL, len(logs))
    ends = curves.interval(logs[resamples].mean(1), level)
    return intervals.rescaled(Estimate(float(logs.mean()), *ends), np.exp)


def log_threshold(job: Job, start: Parameters) -> Estimate:
    """Train on each K of the grid and fit log K* as the study does; seeds are resampled."""
    length, finals = job.context_length, []
    evaluation = replace(job.evaluation, every=100)
    for n_items in GRIDS[length]:
        at = replace(job, n_items=n_items, seeds=SEEDS[:FEW], steps=STEPS[length])
        at = replace(at, evaluation=evaluation, stop=Stop("never", None, None, None))
        finals.append(train(at, start).metrics["icl_accuracy"][:, -1])
        print(f"    K = {n_items}: {(finals[-1] > 0.75).sum()} of {FEW} acquire ICL", flush=True)
    drawn = np.random.default_rng(0).integers(FEW, size=(2000, FEW))
    order = np.vstack([np.arange(FEW), drawn])
    means = np.stack([values[order].mean(1) for values in finals], axis=1)
    x, weights = np.log10(GRIDS[length]), np.full(len(finals), float(FEW))
    found = np.log(10) * fits.fit_logistic(x, means, weights, 0.5, (0.9, 1.0)).midpoint
    low, high = curves.interval(found[1:], curves.expanded_level(LEVEL, FEW))
    gap = np.log(gap_around(np.array(GRIDS[length]), np.exp(found[0])))
    return Estimate(float(found[0]), min(low, gap[0]), max(high, gap[1]))


def written(e: Estimate, digits: int = 2) -> str:
    """Write an estimate with its interval."""
    value, low, high = (f"{number:.{digits}f}" for number in (e.value, e.low, e.high))
    return f"{value} [{low}, {high}]"


def main() -> None:
    """Print a block of lines for each N, and one table."""
    machine.prepare(1)
    sources = Sources.of_size([ROOT / "config/beyond.yaml"])
    jobs = check(sources.merged(), sources)
    table: dict[str, list[str]] = {}
    for length, n_items in ITEMS.items():
        of_length = next(job for job in jobs["whole"] if job.context_length == length)
        job = replace(of_length, seeds=SEEDS, seeds_per_start=1)
        alone = replace(
            jobs["memorisation"][0],
            seeds=SEEDS,
            n_items=n_items,
            steps=10 * n_items,
            stop=Stop("never", None, None, None),
        )
        looks = replace(alone.evaluation, schedule="linear", every=EVERY, per_decade=None)
        of_study, usual = race(length), np.array([])
        print(f"N = {length}, K = {n_items}", flush=True)
        starts, used = starts_of(job, replace(alone, evaluation=looks))
        rows: dict[str, Estimate] = {}
        for name, start in starts.items():
            logs = log_times(job, start)
            usual = usual if len(usual) else logs
            print(f"  {name}: t_ICL {np.exp(logs.mean()):.1f}", flush=True)
            apart = not name.startswith("transformer")  # from what ICL is acquired as it memorises
            if apart:
                rows[name] = geometric_mean(logs - usual)
            if name in used:
                share = np.minimum(used[name] / np.exp(usual), 1)
                left = 1 - share if apart else 1
                both = np.log(share + left * np.exp(logs - usual))
                rows[f"{name}, and what that takes"] = geometric_mean(both)
        for name, row in (("nearest", of_study.finite[0]), ("most", of_study.finite[-1])):
            print(f"  finite K, {name}: K = {row['n_items']:.0f}")
            rows[f"finite K, {name}"] = Estimate(row["ratio"], *row["interval"])
            rows[f"finite K, {name}, I_K then"] = of_study.spent(row)
        for name, factor in rows.items():
            cells = written(factor), written(of_study.left(factor))
            print(f"  | {name} | " + " | ".join(cells) + " |", flush=True)
            table.setdefault(name, []).extend(cells)
        if name := OTHERS.get(length):
            star = log_threshold(replace(job, seeds=SEEDS[:FEW]), starts[name])
            own = written(intervals.rescaled(star, np.exp), 0)
            print(f"  its own K*, {name}: {own}; equation 12's is", end=" ")
            print(written(of_study.left(rows[name], star)), "times that", flush=True)
    columns = [f"N = {n}: {what}" for n in ITEMS for what in ("factor", "K* over measured")]
    print("| " + " | ".join(["done", *columns]) + " |\n" + "|---" * (1 + len(columns)) + "|")
    for name, cells in table.items():
        print("| " + " | ".join([name, *cells]) + " |")


if __name__ == "__main__":
    main()
