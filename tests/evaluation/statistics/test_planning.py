"""The study planner: formulas against tables, moments, and simulated studies."""

import numpy as np
import pytest

from capnet.errors import ConfigError, ShapeError
from capnet.evaluation.statistics.planning import (
    ErrorParts,
    aami_probability,
    bias_half_width,
    rmse_half_width,
    sd_half_width,
    subjects_needed,
)

PARTS = ErrorParts(bias=-2.0, shape=3.0, persistent=4.0, repeat=6.0, reference=3.0)


def study(parts, subjects, readings, *, studies, seed=0):
    """Errors of central SBP in many studies. Shape (study, subject)."""
    rng = np.random.default_rng(seed)
    size = (studies, subjects)
    fresh = rng.normal(0, parts.repeat, (*size, readings)).mean(axis=-1)
    once = [rng.normal(0, sd, size) for sd in (parts.shape, parts.persistent)]
    return parts.bias + sum(once) + fresh - rng.normal(0, parts.reference, size)


# Formulas --------------------------------------------------------------------


def test_half_widths_of_ten_people_are_those_of_the_tables():
    # t(0.975, 9) = 2.262; chi-square(0.025, 9) = 2.700 (Fisher & Yates 1963).
    assert bias_half_width(5.0, 10) == pytest.approx(2.262 * 5 / 10**0.5, rel=1e-3)
    assert sd_half_width(5.0, 10) == pytest.approx(
        5 * ((9 / 2.700) ** 0.5 - 1), rel=1e-3
    )


def test_half_widths_scale_with_the_sd_and_fall_with_people():
    for width in (bias_half_width, sd_half_width):
        assert width(10.0, 30) == pytest.approx(2 * width(5.0, 30))
        found = [width(5.0, n) for n in (2, 5, 20, 100, 1000)]
        assert found == sorted(found, reverse=True)


def test_many_people_need_four_times_as_many_for_half_the_width():
    for width in (bias_half_width, sd_half_width):
        assert width(8.0, 4000) / width(8.0, 1000) == pytest.approx(0.5, abs=0.02)
    # Large samples: z SD / sqrt(n), and z SD / sqrt(2 n).
    assert bias_half_width(8.0, 10**6) == pytest.approx(1.96 * 8e-3, rel=1e-3)
    assert sd_half_width(8.0, 10**6) == pytest.approx(1.96 * 8e-3 / 2**0.5, rel=1e-2)


def test_an_rmse_without_a_bias_is_an_sd_with_one_more_person():
    assert rmse_half_width(0.0, 6.0, 30) == pytest.approx(sd_half_width(6.0, 31))


def test_an_rmse_that_is_all_bias_is_as_sure_as_the_bias():
    # sqrt(b^2 + s^2) with s << b: its error is that of the mean.
    assert rmse_half_width(20.0, 1.0, 500) == pytest.approx(1.96 / 500**0.5, rel=0.03)


def test_the_fewest_people_are_enough_and_one_fewer_is_not():
    for wanted in (0.5, 1.0, 3.3, 200.0):
        n = subjects_needed(wanted, lambda n: bias_half_width(8.0, n))
        assert bias_half_width(8.0, n) <= wanted
        assert n == 2 or bias_half_width(8.0, n - 1) > wanted


def test_aami_is_nearly_sure_far_inside_and_hopeless_outside():
    assert aami_probability(0.0, 4.0, 85) > 0.999
    assert aami_probability(0.0, 12.0, 85) < 1e-3
    assert aami_probability(9.0, 4.0, 85) < 1e-3
    assert aami_probability(5.0, 1.0, 85) == pytest.approx(0.5)
    assert aami_probability(3.0, 6.0, 85) == pytest.approx(
        aami_probability(-3.0, 6.0, 85)
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bias_half_width(0.0, 10), "SD 0 mmHg of 10 people"),
        (lambda: sd_half_width(5.0, 1), "of 1 people"),
        (lambda: rmse_half_width(float("nan"), 5.0, 9), "the bias is nan"),
        (lambda: subjects_needed(0.0, lambda n: 1 / n), "more than 0"),
        (lambda: subjects_needed(1e-9, lambda n: 1 / n), "more than 10000000 people"),
        (lambda: PARTS.sd(0), "0 readings"),
        (lambda: ErrorParts(0.0, -1.0, 0.0, 0.0, 0.0), "standard deviations >= 0"),
    ],
)
def test_impossible_plans_are_refused(call, words):
    with pytest.raises(ConfigError, match=words):
        call()


