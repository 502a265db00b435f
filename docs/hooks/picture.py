#!/usr/bin/env python3
"""The pictures of docs/images: the first screen of a report, and the README as it is shown.

`python docs/hooks/picture.py results/study/report.html` makes report.png, once the report has been
made, then readme.png, which holds it; without a report, only the latter. Both need Chromium (or
what CHROMIUM names).
"""

import sys
import tempfile
from pathlib import Path

from markdown import markdown
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import browser

PICTURES = ROOT / "docs/images"
COLOURS = 256  # enough for text and small figures, and a third of the bytes
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>README</title>
<base href="{base}/">
<style>
body {{ font: 16px/1.5 "Noto Sans", "DejaVu Sans", sans-serif; color: #1f2328; margin: 32px 40px; }}
h1, h2 {{ border-bottom: 1px solid #d1d9e0; padding-bottom: .3em; line-height: 1.25; }}
a {{ color: #0969da; }}
code {{ font: 13.6px "DejaVu Sans Mono", monospace; background: #eff1f3; padding: .2em .4em; }}
pre {{ background: #f6f8fa; padding: 16px; border-radius: 6px; overflow: hidden; }}
pre code {{ background: none; padding: 0; font-size: 12.5px; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #d1d9e0; padding: 6px 13px; }}
tr:nth-child(even) td {{ background: #f6f8fa; }}
img {{ max-width: 100%; }}
</style>{body}</html>"""


def report(path: Path) -> None:
    """Open the report as a laptop shows it, and save what is seen."""
    with browser.opened(path, 1366, 768) as page:
        page.wait_for_selector("#front")
        page.screenshot(path=PICTURES / "report.png")
    pack(PICTURES / "report.png")


def readme() -> None:
    """Set the README as GitHub does, and save all of it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    # GitHub ends a paragraph where a table, a list or code begins; python-markdown wants a line.
    text = (
        text.replace("<!--", "\n<!--").replace("-->", "-->\n").replace("\n```bash", "\n\n```bash")
    )
    body = markdown(text, extensions=["tables", "fenced_code", "sane_lists"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "readme.html")
        file.write_text(PAGE.format(base=ROOT.as_uri(), body=body), encoding="utf-8")
        with browser.opened(file, 1000, 800, beside=ROOT.parent) as page:
            page.screenshot(path=PICTURES / "readme.png", full_page=True)
    pack(PICTURES / "readme.png")


def pack(picture: Path) -> None:
    """Keep as many colours of a picture as a reader needs."""
    with Image.open(picture) as whole:
        whole.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
            picture, optimize=True
        )


if __name__ == "__main__":
    if sys.argv[1:]:
        report(Path(sys.argv[1]))
    readme()
