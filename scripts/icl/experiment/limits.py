"""Refuse what a schema cannot: settings that exclude each other, and sizes that cannot run."""

from collections import Counter
from collections.abc import Iterator
from math import ceil, inf, log10
from typing import Any

from icl.experiment.cost import cost
from icl.experiment.grid import as_list, expand_items
from icl.experiment.yaml_files import Key
from icl.job import Job, items_text
from icl.models import MODELS

Fault = tuple[Key, str]  # where, and what is wrong and allowed there
MEMORY_LIMIT_MB = 64_000  # of a job, where memory_limit_mb is not given
SURE_OF_BOTH_LABELS = 64  # among as many random labels one is missing once in 2^63
MOST_JOBS = 20_000  # of a grid entry; Snakemake takes minutes to plan as many
MOST_EVALUATIONS = 100_000  # of a run
MOST_OF_ADAM = 0.03  # as a rate; a step of Adam moves a weight by about its rate


def entry_faults(entry: dict[str, Any], key: Key) -> Iterator[Fault]:
    """List what is wrong with the settings of a grid entry, once defaults are merged into it."""
    yield from _schedule_faults(entry, key)
    yield from _optimiser_faults(entry, key)
    yield from _task_faults(entry, key)


def grid_faults(entry: dict[str, Any], key: Key) -> Iterator[Fault]:
    """List what is wrong with the grid itself: a range the wrong way round, too many jobs."""
    values = as_list(entry["n_items"])
    for value in values:
        if isinstance(value, dict) and value["to"] <= value["from"]:
            text = f"{value['to']} is not allowed; allowed: above from, {value['from']}"
            yield (*key, "n_items", "to"), text
    n_lengths = len(as_list(entry["context_length"]))
    n_items = sum(value["count"] if isinstance(value, dict) else 1 for value in values)
    n_blocks = ceil(entry["seeds"]["count"] / entry["block_size"])
    if n_lengths * n_items * n_blocks > MOST_JOBS:
        text = f"{n_lengths} context_length x {n_items} n_items x {n_blocks} blocks of seeds are"
        yield key, f"{text} too many jobs; allowed: at most {MOST_JOBS}. Raise block_size"


def job_faults(jobs: list[Job], memory_limit_mb: int, key: Key) -> Iterator[Fault]:
    """List what is wrong with the jobs of an experiment.

    Args:
        memory_limit_mb: the most that one may need.
    """
    yield from _duplicate_faults(jobs, key)
    yield from _size_faults(jobs, key)
    yield from _memory_faults(jobs, memory_limit_mb, key)


def _schedule_faults(entry: dict[str, Any], key: Key) -> Iterator[Fault]:
    every, steps = entry["evaluation"]["every"], entry["steps"]
    if every > steps:
        text = f"{every} is not allowed; allowed: at most the run's steps, {steps}"
        yield (*key, "evaluation", "every"), text
        return
    evaluation = entry["evaluation"]
    if evaluation["schedule"] == "linear":
        count = steps // every
    else:
        count = int(evaluation["per_decade"] * log10(steps / every))
    if count > MOST_EVALUATIONS:
        text = f"{every} is not allowed; allowed: such that a run of {steps} steps has at most"
        yield (*key, "evaluation", "every"), f"{text} {MOST_EVALUATIONS} evaluations, not {count}"


def _optimiser_faults(entry: dict[str, Any], key: Key) -> Iterator[Fault]:
    """Refuse SGD's rate for Adam, and a hold that would begin once training is over."""
    steps, optimiser = entry["steps"], entry["optimiser"]
    for name in ("learning_rate", "mlp_learning_rate"):
        if optimiser.get("method") == "adam" and optimiser.get(name, 0) > MOST_OF_ADAM:
            text = f"{optimiser[name]} is not allowed; allowed: at most {MOST_OF_ADAM}, where"
            yield (*key, "optimiser", name), f"{text} method is adam; give a rate beside it"
    for group, held in optimiser.get("hold", {}).items():
        if held["from"] >= steps:
            text = f"{held['from']} is not allowed; allowed: below the run's steps, {steps}"
            yield (*key, "optimiser", "hold", group, "from"), text