# Parts -----------------------------------------------------------------------


def test_readings_average_away_what_repeats_and_nothing_else():
    assert PARTS.sd(1) == pytest.approx((9 + 16 + 36 + 9) ** 0.5)
    assert PARTS.sd(4) == pytest.approx((9 + 16 + 9 + 9) ** 0.5)
    assert PARTS.sd(10**9) == pytest.approx((9 + 16 + 9) ** 0.5)


def test_parts_are_recovered_from_people_seen_on_several_days():
    rng = np.random.default_rng(0)
    n, days = 20_000, 4
    exact = rng.normal(1.0, PARTS.shape, (n, 1)) + np.zeros((1, days))
    lasting = rng.normal(-3.0, PARTS.persistent, (n, 1))
    fresh = rng.normal(0, PARTS.repeat, (n, days))
    found = ErrorParts.estimate(exact, exact + lasting + fresh, reference=3.0)
    assert found.bias == pytest.approx(-2.0, abs=0.15)
    assert found.shape == pytest.approx(3.0, rel=0.02)
    assert found.persistent == pytest.approx(4.0, rel=0.02)
    assert found.repeat == pytest.approx(6.0, rel=0.02)


def test_a_cuff_that_does_not_last_has_no_lasting_part():
    rng = np.random.default_rng(1)
    exact = np.zeros((30, 3))
    spread = rng.normal(0, 5, (30, 3))
    spread -= spread.mean(axis=1, keepdims=True)  # less than chance would leave
    assert ErrorParts.estimate(exact, spread, reference=0.0).persistent == 0.0


def test_errors_that_cannot_be_taken_apart_are_refused():
    two = np.zeros((5, 2))
    for other in (np.zeros((5, 3)), np.zeros((4, 2))):
        with pytest.raises(Exception, match=r"wanted the same|subject|day"):
            ErrorParts.estimate(two, other, reference=0.0)
    with pytest.raises(ShapeError, match="at least two people"):
        ErrorParts.estimate(np.zeros((5, 1)), np.zeros((5, 1)), reference=0.0)
    with pytest.raises(ShapeError, match="NaN or infinite"):
        ErrorParts.estimate(two, two + np.nan, reference=0.0)


# Simulated studies -----------------------------------------------------------


@pytest.mark.parametrize(("subjects", "readings"), [(20, 1), (60, 3)])
def test_simulated_studies_get_the_planned_intervals(subjects, readings):
    errors = study(PARTS, subjects, readings, studies=4000)
    sd = errors.std(axis=1, ddof=1)
    planned = PARTS.sd(readings)
    for width in (bias_half_width, sd_half_width):
        unit = width(1.0, subjects)  # both are proportional to the SD
        assert (unit * sd).mean() == pytest.approx(unit * planned, rel=0.02)
    inside = (
        np.abs(errors.mean(axis=1) - PARTS.bias) <= bias_half_width(1.0, subjects) * sd
    )
    assert inside.mean() == pytest.approx(0.95, abs=0.015)
    below = planned <= sd + sd_half_width(1.0, subjects) * sd
    assert below.mean() == pytest.approx(0.975, abs=0.012)


def test_simulated_studies_get_the_planned_rmse():
    subjects = 40
    errors = study(PARTS, subjects, 1, studies=4000)
    bias, sd = errors.mean(axis=1), errors.std(axis=1, ddof=1)
    rmse, true = np.sqrt((errors**2).mean(axis=1)), np.hypot(PARTS.bias, PARTS.sd(1))
    half = np.array(
        [rmse_half_width(b, s, subjects) for b, s in zip(bias, sd, strict=True)]
    )
    planned = rmse_half_width(PARTS.bias, PARTS.sd(1), subjects)
    assert half.mean() == pytest.approx(planned, rel=0.05)
    assert (true <= rmse + half).mean() == pytest.approx(0.975, abs=0.015)


def test_simulated_studies_are_inside_the_aami_limits_as_often_as_planned():
    for readings in (1, 5):
        errors = study(PARTS, 85, readings, studies=4000)
        inside = (np.abs(errors.mean(axis=1)) <= 5) & (errors.std(axis=1, ddof=1) <= 8)
        planned = aami_probability(PARTS.bias, PARTS.sd(readings), 85)
        assert inside.mean() == pytest.approx(planned, abs=0.025)
