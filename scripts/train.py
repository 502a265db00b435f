"""Train one job, a block of seeds at one N and K, and write its record."""

import time

import torch
from icl import artifacts, entry, provenance, training
from icl.config import job_from_identity

with entry.logged(snakemake.log[0]) as log:
    torch.set_num_threads(snakemake.threads)
    job = job_from_identity(dict(snakemake.params.identity))
    device = training.resolve_device(snakemake.config.get("device", "auto"))
    log.info("%s on %s, %d thread(s)", job.name, device, snakemake.threads)
    # Before training: a commit during a long run is not the code that runs.
    facts = provenance.gather(
        rule=snakemake.rule,
        experiment=snakemake.wildcards.experiment,
        device=str(device),
        threads=snakemake.threads,
    )
    start = time.monotonic()
    with entry.progress(job.steps, f"N={job.context_length}", log) as on_progress:
        record = training.train(job, device, on_progress)
    facts["wall_seconds"] = round(time.monotonic() - start, 3)
    artifacts.write(artifacts.job_dataset(record, job, facts), snakemake.output[0])
    log.info("wrote %s", snakemake.output[0])
