"""Put all verdicts into one table, for machines and for readers."""

import json

from icl import entry
from icl.pages import table
from icl.store import files
from icl.verdicts import Verdict

with entry.logged(snakemake.log[0]):
    verdicts = [files.read_json(path) for path in snakemake.input.verdicts]
    files.write_text(json.dumps(verdicts, indent=1, sort_keys=True), snakemake.output.json)
    files.write_text(
        table.markdown([Verdict.from_json(entry) for entry in verdicts]), snakemake.output.markdown
    )
