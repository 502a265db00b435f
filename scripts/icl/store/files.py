"""Files that are written whole or not at all: a reader sees the old state or the new."""

import errno
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# A temporary file names its writer, so that one left by a process that was killed can be told from
# one that is being written.
_HOST = re.sub(r"\W", "_", socket.gethostname())[:40]
_PART = re.compile(r"\..+\.(?P<host>\w+)-(?P<pid>\d+)\.part")
ABANDONED = 24 * 3600.0  # seconds after which another machine's temporary file is nobody's
STAMP = "content_digest"
REMEDY = "restore it from a copy, or delete it and let its rule make it anew"


class WriteError(OSError):
    """A file could not be written; what stood there before is untouched."""


class DamagedError(RuntimeError):
    """A file is missing, damaged, incomplete or not what it is taken for."""


def write_json(data: dict[str, Any], path: str | os.PathLike) -> None:
    """Write a mapping as JSON, stamped with the digest of its contents, all or nothing."""
    write_text(json.dumps(stamped(data), indent=1, sort_keys=True), path)


def stamped(data: dict[str, Any]) -> dict[str, Any]:
    """Add the digest of a mapping's contents to it."""
    data = json.loads(json.dumps(data))  # as it will be read, keys as strings
    return {**data, STAMP: _digest(data)}


def read_json(path: str | os.PathLike) -> Any:
    """Read a mapping that `write_json` wrote, with its stamp, or a list of such mappings.

    A file that is missing, cut short or changed is refused with `DamagedError`.
    """
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
        for entry in read if isinstance(read, list) else [read]:
            contents = {key: value for key, value in entry.items() if key != STAMP}
            if entry.get(STAMP) != _digest(contents):
                raise DamagedError(f"{path}: its contents do not match its digest; {REMEDY}")
    except (OSError, ValueError, AttributeError) as error:
        raise DamagedError(f"{path}: cannot be read ({error}); {REMEDY}") from error
    return read


def _digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def write_text(text: str, path: str | os.PathLike) -> None:
    """Write a text file, all or nothing."""
    write_bytes(text.encode(), path)


def write_bytes(data: bytes | memoryview, path: str | os.PathLike) -> None:
    """Write a file, all or nothing."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(data)


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[str]:
    """Give a temporary name in the path's folder; on success flush it and put it in place.

    The folder is made if need be, and rid of what writers that were killed left there.

    Raises:
        WriteError: if the file system refuses; what stood there before is untouched, unless it is
            the last flush that fails: then the new file is in place, whole.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}.part")
    try:
        _make_folder(path.parent)
        sweep(path.parent)
        temporary.unlink(missing_ok=True)  # of an earlier process of the same number
        # Made here and by nobody else: a link that waits under this name is not followed.
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield str(temporary)
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        raise WriteError(
            error.errno,
            f"cannot be written: {error.strerror}; nothing half-written is left, and once there "
            "is room and permission the same command goes on from here",
            str(path),
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each with its name on the disk."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        _flush(made.parent)


def sweep(folder: Path) -> None:
    """Remove temporary files whose writers are dead."""
    for part in folder.glob(".*.part"):
        named = _PART.fullmatch(part.name)
        with suppress(OSError):
            if named and named["host"] == _HOST:
                abandoned = not _is_alive(int(named["pid"]))
            else:
                abandoned = time.time() - part.stat().st_mtime > ABANDONED
            if abandoned:
                part.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return True


def _flush(path: Path) -> None:
    """Have a file's contents, or a folder's list of names, written to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot flush a folder; they write names through.
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise
    finally:
        os.close(descriptor)
