"""The balanced task against enumerated contexts, and its saddle against the integrated flow."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icl.theory import balanced
from icl.theory.accuracy import icl_accuracy
from icl.theory.flow import loss_flow

PROPERTY = settings(derandomize=True, deadline=None, max_examples=150, database=None)
LOGITS = np.array([0.7, -0.2, 1.5])


@pytest.mark.parametrize(("beta", "w"), [(0.5, 2.0), (-1.0, -3.0), (3.0, 6.0)])
def test_balanced_loss_matches_every_balanced_context(beta, w):
    n, losses = 6, []
    for positives in combinations(range(n), n // 2):
        labels = np.full(n, -1.0)
        labels[list(positives)] = 1.0
        for target in range(n):
            score = np.exp(beta * (np.arange(n) == target))
            z_att = w * (score @ labels) / score.sum()
            losses.append(np.mean(np.logaddexp(0, -LOGITS - labels[target] * z_att)))
    assert balanced.loss_balanced(beta, w, n, LOGITS) == pytest.approx(np.mean(losses), rel=1e-12)


@pytest.mark.parametrize("beta0", [-1.0, 0.7, 2.5])
@pytest.mark.parametrize("side", [-1, 1])
def test_separatrix_of_the_full_loss_parts_its_flow(beta0, side):
    n = 40
    w0 = float(balanced.separatrix(beta0, n)) + side * 0.02
    path = loss_flow(beta0, w0, n, 2e4, [0.5, -0.3], form="balanced", accuracy=0.99)
    assert (path.w[-1] > 1) == (side > 0)
    assert (path.beta[-1] > 1) == (side > 0)


def test_full_separatrix_tends_to_that_of_equation_9():
    beta = np.array([-2.0, 0.5, 2.0])
    gap = [
        np.max(np.abs(balanced.separatrix(beta, n) - balanced.separatrix(beta)))
        for n in (100, 1000, 10_000)
    ]
    np.testing.assert_allclose(np.diff(np.log10(gap)), -1, atol=0.02)


@given(beta=st.floats(-80, 80), w=st.floats(-100, 100), half=st.integers(1, 500_000))
@PROPERTY
def test_balanced_loss_and_separatrix_are_finite_and_rightly_signed(beta, w, half):
    n = 2 * half
    assert 0 < balanced.loss_balanced(beta, w, n) <= (np.log(2) + abs(w)) * (1 + 1e-12)
    edge = float(balanced.separatrix(beta, n))
    assert np.isfinite(edge)
    assert edge * beta <= 0
    if w * beta > 0:
        assert balanced.loss_balanced(beta, w, n) <= np.log(2) * (1 + 1e-12)


def test_the_other_solution_solves_the_balanced_task_too():
    """There the head answers against the majority of the others, which is always right on D'."""
    n = 20
    for beta, w in [(-0.5, -1.0), (-20.0, -20.0 * (n - 1))]:
        assert balanced.loss_balanced(beta, w, n) < np.log(2)
    assert balanced.loss_balanced(-20.0, -20.0 * (n - 1), n) < 1e-8
    # On the standard task the same head is at chance.
    assert icl_accuracy(-20.0, -1.0, n) == pytest.approx(0.5)


def test_out_of_range():
    with pytest.raises(ValueError, match="even"):
        balanced.loss_balanced(0.0, 0.0, 7)
    with pytest.raises(ValueError, match="overflows"):
        balanced.separatrix(800.0)
