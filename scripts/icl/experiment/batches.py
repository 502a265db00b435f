"""Which jobs of an experiment one process trains together on a card (`icl.engine.together`)."""

from collections.abc import Hashable, Mapping

from icl.job import Job


def kind(job: Job) -> Hashable | None:
    """Return what jobs must have in common to train together; None: the job trains alone.

    K, rates, decays, seeds, schedules and stop rules may differ. But K is finite for all or
    infinite for all, and Adam or a hold is for a job alone.
    """
    optimiser = job.optimiser
    if optimiser.method != "sgd" or optimiser.hold.groups:
        return None
    of_step = optimiser.batch_size, optimiser.precision
    return job.model, job.context_length, job.is_redrawn, *of_step


def batches(jobs: Mapping[str, Job], most: int | None) -> list[list[str]]:
    """Divide jobs, by name, into batches of alike ones, of at most so many replicates.

    Those of as many steps are put together, for a batch lasts as long as its longest job. Each job
    is a batch by itself if `most` is None.
    """
    found: list[list[str]] = []
    last: dict[Hashable, list[str]] = {}  # the batch of a kind that may take more
    for name, job in sorted(jobs.items(), key=lambda each: -each[1].steps):
        own = kind(job)
        batch = last.get(own) if own is not None and most else None
        if batch and sum(len(jobs[other].seeds) for other in [*batch, name]) <= (most or 0):
            batch.append(name)
            continue
        last[own] = [name]
        found.append(last[own])
    return found
