"""A finished size in one file: all that its figures need, with checksums, and nothing of training.

Equal contents make equal files: entries are sorted, their checksums last, and all of one time.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from icl.store import files

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first that a zip file knows
CHECKSUMS = "SHA256SUMS"


def pack(folder: str, members: Mapping[str, Path | bytes], path: str | Path) -> None:
    """Write an archive whose checksums `sha256sum --check` reads.

    Args:
        folder: what every entry lies below, as seen from the root of a checkout.
        members: names within the folder -> a file to read, or contents.

    Raises:
        WriteError: if the file system refuses.
    """
    checksums = ""
    with (
        files.replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in [*sorted(members), CHECKSUMS]:
            member = members.get(name, checksums.encode())
            contents = member if isinstance(member, bytes) else member.read_bytes()
            checksums += f"{hashlib.sha256(contents).hexdigest()}  {folder}/{name}\n"
            entry = zipfile.ZipInfo(f"{folder}/{name}", LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, contents)


def about(folder: str, size: str, commit: str, versions: str) -> str:
    """Say what an archive holds and how figures are drawn from it.

    Returns Markdown.

    Args:
        folder: of the results.
        size: its name.
        commit: that packed it.
        versions: of the packages that packed it.
    """
    return f"""# icl-race, size {size}

Packed at commit {commit} with {versions}.

`report.html` and `explorer.html` open in a browser. `collected/` holds every run (xarray opens
it), `analysis/` the verdicts, `config/` the configuration's files, of which later ones win, and
`config.json` what they come to.

To draw the figures anew, in the root of a clone at that commit with its requirements installed
(paths in the archive begin with results/):

    unzip archive.zip
    sha256sum --check {folder}/{CHECKSUMS}
    mv {folder}/figures {folder}/figures_archived
    snakemake figures --configfile {folder}/config.json
"""
