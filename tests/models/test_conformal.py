"""The arithmetic of split conformal prediction, one score a subject."""

import math

import numpy as np
import pytest
from crepes import ConformalRegressor
from scipy.stats import beta, kstest

from capnet.errors import ConfigError
from capnet.models.conformal import conformal_quantile, drawn_beats, needed, rank


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 5, 9, 19, 20, 99, 300])
def test_the_rank_is_the_least_that_keeps_the_promise(n, coverage):
    at = rank(n, coverage=coverage)
    assert at / (n + 1) >= coverage - 1e-9
    assert (at - 1) / (n + 1) < coverage


def test_a_product_that_is_a_whole_number_is_not_rounded_up():
    """0.9 * 10 and 0.95 * 20 are whole; floating point may say a little more."""
    assert rank(9, coverage=0.9) == 9
    assert rank(19, coverage=0.95) == 19
    assert rank(99, coverage=0.9) == 90


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_with_too_few_the_margin_is_infinite_and_with_one_more_it_is_not(coverage):
    n = needed(coverage)
    scores = np.arange(float(n))
    assert conformal_quantile(scores[:-1], coverage=coverage) == math.inf
    assert conformal_quantile(scores, coverage=coverage) < math.inf


@pytest.mark.parametrize("n", [10, 20, 57, 300])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_the_margin_is_that_of_crepes(n, coverage):
    """Where (n + 1) coverage is whole, crepes 0.9 rounds a little too far up."""
    errors = np.random.default_rng(n).normal(size=n)
    other = ConformalRegressor().fit(errors)
    low, high = other.predict_int(np.zeros(1), confidence=coverage)[0]
    mine = conformal_quantile(np.abs(errors), coverage=coverage)
    assert mine == pytest.approx(high, abs=1e-12)
    assert mine == pytest.approx(-low, abs=1e-12)


def test_coverage_given_the_calibrating_people_is_beta_distributed():
    """With 20 subjects Beta(19, 2): mean 0.905, SD 0.063 (Vovk 2012)."""
    scores = np.random.default_rng(0).random((2000, 20))
    held = [conformal_quantile(row, coverage=0.9) for row in scores]
    assert np.mean(held) == pytest.approx(19 / 21, abs=0.005)
    assert np.std(held) == pytest.approx(0.063, abs=0.004)
    assert kstest(held, beta(19, 2).cdf).pvalue > 0.01


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 90.0])
def test_a_coverage_that_is_no_share_is_refused(coverage):
    with pytest.raises(ConfigError, match=r"coverage is .* wanted a share"):
        rank(20, coverage=coverage)


def test_one_beat_of_each_subject_is_drawn_and_each_as_often():
    subject = np.repeat(["a", "b", "c"], [1, 4, 2])
    beat = np.concatenate([np.arange(n) for n in (1, 4, 2)])
    drawn = np.stack([drawn_beats(subject, beat, seed=s) for s in range(2000)])
    assert (subject[drawn] == ["a", "b", "c"]).all()
    share = np.bincount(beat[drawn[:, 1]], minlength=4) / 2000
    np.testing.assert_allclose(share, 0.25, atol=0.04)


def test_the_draw_does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(3)
    subject, beat = np.repeat(np.arange(30), 5).astype(str), np.tile(np.arange(5), 30)
    mixed = rng.permutation(150)
    one = drawn_beats(subject, beat, seed=7)
    other = drawn_beats(subject[mixed], beat[mixed], seed=7)
    np.testing.assert_array_equal(mixed[other], one)
    assert (drawn_beats(subject, beat, seed=8) != one).any()
