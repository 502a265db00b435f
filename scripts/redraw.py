"""Estimate how often fresh runs of a claim's experiments would repeat its verdict."""

from dataclasses import asdict

from icl import entry
from icl.planning import power
from icl.store import artifacts, files
from icl.verdicts import plain

with entry.logged(snakemake.log[0]) as log:
    claim, name = dict(snakemake.params.claim), snakemake.wildcards.claim
    inputs = (snakemake.input.datasets, snakemake.params.jobs)
    data = artifacts.by_role(claim["experiments"], *inputs)
    found = power.power(claim, name, data, snakemake.params.preset, snakemake.params.runs)
    files.write_json(plain(asdict(found)), snakemake.output[0])
    log.info("%s: repeats with %.2f", name, found.repeats)
