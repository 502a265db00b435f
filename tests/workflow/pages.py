"""The worked examples of a page of the documentation, as a reader would carry them out.

A fenced block is
- `bash`, `python`: run;
- any language with `title="path"`: written to that file;
- `diff` with `title="path"`: an edit of that file, its old lines found exactly once;
- anything else (`console`, no language): to be read, not run.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"(?ms)^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    title: str
    text: str


def blocks(page: str) -> list[Block]:
    """List the fenced blocks of a page that has a language."""
    return [Block(*found) for found in FENCE.findall(page)]


def edited(text: str, diff: str) -> str:
    """Apply a diff without line numbers.

    Raises:
        ValueError: if its old lines are not there, or more than once.
    """
    lines = diff.splitlines(keepends=True)
    bad = [line for line in lines if line[0] not in "+- "]
    if bad:
        raise ValueError(f"not a line of a diff: {bad[0]!r}")
    old = "".join(line[1:] for line in lines if line[0] in "- ")
    new = "".join(line[1:] for line in lines if line[0] in "+ ")
    found = re.findall(rf"(?m)^{re.escape(old)}", text)
    if len(found) != 1:
        raise ValueError(f"its old lines are there {len(found)} times, not once:\n{old}")
    return re.sub(rf"(?m)^{re.escape(old)}", lambda _: new, text)


def carry_out(block: Block, folder: Path) -> str:
    """Do what a block asks for in a checkout; return what it printed.

    Raises:
        AssertionError: if a command fails.
    """
    path = folder / block.title
    if block.language == "diff":
        path.write_text(edited(path.read_text(encoding="utf-8"), block.text), encoding="utf-8")
    elif block.title:
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    elif block.language in ("bash", "python"):
        binaries = Path(sys.executable).parent
        command = {
            "bash": ["bash", "-euo", "pipefail", "-c", block.text],
            "python": [sys.executable, "-c", block.text],
        }[block.language]
        result = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        output = result.stdout + result.stderr
        assert result.returncode == 0, f"{block.text}\n{output}"
        return output
    return ""
