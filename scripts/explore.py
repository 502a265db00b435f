"""Write the explorer: every curve of every experiment, in one page."""

from pathlib import Path

from icl import entry
from icl.pages import explorer
from icl.store import artifacts, files

with entry.logged(snakemake.log[0]) as log:
    datasets = artifacts.read_all(snakemake.input.datasets, snakemake.params.jobs)
    template = Path(snakemake.input.template).read_text(encoding="utf-8")
    page = explorer.page(template, datasets, snakemake.params.size)
    files.write_text(page, snakemake.output[0])
    log.info("%d experiments, %.1f MB", len(datasets), len(page.encode()) / 1e6)
