"""What no metric turns into a number."""

import jaxtyping
import numpy as np
import pytest

from capnet.errors import ShapeError
from capnet.metrics.agreement import proportional_bias
from capnet.metrics.amplification import amplification_r2, per_subject_amplification_r2
from capnet.metrics.changes import tracking
from capnet.metrics.error import bias, mae, r2, rmse, sd
from capnet.metrics.per_subject import per_subject_mae, per_subject_sd
from capnet.metrics.relative import (
    explained_deviation,
    mase,
    per_subject_explained_deviation,
)

GOOD = np.array([120.0, 131.0, 118.0])
METRICS = [bias, sd, mae, rmse, r2, explained_deviation]


@pytest.fixture(autouse=True)
def untyped(monkeypatch):
    """Outside of tests nobody checks types, and users hand in anything."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ([120.0, 131.0, 118.0], "is a list"),
        (GOOD.astype("uint8"), "holds uint8"),
        (GOOD.astype("int16"), "holds int16"),
        (GOOD.astype("float16"), "holds float16"),
        (GOOD > 125, "holds bool"),
        (GOOD.astype(str), "holds <U"),
        (GOOD.astype(object), "holds object"),
        (GOOD.astype(complex), "holds complex128"),
        (np.ma.masked_greater(GOOD, 130.0), "is a masked array"),
        (GOOD[:2], r"shape \(2,\)"),
        (GOOD[:, None], r"shape \(3, 1\)"),
        (np.array([120.0, np.nan, 118.0]), "the first in row 1"),
        (np.array([120.0, 131.0, np.inf]), "the first in row 2"),
    ],
)
def test_each_bad_array_is_refused_on_either_side(metric, bad, says):
    with pytest.raises(ShapeError, match=says):
        metric(bad, GOOD)
    with pytest.raises(ShapeError):
        metric(GOOD, bad)


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        (["a", "a", "b"], "subject has no array"),
        (np.array([["a", "a", "b"]]), r"subject has shape \(1, 3\)"),
        (np.array(["a", "b"]), "subject has 2 rows for 3"),
    ],
)
def test_subjects_that_do_not_fit_are_refused(subject, says):
    for metric in (per_subject_mae, per_subject_sd, tracking):
        with pytest.raises(ShapeError, match=says):
            metric(GOOD + 1, GOOD, subject)


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_is_refused(metric):
    with pytest.raises(ShapeError, match="empty"):
        metric(GOOD[:0], GOOD[:0])


def test_whole_and_short_numbers_give_the_same_answer():
    other = np.array([125.0, 120.0, 119.0])
    for metric in METRICS:
        expected = metric(other, GOOD)
        for kind in ("int64", "float32"):
            found = metric(other.astype(kind), GOOD.astype(kind))
            assert found == pytest.approx(expected, rel=1e-6)
    assert mase(other.astype(int), GOOD.astype(int), GOOD.astype(int) + 1) > 0


def test_what_is_constant_but_for_rounding_is_no_spread():
    """130.1 - 120.1 and 141.1 - 131.1 differ in the last place; nothing else does."""
    generator = np.random.default_rng(0)
    aortic = np.round(generator.uniform(90, 150, 50), 1)
    arm, person = aortic + 10.1, np.arange(50) // 2
    assert np.ptp(arm - aortic) > 0
    guess = aortic + generator.standard_normal(50)
    with pytest.raises(ShapeError, match="the reference is constant"):
        amplification_r2(guess, aortic, arm)
    with pytest.raises(ShapeError, match="the reference is constant"):
        per_subject_amplification_r2(guess, aortic, arm, person)
    with pytest.raises(ShapeError, match="the SD of the error is 0"):
        explained_deviation(arm, aortic)
    with pytest.raises(ShapeError, match="the SD of the error is 0"):
        per_subject_explained_deviation(arm, aortic, person)
    with pytest.raises(ShapeError, match="the naive error is 0"):
        mase(guess, arm, aortic + 10.0 + 0.1)
    mirrored = 240.2 - aortic
    with pytest.raises(ShapeError, match="the same for all"):
        proportional_bias(mirrored, aortic)


@pytest.mark.parametrize("metric", METRICS)
def test_single_precision_is_read_in_double(metric):
    generator = np.random.default_rng(1)
    reference = (120 + generator.standard_normal(3000)).astype(np.float32)
    predicted = reference + generator.standard_normal(3000).astype(np.float32)
    exact = metric(predicted.astype(np.float64), reference.astype(np.float64))
    assert metric(predicted, reference) == pytest.approx(exact, rel=1e-12)
