"""Train a job, a block of seeds at one N and K, and write its record; or alike jobs together."""

from pathlib import Path

from icl import entry
from icl.engine import checkpoint, machine, training
from icl.engine.blocks import train_all_to
from icl.job import job_from_identity
from icl.store import provenance

with entry.logged(*snakemake.log, mode="a") as log:  # earlier attempts' lines stay
    machine.prepare(snakemake.threads)
    given = snakemake.params.identity
    identities = given if isinstance(given, list) else [given]
    jobs = [job_from_identity(dict(identity)) for identity in identities]
    device = training.resolve_device(snakemake.config.get("device", "auto"))
    for job in jobs:
        log.info("%s on %s, %d thread(s)", job.name, device, snakemake.threads)
    facts = provenance.gather(
        rule=snakemake.rule,
        experiment=Path(snakemake.output[0]).parent.name,
        device=str(device),
        threads=snakemake.threads,
        **machine.describe(device),
    )
    minutes = snakemake.config.get("checkpoint_minutes", checkpoint.MINUTES)
    on_progress = entry.progress(max(job.steps for job in jobs), log)
    written = list(snakemake.output)
    paths, weights = written[: len(jobs)], written[len(jobs) :]
    each = len(weights) // len(jobs)
    of_jobs = [weights[i * each : (i + 1) * each] for i in range(len(jobs))]
    kept = train_all_to(paths, jobs, device, facts, on_progress, minutes, of_jobs)
    seconds = sum(own.seconds_saving for own in kept)
    log.info("%d checkpoints took %.3f s", sum(own.saved for own in kept), seconds)
    log.info("wrote %s", ", ".join(paths))
