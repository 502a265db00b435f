"""Formulas are set; whatever else a text holds stays what it was."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icl.pages import front
from icl.pages.formulas import typeset
from markupsafe import Markup

SET = {
    "I_K(inf) ~ K^nu": "<i>I</i><sub><i>K</i></sub>(∞) ∼ <i>K</i><sup>ν</sup>",
    "W(c3/lambda)": "<i>W</i>(<i>c</i><sub>3</sub>/λ)",
    "K* grows as N^(1/nu)": "<i>K</i><sup>∗</sup> grows as <i>N</i><sup>1/ν</sup>",
    "e^(-2 beta0)": "<i>e</i><sup>−2 β<sub>0</sub></sup>",
    "e^-w": "<i>e</i><sup>−<i>w</i></sup>",
    "exp(-phi+)": "exp(−φ<sup>+</sup>)",
    "D's, not D'": "<i>D</i>&#39;s, not <i>D</i>′",
    "beta x'_j . x'_target": "β <i>x</i>′<sub><i>j</i></sub> · <i>x</i>′<sub>target</sub>",
    "log10 of K^T Q": "log<sub>10</sub> of <i>K</i><sup>T</sup> <i>Q</i>",
    "K = infinity, e^beta0 << N": "<i>K</i> = ∞, <i>e</i><sup>β<sub>0</sub></sup> ≪ <i>N</i>",
    "t_ICL": "<i>t</i><sub>ICL</sub>",
    "-0.8 [-1, 2]": "−0.8 [−1, 2]",
}
LEFT = [
    *("threshold_exponent", "variation_of_c1", "docs/K.md", "long-tailed", "a p of 3 to 5"),
    *("figA4", "0x1K", "log", "K**", "10 to 90 % width", "t_ICL_", "nutrients", "r_squared"),
]


@pytest.mark.parametrize(("words", "html"), SET.items())
def test_formulas_are_set(words, html):
    assert typeset(words) == html


@pytest.mark.parametrize("words", LEFT)
def test_other_words_are_left(words):
    assert typeset(words) == words


def test_a_name_in_a_caption_is_left():
    html = front.caption_html("``t_ICL`` is t_ICL.\n")
    assert ">t_ICL</span> is <i>t</i><sub>ICL</sub>" in html


def test_tags_attributes_and_code_are_left():
    html = Markup('<a href="K*" title="N">K</a> <code>K^nu</code><pre>N\nt_ICL</pre>')
    assert typeset(html) == str(html).replace(">K<", "><i>K</i><")


@given(st.text("KNDIwtc_^*'()+-/<>&;#3 betanulmdf\"", max_size=40))
def test_only_our_tags_appear(words):
    """What is neither a tag of ours nor an escape is the text, up to its signs."""
    html = typeset(words)
    ours = re.findall(r"<[^>]*>", html)
    assert set(ours) <= {f"<{end}{tag}>" for end in ("", "/") for tag in ("i", "sub", "sup")}
    opened = []
    for tag in ours:  # nested as they should be
        if tag[1] == "/":
            assert opened.pop() == tag[2:-1]
        else:
            opened.append(tag[1:-1])
    assert opened == []
    bare = re.sub(r"<[^>]*>", "", html)
    assert "<" not in bare
    assert '"' not in bare
    letters = r"[KNDIwc3;#&\"]"  # none is part of a name of a Greek one
    assert re.findall(letters, unescape(bare)) == re.findall(letters, words)
