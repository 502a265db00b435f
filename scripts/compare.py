"""Say which verdicts two runs do not share: of other seeds, another processor, another version.

    python scripts/compare.py results/laptop/claims.json docs/gallery/laptop/claims.json

Prints a row for each criterion that both have, ends with the count of verdicts that moved, and
exits with 1 if there are any.
"""

import argparse
from pathlib import Path

from icl import text
from icl.store import files
from icl.verdicts import Verdict


def main() -> int:
    """Print the table; return how the program ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path, help="a claims.json")
    parser.add_argument("second", type=Path, help="another")
    arguments = parser.parse_args()
    first, second = (
        {entry["id"]: Verdict.from_json(entry) for entry in files.read_json(path)}
        for path in (arguments.first, arguments.second)
    )
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
    return bool(moved)


if __name__ == "__main__":
    raise SystemExit(main())
