"""Train one job, a block of seeds at one N and K, and write its record."""

from icl import entry
from icl.engine import checkpoint, machine, training
from icl.engine.blocks import train_to
from icl.job import job_from_identity
from icl.store import provenance

with entry.logged(snakemake.log[0], mode="a") as log:  # earlier attempts' lines stay
    machine.prepare(snakemake.threads)
    job = job_from_identity(dict(snakemake.params.identity))
    device = training.resolve_device(snakemake.config.get("device", "auto"))
    log.info("%s on %s, %d thread(s)", job.name, device, snakemake.threads)
    facts = provenance.gather(
        rule=snakemake.rule,
        experiment=snakemake.wildcards.experiment,
        device=str(device),
        threads=snakemake.threads,
        **machine.describe(device),
    )
    minutes = snakemake.config.get("checkpoint_minutes", checkpoint.MINUTES)
    on_progress = entry.progress(job.steps, log)
    artifact, *weights = snakemake.output
    kept = train_to(artifact, job, device, facts, on_progress, minutes, weights)
    log.info("%d checkpoints took %.3f s", kept.saved, kept.seconds_saving)
    log.info("wrote %s", snakemake.output[0])
