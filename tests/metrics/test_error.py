"""Laws of bias, SD, MAE, RMSE and R2, and agreement with independent sources."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from capnet.errors import ShapeError
from capnet.metrics import bias, mae, r2, rmse, sd

ALL = (bias, sd, mae, rmse, r2)
ERRORS = (bias, sd, mae, rmse)
PAIRS = arrays(np.float64, (2, 12), elements=st.floats(40, 220))


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    reference = 120 + 15 * generator.standard_normal(200)
    return reference + 2 + 5 * generator.standard_normal(200), reference


def test_hand_worked():
    predicted, reference = (
        np.array([121.0, 117.0, 125.0]),
        np.array([120.0, 120.0, 123.0]),
    )
    assert bias(predicted, reference) == 0.0
    assert mae(predicted, reference) == 2.0
    assert rmse(predicted, reference) == pytest.approx(np.sqrt(14 / 3))
    assert sd(predicted, reference) == pytest.approx(np.sqrt(7))
    assert r2(predicted, reference) == pytest.approx(1 - 14 / 6)


def test_agrees_with_sklearn_and_numpy(pair):
    predicted, reference = pair
    assert mae(*pair) == pytest.approx(mean_absolute_error(reference, predicted), 1e-9)
    square = mean_squared_error(reference, predicted)
    assert rmse(*pair) == pytest.approx(square**0.5, rel=1e-9)
    assert r2(*pair) == pytest.approx(r2_score(reference, predicted), rel=1e-9)
    assert sd(*pair) == pytest.approx(np.std(predicted - reference, ddof=1), rel=1e-9)


@pytest.mark.parametrize("metric", ALL)
def test_invariant_under_a_common_shift_and_a_permutation(metric, pair):
    predicted, reference = pair
    order = np.random.default_rng(1).permutation(len(reference))
    expected = metric(predicted, reference)
    assert metric(predicted + 30, reference + 30) == pytest.approx(expected, abs=1e-9)
    assert metric(predicted[order], reference[order]) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ERRORS)
def test_errors_scale_with_the_unit(metric, pair):
    predicted, reference = pair
    assert metric(3 * predicted, 3 * reference) == pytest.approx(3 * metric(*pair))


def test_r2_knows_no_unit(pair):
    predicted, reference = pair
    assert r2(3 * predicted, 3 * reference) == pytest.approx(r2(*pair))


def test_shift_of_the_prediction_moves_the_bias_alone(pair):
    predicted, reference = pair
    assert bias(predicted + 4, reference) == pytest.approx(bias(*pair) + 4)
    assert sd(predicted + 4, reference) == pytest.approx(sd(*pair))


@given(PAIRS)
def test_orders_and_decomposition(values):
    predicted, reference = values
    assert abs(bias(predicted, reference)) <= mae(predicted, reference) + 1e-9
    assert mae(predicted, reference) <= rmse(predicted, reference) + 1e-9
    parts = bias(predicted, reference) ** 2 + 11 / 12 * sd(predicted, reference) ** 2
    assert rmse(predicted, reference) ** 2 == pytest.approx(parts, abs=1e-6)


def test_r2_of_the_mean_is_zero_and_of_the_truth_one(pair):
    _, reference = pair
    assert r2(reference, reference) == 1.0
    assert r2(np.full_like(reference, reference.mean()), reference) == pytest.approx(0)


@pytest.mark.parametrize("metric", ALL)
def test_refuses_what_means_nothing(metric):
    good = np.array([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"shape \(2,\), reference \(3,\)"):
        metric(good[:2], good)
    with pytest.raises(ShapeError, match="empty"):
        metric(good[:0], good[:0])
    with pytest.raises(
        ShapeError, match="1 NaN or infinite values, the first in row 1"
    ):
        metric(np.array([1.0, np.nan, 3.0]), good)
    with pytest.raises(ShapeError, match="reference holds 1 NaN"):
        metric(good, np.array([1.0, 2.0, np.inf]))


def test_r2_refuses_a_constant_reference_and_sd_one_value():
    with pytest.raises(ShapeError, match="reference is constant"):
        r2(np.array([1.0, 2.0]), np.array([5.0, 5.0]))
    with pytest.raises(ShapeError, match="at least two"):
        sd(np.array([1.0]), np.array([5.0]))
