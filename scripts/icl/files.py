"""Files that are written whole or not at all: a reader sees the old state or the new."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_text(text: str, path: str | os.PathLike) -> None:
    """Write a text file, all or nothing."""
    with replacing(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[str]:
    """Give a temporary name in the path's folder; on success flush it and put it in place.

    The folder is made if need be. On failure what stood there before is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    try:
        yield temporary
        _flush(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(path: str | os.PathLike) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
