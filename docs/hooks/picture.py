#!/usr/bin/env python3
"""The README's picture: the first screen of a report, as docs/images/report.png.

`python docs/hooks/picture.py results/laptop/report.html`, once the report has been made. It needs
Chromium (or what CHROMIUM names).
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import browser

PICTURE = ROOT / "docs/images/report.png"


def main() -> None:
    """Open the report as a laptop shows it, and save what is seen."""
    with browser.opened(Path(sys.argv[1]), 1366, 768) as page:
        page.wait_for_selector("#front")
        page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
