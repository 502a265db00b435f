"""Print what a size takes, experiment by experiment; nothing is run or submitted."""

import os
import sys

from icl import entry
from icl.experiment import grid
from icl.planning import plan

with entry.logged(snakemake.log[0]) as log:
    values = snakemake.config
    expanded = {
        name: grid.expand(values["defaults"], experiment)
        for name, experiment in values["experiments"].items()
    }
    planned = plan.rows(expanded, values.get("replicates_per_job"))
    text = plan.table(values.get("name", values["preset"]), planned, len(os.sched_getaffinity(0)))
    log.info("%s", text)
    sys.stdout.write(f"\n{text}\n\n")
