"""Check an archive of a finished size and write its files below results/.

python scripts/open_archive.py FILE [--replace]
"""

import argparse
import sys
from pathlib import Path

from icl.store import archive, files

ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="the archive.zip that `snakemake archive` made")
    parser.add_argument("--replace", action="store_true", help="write over files that differ")
    arguments = parser.parse_args()
    try:
        written = archive.unpack(arguments.file, ROOT, replace=arguments.replace)
    except (files.DamagedError, files.WriteError) as error:
        sys.exit(f"Nothing was opened: {error}")
    for path in written:
        print(path.relative_to(ROOT))
