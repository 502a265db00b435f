"""Say which verdicts two runs do not share: of other seeds, another processor, another version.

    python scripts/compare.py results/laptop/claims.json docs/gallery/laptop/claims.json
    python scripts/compare.py results/{laptop,again}/analysis/long_tail.json

Prints a row for each criterion that both have, and ends with the verdicts that moved.
"""

import argparse
from pathlib import Path

from icl import text
from icl.store import files
from icl.verdicts import Verdict


def verdicts(path: Path) -> dict[str, Verdict]:
    """Read a claims.json, or the file of one verdict."""
    found = files.read_json(path)
    entries = found if isinstance(found, list) else [found]
    return {entry["id"]: Verdict.from_json(entry) for entry in entries}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path, help="a claims.json, or one verdict of analysis/")
    parser.add_argument("second", type=Path, help="another")
    arguments = parser.parse_args()
    first, second = verdicts(arguments.first), verdicts(arguments.second)
    shared = [name for name in first if name in second]
    print("| claim | quantity | first | second | verdict |\n|---|---|---|---|---|")
    for name in shared:
        others = {c.quantity: text.estimate_text(c.estimate) for c in second[name].criteria}
        says = " → ".join(dict.fromkeys((first[name].verdict, second[name].verdict)))
        for criterion in first[name].criteria:
            quantity, here = criterion.quantity, text.estimate_text(criterion.estimate)
            if quantity in others:
                print(f"| {name} | {quantity} | {here} | {others[quantity]} | {says} |")
    moved = [name for name in shared if first[name].verdict != second[name].verdict]
    print(f"\n{len(moved)} of {len(shared)} verdicts moved: {', '.join(moved) or 'none'}.")


if __name__ == "__main__":
    main()
