"""A finished size in one file: all that its figures need, with checksums, and nothing of training.

Its root is that of a checkout: results lie below results/<size>/. Beside them stand what describes
them (`icl.store.crate`) and the workflow, for other tools; both are checked, and never opened.

Equal contents make equal files: entries are sorted, their checksums last, and all of one time.
"""

import hashlib
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import PIL.Image

from icl.store import artifacts, crate, files

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first that a zip file knows
CHECKSUMS = "SHA256SUMS"
BESIDE = {crate.NAME, crate.WORKFLOW}  # the members that do not lie below results/<size>/
MOST_BYTES = 4_000_000_000  # of all members of an archive; the laptop size has 30 MB

# What `pack` is given, and nothing else: above all no caption, which Snakemake would render as a
# template, and no checkpoint.
_MEMBER = re.compile(
    r"results/[a-z0-9_]+/"
    r"((collected|theory)/\w+\.nc|analysis/\w+\.json|figures/\w+\.(pdf|png)|config/\d+_[^/]+"
    rf"|config\.json|claims\.(json|md)|(report|explorer)\.html|README\.md|{CHECKSUMS})",
    re.ASCII,
)


class ArchiveError(files.DamagedError):
    """An archive holds what it must not, or not what its checksums say."""


def pack(folder: str, members: Mapping[str, Path | bytes], path: str | Path) -> None:
    """Write an archive whose checksums `sha256sum --check` reads; refuse a damaged file.

    Args:
        folder: results/<size>, where the checksums go.
        members: names from the root of a checkout -> a file to read, or contents.
    """
    checksums = ""
    with (
        files.replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in [*sorted(members), f"{folder}/{CHECKSUMS}"]:
            member = members.get(name, checksums.encode())
            contents = member if isinstance(member, bytes) else _verified(member)
            checksums += f"{hashlib.sha256(contents).hexdigest()}  {name}\n"
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, contents)


def _verified(path: Path) -> bytes:
    """Read a file; if it is one that can prove itself, it must."""
    if path.suffix == ".nc":
        artifacts.read(path)
    elif path.suffix == ".json" and (path.parent.name == "analysis" or path.name == "claims.json"):
        files.read_json(path)
    elif path.suffix == ".png":
        try:
            with PIL.Image.open(path) as image:
                image.verify()
        except (OSError, SyntaxError) as error:
            raise files.DamagedError(f"{path}: is damaged ({error}); {files.REMEDY}") from error
    return path.read_bytes()


def unpack(path: str | Path, root: str | Path, *, replace: bool = False) -> list[Path]:
    """Write an archive's results below root, once all its members have been checked.

    Every member must be a plain file in one folder `results/<size>/`, or one of those `BESIDE` it,
    be listed in the checksums and match them. Nothing is written before all do.

    Args:
        replace: whether files that are there and differ may be replaced.

    Raises:
        ArchiveError: naming the member and what is wrong with it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents = _checked(archive, path)
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        if isinstance(error, files.DamagedError):
            raise
        raise ArchiveError(f"{path}: cannot be read as an archive ({error})") from error
    targets = {Path(root, name): data for name, data in contents.items() if name not in BESIDE}
    for target, data in targets.items():
        # All results may be a link to a larger disk; a folder below it may not lead elsewhere.
        for folder in target.relative_to(root).parents[:-2]:
            if Path(root, folder).is_symlink():
                raise ArchiveError(f"{path}: {folder} is a link to another folder")
        if target.is_symlink() or (target.exists() and not target.is_file()):
            raise ArchiveError(f"{path}: {target} is there, and is no plain file")
        if not replace and target.exists() and target.read_bytes() != data:
            raise ArchiveError(f"{path}: {target} is there and differs; --replace writes over it")
    for target, data in targets.items():
        files.write_bytes(data, target)
    return list(targets)


def _checked(archive: zipfile.ZipFile, path: str | Path) -> dict[str, bytes]:
    """Read all members, and refuse any that is not as `pack` writes it."""
    members = archive.infolist()
    for member in members:
        if fault := _fault(member):
            raise ArchiveError(f"{path}: member {member.filename!r} {fault}")
    names = [member.filename for member in members]
    folders = {PurePosixPath(name).parts[:2] for name in names if name not in BESIDE}
    if len({name.casefold() for name in names}) < len(names) or len(folders) != 1:
        raise ArchiveError(f"{path}: must hold each file once, all below one results/<size>/")
    if sum(member.file_size for member in members) > MOST_BYTES:
        raise ArchiveError(f"{path}: would take more than {MOST_BYTES:,} bytes")
    contents = {}
    for member in members:
        with archive.open(member) as file:  # its own check stops at the size it announces
            contents[member.filename] = file.read(member.file_size + 1)
        if len(contents[member.filename]) != member.file_size:
            raise ArchiveError(
                f"{path}: member {member.filename!r} is not of the size it announces"
            )
    sums = "/".join([*folders.pop(), CHECKSUMS])
    lines = contents.get(sums, b"").decode(errors="replace").splitlines()
    pairs = [line.split("  ", 1) for line in lines if "  " in line]
    listed = {name: digest for digest, name in pairs}
    if missing := sorted(set(listed) - set(names)):
        raise ArchiveError(f"{path}: lacks {missing[0]!r}, which its checksums list")
    for name, data in contents.items():
        if name == sums:
            continue
        if name not in listed:
            raise ArchiveError(f"{path}: member {name!r} is not listed in {CHECKSUMS}")
        if hashlib.sha256(data).hexdigest() != listed[name]:
            raise ArchiveError(f"{path}: member {name!r} does not match its checksum")
    return contents


def _fault(member: zipfile.ZipInfo) -> str:
    """Say what makes a member one that `pack` would not write."""
    name, parts = member.filename, PurePosixPath(member.filename).parts
    mode = member.external_attr >> 16
    if not name.isprintable() or "\\" in name or name != "/".join(parts) or ".." in parts:
        return "has a name that is not a plain path"
    if name not in BESIDE and (len(parts) < 3 or parts[0] != "results"):
        return "lies outside results/<size>/"
    if name not in BESIDE and not _MEMBER.fullmatch(name):
        return "is not what an archive holds"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is no plain file"
    return ""


def about(folder: str, size: str, commit: str, versions: str) -> str:
    """Say in Markdown what an archive of a results folder holds and how to draw its figures."""
    return f"""# icl-race, size {size}

Packed at commit {commit} with {versions}.

`report.html` and `explorer.html` open in a browser. `collected/` holds every run (xarray opens
it), `analysis/` the verdicts, `config/` the configuration's files, of which later ones win, and
`config.json` what they come to. Beside results/ stand two files for other tools:
`ro-crate-metadata.json`, in which they read what each file is (the archive is a Workflow Run
RO-Crate), and the Snakefile, which runs only in a clone.

To draw the figures anew, in the root of a clone at that commit with its requirements installed
(paths in the archive begin with results/):

    python scripts/open_archive.py {folder}/archive.zip
    mv {folder}/figures {folder}/figures_archived
    snakemake figures --configfile {folder}/config.json
"""
