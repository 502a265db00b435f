"""Write Snakemake's report: run Snakemake once more, with the interpreter that runs it now."""

import subprocess
from pathlib import Path

from icl import entry
from icl.store import files

with entry.logged(snakemake.log[0]) as log:
    command = [
        *(snakemake.params.python, "-m", "snakemake", "all"),
        *("--snakefile", snakemake.params.snakefile),
        *("--configfile", snakemake.input.config),
        *("--report", snakemake.output[0]),
        *("--report-stylesheet", snakemake.input.style),
        *("--report-metadata", snakemake.input.metadata),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log.info("%s\n%s", " ".join(command), done.stdout)
    if done.returncode:
        raise RuntimeError(f"Snakemake could not write its report:\n{done.stdout}")
    # Snakemake takes a style sheet, but no script.
    page = Path(snakemake.output[0]).read_text(encoding="utf-8")
    script = Path(snakemake.input.script).read_text(encoding="utf-8")
    before, end, after = page.rpartition("</body>")
    files.write_text(f"{before}<script>\n{script}</script>\n{end}{after}", snakemake.output[0])
