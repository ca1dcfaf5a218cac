"""Change against measurement error: the within-subject SD and its known values."""

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.evaluation.cases.changes import change_error, change_of, measurement_error


def test_the_sd_is_the_one_of_an_analysis_of_variance():
    rng = np.random.default_rng(0)
    counts = rng.integers(2, 9, 12)
    subject = np.repeat([f"p{i}" for i in range(12)], counts)
    errors = rng.normal(0, 3, counts.sum()) + np.repeat(rng.normal(0, 9, 12), counts)
    found = measurement_error(errors, subject)
    groups = [errors[subject == s] for s in np.unique(subject)]
    squares = sum(((g - g.mean()) ** 2).sum() for g in groups)
    assert found.sd == pytest.approx(np.sqrt(squares / (counts.sum() - 12)))
    assert (found.subjects, found.answers) == (12, counts.sum())
    assert found.detectable == pytest.approx(2.7719 * found.sd, rel=1e-4)


def test_what_all_answers_of_a_person_share_does_not_count():
    errors = np.random.default_rng(1).normal(0, 2, 60)
    subject = np.repeat(np.arange(10), 6).astype(str)
    shift = np.repeat(np.linspace(-30, 30, 10), 6)
    plain = measurement_error(errors, subject, beats=2)
    assert measurement_error(errors + shift, subject, beats=2).sd == pytest.approx(
        plain.sd
    )


def test_the_order_of_the_people_does_not_count():
    rng = np.random.default_rng(2)
    errors, subject = rng.normal(0, 2, 60), np.repeat(np.arange(10), 6).astype(str)
    mixed = np.argsort(rng.random(60).reshape(10, 6).min(axis=1)[subject.astype(int)])
    mixed = mixed[np.argsort(mixed % 6, kind="stable")]  # in time within each person
    one = measurement_error(errors, subject, beats=3)
    other = measurement_error(errors[mixed], subject[mixed], beats=3)
    assert other.sd == pytest.approx(one.sd)


def test_means_of_runs_are_compared_with_means_of_runs():
    subject = np.repeat(np.arange(6), 5).astype(str)
    errors = np.tile([1.0, 3.0, -1.0, -3.0, 99.0], 6)  # a remainder is left out
    found = measurement_error(errors, subject, beats=2)
    # runs 2 and -2: SD about their mean 2 * sqrt(2)
    assert found.sd == pytest.approx(np.sqrt(8))
    assert found.answers == 12


def test_independent_errors_are_averaged_away_and_lasting_ones_not():
    rng = np.random.default_rng(3)
    subject = np.repeat(np.arange(200), 40).astype(str)
    quick = rng.normal(0, 4, 8000)
    lasting = np.repeat(rng.normal(0, 4, 800), 10)
    assert measurement_error(quick, subject, beats=10).sd == pytest.approx(
        4 / np.sqrt(10), rel=0.1
    )
    assert measurement_error(lasting, subject, beats=10).sd == pytest.approx(4, rel=0.1)


def test_95_percent_of_no_changes_stay_below():
    rng = np.random.default_rng(4)
    subject = np.repeat(np.arange(400), 2).astype(str)
    errors = rng.normal(0, 5, 800)
    least = measurement_error(errors, subject).detectable
    apart = np.abs(np.diff(rng.normal(0, 5, (20_000, 2)), axis=1))
    assert 0.93 < (apart < least).mean() < 0.97


def test_the_first_and_the_last_answer_say_what_a_change_is_held_against():
    """For two answers each it is the SD of differences over the square root of 2."""
    rng = np.random.default_rng(6)
    errors = rng.normal(0, 1, (40, 30)).cumsum(axis=1)  # a random walk
    subject = np.repeat(np.arange(40), 30).astype(str)
    found = change_error(errors.ravel(), subject, beats=3)
    apart = errors[:, -3:].mean(axis=1) - errors[:, :3].mean(axis=1)
    assert found.sd == pytest.approx(np.sqrt(np.square(apart).mean() / 2))
    assert (found.subjects, found.answers, found.beats) == (40, 80, 3)
    # pooled over all answers it would be too small: most are nearer to each other
    assert measurement_error(errors.ravel(), subject, beats=3).sd < 0.8 * found.sd


def test_two_answers_each_are_all_there_are():
    rng = np.random.default_rng(7)
    errors = rng.normal(0, 1, 60)
    subject = np.repeat(np.arange(10), 6).astype(str)
    both = [f(errors, subject, beats=3) for f in (change_error, measurement_error)]
    assert both[0] == both[1]
    few = change_error(errors, subject, beats=4)
    assert few.sd is None
    assert "0 people" in few.reason


def test_unscored_beats_do_not_count():
    errors = np.array([1.0, np.nan, -1.0, np.nan] * 6)
    subject = np.repeat(np.arange(6), 4).astype(str)
    found = measurement_error(errors, subject)
    known = np.isfinite(errors)
    assert found == measurement_error(errors[known], subject[known])


@pytest.mark.parametrize("errors", [np.full(30, np.nan), np.zeros(0)])
def test_without_scored_people_there_is_a_reason(errors):
    found = measurement_error(errors, np.arange(len(errors)).astype(str))
    assert found.sd is None
    assert found.detectable is None
    assert "0 people" in found.reason


def test_a_change_is_held_against_the_smallest_detectable_one():
    rng = np.random.default_rng(5)
    error = measurement_error(
        rng.normal(0, 1, 60), np.repeat(np.arange(10), 6).astype(str), beats=2
    )
    values = np.array([100.0, 102.0, 500.0, 100.0, 102.0])
    same = change_of(values, quantity="sbp", since="start", error=error)
    assert same.change == 0
    assert same.detectable is False
    assert same.text == "indistinguishable from measurement error"
    values[-2:] += 20
    more = change_of(values, quantity="sbp", since="start", error=error)
    assert more.change == 20
    assert more.detectable is True
    unknown = measurement_error(np.zeros(0), np.zeros(0, dtype=str), beats=2)
    held = change_of(values, quantity="sbp", since="start", error=unknown)
    assert held.detectable is None
    assert "not held against" in held.text


def test_means_that_would_share_beats_are_refused():
    error = measurement_error(np.zeros(0), np.zeros(0, dtype=str), beats=2)
    with pytest.raises(ConfigError, match="3 beats since the start; wanted 4"):
        change_of(np.zeros(3), quantity="sbp", since="start", error=error)
    with pytest.raises(ConfigError, match="beats is 0"):
        measurement_error(np.zeros(3), np.zeros(3, dtype=str), beats=0)
