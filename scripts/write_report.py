"""Write Snakemake's report: run Snakemake once more, with the interpreter that runs it now."""

import subprocess

from icl import entry

with entry.logged(snakemake.log[0]) as log:
    command = [
        *(snakemake.params.python, "-m", "snakemake", "all"),
        *("--snakefile", snakemake.params.snakefile),
        *("--configfile", snakemake.input.config),
        *("--report", snakemake.output[0]),
        *("--report-stylesheet", snakemake.input.style),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log.info("%s\n%s", " ".join(command), done.stdout)
    if done.returncode:
        raise RuntimeError(f"Snakemake could not write its report:\n{done.stdout}")
