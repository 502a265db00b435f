"""Captions: what workflow/report/<figure>.rst says, its numbers filled in from files.

A caption is a jinja2 template in reStructuredText. It may use `preset`, `quote(claim, quantity)`
(the estimate with its interval), `verdict(claim)`, `claims` (the verdicts by id),
`figure` (its entry of config/claims.yaml) and `data` (a role's dataset). Below what the template
says stand, for every figure, the verdicts that it quotes and the data that it is drawn from.
"""

import json
import re
import textwrap
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import jinja2
import xarray as xr

from icl import text
from icl.figures import annotations
from icl.theory import datasets
from icl.verdicts import Verdict

Verdicts = Mapping[str, Verdict]


def render(
    template: str,
    figure: Mapping[str, Any],
    data: Mapping[str, xr.Dataset],
    verdicts: Verdicts,
    preset: str,
) -> str:
    """Fill in a figure's caption, in reStructuredText, from its template and what it is drawn from.

    `figure` is its entry in the configuration; the data are by role.

    Raises:
        jinja2.TemplateError: if the template names what there is not.
    """
    # Whatever comes from a file passes through `escape`: a caption's own text does not.
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: escape(str(value)),
    )
    written = environment.from_string(template).render(
        preset=preset,
        figure=figure,
        data=data,
        claims=verdicts,
        verdict=lambda claim: verdicts[claim].verdict,
        quote=lambda claim, quantity, digits=3: text.estimate_text(
            verdicts[claim].estimate(quantity), digits
        ),
        # As Snakemake itself gives them to captions.
        snakemake=SimpleNamespace(
            params=SimpleNamespace(preset=preset, figure=figure), config={"preset": preset}
        ),
    )
    parts = [written.strip()]
    judged = [verdicts[claim] for claim in figure["claims"] if claim in verdicts]
    if judged:
        parts.append("**Measured**\n\n" + "\n".join(map(_judged, judged)))
    drawn = "\n".join(_drawn_from(name, data[role]) for role, name in figure["experiments"].items())
    parts.append(f"**Drawn from**\n\n{drawn}")
    return "\n\n".join(parts) + "\n"


def _judged(verdict: Verdict) -> str:
    """Return a list item: a claim's verdict, and each criterion with its interval and band."""
    criteria = "; ".join(
        f"{escape(criterion.quantity)} {escape(text.measured_text(criterion.estimate))}, "
        f"band {escape(text.band_text(criterion.band))}"
        for criterion in verdict.criteria
    )
    counts = ""
    if verdict.replicates:
        counts = (
            f" {verdict.replicates:d} replicates, {verdict.censored:d} censored, "
            f"{verdict.diverged:d} diverged."
        )
    tries = f" ({said})" if (said := text.tries_text(verdict)) else ""
    claim, found = code(verdict.id), escape(verdict.verdict)
    return f"- {claim}, *{found}*{tries}: {criteria}.{counts}"


def _drawn_from(name: str, dataset: xr.Dataset) -> str:
    """Return a list item: a dataset's setting, size and digest."""
    name, digest = code(name), f"data {escape(dataset.attrs['data_digest'][:12])}"
    if "run" not in dataset.dims:
        return f"- {name}, theory: {escape(theory_setting(dataset))}; {digest}."
    setting = annotations.setting(dataset)
    gaps = json.loads(dataset.attrs["missing_blocks"])
    gap = f"; **{len(gaps)} blocks missing**" if gaps else ""
    return f"- {name}, {dataset.sizes['run']} runs: {escape(setting)}; {digest}{gap}."


def theory_setting(dataset: xr.Dataset) -> str:
    """Name the parameters that a theory dataset was evaluated at, and no other attribute."""
    known = datasets.PARAMETERS.get(dataset.attrs["theory"], "").split()
    theirs = sorted(set(dataset.attrs) & set(known))
    return ", ".join(f"{name} {_plainly(dataset.attrs[name])}" for name in theirs)


def _plainly(value: Any) -> str:
    values = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(values, list):
        return "(" + ", ".join(map(_plainly, values)) + ")"
    return f"{values:.5g}" if isinstance(values, float) else str(values)


def escape(value: str) -> str:
    """Write text from a file so that reStructuredText gives none of it a meaning."""
    return re.sub(r"([\\*`|_<>:@])", r"\\\1", text.visible(value))


def code(name: str) -> str:
    """Write a name as code; one that no file of ours would have is escaped instead."""
    return f"``{name}``" if re.fullmatch(r"\w+", name, re.ASCII) else escape(name)


def raw(html: str) -> str:
    """Write HTML as reStructuredText, which Snakemake has captions in."""
    return ".. raw:: html\n\n" + textwrap.indent(html, "   ") + "\n"


def literal(caption: str) -> str:
    """Write a caption so that jinja2, by which Snakemake renders it once more, leaves it alone."""
    return caption.replace("{", "{{ '{' }}")


_PRINTED = re.compile(r"fig([A-Z]?)(\d+)")  # of an appendix or none, and its number


def printed_name(figure: str) -> str:
    """Name a figure as the paper does: fig6 is Figure 6, figA4 is Figure A.4, figB1 Figure B.1."""
    found = _PRINTED.fullmatch(figure)
    if found is None:
        return figure
    return f"Figure {f'{found[1]}.' if found[1] else ''}{found[2]}"


def paper_order(figure: str) -> tuple[str, int, str]:
    """Sort key: the paper's figures, then its appendix's, then those of other names."""
    found = _PRINTED.fullmatch(figure)
    return ("~", 0, figure) if found is None else (found[1], int(found[2]), figure)
