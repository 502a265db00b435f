"""Draw one figure from collected data and the verdicts that it quotes."""

from icl import entry, figures
from icl.figures import annotations, style
from icl.store import artifacts, files
from icl.verdicts import Verdict

with entry.logged(snakemake.log[0]):
    figure = snakemake.params.figure
    datasets = artifacts.read_all(snakemake.input.datasets, snakemake.params.jobs)
    data = {role: datasets[name] for role, name in figure["experiments"].items()}
    verdicts = [Verdict.from_json(files.read_json(path)) for path in snakemake.input.verdicts]
    drawn = figures.load(snakemake.params.id).draw(
        data, {verdict.id: verdict for verdict in verdicts}
    )
    metadata = annotations.metadata(
        snakemake.params.id, figure["title"], snakemake.params.preset, datasets, verdicts
    )
    style.save(drawn, snakemake.output.pdf, snakemake.output.png, metadata)
