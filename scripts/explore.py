"""Write the explorer: every curve of every experiment and every verdict, in one page."""

from pathlib import Path

from icl import entry
from icl.pages import explorer
from icl.store import artifacts, files
from icl.verdicts import Verdict

with entry.logged(snakemake.log[0]) as log:
    datasets = artifacts.read_all(snakemake.input.datasets, snakemake.params.jobs)
    verdicts = [Verdict.from_json(found) for found in files.read_json(snakemake.input.verdicts)]
    paths = map(Path, snakemake.input.parts)
    parts = {path.suffix[1:]: path.read_text(encoding="utf-8") for path in paths}
    page = explorer.page(parts, datasets, verdicts, snakemake.params.size)
    files.write_text(page, snakemake.output[0])
    log.info("%d experiments, %.1f MB", len(datasets), len(page.encode()) / 1e6)
