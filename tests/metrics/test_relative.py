"""Errors over those of a naive predictor, and over the population."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error

from capnet.errors import ShapeError
from capnet.metrics.error import r2
from capnet.metrics.relative import (
    explained_deviation,
    mase,
    per_subject_explained_deviation,
    per_subject_mase,
)


@pytest.fixture
def beats() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    subject = np.repeat([f"s{i}" for i in range(15)], np.arange(1, 16))
    reference = 120 + 12 * generator.standard_normal(len(subject))
    predicted, naive = (
        reference + x * generator.standard_normal(len(subject)) for x in (4, 9)
    )
    return predicted, reference, naive, subject


def test_mase_agrees_with_sklearn_and_is_one_for_the_naive_predictor(beats):
    predicted, reference, naive, _ = beats
    expected = mean_absolute_error(reference, predicted) / mean_absolute_error(
        reference, naive
    )
    assert mase(predicted, reference, naive) == pytest.approx(expected, rel=1e-12)
    assert mase(naive, reference, naive) == 1.0
    assert mase(reference, reference, naive) == 0.0


def test_both_are_free_of_unit_and_origin(beats):
    predicted, reference, naive, subject = beats
    turned = [7.5 * x - 40 for x in (predicted, reference, naive)]
    assert mase(*turned) == pytest.approx(mase(predicted, reference, naive))
    assert per_subject_mase(*turned, subject) == pytest.approx(
        per_subject_mase(predicted, reference, naive, subject)
    )
    assert explained_deviation(*turned[:2]) == pytest.approx(
        explained_deviation(predicted, reference)
    )


def test_explained_deviation_is_one_for_the_mean_and_tells_r2_without_bias(beats):
    predicted, reference, _, subject = beats
    mean = np.full_like(reference, reference.mean())
    assert explained_deviation(mean, reference) == pytest.approx(1.0)
    assert per_subject_explained_deviation(mean, reference, subject) == pytest.approx(1)
    centred = predicted - (predicted - reference).mean()
    found = explained_deviation(predicted, reference)
    assert found == pytest.approx((1 - r2(centred, reference)) ** -0.5, rel=1e-9)
    assert explained_deviation(predicted + 17, reference) == pytest.approx(found)


def test_one_beat_each_is_the_pooled_metric(beats):
    predicted, reference, naive, _ = beats
    alone = np.arange(len(reference))
    assert per_subject_mase(predicted, reference, naive, alone) == pytest.approx(
        mase(predicted, reference, naive)
    )
    assert per_subject_explained_deviation(
        predicted, reference, alone
    ) == pytest.approx(explained_deviation(predicted, reference))


def test_every_subject_weighs_the_same(beats):
    predicted, reference, naive, subject = beats
    again = np.flatnonzero(subject == "s3")
    rows = np.concatenate([np.arange(len(subject)), np.repeat(again, 30)])
    more = [x[rows] for x in beats]
    assert per_subject_mase(*more) == pytest.approx(per_subject_mase(*beats))
    assert per_subject_explained_deviation(more[0], more[1], more[3]) == pytest.approx(
        per_subject_explained_deviation(predicted, reference, subject)
    )
    assert mase(*more[:3]) != pytest.approx(mase(predicted, reference, naive))


def test_refusals(beats):
    predicted, reference, naive, subject = beats
    with pytest.raises(ShapeError, match="the naive error is 0"):
        mase(predicted, reference, reference)
    with pytest.raises(ShapeError, match="the naive error is 0"):
        per_subject_mase(predicted, reference, reference, subject)
    with pytest.raises(ShapeError, match="the SD of the error is 0"):
        explained_deviation(reference, reference)
    with pytest.raises(ShapeError, match="the SD of the error is 0"):
        per_subject_explained_deviation(reference, reference, subject)
    with pytest.raises(ShapeError, match="shape"):
        mase(predicted, reference, naive[:3])
    with pytest.raises(ShapeError, match="NaN"):
        mase(predicted, reference, naive * np.nan)
    with pytest.raises(ShapeError, match="empty"):
        explained_deviation(predicted[:0], reference[:0])
