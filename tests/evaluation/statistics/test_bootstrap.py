"""Draws are of subjects; intervals hold the truth about as often as they say."""

import numpy as np
import pytest
from scipy import stats

from capnet.errors import ConfigError, ShapeError
from capnet.evaluation.functionals import STATISTICS, estimate
from capnet.evaluation.statistics.bootstrap import (
    PLAIN,
    POSITIVE,
    bootstrap,
    draw_subjects,
)


def first(m, n):
    return m[:, 0]


def mean_of(values, scale=PLAIN, *, resamples=400, seed=0):
    return bootstrap(values[:, None], first, scale, resamples=resamples, seed=seed)


def test_each_resample_has_as_many_subjects():
    counts = draw_subjects(17, resamples=300, seed=3)
    assert counts.shape == (300, 17)
    np.testing.assert_array_equal(counts.sum(axis=1), 17)
    assert counts.mean() == pytest.approx(1)
    np.testing.assert_array_equal(counts, draw_subjects(17, resamples=300, seed=3))
    assert (counts != draw_subjects(17, resamples=300, seed=4)).any()


def test_an_interval_of_a_mean_is_at_least_students():
    values = np.random.default_rng(0).standard_normal(25)
    found = mean_of(values)
    students = stats.t.interval(0.95, 24, values.mean(), stats.sem(values))
    assert found.interval.low <= students[0] + 1e-9
    assert found.interval.high >= students[1] - 1e-9
    width = found.interval.high - found.interval.low
    assert width < 1.3 * (students[1] - students[0])


def test_the_p_value_agrees_with_the_interval():
    errors = np.random.default_rng(1).standard_normal((200, 20))
    for row, shift in zip(errors, np.linspace(-1, 1, 200), strict=True):
        found = mean_of(row + shift, resamples=100)
        low, high = found.interval
        assert (found.p_value < 0.05) == (low > 0 or high < 0)


def test_the_p_value_of_a_mean_is_at_least_students():
    values = np.random.default_rng(2).standard_normal(30) + 0.3
    students = stats.ttest_1samp(values, 0).pvalue
    assert students - 1e-12 <= mean_of(values).p_value < 2 * students


def test_scaling_moves_nothing_else():
    values = np.random.default_rng(3).gamma(2.0, 1.0, 30)
    for scale in (PLAIN, POSITIVE):
        one, ten = mean_of(values, scale), mean_of(10 * values, scale)
        assert tuple(10 * x for x in one.interval) == pytest.approx(tuple(ten.interval))


def test_a_shift_moves_a_bias_with_its_interval():
    values = np.random.default_rng(3).standard_normal(30)
    one, moved = mean_of(values), mean_of(values + 7)
    expected = [x + 7 for x in one.interval]
    assert list(moved.interval) == pytest.approx(expected, abs=1e-6)


def test_the_other_sign_turns_the_interval():
    values = np.random.default_rng(4).gamma(2.0, 1.0, 30) - 2
    (low, high), turned = mean_of(values).interval, mean_of(-values).interval
    assert (-turned.high, -turned.low) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("metric", "truth"),
    [("sbp_rmse", 5.0), ("sbp_mae", 5.0 * np.sqrt(2 / np.pi)), ("sbp_bias", 0.0)],
)
def test_coverage_with_twenty_people(metric, truth):
    generator = np.random.default_rng(1)
    inside, draws = 0, 120
    for seed in range(draws):
        e = 5 * generator.standard_normal(20)
        columns = {"sbp_square": e**2, "sbp_abs": np.abs(e), "sbp_error": e}
        low, high = estimate(metric, columns, resamples=100, seed=seed).interval
        inside += low <= truth <= high
    # 95 % of 120 draws has a standard error of 2 %.
    assert inside / draws >= 0.89


def test_a_percentile_interval_of_twenty_people_would_not_do():
    generator = np.random.default_rng(1)
    counts = draw_subjects(20, resamples=200, seed=0)
    inside = 0
    for _ in range(300):
        square = (5 * generator.standard_normal(20)) ** 2
        low, high = np.percentile(np.sqrt(counts @ square / 20), [2.5, 97.5])
        inside += low <= 5 <= high
    assert inside / 300 < 0.915


def test_an_interval_stays_where_the_statistic_lives():
    generator = np.random.default_rng(0)
    for _ in range(20):
        columns = {
            "sbp_square": generator.standard_exponential(6) ** 3,
            "sbp_truth": generator.standard_normal(6),
        }
        columns["sbp_truth_square"] = columns["sbp_truth"] ** 2
        for metric, low, high in (("sbp_rmse", 0, np.inf), ("sbp_r2", -np.inf, 1)):
            found = estimate(metric, columns, resamples=100, seed=0).interval
            if found is not None:
                assert low <= found.low <= found.high <= high


def test_subjects_with_nan_do_not_count():
    values = np.random.default_rng(0).standard_normal(30)
    hidden = np.concatenate([values, [np.nan] * 5])
    assert mean_of(hidden) == mean_of(values)
    assert mean_of(hidden).subjects == 30


def test_no_interval_where_it_would_say_nothing():
    values = np.random.default_rng(0).standard_normal(4)
    assert mean_of(values).interval is None
    assert mean_of(values).p_value is None
    assert mean_of(values).value == pytest.approx(values.mean())
    assert mean_of(np.full(3, np.nan)).value is None
    # Who mostly repeats one value has resamples without a spread.
    assert mean_of(np.array([0.0] * 30 + [1.0])).interval is None


def test_all_alike_is_a_point():
    found = mean_of(np.full(12, 2.5))
    assert found.interval == (2.5, 2.5)
    assert found.p_value == 0
    assert mean_of(np.zeros(12)).p_value == 1


def test_refusals():
    with pytest.raises(ConfigError, match="resamples is 50"):
        draw_subjects(10, resamples=50, seed=0)
    with pytest.raises(ConfigError, match="resamples is 50"):
        mean_of(np.zeros(10), resamples=50)
    with pytest.raises(ShapeError, match="without columns"):
        bootstrap(np.zeros((5, 0)), first, PLAIN, resamples=100, seed=0)


@pytest.mark.parametrize("metric", list(STATISTICS))
def test_every_statistic_can_carry_an_interval(metric):
    generator = np.random.default_rng(7)
    columns = {c: generator.gamma(2.0, 1.0, 40) for c in STATISTICS[metric].columns}
    for name in list(columns):
        own = f"{name}_square"
        pair = own if own in columns else own.replace("_error", "")
        if pair in columns and pair != name:
            columns[pair] = columns[name] ** 2 + generator.gamma(1.0, 1.0, 40)
    found = estimate(metric, columns, resamples=200, seed=0)
    assert found.subjects == 40
    assert found.interval.low < found.value < found.interval.high
