"""Put all verdicts into one table, for machines and for readers."""

import json
from dataclasses import replace

from icl import entry
from icl.pages import table
from icl.store import files
from icl.verdicts import Verdict

with entry.logged(snakemake.log[0]):
    verdicts = [Verdict.from_json(files.read_json(path)) for path in snakemake.input.verdicts]
    # Powers that were asked for, each of the data and bands that its verdict is of.
    powers = [files.read_json(path) for path in snakemake.input.powers]
    repeats = {(p["claim"], p["bands"], *sorted(p["data"].values())): p["repeats"] for p in powers}
    verdicts = [
        replace(v, repeats=repeats.get((v.id, v.band_digest, *sorted(v.data_digests.values()))))
        for v in verdicts
    ]
    entries = [files.stamped(verdict.to_json()) for verdict in verdicts]
    files.write_text(json.dumps(entries, indent=1, sort_keys=True), snakemake.output.json)
    text = table.markdown(verdicts, snakemake.params.about)
    files.write_text(text, snakemake.output.markdown)
