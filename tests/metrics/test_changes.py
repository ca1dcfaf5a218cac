"""Changes within a subject: slope and sign."""

import numpy as np
import pytest
import statsmodels.formula.api as smf
from pandas import DataFrame

from capnet.errors import ShapeError
from capnet.metrics.changes import change_within, tracking


@pytest.fixture
def beats() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    subject = np.repeat(np.arange(30), 8)
    person = generator.normal(0, 15, 30)[subject]
    change = generator.normal(0, 8, 240)
    reference = 120 + person + change
    predicted = 110 + 0.5 * person + 0.6 * change + generator.normal(0, 2, 240)
    return predicted, reference, subject


def test_slope_is_that_of_a_regression_with_an_intercept_for_each_subject(beats):
    predicted, reference, subject = beats
    table = DataFrame({"p": predicted, "r": reference, "s": subject})
    expected = smf.ols("p ~ r + C(s)", table).fit().params["r"]
    found = tracking(*beats)
    assert found.slope == pytest.approx(expected, rel=1e-9)
    assert found.slope == pytest.approx(0.6, abs=0.05)
    assert found.subjects == 30


def test_the_truth_tracks_and_what_is_held_does_not(beats):
    _, reference, subject = beats
    perfect = tracking(reference, reference, subject)
    assert (perfect.slope, perfect.concordance) == pytest.approx((1.0, 1.0))
    held = reference[subject * 8]
    still = tracking(held, reference, subject)
    assert still.slope == pytest.approx(0, abs=1e-12)
    assert still.concordance == 0.0
    assert tracking(-reference, reference, subject).slope == pytest.approx(-1.0)


def test_offsets_of_people_change_nothing(beats):
    predicted, reference, subject = beats
    offset = np.random.default_rng(1).normal(0, 40, 30)[subject]
    found, moved = tracking(*beats), tracking(predicted + offset, reference, subject)
    assert moved.slope == pytest.approx(found.slope)
    assert moved[1:] == found[1:]
    same = tracking(predicted, reference, subject, held=offset)
    assert same.slope == pytest.approx(found.slope)


def test_a_reading_that_is_renewed_is_not_the_methods_merit(beats):
    _, reference, subject = beats
    late = np.arange(240) % 8 >= 4
    held = reference[subject * 8 + 4 * late]  # a second reading after four beats
    plain = tracking(held, reference, subject)
    assert plain.slope > 0.05
    beyond = tracking(held, reference, subject, held=held)
    assert (beyond.slope, beyond.concordance) == (0.0, 0.0)
    assert tracking(reference, reference, subject, held=held).slope == pytest.approx(1)


def test_concordance_counts_the_large_changes_only():
    reference = np.array([110.0, 130.0, 99.0, 101.0])
    predicted = np.array([115.0, 125.0, 102.0, 98.0])
    found = tracking(predicted, reference, np.array(["a", "a", "b", "b"]))
    assert found.concordance == 1.0
    assert found.changes == 2
    small = tracking(predicted[2:], reference[2:], np.array(["b", "b"]))
    assert small.concordance is None
    assert small.slope == pytest.approx(-2.0)


def test_subjects_weigh_the_same_and_order_does_not_matter(beats):
    rows = np.concatenate([np.arange(240), np.repeat(np.flatnonzero(beats[2] == 3), 9)])
    rows = np.random.default_rng(0).permutation(rows)
    again = tracking(*(column[rows] for column in beats))
    assert again.slope == pytest.approx(tracking(*beats).slope)
    assert again.concordance == pytest.approx(tracking(*beats).concordance)


def test_people_with_one_beat_say_nothing(beats):
    predicted, reference, subject = (
        np.append(c, x) for c, x in zip(beats, (500.0, 20.0, 99), strict=True)
    )
    assert tracking(predicted, reference, subject) == pytest.approx(tracking(*beats))


def test_change_within_sums_to_nothing(beats):
    change = change_within(beats[0], beats[2])
    np.testing.assert_allclose(np.bincount(beats[2], weights=change), 0, atol=1e-9)


def test_refusals(beats):
    predicted, reference, subject = beats
    with pytest.raises(ShapeError, match="none of 240 subjects"):
        tracking(predicted, reference, np.arange(240))
    with pytest.raises(ShapeError, match="subject has 3 rows"):
        tracking(predicted, reference, subject[:3])
    with pytest.raises(ShapeError, match="NaN"):
        tracking(predicted, reference * np.nan, subject)
    with pytest.raises(ShapeError, match="shape"):
        tracking(predicted, reference, subject, held=reference[:5])
