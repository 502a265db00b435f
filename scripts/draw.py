"""Draw one figure from collected data and the verdicts that it quotes."""

import json

from icl import entry, figures
from icl.figures import style
from icl.store import artifacts, files, provenance
from icl.verdicts import Verdict

with entry.logged(snakemake.log[0]):
    figure = snakemake.params.figure
    datasets = artifacts.read_all(snakemake.input.datasets, snakemake.params.jobs)
    data = {role: datasets[name] for role, name in figure["experiments"].items()}
    verdicts = [Verdict.from_json(files.read_json(path)) for path in snakemake.input.verdicts]
    drawn = figures.load(snakemake.params.id).draw(
        data, {verdict.id: verdict for verdict in verdicts}
    )
    drawing = provenance.gather()
    facts = {
        "figure": snakemake.params.id,
        "preset": snakemake.params.preset,
        "claims": {verdict.id: verdict.verdict for verdict in verdicts},
        "datasets": {name: provenance.summary(data.attrs) for name, data in datasets.items()},
        # Not when: equal figures are equal files.
        "drawn": {"commit": provenance.commit(drawing), "versions": drawing["versions"]},
    }
    metadata = {
        "Title": f"{snakemake.params.id}: {figure['title']}",
        "Subject": json.dumps(facts, sort_keys=True),
        "Keywords": [
            *(f"{name}.data={dataset.attrs['data_digest']}" for name, dataset in datasets.items()),
            *(f"{verdict.id}.bands={verdict.band_digest}" for verdict in verdicts),
        ],
    }
    style.save(drawn, snakemake.output.pdf, snakemake.output.png, metadata)
