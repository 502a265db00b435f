"""A conda channel in a folder, made of what is installed here.

Its packages are the distributions of the running interpreter, at their locked versions, and
conda-forge's names; `python` is a link to that interpreter in the layout of a virtual environment.
So a channel made here says that an environment is consistent: its names and versions can be solved
together, and what they bring suffices. It cannot say what conda-forge has.
"""

import hashlib
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import IO

import recipes
import zstandard
from packaging.requirements import Requirement
from rattler import Subdir

SITE = PurePosixPath(
    "lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages"
)
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"


def make(folder: Path, distributions: set[str], subdir: Subdir) -> None:
    """Write packages, not yet indexed, of distributions and of python.

    Args:
        folder: of the channel; created.
        distributions: names of installed distributions, with all that they require.
        subdir: the platform.
    """
    packages = folder / str(subdir)
    packages.mkdir(parents=True)
    (folder / "noarch").mkdir()
    _write_python(packages, subdir)
    for name in sorted(distributions):
        found = metadata.distribution(name)
        depends = [f"python {PYTHON}", *map(_match_spec, recipes.requirements(name))]
        _write(packages, recipes.conda_name(name), found.version, depends, _files(found), subdir)


def _match_spec(requirement: Requirement) -> str:
    """Write a pip requirement as conda does."""
    return f"{recipes.conda_name(requirement.name)} {requirement.specifier}".strip()


def _files(distribution: metadata.Distribution) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yield an installed distribution's files, without those outside site-packages."""
    for file in distribution.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            yield SITE / file, Path(distribution.locate_file(file))


def _write_python(packages: Path, subdir: Subdir) -> None:
    home = packages / "home"
    home.mkdir()
    configuration = home / "pyvenv.cfg"
    configuration.write_text(
        f"home = {Path(sys.base_prefix) / 'bin'}\n"
        f"include-system-site-packages = false\nversion = {PYTHON}\n"
    )
    link = home / "python"
    link.symlink_to(Path(sys.executable).resolve())
    files = [(PurePosixPath("pyvenv.cfg"), configuration), (PurePosixPath("bin/python"), link)]
    _write(packages, "python", PYTHON, [], files, subdir)
    for _, path in files:
        path.unlink()
    home.rmdir()


def _write(packages, name, version, depends, files, subdir) -> None:
    """Write a .conda: a zip of metadata.json and of two tars, info/ and the files.

    Source: the conda package format, version 2.
    """
    stem = f"{name}-{version}-0"
    files = list(files)
    index = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": depends,
        "subdir": str(subdir),
    }
    paths = {"paths_version": 1, "paths": [_entry(*file) for file in files]}
    info = {"info/index.json": index, "info/paths.json": paths}
    with zipfile.ZipFile(packages / f"{stem}.conda", "w") as archive:  # the tars are compressed
        archive.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
        with archive.open(f"pkg-{stem}.tar.zst", "w", force_zip64=True) as raw, _tar(raw) as tar:
            for relative, source in files:
                tar.add(source, arcname=str(relative), recursive=False)
        with archive.open(f"info-{stem}.tar.zst", "w") as raw, _tar(raw) as tar:
            for path, content in info.items():
                data = json.dumps(content).encode()
                member = tarfile.TarInfo(path)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


@contextmanager
def _tar(raw: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """Open a tar that is written through zstandard into a stream."""
    compressor = zstandard.ZstdCompressor(level=1)
    with (
        compressor.stream_writer(raw, closefd=False) as compressed,
        tarfile.open(fileobj=compressed, mode="w|") as tar,
    ):
        yield tar


def _entry(relative: PurePosixPath, source: Path) -> dict:
    if source.is_symlink():
        return {"_path": str(relative), "path_type": "softlink"}
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    size = source.stat().st_size
    return {
        "_path": str(relative),
        "path_type": "hardlink",
        "sha256": digest,
        "size_in_bytes": size,
    }
