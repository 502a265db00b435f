"""Decide one claim from the collected data of its experiments."""

from icl import claims, entry
from icl.store import artifacts, files

with entry.logged(snakemake.log[0]) as log:
    claim = dict(snakemake.params.claim)
    inputs = (snakemake.input.datasets, snakemake.params.jobs)
    data = artifacts.by_role(claim["experiments"], *inputs)
    judge = claims.with_halves if snakemake.params.halves else claims.evaluate
    verdict = judge(claim, snakemake.wildcards.claim, data, snakemake.params.preset)
    files.write_json(verdict.to_json(), snakemake.output[0])
    log.info("%s: %s", snakemake.wildcards.claim, verdict.verdict)
