"""Add the verdicts of a complete run to docs/record.csv.

    python scripts/record.py results/study/claims.json

What the record has already is not added again.
"""

import argparse
import subprocess
from datetime import date
from pathlib import Path

from icl.pages import ledger
from icl.store import files
from icl.verdicts import Verdict


def main() -> None:
    """Read the verdicts, and write the record with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="a claims.json")
    verdicts = [Verdict.from_json(entry) for entry in files.read_json(parser.parse_args().file)]
    command = ["git", "rev-parse", "--short=7", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    record = ledger.read(ledger.PATH.read_text(encoding="utf-8"))
    whole = ledger.added(record, ledger.rows(verdicts, date.today().isoformat(), commit))
    files.write_text(ledger.written(whole), ledger.PATH)
    print(f"{len(whole) - len(record)} rows added to {ledger.PATH}")


if __name__ == "__main__":
    main()
