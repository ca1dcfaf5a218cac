"""What no metric turns into a number."""

import jaxtyping
import numpy as np
import pytest

from capnet.errors import ShapeError
from capnet.metrics.changes import tracking
from capnet.metrics.error import bias, mae, r2, rmse, sd
from capnet.metrics.per_subject import per_subject_mae, per_subject_sd
from capnet.metrics.relative import explained_deviation, mase

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
