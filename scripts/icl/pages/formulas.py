"""Formulas, which configuration and captions hold as plain text, as HTML."""

import re

from markupsafe import Markup, escape

from icl import text

MINUS = "\N{MINUS SIGN}"
GREEK = {"alpha": "α", "beta": "β", "lambda": "λ", "nu": "ν", "phi": "φ"}
VARIABLES = set("DIKNQVWrtw")  # letters that are a variable wherever they stand alone
INDEXED = set("Itx") | set(GREEK)  # letters that have a word as index: r_squared is a name
SYMBOL = re.compile(
    r"(?<![\w&#\\.])(?<![a-z]{2}/)(?P<base>alpha|beta|lambda|nu|phi|log|[A-Za-z])"
    r"(?P<prime>'|&\#39;)?(?:_(?P<sub>[A-Za-z]+)|(?P<digits>10|\d))?"
    r"(?:\^(?:\((?P<group>[^()<>&]*)\)|(?P<power>-?\w+))|(?P<star>\*)|(?P<plus>\+))?(?![\w*])"
)
SIGNS = (
    (re.compile(r"\((?:inf|infinity)\)"), "(∞)"),
    (re.compile(r"(?<== )infinity\b"), "∞"),
    (re.compile(r"&lt;&lt;"), "≪"),
    (re.compile(r"&gt;="), "≥"),
    (re.compile(r" ~ "), " ∼ "),
    (re.compile(r"(?<=\w) \. (?=\w)"), " · "),
    (re.compile(r"(?<![\w-])-(?=[\d(])|(?<=\()-(?=\w)"), MINUS),
)
KEPT = re.compile(
    r'(<(code|pre)\b.*?</\2>|<span class="docutils literal">.*?</span>|<[^>]*>)', re.DOTALL
)


def typeset(words: object) -> Markup:
    """Set the formulas in a text: I_K(inf) ~ K^nu becomes symbols with indices and exponents.

    Text is of a file, and is escaped first; of Markup, tags and code stay.
    """
    html = words if isinstance(words, Markup) else escape(text.visible(str(words)))
    parts = KEPT.split(html)  # text, what is kept, its name or None, text, ...
    parts[::3] = map(_typeset, parts[::3])
    del parts[2::3]
    return Markup("".join(parts))


def _typeset(words: str) -> str:
    for sign, better in SIGNS:
        words = sign.sub(better, words)
    return SYMBOL.sub(_symbol, words)


def _symbol(found: re.Match[str]) -> str:
    """Write a symbol. Of the text it takes letters, digits and what was escaped; tags are ours."""
    base, prime, sub, digits, group, power, star, plus = found.groups()
    raised = group if group is not None else power
    alone = not any((prime, sub, digits, raised, star, plus))
    if (alone and base not in GREEK and base not in VARIABLES) or (sub and base not in INDEXED):
        return found[0]
    html = _letter(base) + ("′" if prime else "")
    if index := sub or digits:
        html += f"<sub>{_letter(index)}</sub>"
    if raised is not None:
        html += f"<sup>{_typeset(raised.replace('-', MINUS))}</sup>"
    return html + ("<sup>∗</sup>" if star else "") + ("<sup>+</sup>" if plus else "")


def _letter(name: str) -> str:
    """Write a variable's letter in italics; Greek letters, numbers and words upright."""
    return f"<i>{name}</i>" if len(name) == 1 and name.isalpha() else GREEK.get(name, name)
