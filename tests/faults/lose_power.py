"""Lose power after every operation of a save: whatever the disk had not been told to keep may go.

    cc -shared -fPIC -o disk.so disk.c -ldl
    LD_PRELOAD=./disk.so python lose_power.py FOLDER

`disk.c` lists what a save does. A model of a disk then does the same, and loses power after each
operation. What was flushed is there. Of the rest any part may be: each change of a folder's names
since that folder was flushed, in any combination; and of a file's bytes since it was flushed all,
none, half, or zeros in their place. Every disk that can be left is made and read.

Prints what happened as JSON; `losses` names everything that should not have happened.
"""

import ctypes
import itertools
import json
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from break_disk import CASES, DISK, beginnings, operations

DISK.disk_sizes.restype = ctypes.POINTER(ctypes.c_longlong)
MOST_PENDING = 6  # changes of names that are tried in every combination; beyond, in their order


@dataclass
class File:
    """The bytes of a file: as they would be read now, and as the disk is sure to have them."""

    now: bytes = b""
    kept: bytes | None = None  # None: it was never flushed

    def left(self) -> set[bytes]:
        """What may be read after power was lost."""
        if self.kept == self.now:
            return {self.now}
        kept = self.kept or b""
        return {self.now, kept, self.now[: len(self.now) // 2], bytes(len(self.now))}


@dataclass
class Disk:
    """A tree of names, and the changes of it that the disk may not have yet."""

    files: dict[Path, File]  # as they are now
    kept: dict[Path, File | None]  # names that are sure to be there; None: a folder
    pending: list[tuple[Path, tuple]] = field(default_factory=list)  # of which folder, and what
    folders: set[Path] = field(default_factory=set)  # made since, as they are now

    @classmethod
    def of(cls, folder: Path) -> "Disk":
        """A disk that has all that is in a folder."""
        found = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        files = {path: File(data, data) for path, data in found.items()}
        made = {path: None for path in (folder, *folder.rglob("*")) if path.is_dir()}
        return cls(files, {**made, **files})

    def do(self, what: str, path: Path, data: bytes) -> None:
        """Do one operation."""
        if what == "create" and path not in self.files:
            self.files[path] = File()
            self.pending.append((path.parent, ("link", path, self.files[path])))
        elif what in ("write", "writev"):
            self.files[path].now += data
        elif what in ("fsync", "fdatasync"):
            if path in self.files:
                self.files[path].now = self.files[path].kept = data
            else:
                self._flush(path)
        elif what in ("rename", "renameat"):
            (source,) = [p for p in self.files if p.parent == path.parent and p.suffix == ".part"]
            self.files[path] = self.files.pop(source)
            self.pending.append((path.parent, ("move", source, path, self.files[path])))
        elif what == "unlink" and path in self.files:
            del self.files[path]
            self.pending.append((path.parent, ("unlink", path)))
        elif what == "mkdir" and path not in self.kept and path not in self.folders:
            self.folders.add(path)
            self.pending.append((path.parent, ("link", path, None)))

    def _flush(self, folder: Path) -> None:
        """Keep all changes of a folder's names."""
        for of, change in self.pending:
            if of == folder:
                _apply(self.kept, change)
        self.pending = [(of, change) for of, change in self.pending if of != folder]

    def left(self):
        """Every tree that may be there after power was lost: path -> bytes, or None: a folder."""
        changes = [change for _, change in self.pending]
        if len(changes) <= MOST_PENDING:
            chosen = itertools.product((False, True), repeat=len(changes))
        else:
            chosen = ([i < n for i in range(len(changes))] for n in range(len(changes) + 1))
        seen = set()
        for mask in chosen:
            names = dict(self.kept)
            for change in itertools.compress(changes, mask):
                _apply(names, change)
            reached = {p: file for p, file in names.items() if self._is_reached(p, names)}
            several = [p for p, file in reached.items() if file and len(file.left()) > 1]
            sure = {p: file and file.now for p, file in reached.items() if p not in several}
            for contents in itertools.product(*(sorted(reached[p].left()) for p in several)):
                tree = {**sure, **dict(zip(several, contents, strict=True))}
                key = frozenset(tree.items())
                if key not in seen:
                    seen.add(key)
                    yield tree

    def _is_reached(self, path: Path, names: dict[Path, File | None]) -> bool:
        """Tell whether all folders that were made above a path have their names."""
        return all(parent in names for parent in path.parents if parent in self.folders)


def _apply(names: dict[Path, File | None], change: tuple) -> None:
    """Change a tree of names, if what is changed is there."""
    match change:
        case ("link", path, file):
            names[path] = file
        case ("move", source, path, file):
            names.pop(source, None)
            names[path] = file
        case ("unlink", path):
            names.pop(path, None)


def lay_out(tree: dict[Path, bytes | None], folder: Path) -> None:
    """Make a folder hold a tree."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path, data in tree.items():
        if data is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def try_case(name: str, case) -> dict:
    """Lose power after each operation of a first save and of one over an older state."""
    losses, tries, n_operations = [], 0, 0
    for old, new in beginnings(case):
        disk = Disk.of(case.folder)
        done = operations(case, new)
        sizes = DISK.disk_sizes()[: len(done)]
        written = {p: p.read_bytes() for p in case.folder.rglob("*") if p.is_file()}
        renamed = [Path(path) for what, path in done if what.startswith("rename")]
        offset = 0
        n_operations = len(done)
        for number, ((what, path), size) in enumerate(zip(done, sizes, strict=True), 1):
            data = b""
            if size or path.endswith(".part"):
                (data,) = [written[target] for target in renamed]
            if size:  # in their order; a zip file goes back, which a flush puts right
                data, offset = data[offset : offset + size], offset + size
            disk.do(what, Path(path), data)
            for tree in disk.left():
                tries += 1
                lay_out(tree, case.folder)
                where = f"{name}, after {number} of {len(done)} ({what} {Path(path).name})"
                try:
                    state = case.read()
                except Exception as error:  # whatever is wrong with a file, it is a loss
                    losses.append(f"{where}: {error}")
                    continue
                if state not in (old, new):
                    losses.append(f"{where}: neither the old state nor the new, {state}")
                if number == len(done) and state != new:
                    losses.append(f"{where}: it was saved, and is not there")
    return {"tries": tries, "operations": n_operations, "losses": losses}


def main(folder: Path) -> dict:
    """Try every kind of file."""
    return {name: try_case(name, make(folder / name / "results")) for name, make in CASES.items()}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]).resolve())))
