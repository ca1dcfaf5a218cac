"""Draws are of subjects, by seed, and cover the truth about as often as they say."""

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.evaluation.beat_scores import statistic
from capnet.evaluation.statistics.bootstrap import draw_subjects, interval


def test_each_resample_has_as_many_subjects():
    counts = draw_subjects(17, resamples=300, seed=3)
    assert counts.shape == (300, 17)
    np.testing.assert_array_equal(counts.sum(axis=1), 17)
    assert counts.mean() == pytest.approx(1)
    np.testing.assert_array_equal(counts, draw_subjects(17, resamples=300, seed=3))
    assert (counts != draw_subjects(17, resamples=300, seed=4)).any()


def test_a_resample_is_the_statistic_of_the_subjects_drawn():
    errors = np.random.default_rng(0).standard_normal(25)
    counts = draw_subjects(25, resamples=100, seed=0)
    found = statistic("sbp_rmse", {"sbp_square": errors**2}, counts)
    for row in range(100):
        drawn = np.repeat(errors, counts[row].astype(int))
        assert found[row] == pytest.approx(np.sqrt(np.mean(drawn**2)))


def test_coverage_of_a_known_rmse():
    generator = np.random.default_rng(1)
    counts = draw_subjects(60, resamples=300, seed=0)
    inside = 0
    for _ in range(300):
        columns = {"sbp_square": (5 * generator.standard_normal(60)) ** 2}
        found = interval(statistic("sbp_rmse", columns, counts), subjects=60)
        inside += found.low <= 5 <= found.high
    # Percentile intervals of a variance cover a little less than they say.
    assert 0.87 <= inside / 300 <= 0.98


def test_no_interval_where_it_would_say_nothing():
    draws = np.arange(100.0)
    assert interval(draws, subjects=4) is None
    assert interval(np.where(draws < 10, np.nan, draws), subjects=50) is None
    low, high = interval(draws, subjects=50)
    assert (low, high) == pytest.approx((2.475, 96.525))


def test_too_few_resamples():
    with pytest.raises(ConfigError, match="resamples is 50"):
        draw_subjects(10, resamples=50, seed=0)
