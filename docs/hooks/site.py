"""What MkDocs adds to the pages in docs/: generated references, and formulas as MathML."""

import os
import re
import shutil
import sys
from html import unescape
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))
import configuration
import rulegraph

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "scripts/icl"
WORKER = Path(__file__).parent / "vendor/iframe-worker.js"  # lets search work from disk
WORKER_URL = "https://unpkg.com/iframe-worker/shim"
RULEGRAPH = "<!-- rulegraph -->"
# In the repository pages link to what is there; in the site, to the page that is made of it.
IN_THE_SITE = {
    "config/README.md": "reference/configuration.md",
    "results/README.md": "reference/results.md",
    "scripts/icl": "reference/library/icl.md",
}
PACKAGES = ("icl", "experiment", "kernels", "task", "models", "engine", "store", "statistics")
PACKAGES += ("theory", "measurements", "figures", "pages", "planning")


def on_files(files, config):
    """Add the pages that are made of the schema, the library and READMEs elsewhere."""
    pages = {
        "reference/configuration.md": configuration_page(),
        "reference/results.md": (ROOT / "results/README.md").read_text(encoding="utf-8"),
        **{f"reference/library/{name}.md": library_page(name) for name in PACKAGES},
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Lead links to the pages made of files elsewhere; let a search find prose first."""
    if page.file.src_uri.startswith("reference/library/") or page.file.name == "claims":
        page.meta["search"] = {"boost": 0.001}  # a title counts a thousand times as much as text
    here = ROOT / "docs" / page.file.src_uri
    for there, made in IN_THE_SITE.items():
        to_there = os.path.relpath(ROOT / there, here.parent)
        to_made = os.path.relpath(ROOT / "docs" / made, here.parent)
        markdown = markdown.replace(f"]({to_there})", f"]({to_made})")
    return markdown


def on_page_content(html, page, config, files):
    r"""Put in the graph of rules; turn formulas, which arithmatex left as \(...\), into MathML."""
    if RULEGRAPH in html:  # here, since Markdown would take the stars of train_* and draw_* away
        html = html.replace(RULEGRAPH, rulegraph.svg(rulegraph.ask()))

    def mathml(match):
        display = "block" if match.group(2).startswith("\\[") else "inline"
        return convert(unescape(match.group(2)[2:-2]), display=display)

    return re.sub(r'<(div|span) class="arithmatex">(.*?)</\1>', mathml, html, flags=re.DOTALL)


def on_post_build(config):
    """Put the one script that the theme takes from the network beside the others."""
    site = Path(config["site_dir"])
    local = site / "assets/javascripts" / WORKER.name
    shutil.copy(WORKER, local)
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        relative = os.path.relpath(local, path.parent)
        path.write_text(html.replace(WORKER_URL, relative), encoding="utf-8")


def configuration_page() -> str:
    """Join config/README.md with what claims and statistics may say."""
    return f"""{configuration.readme()}
## Statistics of claims

An entry of `claims` in `config/claims.yaml` names one of these and gives all of its roles and
options; a criterion names one of its quantities. [Add a claim](../howto/add-a-claim.md) shows how
to add one.

{configuration.statistics()}
"""


def library_page(package: str) -> str:
    """List the modules of a package of the library, or those beside the packages."""
    folder = LIBRARY if package == "icl" else LIBRARY / package
    dotted = "icl" if package == "icl" else f"icl.{package}"
    paths = folder.glob("*.py") if package == "icl" else folder.rglob("*.py")
    inside = (path.relative_to(folder).with_suffix("") for path in sorted(paths))
    names = [
        ".".join(path.parts).removesuffix(".__init__") for path in inside if str(path) != "__init__"
    ]
    modules = [dotted, *(f"{dotted}.{name}" for name in names)]
    entries = [f"::: {name}\n    options: {{show_submodules: false}}" for name in modules]
    return "\n\n".join([f"# `{dotted}`", *entries]) + "\n"
