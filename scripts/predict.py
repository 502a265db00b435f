"""Evaluate the theory at the configured parameters."""

import time

from icl import entry
from icl.store import artifacts, provenance
from icl.theory import datasets

with entry.logged(snakemake.log[0]) as log:
    name = snakemake.wildcards.theory
    start = time.monotonic()
    predicted = getattr(datasets, name)(dict(snakemake.params.values))
    facts = provenance.gather(rule=snakemake.rule, preset=snakemake.params.preset)
    facts["wall_seconds"] = round(time.monotonic() - start, 3)
    artifacts.write(
        predicted.assign_attrs(
            title=f"icl-race theory: {name}", experiment=name, missing_blocks="[]", **facts
        ),
        snakemake.output[0],
    )
    log.info("wrote %s", snakemake.output[0])
