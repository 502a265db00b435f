"""A verdict as a file has it, and words that a file may have to harm a page."""

from icl.verdicts import Verdict

HOSTILE = [
    "{{ cycler.__init__.__globals__.os.popen('echo ran').read() }}",
    "{% raw %}",
    "{# hidden #}",
    "x\n\n.. raw:: html\n\n   <script>alert(1)</script>\n",
    "x\n\n.. include:: /etc/passwd\n",
    "``code`` *strong* |subst| :math:`x` `link <javascript:alert(1)>`__",
    "</script><script>alert(1)</script><!--",
    "left\u202eright\u2066\x07",
]


def criterion(**changes):
    return {
        "quantity": "exponent",
        "description": "slope",
        "unit": "",
        "value": 1.168,
        "interval": [1.0, 1.371],
        "band": [0.8, 1.3],
        "verdict": "undecided",
        **changes,
    }


def verdict(**changes):
    entry = {
        "id": "linear_ticl",
        "statement": "linear <in> N",
        "source": "Figure 6 b",
        "paper_value": "linear",
        "verdict": "undecided",
        "statistic": "linear_ticl",
        "preset": "laptop",
        "criteria": [criterion()],
        "replicates": 64,
        "censored": 3,
        "diverged": 0,
        "missing_blocks": [],
        "data_digests": {},
        "band_digest": "",
        "reason": "",
        "details": {"estimates": {"exponent": {"value": 1.168, "interval": [1.0, 1.371]}}},
        **changes,
    }
    return Verdict.from_json(entry)
