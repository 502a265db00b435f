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
    "extended": "in part; six are the minimal model's",
}
MARKS = {"reproduced": "✓", "not reproduced": "✗", "undecided": "?", "not run": "·"}
# A claim in a few words, in the order of the paper's argument; its statement in full is in
# config/study_claims.yaml.
TITLES = {
    "transition": "IWL gives way to ICL as K grows",
    "sharp_transition": "sharply, over the K that t_ICL's spread predicts",
    "abrupt_acquisition": "ICL stays on a plateau, then rises at once",
    "transience": "it fades under weight decay, and not without",
    "minimal_model": "two numbers for attention show all three",
    "memorisation_exponent": "the time to memorise K items grows as K^nu",
    "not_capacity": "the MLP can hold the items at which ICL wins",
    "kinetics_not_capacity": "a faster MLP, no larger, needs more items for ICL",
    "rate_exponent": "as many more as equation 12 says",
    "seed_invariance": "memorisation hardly varies over seeds",
    "threshold_exponent": "K* grows with N as N^(1/nu)",
    "threshold_constant": "with equation 12's constant",
    "linear_ticl": "t_ICL is linear in N",
    "long_tail": "t_ICL has a long tail over seeds, from beta0",
    "bimodality": "near K* a seed acquires ICL early or never",
    "loss_relation": "after acquisition one loss follows the other",
    "iwl_slowdown": "ICL slows memorisation down, by e^-w",
    "balanced_failure": "on D' ICL needs far more items than on D",
    "balanced_saddle": "there the sign of beta0 decides",
    "exponential_beta0": "t_ICL falls as e^-beta0, far below 0 as e^(-2 beta0)",
    "lambert_tracking": "under decay of w alone, w follows W(c3/lambda)",
    "independence": "memorisation ignores ICL until ICL is acquired",
    "order_parameters": "one number, beta, does the work of K^T Q",
}
Verdicts = dict[str, dict[str, Any]]


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
        size: {name: outcome(found.get(name)) for name in TITLES}
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
    for name, title in TITLES.items():
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
        f"{threshold[4] / threshold[1]:.1f} times as many items to win."
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
