"""Add the verdicts of a complete run to docs/record.csv.

    python scripts/record.py results/study/claims.json

What the record has already is not added again.
"""

import argparse
from datetime import date
from pathlib import Path

from icl.pages import ledger
from icl.store import files, provenance
from icl.verdicts import Verdict


def main() -> None:
    """Read the verdicts, and write the record with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="a claims.json")
    verdicts = [Verdict.from_json(entry) for entry in files.read_json(parser.parse_args().file)]
    commit = str(provenance.gather()["git_revision"])[:7]  # "unknown" in a folder without git
    record = ledger.read(ledger.PATH.read_text(encoding="utf-8"))
    whole = ledger.added(record, ledger.rows(verdicts, date.today().isoformat(), commit))
    files.write_text(ledger.written(whole), ledger.PATH)
    print(f"{len(whole) - len(record)} rows added to {ledger.PATH}")


if __name__ == "__main__":
    main()
