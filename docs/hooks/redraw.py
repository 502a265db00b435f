#!/usr/bin/env python3
"""A figure of the gallery, drawn anew from the gallery's data and verdicts, as the code is now.

`python docs/hooks/redraw.py study figB3` writes docs/gallery/study/figB3.pdf and .png. Nothing is
measured again. Of the regime study the gallery has no collected data: figure_b1.py draws its.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("scripts", "tests", "tests/unit")]
import gallery
from icl import figures
from icl.figures import annotations, style


def main(size: str, name: str) -> None:
    """Draw the figure, and say in both files what `scripts/draw.py` says there."""
    figure, found = gallery.config(size)[name], gallery.verdicts(size)
    verdicts = {claim: found[claim] for claim in figure["claims"]}
    data = {role: gallery.dataset(size, of) for role, of in figure["experiments"].items()}
    names = {figure["experiments"][role]: dataset for role, dataset in data.items()}
    metadata = annotations.metadata(name, figure["title"], size, names, verdicts.values())
    paths = (gallery.GALLERY / size / f"{name}.{kind}" for kind in ("pdf", "png"))
    style.save(figures.load(name).draw(data, verdicts), *paths, metadata)


if __name__ == "__main__":
    main(*sys.argv[1:])
