"""Accuracies against sampled contexts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icl.theory.accuracy import acquisition_beta, icl_accuracy, icl_accuracy_with_mlp, iwl_accuracy
from scipy.stats import norm

PROPERTY = settings(derandomize=True, deadline=None, max_examples=150, database=None)


@pytest.mark.parametrize("n", [2, 7, 8, 100])
@pytest.mark.parametrize("beta", [-3.0, 0.0, 1.3, float(np.log(3))])
def test_icl_accuracy_matches_sampled_contexts(n, beta):
    rng = np.random.default_rng(5)
    others = 2.0 * rng.binomial(n - 1, 0.5, size=200_000) - (n - 1)
    vote = np.rint(1e9 * (np.exp(beta) + others))  # ties survive the rounding of e^beta
    expected = np.mean((vote > 0) + 0.5 * (vote == 0))
    assert icl_accuracy(beta, 2.0, n) == pytest.approx(expected, abs=0.005)
    assert icl_accuracy(beta, -2.0, n) == pytest.approx(1 - expected, abs=0.005)


def test_uniform_attention_is_already_above_chance():
    for n in (100, 10_000):
        bias = float(icl_accuracy(0.0, 1.0, n)) - 0.5
        assert bias == pytest.approx(1 / np.sqrt(2 * np.pi * n), rel=0.02)


@given(beta=st.floats(-80, 80), w=st.floats(-100, 100).filter(bool), n=st.integers(2, 1_000_000))
@PROPERTY
def test_icl_accuracy_is_a_probability_that_rises_with_beta(beta, w, n):
    accuracy = float(icl_accuracy(beta, w, n))
    assert 0 <= accuracy <= 1
    assert (accuracy - 0.5) * np.sign(w) >= -1e-12
    assert icl_accuracy(beta + 1, abs(w), n) >= icl_accuracy(beta, abs(w), n) - 1e-12
    assert icl_accuracy(80.0, abs(w), n) == pytest.approx(1)
    assert 0 <= icl_accuracy_with_mlp(beta, w, n, 1.0) <= 1


def test_acquisition_beta_inverts_the_accuracy_for_long_contexts():
    for accuracy in (0.75, 0.95):
        beta = acquisition_beta(100_000, accuracy)
        assert icl_accuracy(beta, 1.0, 100_000) == pytest.approx(accuracy, abs=2e-3)


def test_random_logits_of_novel_items_undo_icl():
    n, beta, w, rms = 50, 3.0, 4.0, 2.5
    rng = np.random.default_rng(3)
    others = 2.0 * rng.binomial(n - 1, 0.5, size=400_000) - (n - 1)
    logit = w * (np.exp(beta) + others) / (np.exp(beta) + n - 1) + rms * rng.standard_normal(
        others.size
    )
    expected = np.mean(logit > 0)
    assert icl_accuracy_with_mlp(beta, w, n, rms) == pytest.approx(expected, abs=0.004)
    assert icl_accuracy_with_mlp(beta, 0.0, n, 0.0) == 0.5


def test_iwl_accuracy_matches_contexts_without_a_copy():
    n, w, mean, spread = 40, 5.0, 0.8, 0.6
    rng = np.random.default_rng(4)
    labels = 2.0 * rng.binomial(n, 0.5, size=400_000) - n
    logit = mean + spread * rng.standard_normal(labels.size) + w * labels / n
    assert iwl_accuracy(w, n, mean, spread) == pytest.approx(np.mean(logit > 0), abs=0.004)
    assert iwl_accuracy(0.0, n, mean, spread) == pytest.approx(norm.cdf(mean / spread))


def test_out_of_range():
    for accuracy in (0.5, 1.0):
        with pytest.raises(ValueError, match="accuracy"):
            acquisition_beta(100, accuracy)
    with pytest.raises(ValueError, match="logit_spread"):
        iwl_accuracy(1.0, 10, 0.0, 0.0)
    with pytest.raises(ValueError, match="finite"):
        icl_accuracy(np.nan, 1.0, 10)
