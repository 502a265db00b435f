"""Pack a finished size into one file."""

from pathlib import Path

import yaml
from icl import entry
from icl.store import archive, crate, provenance

with entry.logged(snakemake.log[0]) as log:
    folder, size = str(Path(snakemake.output[0]).parent), snakemake.params.size
    facts = provenance.gather()
    commit = provenance.commit(facts)
    members = {path: Path(path) for path in snakemake.input.results}
    members[f"{folder}/README.md"] = archive.about(folder, size, commit, facts["versions"]).encode()
    members[f"{folder}/config.json"] = Path(snakemake.input.config)
    for number, path in enumerate(snakemake.input.configuration, 1):
        members[f"{folder}/config/{number}_{Path(path).name}"] = Path(path)
    members[crate.WORKFLOW] = Path(snakemake.input.workflow)
    citation = yaml.safe_load(Path(snakemake.input.citation).read_text(encoding="utf-8"))
    description = crate.describe(members, size, commit, snakemake.config, citation)
    archive.pack(folder, {**members, crate.NAME: description}, snakemake.output[0])
    packed = Path(snakemake.output[0]).stat().st_size
    log.info("%d files, %.1f MB", len(members), packed / 1e6)
