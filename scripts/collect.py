"""Join the artifacts of an experiment's jobs into one dataset, and say which are missing."""

import json
from pathlib import Path

from icl import entry
from icl.engine import checkpoint
from icl.store import artifacts, provenance

with entry.logged(snakemake.log[0]) as log:
    experiment = snakemake.wildcards.experiment
    if not snakemake.input:
        raise artifacts.ArtifactError(f"{experiment}: not one of its jobs has finished")
    finished = {Path(path).stem for path in snakemake.input}
    missing = [name for name in snakemake.params.jobs if name not in finished]
    for name in missing:
        log.warning("missing: %s", name)
    joined = artifacts.collect(
        (artifacts.read_job(path) for path in sorted(snakemake.input)),
        {
            "title": f"icl-race experiment {experiment}: {snakemake.params.description}",
            "experiment": experiment,
            "preset": snakemake.params.preset,
            "missing_blocks": json.dumps(missing),
            **provenance.gather(rule=snakemake.rule),
        },
    )
    if len(arithmetics := provenance.arithmetics(joined.attrs)) > 1:
        log.warning("its runs come from different arithmetic: %s", "; ".join(arithmetics))
    artifacts.write(joined, snakemake.output[0])
    for path in snakemake.input:
        checkpoint.remove(path)
    log.info("%d runs from %d jobs", joined.sizes["run"], len(finished))
