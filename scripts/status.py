"""Print how far a size has come, while it runs or after.

    python scripts/status.py [config/laptop.yaml [my.yaml ...]]

Reads files alone: it waits for no lock, and disturbs no run.
"""

import argparse
import sys
from pathlib import Path

from icl.experiment import validation
from icl.job import ConfigError
from icl.planning import progress


def main() -> None:
    """Merge the configuration as the Snakefile does, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args().files
    try:
        sources = validation.Sources.of_size(given)
        merged = sources.merged()
        experiments = validation.check(merged, sources)
    except ConfigError as error:
        sys.exit(f"The configuration cannot be read:\n{error}")
    print(progress.table(experiments, Path("results", merged.get("name", merged["preset"]))))


if __name__ == "__main__":
    main()
