"""Say what a size that has run shows, and which files to open.

    python scripts/conclude.py [--race] [config/laptop.yaml [my.yaml ...]]

With --race: what Figure 2 shows, in a sentence with its measured numbers.
"""

import argparse
import sys
from pathlib import Path

from icl.experiment import validation
from icl.job import ConfigError
from icl.planning import ending
from icl.store import artifacts, files
from icl.verdicts import Verdict


def main() -> None:
    """Read the size's verdicts, and with --race its runs, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--race", action="store_true", help="what Figure 2 shows")
    given = parser.parse_args()
    try:
        merged = validation.Sources.of_size(given.files).merged()
        results = Path("results", merged.get("name", merged["preset"]))
        if given.race:
            claims = merged["figures"]["fig2"]["claims"]
            paths = [results / f"analysis/{claim}.json" for claim in claims]
            verdicts = [Verdict.from_json(files.read_json(path)) for path in paths]
            runs = artifacts.read(results / "collected/transition.nc")
            print(f"\n{ending.race(verdicts, runs, results / 'figures/fig2.png')}")
            return
        verdicts = list(map(Verdict.from_json, files.read_json(results / "claims.json")))
    except (ConfigError, files.DamagedError, artifacts.ArtifactError) as error:
        sys.exit(str(error))
    print(f"\n{ending.tally(verdicts, results, merged.get('about', ''))}")


if __name__ == "__main__":
    main()
