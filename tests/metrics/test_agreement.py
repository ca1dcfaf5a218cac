"""Limits of agreement, slope and share within a limit."""

import numpy as np
import pytest
from scipy.stats import linregress, norm

from capnet.errors import ShapeError
from capnet.metrics import fraction_within, limits_of_agreement, proportional_bias


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    reference = 120 + 15 * generator.standard_normal(4000)
    return reference + 2 + 5 * generator.standard_normal(4000), reference


def test_limits_hold_95_percent_of_normal_errors(pair):
    limits = limits_of_agreement(*pair)
    error = pair[0] - pair[1]
    inside = np.mean((error >= limits.low) & (error <= limits.high))
    assert inside == pytest.approx(0.95, abs=0.01)
    assert limits.high - limits.bias == pytest.approx(limits.bias - limits.low)


def test_hand_worked_limits():
    limits = limits_of_agreement(np.array([1.0, 3.0]), np.array([0.0, 0.0]))
    assert limits == pytest.approx((2, 2 - 1.96 * 2**0.5, 2 + 1.96 * 2**0.5))


def test_fraction_within_is_the_distribution_of_errors(pair):
    for limit in (5, 10, 15):
        expected = norm.cdf(limit, 2, 5) - norm.cdf(-limit, 2, 5)
        assert fraction_within(*pair, limit=limit) == pytest.approx(expected, abs=0.02)
    assert fraction_within(*pair, limit=1e6) == 1.0


def test_slope_agrees_with_scipy_and_knows_shrinkage(pair):
    predicted, reference = pair
    expected = linregress((predicted + reference) / 2, predicted - reference).slope
    assert proportional_bias(*pair) == pytest.approx(expected, rel=1e-9)
    shrunk = reference.mean() + 0.5 * (reference - reference.mean())
    assert proportional_bias(shrunk, reference) == pytest.approx(-0.5 / 0.75)


def test_refusals():
    one = np.array([1.0, 1.0])
    with pytest.raises(ShapeError, match="limit is -1"):
        fraction_within(one, one, limit=-1)
    with pytest.raises(ShapeError, match="slope"):
        proportional_bias(one, one)
    with pytest.raises(ShapeError, match="at least two"):
        limits_of_agreement(one[:1], one[:1])
