"""Put the powers of all claims into one table."""

from icl import entry
from icl.planning import power
from icl.store import files

with entry.logged(snakemake.log[0]):
    found = [files.read_json(path) for path in snakemake.input.powers]
    files.write_text(power.table(found), snakemake.output[0])
