"""What README.md and the gallery say of the verdicts, made of docs/gallery/*/claims.json.

`python docs/hooks/readme.py` fills in the marked places of both, and of docs/index.md.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
GALLERY = ROOT / "docs/gallery"
# Where the figures of a gallery have their titles and the claims that they show, the last first.
FIGURES = {
    "study": ["study_claims"],
    "laptop": ["claims"],
    "extended": ["study_claims", "extended"],
    "regime": ["regime_claims"],
    "beyond": ["beyond_claims"],
}
SCALES = {"study": "study", "laptop": "laptop", "extended": "paper's architecture"}
WORDS = {
    "study": "the verdicts that count",
    "laptop": "a quick look",
    "extended": "run in part (six of the claims are of a simpler model)",
}
MARKS = {"reproduced": "✓", "not reproduced": "✗", "undecided": "?", "not run": "·"}
Verdicts = dict[str, dict[str, Any]]


def titles() -> dict[str, str]:
    """Read every claim's title, in the order of config/study_claims.yaml."""
    settings = yaml.safe_load((ROOT / "config/study_claims.yaml").read_text(encoding="utf-8"))
    return {name: claim["title"] for name, claim in settings["claims"].items()}


def verdicts(size: str) -> Verdicts:
    """Read a gallery's verdicts, by claim."""
    path = GALLERY / size / "claims.json"
    return {entry["id"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))}


def outcome(verdict: dict[str, Any] | None) -> str:
    """Say a claim's verdict, or that it was not run, for want of a claim or of data."""
    if verdict is None or "there are no data" in verdict["reason"]:
        return "not run"
    return verdict["verdict"]


def outcomes() -> dict[str, dict[str, str]]:
    """Collect the outcomes of every scale, by claim."""
    return {
        size: {name: outcome(found.get(name)) for name in titles()}
        for size in SCALES
        for found in [verdicts(size)]
    }


def tally() -> str:
    """Count the outcomes of every scale, as a Markdown table."""
    counts = {size: Counter(found.values()) for size, found in outcomes().items()}
    lines = ["| claims | " + " | ".join(MARKS) + " |", "|---|" + "---|" * len(MARKS)]
    for size, scale in SCALES.items():
        cells = " | ".join(str(counts[size][mark]) for mark in MARKS)
        lines.append(f"| {scale}: {WORDS[size]} | {cells} |")
    return "\n".join(lines)


def matrix() -> str:
    """Tabulate the outcome of every claim at every scale, as Markdown."""
    study, laptop, found = verdicts("study"), verdicts("laptop"), outcomes()
    lines = [f"| claim | | paper | {' | '.join(SCALES.values())} |", "|---|---|---|---|---|---|"]
    for name, title in titles().items():
        cells = [MARKS[found[size][name]] for size in SCALES]
        if laptop.get(name, {}).get("tries", 1) > 1:
            cells[1] += f" ({laptop[name]['tries']})"
        lines.append(f"| {name} | {title} | {place(study[name]['source'])} | {' | '.join(cells)} |")
    return "\n".join(lines)


def place(source: str) -> str:
    """Shorten where the paper makes a claim to its figures, or else to its first place."""
    figures = re.search(r"Figures? ([^;]*)", source)
    if figures:
        return figures[1].replace(" and ", ", ")
    first = re.split("[;,] ", source.removeprefix("abstract; "))[0]
    return first.replace("section ", "§ ").replace("equation ", "eq. ")


def finding() -> str:
    """Say in plain words what the study found when it changed how fast the MLP learns."""
    rates = verdicts("study")["kinetics_not_capacity"]["details"]["by_rate"]
    threshold = {rate["rate_ratio"]: rate["threshold"] for rate in rates}
    return (
        "**What decides is speed, not room.** If the part that memorises (an MLP) learns four\n"
        "times as fast, and is no larger, looking up needs "
        f"{threshold[4] / threshold[1]:.1f} times as many items before it wins."
    )


def figures(size: str) -> str:
    """Show a gallery's figures, each with the verdicts that it bears on, as a Markdown table."""
    listed: dict[str, dict[str, Any]] = {}
    for file in FIGURES[size]:
        settings = yaml.safe_load((ROOT / f"config/{file}.yaml").read_text(encoding="utf-8"))
        for name, figure in settings["figures"].items():
            listed[name] = listed.get(name, {}) | figure
    found, lines = verdicts(size), ["| figure | |", "|---|---|"]
    for name, figure in listed.items():
        if (GALLERY / size / f"{name}.png").exists():
            picture = f'<img src="{size}/{name}.png" alt="{name}" width="420" loading="lazy">'
            label = re.sub(r"fig([AB]?)", lambda m: m[1] and f"{m[1]}.", name)
            badges = " ".join(badge(size, found[claim]) for claim in figure["claims"])
            words = f"**{label}** {figure['title']}<br>{badges}"
            lines.append(f"| [{picture}]({size}/{name}.pdf) | {words} |")
    return "\n".join(lines)


def badge(size: str, verdict: dict[str, Any]) -> str:
    """Show a verdict in a word that leads to its numbers; the site colours it by its class."""
    name, given = verdict["id"], outcome(verdict)
    anchor = f"{name}-{verdict['verdict'].replace(' ', '-')}"
    link = f"[{MARKS[given]} {name}]({size}/claims.md#{anchor})"
    return f'<span class="verdict {given.replace(" ", "-")}">{link}</span>'


MADE: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {"finding": finding, "tally": tally, "matrix": matrix},
    ROOT / "docs/index.md": {"finding": finding, "tally": tally},
    GALLERY / "README.md": {size: lambda size=size: figures(size) for size in FIGURES},
}


def filled(page: Path) -> str:
    """Return a page with what stands between its marks made anew.

    Raises:
        ValueError: if a mark is not there once.
    """
    text = page.read_text(encoding="utf-8")
    for name, make in MADE[page].items():
        begin, end = f"<!-- {name}: made by `make docs` -->", "<!-- end -->"
        before, *rest = text.split(begin)
        if len(rest) != 1:
            raise ValueError(f"{page}: the mark {begin} is there {len(rest)} times, not once")
        gap = "\n" if page.parent == ROOT else "\n\n"  # a page of the site wants an empty line
        text = f"{before}{begin}{gap}{make()}{gap}{end}{rest[0].partition(end)[2]}"
    return text


if __name__ == "__main__":
    for page in MADE:
        page.write_text(filled(page), encoding="utf-8")
