"""Limits of agreement, slope and share within a limit."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import linregress, norm

from capnet.errors import ShapeError
from capnet.metrics.agreement import (
    ProportionalLimits,
    fraction_within,
    limits_of_agreement,
    limits_of_agreement_proportional,
    proportional_bias,
)
from capnet.metrics.error import bias, sd
from tests.metrics.published import published


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


def test_peak_flow_of_bland_and_altman_1986():
    # Lancet 1986;1:307: mean -2.1, SD 38.8, limits (2 SD there) -79.7 to 75.5 l/min.
    wright, mini = published("1986_pefr").T
    assert bias(wright, mini) == pytest.approx(-2.1, abs=0.05)
    assert sd(wright, mini) == pytest.approx(38.8, abs=0.05)
    middle, low, high = limits_of_agreement(wright, mini)
    two = 2 / 1.96
    assert middle + two * (low - middle) == pytest.approx(-79.7, abs=0.1)
    assert middle + two * (high - middle) == pytest.approx(75.5, abs=0.1)


def test_systolic_pressure_of_bland_and_altman_1999():
    # Section 2, first readings: -16.29, limits -54.7 to 22.1; without subjects 78 and
    # 80 -43.6 to 15.0 mmHg.
    first = published("1999_sbp")[::3]
    found = limits_of_agreement(first[:, 1], first[:, 2])
    assert found.bias == pytest.approx(-16.29, abs=0.005)
    assert (found.low, found.high) == pytest.approx((-54.7, 22.1), abs=0.05)
    assert sd(first[:, 1], first[:, 2]) == pytest.approx(19.61, abs=0.005)
    kept = first[~np.isin(first[:, 0], [78, 80])]
    found = limits_of_agreement(kept[:, 1], kept[:, 2])
    assert (found.low, found.high) == pytest.approx((-43.6, 15.0), abs=0.05)


def test_fat_of_milk_of_bland_and_altman_1999():
    # Section 3.2: difference = 0.079 - 0.0283 average g/100 ml.
    trig, gerber = published("1999_fat").T
    found = limits_of_agreement_proportional(trig, gerber)
    assert found.intercept == pytest.approx(0.079, abs=0.0005)
    assert found.slope == pytest.approx(-0.0283, abs=0.00005)
    assert found.slope == pytest.approx(proportional_bias(trig, gerber), abs=1e-12)


def test_proportional_limits_agree_with_statsmodels(pair):
    predicted, reference = pair
    predicted = predicted + 0.05 * (predicted - 120) * np.sign(predicted - reference)
    middle, error = (predicted + reference) / 2, predicted - reference
    line = sm.OLS(error, sm.add_constant(middle)).fit()
    size = sm.OLS(np.abs(line.resid), sm.add_constant(middle)).fit()
    factor = np.sqrt(np.pi / 2)
    expected = (*line.params, *(factor * size.params))
    found = limits_of_agreement_proportional(predicted, reference)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_proportional_limits_hold_95_percent_where_errors_grow():
    generator = np.random.default_rng(3)
    truth = generator.uniform(90, 180, 40000)
    error = 0.1 * (truth - 130) + 0.05 * truth * generator.standard_normal(40000)
    predicted, reference = truth + error / 2, truth - error / 2
    found = limits_of_agreement_proportional(predicted, reference)
    for low, high in ((90, 100), (130, 140), (170, 180)):
        here = (truth > low) & (truth < high)
        limits = found.at((low + high) / 2)
        inside = np.mean((error[here] > limits.low) & (error[here] < limits.high))
        assert inside == pytest.approx(0.95, abs=0.01)
    assert found.sd_slope == pytest.approx(0.05, abs=0.003)


def test_a_line_of_the_sd_below_zero_is_refused():
    with pytest.raises(ShapeError, match=r"at 200 mmHg the line of the SD is -1"):
        ProportionalLimits(0.0, 0.0, 1.0, -0.01).at(200.0)


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
    with pytest.raises(ShapeError, match="at least three"):
        limits_of_agreement_proportional(one, one)
    with pytest.raises(ShapeError, match="NaN"):
        limits_of_agreement_proportional(np.full(4, np.nan), np.ones(4))


def test_an_error_of_the_limit_counts_whatever_the_last_binary_place_says():
    reference = np.round(np.arange(800, 1600) / 10, 1)
    predicted = np.round(reference + 5, 1)
    assert np.abs(predicted - reference).max() > 5
    assert fraction_within(predicted, reference, limit=5) == 1.0
    assert fraction_within(predicted + 1e-6, reference, limit=5) == 0.0
