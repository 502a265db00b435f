"""Files of any bytes, and any command line: valid, or refused by name; no traceback, no hang.

BYTES=1000 tries a thousand files (`make faults` does).
"""

import contextlib
import os
import random
import time

import pytest
from checkout import ROOT
from icl.experiment import validation
from icl.experiment.yaml_files import refuse_unreadable
from icl.job import ConfigError

TRIES = int(os.environ.get("BYTES", "120"))
SECONDS = 5
NAMES = ("smoke", "laptop", "study", "mark_gaps")
FILES = [(ROOT / f"config/{name}.yaml").read_bytes() for name in NAMES]
ODD = (
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\t", b"<<: ", b"&a ", b"*a", b"!!python/name:os "),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b": ",
        b"- ",
        b"|\n",
        b">\n",
        b"? ",
        b"---\n",
        b"...\n",
        b"%YAML 9\n",
    ),
    *(b"010", b"1:30", b"yes", b".nan", b".inf", b"-.inf", b"1e400", b"9" * 5000, b"0x1F", b"~"),
    *("\N{RIGHT-TO-LEFT OVERRIDE}".encode(), "é".encode(), b"2026-13-45", b"''", b'"', b"#", b"\n"),
)


def mutated(draw):
    """A committed file of bytes, changed in one to six places."""
    data = bytearray(draw.choice(FILES))
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(data) or 1)
        match draw.randrange(6):
            case 0:
                data[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                data[at:at] = draw.choice(ODD)
            case 2:
                del data[at : at + draw.randint(1, 200)]
            case 3:
                lines = bytes(data).split(b"\n")
                i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
                lines[i], lines[j] = lines[j], lines[i]
                data = bytearray(b"\n".join(lines))
            case 4:
                lines = bytes(data).split(b"\n")
                lines.insert(draw.randrange(len(lines)), draw.choice(lines))
                data = bytearray(b"\n".join(lines))
            case 5:
                data[at : at + draw.randint(1, 8)] = draw.choice(ODD)
    return bytes(data)


@pytest.mark.parametrize("start", range(0, TRIES, 40))
def test_a_file_of_any_bytes_is_valid_or_refused_by_name(tmp_path, start, monkeypatch):
    monkeypatch.chdir(ROOT)
    for number in range(start, min(start + 40, TRIES)):
        draw = random.Random(number)
        path = tmp_path / "my.yaml"
        path.write_bytes(mutated(draw))
        overlay = draw.random() < 0.5
        began = time.monotonic()
        try:
            refuse_unreadable(["--configfile", str(path)])
            given = [ROOT / "config/smoke.yaml", path] if overlay else [path]
            sources = validation.Sources.of_size(given)
            validation.check(sources.merged(), sources)
        except (ConfigError, SystemExit) as refused:
            text = str(refused)
            assert "Traceback" not in text
            named = "my.yaml" in text or "none of the files given is a preset" in text
            assert named or "claims_file" in text or "--config" in text, (number, text)
        except Exception as error:
            raise AssertionError(f"file {number}") from error
        assert time.monotonic() - began < SECONDS, number


WORDS = (
    *("--configfile", "--configfile=", "--configfiles", "--config", "-n", "all", "figures", ""),
    *(
        "config/laptop.yaml",
        "config/none.yaml",
        "config",
        "/etc/passwd",
        "FILE",
        "FILE.yaml",
        "=",
        "--",
    ),
    *("a=1", "seeds=010", "claims_file=5", "--profile", "slurm", "é", "\ud800", "x" * 5000),
)


@pytest.mark.parametrize("number", range(25))
def test_any_command_line_is_read_or_refused(tmp_path, number, monkeypatch):
    monkeypatch.chdir(ROOT)
    draw = random.Random(number)
    path = tmp_path / "my.yaml"
    path.write_bytes(mutated(draw))
    for _ in range(20):
        words = draw.choices(WORDS, k=draw.randint(0, 8))
        words = [word.replace("FILE", str(path)) for word in words]
        with contextlib.suppress(SystemExit):
            refuse_unreadable(words)
