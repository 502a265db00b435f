"""Name the targets that users ask for, and say what to do where that fails."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from icl.experiment.yaml_files import ROOT, from_here


def figure_target(figure: str) -> str:
    """Name a figure's target as the paper prints it: fig6 -> figure_6."""
    return figure.replace("fig", "figure_", 1)


def mistaken_target(words: Iterable[str], targets: Iterable[str]) -> str | None:
    """Say what is wrong if a word looks like a claim's or a figure's target and is none.

    Snakemake, which knows its targets only later, would say that no rule produces it.
    """
    targets = list(targets)
    for word in words:
        if not re.fullmatch(r"(claim|fig)\w*", word) or word in targets:
            continue
        kind = {_bare(name): name for name in targets if name.startswith(word[:3])}
        near = difflib.get_close_matches(_bare(word), kind, n=1)
        hint = f"there are {', '.join(sorted(kind.values()))}"
        if near:
            hint = f"did you mean {kind[near[0]]}?"
        return f"There is no target {word}; {hint}"
    return None


def _bare(target: str) -> str:
    """Leave the claim or figure: claim_long_tail -> long_tail, figure_A4 -> a4."""
    return re.sub("^(claim|fig(ure)?)_?", "", target).lower()


def after_a_failure(files: Iterable[Path]) -> str:
    """Tell how to go on after a failed run of the configuration in these files."""
    return (
        "Something failed, or was stopped; what finished is kept, and the same command goes on "
        "from there.\n"
        "If it then says that the directory cannot be locked, though no other snakemake runs in "
        "it: snakemake --unlock, then the same command.\n"
        "To draw figures and decide claims now, with the gaps marked: snakemake all --configfile "
        + " ".join(map(str, [*files, from_here(ROOT / "config/mark_gaps.yaml")]))
    )
