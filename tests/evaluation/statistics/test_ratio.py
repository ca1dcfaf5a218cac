"""Fieller's interval is what Student's t does not reject."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import ttest_1samp

from capnet.evaluation.statistics.bootstrap import MIN_SUBJECTS
from capnet.evaluation.statistics.ratio import ratio_of_means


@pytest.fixture
def parts() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    below = 5 * generator.chisquare(3, 25)
    return 0.3 * below + 4 * generator.standard_normal(25) + 2, below


def test_the_ends_are_where_the_test_of_the_mean_is_at_its_level(parts):
    above, below = parts
    found = ratio_of_means(above, below)

    def p(ratio: float) -> float:
        return ttest_1samp(above - ratio * below, 0).pvalue - 0.05

    middle = above.mean() / below.mean()
    assert found.value == pytest.approx(middle)
    assert found.interval.low == pytest.approx(brentq(p, middle - 5, middle), rel=1e-9)
    assert found.interval.high == pytest.approx(brentq(p, middle, middle + 5), rel=1e-9)
    assert found.p_value == pytest.approx(ttest_1samp(above, 0).pvalue)


@pytest.mark.parametrize("shift", np.linspace(-4, 4, 9))
def test_the_p_value_agrees_with_the_interval(parts, shift):
    found = ratio_of_means(parts[0] - parts[0].mean() + shift, parts[1])
    low, high = found.interval
    assert (found.p_value < 0.05) == (low > 0 or high < 0)


def test_units_and_order_do_not_matter(parts):
    above, below = parts
    found = ratio_of_means(above, below)
    turned = ratio_of_means(7.5 * above[::-1], 7.5 * below[::-1])
    assert turned.interval == pytest.approx(found.interval)
    assert turned.p_value == pytest.approx(found.p_value)


def test_nothing_is_claimed_without_grounds(parts):
    above, below = parts
    few = ratio_of_means(above[: MIN_SUBJECTS - 1], below[: MIN_SUBJECTS - 1])
    assert few.value is not None
    assert (few.interval, few.p_value) == (None, None)
    spread = below - below.mean() + 0.1  # its mean is not clear of zero
    assert ratio_of_means(above, spread).interval is None
    assert ratio_of_means(above, np.zeros(25)).value is None
    assert ratio_of_means(above[:0], below[:0]).value is None
    same = ratio_of_means(np.full(25, 2.0), np.full(25, 4.0))
    assert same.interval == pytest.approx((0.5, 0.5))
    assert same.p_value == 0.0
