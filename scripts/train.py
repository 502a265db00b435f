"""Train one job, a block of seeds at one N and K, and write its record."""

import json

import torch
from icl import entry
from icl.engine import checkpoint, training
from icl.job import job_from_identity
from icl.store import artifacts, provenance

with entry.logged(snakemake.log[0], mode="a") as log:  # earlier attempts' lines stay
    torch.set_num_threads(snakemake.threads)
    # Below 1e-38, where weights under decay end, a CPU is many times slower; nothing comes of them.
    torch.set_flush_denormal(True)
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
    of_attempt = {key: value for key, value in facts.items() if key != "git_diff"}
    minutes = snakemake.config.get("checkpoint_minutes", checkpoint.MINUTES)
    folder = checkpoint.folder_of(snakemake.output[0])
    with (
        checkpoint.Checkpoints(folder, job, minutes, of_attempt) as checkpoints,
        entry.progress(job.steps, f"N={job.context_length}", log) as on_progress,
    ):
        record = training.train(job, device, on_progress, checkpoints)
    facts["attempts"] = json.dumps(checkpoints.attempts)
    facts["wall_seconds"] = round(checkpoints.seconds, 3)
    log.info("%d checkpoints took %.3f s", checkpoints.saved, checkpoints.seconds_saving)
    artifacts.write(artifacts.job_dataset(record, job, facts), snakemake.output[0])
    log.info("wrote %s", snakemake.output[0])
