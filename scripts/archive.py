"""Pack a finished size into one file."""

from pathlib import Path

from icl import entry
from icl.store import archive, provenance

with entry.logged(snakemake.log[0]) as log:
    folder = str(Path(snakemake.output[0]).parent)
    facts = provenance.gather()
    text = archive.about(folder, snakemake.params.size, provenance.commit(facts), facts["versions"])
    members = {str(Path(path).relative_to(folder)): Path(path) for path in snakemake.input.results}
    members |= {"README.md": text.encode(), "config.json": Path(snakemake.input.config)}
    for number, path in enumerate(snakemake.input.configuration, 1):
        members[f"config/{number}_{Path(path).name}"] = Path(path)
    archive.pack(folder, members, snakemake.output[0])
    size = Path(snakemake.output[0]).stat().st_size
    log.info("%d files, %.1f MB", len(members), size / 1e6)
