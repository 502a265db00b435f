"""The loss landscape against sampled contexts, the printed sums and finite differences."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icl.theory import landscape
from icl.theory.checks import OutOfRangeWarning
from icl.theory.quadrature import binomial_surplus, gaussian_surplus
from scipy.special import expit

PROPERTY = settings(derandomize=True, deadline=None, max_examples=150, database=None)
BETA, W = st.floats(-80, 80), st.floats(-100, 100)
CONTEXT = st.integers(2, 1_000_000)
LOGITS = np.array([0.7, -0.2, 1.5])


def softplus(x):
    return np.logaddexp(0.0, x)


def sampled_losses(rng, beta, w, n, n_samples, logits_plus, logits_minus):
    """Losses by equation 3 itself: orthonormal items, softmax attention, drawn labels."""
    labels = rng.choice([-1, 1], size=(n_samples, n))
    target = rng.integers(n, size=n_samples)
    overlap = np.zeros((n_samples, n))
    overlap[np.arange(n_samples), target] = 1.0
    attention = np.exp(beta * overlap)
    attention /= attention.sum(axis=1, keepdims=True)
    z_att = w * (attention * labels).sum(axis=1)
    label = labels[np.arange(n_samples), target]
    z_mlp = np.where(
        label > 0, rng.choice(logits_plus, n_samples), rng.choice(logits_minus, n_samples)
    )
    return softplus(-label * (z_mlp + z_att))


@pytest.mark.parametrize(
    ("beta", "w", "n"), [(0.0, 3.0, 2), (1.5, 4.0, 7), (3.0, -2.0, 16), (-2.0, 8.0, 9)]
)
def test_exact_loss_matches_sampled_contexts(beta, w, n):
    rng = np.random.default_rng(7)
    plus, minus = np.array([0.5, -1.0, 2.0]), np.array([0.4, -0.3])
    losses = sampled_losses(rng, beta, w, n, 300_000, plus, minus)
    expected = landscape.loss_exact(beta, w, n, plus, logits_minus=minus)
    error = losses.std() / np.sqrt(losses.size)
    assert error < 0.005 * losses.mean()
    assert abs(losses.mean() - expected) < 4 * error


@pytest.mark.parametrize("n", [2, 3, 10, 101, 400])
@pytest.mark.parametrize(("beta", "w"), [(0.3, 1.0), (-3.0, 20.0), (4.0, -7.0), (5.0, 100.0)])
def test_exact_loss_is_the_sum_printed_in_equation_21(n, beta, w):
    total = 0.0
    for n_plus in range(n + 1):
        z = w * (np.exp(beta) + 2 * n_plus - n - 1) / (np.exp(beta) + n - 1)
        weight = n_plus / n * comb(n, n_plus) / 2**n
        total += 2 * weight * np.mean(softplus(-LOGITS - z))
    np.testing.assert_allclose(landscape.loss_exact(beta, w, n, LOGITS), total, rtol=1e-12)


def curvatures(phi):
    """Second to fourth derivatives of the cross-entropy in the logit, averaged."""
    s, r = expit(phi), expit(-phi)
    second, third = s * r, s * r * (r - s)
    return second.mean(), third.mean(), (third * (r - s) - 2 * second**2).mean()


@pytest.mark.parametrize(("beta", "w"), [(0.0, 1.0), (0.5, 1.5), (1.0, -2.0)])
def test_gaussian_form_errs_as_the_third_power_of_the_context_length(beta, w):
    n = np.array([200, 400, 800, 1600])
    error = np.array(
        [
            landscape.loss_gaussian(beta, w, k, LOGITS) - landscape.loss_exact(beta, w, k, LOGITS)
            for k in n
        ]
    )
    slope = np.polyfit(np.log(n), np.log(np.abs(error)), 1)[0]
    assert slope == pytest.approx(-3, abs=0.05)
    _, third, fourth = curvatures(LOGITS)
    # The surplus has third moment 2 (exactly: 0) and fourth moment 2 N too much.
    assert error[-1] * n[-1] ** 3 == pytest.approx(w**3 * third / 3 + w**4 * fourth / 12, rel=0.02)


def test_sign_of_the_quadratic_term_is_not_that_printed_in_equation_25():
    phi, n, w = 0.3, 10_000, 2.0
    eta = np.linspace(-10, 10, 4001)
    weight = np.exp(-(eta**2) / 2)
    weight *= (1 + eta / np.sqrt(n)) / weight.sum()
    x = w * eta / np.sqrt(n)  # beta = 0
    truth = landscape.loss_exact(0.0, w, n, phi)
    right = weight @ np.log1p(np.exp(-phi) * (1 - x + x**2 / 2))
    printed = weight @ np.log1p(np.exp(-phi) * (1 - x - x**2 / 2))
    assert abs(right - truth) < 1e-3 * abs(printed - truth)
    c1, c2, _ = landscape.order_parameters(phi)
    # The printed sign would turn c2 into -(2 - c2), and w would run away from 0.
    quadratic = (printed - softplus(-phi) + c1 / n * w) * n / c1 / (w**2 / 2)
    assert quadratic == pytest.approx(-(2 - c2), rel=1e-2)


@pytest.mark.parametrize("form", ["exact", "gaussian", "balanced"])
@pytest.mark.parametrize(("beta", "w"), [(0.2, 0.5), (-2.0, 3.0), (4.0, -6.0), (6.0, 9.0)])
def test_gradient_matches_finite_differences(form, beta, w):
    from icl.theory.balanced import loss_balanced

    loss = {
        "exact": landscape.loss_exact,
        "gaussian": landscape.loss_gaussian,
        "balanced": loss_balanced,
    }[form]
    step = 1e-5
    d_beta, d_w = landscape.loss_gradient(beta, w, 30, LOGITS, form=form)
    slope_beta = (loss(beta + step, w, 30, LOGITS) - loss(beta - step, w, 30, LOGITS)) / (2 * step)
    slope_w = (loss(beta, w + step, 30, LOGITS) - loss(beta, w - step, 30, LOGITS)) / (2 * step)
    np.testing.assert_allclose([d_beta, d_w], [slope_beta, slope_w], rtol=1e-6, atol=1e-10)


def test_order_parameters_of_known_logits():
    c1, c2, c3 = landscape.order_parameters([0.0])
    assert (c1, c2, c3) == (0.5, 0.5, 1.0)
    c1, c2, c3 = landscape.order_parameters([2.0, -1.0], [3.0, 1.0])
    miss = np.array([expit(-2.0), expit(1.0)])
    assert c1 == pytest.approx(0.75 * miss[0] + 0.25 * miss[1])
    assert c2 == pytest.approx(1 - (0.75 * miss[0] ** 2 + 0.25 * miss[1] ** 2) / c1)
    assert c3 == pytest.approx(0.75 * np.exp(-2) + 0.25 * np.e)


def test_extra_copies_of_the_target_strengthen_the_first_pull_on_w():
    """At finite K the context holds 1 + (N - 1)/K copies on average, not one (equation 4)."""
    n, n_items, n_samples, beta = 50, 100, 60_000, 0.5
    rng = np.random.default_rng(9)
    items = rng.integers(n_items, size=(n_samples, n))
    item_labels = rng.choice(np.array([-1, 1], dtype=np.int8), size=(n_samples, n_items))
    labels = np.take_along_axis(item_labels, items, axis=1)
    score = np.where(items == items[:, :1], np.exp(beta), 1.0)
    attention = score / score.sum(axis=1, keepdims=True)
    pull = (attention * labels).sum(axis=1) * labels[:, 0]
    copies = 1 + (n - 1) / n_items
    expected = copies * np.exp(beta) / (copies * np.exp(beta) + n - copies)
    assert pull.mean() == pytest.approx(expected, rel=0.04)
    assert pull.mean() > 1.3 * float(landscape.attention_shares(beta, n)[0])


def test_order_parameter_c3_of_a_broad_distribution_overstates_the_loss():
    noise, weight = np.polynomial.hermite_e.hermegauss(60)
    for spread, low, high in [(0.5, 0.99, 1.0), (3.0, 0.1, 0.3)]:
        phi = spread * noise
        c3 = landscape.order_parameters(phi, weight).c3
        loss = float(landscape.loss_exact(40.0, 5.0, 100, phi, weight))
        assert low < loss / (c3 * np.exp(-5.0)) <= high  # equation 42 is an upper bound


def test_c2_tends_to_1_only_if_all_items_are_memorised_alike():
    assert landscape.order_parameters([20.0, 20.0]).c2 == pytest.approx(1, abs=1e-8)
    few_wrong = landscape.order_parameters([20.0, -8.0], [0.99, 0.01])
    assert few_wrong.c1 < 0.02
    assert few_wrong.c2 < 0.01


@given(logits=st.lists(st.floats(-600, 600), min_size=1, max_size=6))
@PROPERTY
def test_order_parameters_stay_in_their_ranges(logits):
    c1, c2, c3 = landscape.order_parameters(logits)
    assert 0 < c1 <= 1
    assert 0 <= c2 <= 1
    assert c3 > 0
    assert c1 <= c3 * (1 + 1e-9)


@given(n=CONTEXT)
@PROPERTY
def test_moments_of_the_surplus(n):
    surplus, probability = binomial_surplus(n)
    assert np.sum(probability) == pytest.approx(1, abs=1e-12)
    assert probability @ surplus == pytest.approx(0, abs=1e-9 * n)
    assert probability @ surplus**2 == pytest.approx(n - 1, rel=1e-9)
    assert surplus.size <= (n if n <= 2001 else 9 * np.sqrt(n) + 3)
    surplus, weight = gaussian_surplus(n, 1.0)
    moments = [weight @ surplus**k for k in range(5)]
    expected = [1, 0, n - 1, 2, 3 * n**2 - 6 * n - 3]
    np.testing.assert_allclose(moments, expected, rtol=1e-8, atol=1e-6 * n)


@given(beta=BETA, w=W, n=CONTEXT)
@PROPERTY
def test_exact_loss_lies_between_jensen_and_its_curvature_bound(beta, w, n):
    loss = landscape.loss_exact(beta, w, n)
    log_total = np.logaddexp(beta, np.log(n - 1))
    mean = w * np.exp(beta - log_total)
    variance = w**2 * (n - 1) * np.exp(-2 * log_total)
    slack = 1e-12 * (1 + abs(w))
    assert softplus(-mean) - slack <= loss <= softplus(-mean) + variance / 8 + slack
    assert loss > 0
    for form in ("exact", "gaussian"):
        gradient = landscape.loss_gradient(beta, w, n, form=form)
        assert np.all(np.isfinite(gradient))
    assert np.isfinite(np.asarray(landscape.loss_gradient(beta, w, n)).sum())


@given(beta=BETA, w=W, n=st.integers(10, 1_000_000))
@PROPERTY
def test_gaussian_loss_is_near_the_exact_one_over_the_whole_range(beta, w, n):
    exact, gaussian = landscape.loss_exact(beta, w, n), landscape.loss_gaussian(beta, w, n)
    assert abs(gaussian - exact) <= abs(w) / n + 1e-9
    assert gaussian > 0


@given(w=st.floats(0.01, 100), n=CONTEXT, beta=BETA, low=st.floats(-5, 4.9))
@PROPERTY
def test_loss_falls_as_the_mlp_memorises_and_is_log_2_without_attention(w, n, beta, low):
    assert landscape.loss_exact(beta, 0.0, n) == pytest.approx(np.log(2))
    high = low + 0.1
    assert landscape.loss_exact(beta, w, n, high) < landscape.loss_exact(beta, w, n, low)


def test_large_beta_leaves_the_loss_of_a_sure_logit():
    np.testing.assert_allclose(landscape.loss_exact(80.0, 100.0, 10**6), np.exp(-100), rtol=1e-9)
    d_beta, d_w = landscape.loss_gradient(80.0, 100.0, 10**6, form="exact")
    np.testing.assert_allclose(d_w, -np.exp(-100), rtol=1e-9)
    # dL/dbeta = -w e^-w (N - 1)/e^beta, which cancels to 0 if written carelessly
    np.testing.assert_allclose(d_beta, -100 * np.exp(-100) * (10**6 - 1) * np.exp(-80), rtol=1e-6)


def test_shapes_broadcast_and_chunks_do_not_show(monkeypatch):
    beta, w = np.linspace(-1, 3, 7)[:, None], np.linspace(-2, 2, 5)
    whole = landscape.loss_exact(beta, w, 50, LOGITS)
    assert whole.shape == (7, 5)
    monkeypatch.setattr(landscape, "CHUNK_ELEMENTS", 400)
    # To the last bit but one: where a chunk ends, numpy's vector loops end, and these round apart.
    in_chunks = landscape.loss_exact(beta, w, 50, LOGITS)
    np.testing.assert_allclose(in_chunks, whole, rtol=1e-15, atol=1e-16)
    assert whole[2, 3] == pytest.approx(float(landscape.loss_exact(beta[2, 0], w[3], 50, LOGITS)))


@pytest.mark.parametrize("n", [1, 2.5, -3])
def test_context_length_out_of_its_domain_raises(n):
    with pytest.raises(ValueError, match="context_length"):
        landscape.loss_exact(0.0, 0.0, n)


def test_what_is_not_finite_raises():
    for beta, w, logits in [(np.nan, 0, 0), (0, np.inf, 0), (0, 0, [1.0, np.nan])]:
        with pytest.raises(ValueError, match="finite"):
            landscape.loss_exact(beta, w, 10, logits)
    with pytest.raises(ValueError, match="floating point"):
        landscape.order_parameters(800.0)
    with pytest.raises(ValueError, match="weights"):
        landscape.order_parameters([0.0, 1.0], [-1.0, 2.0])
    with pytest.raises(ValueError, match="form"):
        landscape.loss_gradient(0.0, 0.0, 10, form="other")


def test_gaussian_form_of_a_short_context_warns():
    with pytest.warns(OutOfRangeWarning, match="equation 5"):
        landscape.loss_gaussian(0.0, 1.0, 4)
