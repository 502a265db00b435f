"""Evaluate the theory at the configured parameters."""

from icl import artifacts, entry, provenance
from icl.theory import datasets

with entry.logged(snakemake.log[0]) as log:
    name = snakemake.wildcards.theory
    predicted = getattr(datasets, name)(dict(snakemake.params.values))
    facts = provenance.gather(rule=snakemake.rule, preset=snakemake.params.preset)
    artifacts.write(
        predicted.assign_attrs(
            title=f"icl-race theory: {name}", experiment=name, missing_blocks="[]", **facts
        ),
        snakemake.output[0],
    )
    log.info("wrote %s", snakemake.output[0])
