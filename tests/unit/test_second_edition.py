"""Statistics that tell a claim from its rivals: right in 95 % of 200 draws of either."""

import numpy as np
import pytest
import synthetic_kinetics as made
import synthetic_outcomes as made_outcomes
from committed import CLAIMS
from icl.measurements import acquisition, kinetics, losses

DRAWS = 200
LENGTHS = np.array([16, 32, 64, 128])
OPTIONS = {"confidence": 0.95}


def verdict(found, low, high):
    """Judge an estimate by a band: True, False, or None where its interval has an end in it."""
    if low <= found.low and found.high <= high:
        return True
    return False if found.high < low or found.low > high else None


def share(draw, expected):
    """How many of the draws end in a verdict."""
    return np.mean([draw(np.random.default_rng(i)) is expected for i in range(DRAWS)])


def bent(length):
    """A sum of two powers that grows as N over the whole range, and faster at its end."""
    return length**0.4 + length**1.6 / 45**1.2


def exponents(generator, growth=lambda length: length, seeds=130):
    """Of t_ICL that grows so with N, log-normal over seeds that are in part alike at all N."""
    of_seed = 0.25 * generator.standard_normal((seeds, 1))
    own = 0.1 * generator.standard_normal((seeds, len(LENGTHS)))
    t_icl = growth(LENGTHS.astype(float)) * np.exp(of_seed + own)
    return acquisition.paired_exponents(LENGTHS, t_icl, OPTIONS)


def both(found):
    """Linear: both exponents within 0.9 to 1.1; not linear: either is outside."""
    each = [verdict(value, 0.9, 1.1) for value in found.values()]
    return False if False in each else None if None in each else True


@pytest.mark.parametrize(
    ("growth", "expected"),
    [
        (lambda length: length, True),
        (lambda length: length**1.3, False),
        (lambda length: length**1.75, False),
        (lambda length: length**0.75, False),
        (bent, False),
    ],
    ids=["linear", "1.3", "1.75", "0.75", "bent"],
)
def test_linear_growth_is_told_from_other_powers(growth, expected):
    assert share(lambda generator: both(exponents(generator, growth)), expected) >= 0.95


def test_what_bends_is_refused_by_the_local_exponent_alone():
    found = exponents(np.random.default_rng(0), bent)
    assert verdict(found["geometric_exponent"], 0.9, 1.1)
    assert verdict(found["local_exponent"], 0.9, 1.1) is False


def test_the_local_exponent_is_of_large_n():
    generator = np.random.default_rng(0)
    small = acquisition.paired_exponents(
        np.array([8, 16, 32]), np.exp(generator.standard_normal((9, 3))), OPTIONS
    )
    assert np.isnan(small["local_exponent"].value)


def slopes(generator, **how):
    data = made.losses(decades=2.5, spread=0.3, generator=generator, **how)
    options = {**CLAIMS["loss_relation"]["options"], "resamples": 400}
    found = losses.loss_relation({"loss": data}, options).estimates
    each = [verdict(found[f"slope_{name}"], 0.75, 1.25) for name in ("acquired", "faded")]
    return True if all(each) else False if False in each else None


@pytest.mark.parametrize(
    ("how", "expected"), [({}, True), ({"ratio": 0.6}, True), ({"constant": True}, False)]
)
def test_equation_16_is_told_from_a_constant_loss(how, expected):
    assert share(lambda generator: slopes(generator, **how), expected) >= 0.95


def test_a_constant_loss_has_the_ratio_of_equation_16():
    """Which is why its ratio alone does not test it."""
    data = made.losses(decades=2.5, constant=True)
    found = losses.loss_relation({"loss": data}, CLAIMS["loss_relation"]["options"]).estimates
    assert all(verdict(found[f"ratio_{name}"], 0.5, 1.5) for name in ("acquired", "faded"))


def test_a_slope_needs_two_decades():
    data = made.losses(decades=1.0)
    found = losses.loss_relation({"loss": data}, CLAIMS["loss_relation"]["options"]).estimates
    assert np.isnan(found["slope_acquired"].value)
    assert np.isfinite(found["ratio_acquired"].value)


KINETICS = {
    "response": "final_accuracy",
    "acquired_above": 0.75,
    "floor": 0.5,
    "ceiling": [0.9, 1.0],
    "least_seeds_alone": 3,
    "confidence": 0.95,
    "resamples": 100,
    "seed": 20270,
    "least_replicates": 4,
}


def race(generator, exponent):
    """Judge K* that goes as this power of the MLP's rate: moved at all, and as 1/nu."""
    alone = made_outcomes.memorisation(n_items=(40, 200, 1000, 5000, 25000), generator=generator)
    data = {
        "mlp_rates": made_outcomes.kinetics(exponent=exponent, generator=generator),
        "memorisation": alone,
    }
    found = kinetics.kinetics_not_capacity(data, KINETICS).estimates
    return verdict(found["exponent"], 0.3, np.inf), verdict(found["difference"], -0.25, 0.25)


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [(1 / made_outcomes.NU, (True, True)), (0.0, (False, False)), (0.7, (True, False))],
    ids=["race", "capacity", "half a race"],
)
def test_a_race_is_told_from_a_capacity(exponent, expected):
    assert share(lambda generator: race(generator, exponent) == expected, True) >= 0.95


def test_k_stars_beyond_the_range_of_nu_are_not_compared():
    data = {
        "mlp_rates": made_outcomes.kinetics(),
        "memorisation": made_outcomes.memorisation(n_items=(300, 1000, 5000)),
    }
    found = kinetics.kinetics_not_capacity(data, KINETICS)
    assert np.isnan(found.estimates["difference"].value)
    assert found.estimates["exponent"].value == pytest.approx(1 / made_outcomes.NU, abs=0.1)
    assert any("outside the K of the MLP runs" in note for note in found.notes)
