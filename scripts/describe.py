"""Write the report's first page and every figure's caption, numbers filled in."""

import json
from pathlib import Path

from icl import entry
from icl.pages import captions, front
from icl.store import artifacts, files
from icl.verdicts import Verdict

with entry.logged(snakemake.log[0]) as log:
    preset, templates = snakemake.params.preset, snakemake.params.templates
    datasets = artifacts.read_all(snakemake.input.datasets, snakemake.params.jobs)
    by_claim = {e["id"]: Verdict.from_json(e) for e in files.read_json(snakemake.input.verdicts)}
    pictures = {Path(path).stem: path for path in snakemake.input.pictures}
    figures = []
    for figure in sorted(snakemake.params.figures, key=captions.paper_order):
        configured = snakemake.params.figures[figure]
        data = {role: datasets[name] for role, name in configured["experiments"].items()}
        template = Path(templates, f"{figure}.rst").read_text(encoding="utf-8")
        caption = captions.render(template, configured, data, by_claim, preset)
        path = Path(snakemake.output.front).with_name(f"{figure}.rst")
        files.write_text(captions.literal(caption), path)
        figures.append(
            {
                "id": figure,
                "name": captions.printed_name(figure),
                "title": configured["title"],
                "caption": front.caption_html(caption),
                "picture": front.picture(pictures[figure]),
            }
        )
        log.info("described %s", figure)
    trained = [data for _, data in sorted(datasets.items()) if "run" in data.dims]
    experiments = [front.experiment_row(dataset) for dataset in trained]
    provenance = [run for data in trained for run in json.loads(data.attrs["provenance"])]
    page = front.render(
        Path(templates, "front.html").read_text(encoding="utf-8"),
        preset=preset,
        about=snakemake.params.about,
        verdicts=by_claim.values(),
        tally=front.tally(by_claim.values()),
        figures=figures,
        experiments=experiments,
        n_runs=sum(row["runs"] for row in experiments),
        seconds=sum(row["seconds"] for row in experiments),
        missing=sum(row["missing"] for row in experiments),
        newest=max((run["started"][:10] for run in provenance), default=""),
        versions="; ".join(sorted({run["versions"] for run in provenance})) or "none",
        runtimes=front.runtimes(snakemake.params.benchmarks),
        configuration={
            path: Path(path).read_text(encoding="utf-8") for path in snakemake.input.configuration
        },
        explorer=snakemake.params.explorer,
    )
    files.write_text(page, snakemake.output.page)
    raw = f".. raw:: html\n   :file: {Path(snakemake.output.page).resolve()}\n"
    files.write_text(raw, snakemake.output.front)
    # What the nested run that writes the report is configured with: exactly this.
    files.write_text(json.dumps(snakemake.config, indent=1), snakemake.output.config)
