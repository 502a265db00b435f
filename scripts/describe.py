"""Write the report's first page and every figure's caption, numbers filled in."""

import json
from pathlib import Path

from icl import entry
from icl.pages import captions, front
from icl.store import artifacts, files
from icl.verdicts import Verdict

with entry.logged(snakemake.log[0]) as log:
    params, templates = snakemake.params, snakemake.params.templates
    datasets = artifacts.read_all(snakemake.input.datasets, params.jobs)
    by_claim = {e["id"]: Verdict.from_json(e) for e in files.read_json(snakemake.input.verdicts)}
    pictures = {Path(path).stem: path for path in snakemake.input.pictures}
    figures = []
    for figure in sorted(params.figures, key=captions.paper_order):
        configured = params.figures[figure]
        data = {role: datasets[name] for role, name in configured["experiments"].items()}
        template = Path(templates, f"{figure}.rst").read_text(encoding="utf-8")
        words = captions.render(template, configured, data, by_claim, params.preset)
        caption = front.caption_html(words)
        raw = captions.literal(captions.raw(caption))
        files.write_text(raw, Path(snakemake.output.front).with_name(f"{figure}.rst"))
        figures.append(
            {
                "id": figure,
                "name": captions.printed_name(figure),
                "title": configured["title"],
                "claims": configured["claims"],
                "caption": caption,
                "picture": front.picture(pictures[figure]),
            }
        )
        log.info("described %s", figure)
    trained = [data for _, data in sorted(datasets.items()) if "run" in data.dims]
    page = front.render(
        Path(templates, "front.html").read_text(encoding="utf-8"),
        preset=params.preset,
        about=params.about,
        tally=front.tally(by_claim.values()),
        rows=[
            front.claim_row(verdict, params.claims.get(verdict.id, {}), figures, datasets)
            for verdict in sorted(by_claim.values(), key=front.order_of_paper)
        ],
        figures=figures,
        names={figure["id"]: figure["name"] for figure in figures},
        experiments=[front.experiment_row(dataset) for dataset in trained],
        runtimes=front.runtimes(params.benchmarks),
        configuration={
            path: Path(path).read_text(encoding="utf-8") for path in snakemake.input.configuration
        },
        checkout=params.checkout,
        explorer=params.explorer,
    )
    files.write_text(page, snakemake.output.page)
    whole = f".. raw:: html\n   :file: {Path(snakemake.output.page).resolve()}\n"
    files.write_text(whole, snakemake.output.front)
    # What the nested run that writes the report is configured with: exactly this.
    files.write_text(json.dumps(snakemake.config, indent=1), snakemake.output.config)
