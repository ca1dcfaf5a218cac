"""Every subject weighs the same, however many beats they gave."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from capnet.errors import ShapeError
from capnet.metrics import (
    bias,
    mae,
    per_subject,
    per_subject_bias,
    per_subject_mae,
    per_subject_r2,
    per_subject_rmse,
    per_subject_sd,
    r2,
    rmse,
    sd,
)

PAIRS = [
    (per_subject_bias, bias),
    (per_subject_sd, sd),
    (per_subject_mae, mae),
    (per_subject_rmse, rmse),
    (per_subject_r2, r2),
]


@pytest.fixture
def unbalanced() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    subject = np.repeat([f"s{i}" for i in range(12)], np.arange(1, 13))
    reference = 120 + 10 * generator.standard_normal(len(subject))
    return reference + 4 * generator.standard_normal(len(subject)), reference, subject


@pytest.mark.parametrize(("averaged", "pooled"), PAIRS)
def test_one_beat_each_is_the_pooled_metric(averaged, pooled, unbalanced):
    predicted, reference, _ = unbalanced
    alone = np.arange(len(reference)).astype(str)
    assert averaged(predicted, reference, alone) == pytest.approx(
        pooled(predicted, reference)
    )


@pytest.mark.parametrize(("averaged", "pooled"), PAIRS)
def test_repeating_one_subjects_beats_changes_the_pooled_metric_only(
    averaged, pooled, unbalanced
):
    predicted, reference, subject = unbalanced
    rows = np.concatenate(
        [np.arange(len(subject)), np.repeat(np.flatnonzero(subject == "s3"), 50)]
    )
    once = averaged(predicted, reference, subject)
    again = averaged(predicted[rows], reference[rows], subject[rows])
    assert again == pytest.approx(once)
    assert pooled(predicted[rows], reference[rows]) != pytest.approx(
        pooled(predicted, reference)
    )


@pytest.mark.parametrize(("averaged", "pooled"), PAIRS)
def test_order_of_the_beats_does_not_matter(averaged, pooled, unbalanced):
    order = np.random.default_rng(1).permutation(len(unbalanced[0]))
    shuffled = [a[order] for a in unbalanced]
    assert averaged(*shuffled) == pytest.approx(averaged(*unbalanced))


def test_agrees_with_weighted_sklearn(unbalanced):
    predicted, reference, subject = unbalanced
    _, code, counts = np.unique(subject, return_inverse=True, return_counts=True)
    w = {"sample_weight": 1 / counts[code]}
    square = mean_squared_error(reference, predicted, **w)
    assert per_subject_rmse(*unbalanced) == pytest.approx(square**0.5, rel=1e-9)
    expected = mean_absolute_error(reference, predicted, **w)
    assert per_subject_mae(*unbalanced) == pytest.approx(expected, rel=1e-9)
    expected = r2_score(reference, predicted, **w)
    assert per_subject_r2(*unbalanced) == pytest.approx(expected, rel=1e-9)


def test_errors_of_one_subject_cancel_in_the_bias_only():
    predicted, reference = np.array([130.0, 110.0]), np.array([120.0, 120.0])
    subject = np.array(["a", "a"])
    assert per_subject_bias(predicted, reference, subject) == 0
    assert per_subject_mae(predicted, reference, subject) == 10
    assert per_subject_rmse(predicted, reference, subject) == 10


def test_refusals():
    values, subject = np.array([1.0, 2.0]), np.array(["a", "a"])
    with pytest.raises(ShapeError, match="subject has 1 rows for 2 values"):
        per_subject(values, subject[:1])
    with pytest.raises(ShapeError, match="NaN"):
        per_subject(np.array([1.0, np.nan]), subject)
    with pytest.raises(ShapeError, match="empty"):
        per_subject_mae(values[:0], values[:0], subject[:0])
    with pytest.raises(ShapeError, match="one subject"):
        per_subject_sd(values, values, subject)
    with pytest.raises(ShapeError, match="constant"):
        per_subject_r2(values, np.array([5.0, 5.0]), subject)
