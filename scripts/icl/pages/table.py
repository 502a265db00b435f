"""The verdicts as a Markdown table with a paragraph for each claim: claims.md."""

from icl import text
from icl.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Verdict

_WITHIN = {REPRODUCED: "yes", NOT_REPRODUCED: "no", UNDECIDED: "undecided"}

ON_TRIES = (
    "*Try 2* beside a verdict: one complete run of this size did not reproduce the claim, and "
    "this verdict is of new runs; docs/regime.md says what was changed before them."
)
ON_REPEATS = (
    "*Repeats with 0.62*: of 100 fresh runs of the same design, drawn from the seeds in hand, "
    "62 have the same verdict."
)


def markdown(verdicts: list[Verdict], about: str = "") -> str:
    """Write the verdicts for readers: a table, then a paragraph for each claim."""
    presets = ", ".join(sorted({verdict.preset for verdict in verdicts}))
    lines = [
        f"# Claims, measured at size {presets}",
        "",
        "A claim is *reproduced* only if the whole interval of each of its quantities lies in its "
        "band, *not reproduced* if one lies wholly outside, else *undecided*. The bands are ours, "
        "and were fixed before the runs.",
        "",
        *([text.visible(about), ""] if about else []),
        *_remarks(verdicts),
        "| claim | verdict | quantity | measured [interval] | band | within it | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        for row, criterion in enumerate(verdict.criteria):
            name = whole = paper = ""
            if row == 0:
                name, paper = verdict.id, text.number_text(verdict.paper_value)
                words = [
                    f"**{verdict.verdict}**",
                    text.tries_text(verdict),
                    text.repeats_text(verdict),
                ]
                whole = ", ".join(filter(None, words))
            cells = [name, whole, criterion.quantity, text.measured_text(criterion.estimate)]
            cells += [text.band_text(criterion.band), _WITHIN[criterion.verdict], paper]
            lines.append(f"| {' | '.join(cells)} |")
    for verdict in verdicts:
        lines += ["", f"## {verdict.id}: {verdict.verdict}", "", *_paragraphs(verdict)]
    return "\n".join(lines) + "\n"


def _remarks(verdicts: list[Verdict]) -> list[str]:
    """Explain the words beside verdicts, those that there are."""
    said = [(text.tries_text, ON_TRIES), (text.repeats_text, ON_REPEATS)]
    return [line for words, on in said if any(map(words, verdicts)) for line in (on, "")]


def _paragraphs(verdict: Verdict) -> list[str]:
    options = verdict.options
    lines = [f"{verdict.statement} (paper: {verdict.source})", ""]
    if tries := text.tries_text(verdict):
        said = f"This is {tries} at this size: docs/regime.md says what was changed before it."
        lines += [said, ""]
    for criterion in verdict.criteria:
        failed = verdict.estimate(criterion.quantity).failed
        note = f"; {failed} of {options['resamples']} resamples failed" if failed else ""
        measured, band = text.measured_text(criterion.estimate), text.band_text(criterion.band)
        what = f"- **{criterion.quantity}**: {criterion.description}"
        lines.append(f"{what}. {measured}; band: {band}{note}.")
    for seeds, half in zip(("even", "odd"), verdict.halves, strict=False):
        alone = "; ".join(
            f"{criterion.quantity} {text.measured_text(criterion.estimate)}"
            for criterion in half["criteria"]
        )
        lines.append(f"- the {seeds} seeds alone: *{half['verdict']}*. {alone}.")
    judged = {criterion.quantity for criterion in verdict.criteria}
    for quantity, found in verdict.estimates.items():
        if quantity not in judged:
            lines.append(f"- {quantity} (not judged): {text.measured_text(found)}.")
    if verdict.replicates:
        resamples = options.get("resamples")
        drawn = f" from {resamples} resamples of the seeds" if resamples else ""
        lines += [
            "",
            f"{verdict.replicates} replicates, {verdict.censored} censored, "
            f"{verdict.diverged} diverged; intervals at {options['confidence']:.0%}{drawn}.",
        ]
    if verdict.missing_blocks:
        lines += ["", f"Missing blocks: {', '.join(verdict.missing_blocks)}."]
    if verdict.reason:
        lines += ["", f"Why not decided: {verdict.reason}."]
    for note in verdict.notes:
        lines += ["", f"Note: {note}."]
    digests = ", ".join(
        f"{name} {digest[:12]}" for name, digest in sorted(verdict.data_digests.items())
    )
    return [*lines, "", f"Data: {digests or 'none'}. Bands and options: {verdict.band_digest}."]