def _task_faults(entry: dict[str, Any], key: Key) -> Iterator[Fault]:
    """Refuse what one task cannot be at the same time."""
    task = entry["task"]
    balanced = task.get("context_labels", "random") == "balanced"
    infinite = inf in expand_items(entry["n_items"])
    apart = infinite and task.get("redraw", "step") == "sequence"
    for name, plain, not_at_infinity in (
        ("zipf_exponent", 0, infinite),
        ("label_noise", 0, infinite),
        ("copies", 1, False),
    ):
        if (value := task.get(name, plain)) == plain:
            continue
        text = f"{value} is not allowed; allowed: {plain}, where"
        if balanced:
            yield (*key, "task", name), f"{text} context_labels is balanced"
        if not_at_infinity:
            yield (*key, "task", name), f"{text} n_items is infinity"
        if name == "copies" and apart:
            yield (*key, "task", name), f"{text} redraw is sequence"


def _size_faults(jobs: list[Job], key: Key) -> Iterator[Fault]:
    """Refuse sizes from which the task's sequences cannot be drawn."""
    for job in jobs:
        length = job.context_length
        n_items = job.dataset_size
        name = "task.redrawn_items" if job.is_redrawn else "n_items"
        if job.task.context_labels == "balanced":
            if length % 2:
                text = f"{length} is not allowed; allowed: an even N, where context_labels is"
                yield (*key, "context_length"), f"{text} balanced (N/2 of each label)"
            drawn_at_once = not job.is_redrawn or job.task.redraw == "step"
            if drawn_at_once and job.task.item_labels == "random" and n_items < SURE_OF_BOTH_LABELS:
                text = f"{n_items} is not allowed; allowed: at least {SURE_OF_BOTH_LABELS}, where"
                text += " context_labels is balanced and item_labels is random: with fewer, a label"
                yield (*key, name), f"{text} may not occur"
        if job.task.copies > length:
            text = f"{job.task.copies} is not allowed; allowed: at most context_length, {length}"
            yield (*key, "task", "copies"), text
        if MODELS[job.model.name].reads_context and length > n_items - 1:
            text = f"{length} is not allowed; allowed: at most the items that the context of an IWL"
            text += f" evaluation is drawn from, {n_items - 1} ({name} less the target)"
            yield (*key, "context_length"), text


def _memory_faults(jobs: list[Job], limit: int, key: Key) -> Iterator[Fault]:
    """Refuse a block that cannot fit: the worst one is named."""
    if not jobs:
        return
    worst = max(jobs, key=lambda job: cost(job).memory_mb)
    needed = cost(worst).memory_mb
    if needed > limit:
        where = f"N = {worst.context_length}, K = {items_text(worst.n_items)}"
        text = f"a job of {len(worst.seeds)} replicates at {where} would need about {needed} MB;"
        text += f" allowed: memory_limit_mb, {limit}. Lower"
        yield key, f"{text} block_size, or raise the limit where there is more"


def _duplicate_faults(jobs: list[Job], key: Key) -> Iterator[Fault]:
    """Refuse a run that is listed twice: it would count as two replicates.

    Entries may differ in any setting of what is trained. Those that differ only in when a run is
    evaluated or ends are the same run.
    """
    runs = Counter(
        (job.context_length, job.n_items, seed, job.model, job.task, job.optimiser)
        for job in jobs
        for seed in job.seeds
    )
    for (context_length, n_items, seed, *_), count in runs.items():
        if count > 1:
            run = f"N = {context_length}, K = {items_text(n_items)}, seed {seed}"
            yield key, f"{run} is listed {count} times"
            return


def theory_faults(theory: dict[str, Any]) -> Iterator[Fault]:
    """Refuse ranges the wrong way round, and fits over fewer than three points."""
    for name, settings in theory.items():
        for setting, value in settings.items():
            if setting.endswith(("_range", "_fit")) and value[0] >= value[1]:
                text = f"{value} is not allowed; allowed: the lower value first"
                yield ("theory", name, setting), text
    settings = theory["initial_conditions"]
    low, high = settings["beta0_range"]
    if low >= high:
        return
    spacing = (high - low) / (settings["n_beta0"] - 1)
    for setting in ("near_origin_fit", "nullcline_fit"):
        first, last = settings[setting]
        if min(last, high) - max(first, low) < 3 * spacing:
            text = f"{[first, last]} is not allowed; allowed: a range that holds three or more of"
            text += f" the {settings['n_beta0']} points of beta0_range, {[low, high]}"
            yield ("theory", "initial_conditions", setting), text
