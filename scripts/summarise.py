"""Put all verdicts into one table, for machines and for readers."""

import json

from icl import claims, entry
from icl.store import files

with entry.logged(snakemake.log[0]):
    verdicts = [files.read_json(path) for path in snakemake.input.verdicts]
    files.write_text(json.dumps(verdicts, indent=1, sort_keys=True), snakemake.output.json)
    files.write_text(claims.table_markdown(verdicts), snakemake.output.markdown)
