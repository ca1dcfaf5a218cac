import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from capnet.errors import ConfigError, UnitError
from capnet.signal.gaps import fill_gaps

RATE = 125.0
NAN = np.nan


def test_equals_the_cubic_of_another_library():
    rng = np.random.default_rng(0)
    time = np.arange(600) / RATE
    x = np.sin(7.0 * time) + 0.1 * rng.standard_normal(600)
    torn = x.copy()
    for begin, length in ((1, 3), (50, 1), (53, 12), (66, 2), (300, 7), (597, 2)):
        torn[begin : begin + length] = NAN
    known = np.isfinite(torn)
    expected = PchipInterpolator(time[known], torn[known])(time)
    found = fill_gaps(torn, sampling_rate=RATE)
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    np.testing.assert_array_equal(found.filled, ~known)


def test_each_side_of_a_long_gap_is_filled_by_itself():
    x = np.sin(np.arange(200) / 9.0)
    x[100:130] = NAN
    x[[97, 98, 131]] = NAN
    found = fill_gaps(x, sampling_rate=RATE)
    halves = [fill_gaps(x[:110], sampling_rate=RATE).values]
    halves.append(fill_gaps(x[110:], sampling_rate=RATE).values)
    np.testing.assert_array_equal(found.values, np.concatenate(halves))
    assert np.flatnonzero(found.filled).tolist() == [97, 98, 131]


def test_ends_and_long_gaps_stay_missing():
    x = np.array([NAN, 1.0, *[NAN] * 13, 2.0, 3.0, *[NAN] * 12, 4.0, NAN])
    found = fill_gaps(x, sampling_rate=RATE)
    assert np.isnan(found.values[[0, *range(2, 15), -1]]).all()
    assert found.filled.sum() == 12
    inside = found.values[17:29]
    assert (np.diff(inside) > 0).all()
    assert (inside > 3.0).all()
    assert (inside < 4.0).all()


def test_a_straight_line_stays_one():
    x = 3.0 * np.arange(50) - 7.0
    torn = x.copy()
    torn[[5, 6, 20, 47]] = NAN
    found = fill_gaps(torn, sampling_rate=RATE)
    np.testing.assert_allclose(found.values, x, atol=1e-12)


def test_longest_is_in_samples_over_rate():
    x = np.ones(60)
    x[10:22] = NAN
    assert fill_gaps(x, sampling_rate=120.0).filled.sum() == 12
    assert fill_gaps(x, sampling_rate=119.0).filled.sum() == 0
    assert fill_gaps(x, sampling_rate=240.0, longest=0.05).filled.sum() == 12


@pytest.mark.parametrize("longest", [0.0, -1.0, 0.11, NAN])
def test_longer_gaps_may_not_be_filled(longest):
    with pytest.raises(ConfigError, match=r"at most 0\.1 s"):
        fill_gaps(np.ones(9), sampling_rate=RATE, longest=longest)


def test_a_rate_is_wanted():
    with pytest.raises(UnitError, match="at least 10 Hz"):
        fill_gaps(np.ones(9), sampling_rate=0.0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_never_leaves_the_range_of_the_two_neighbours(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(300)
    x[rng.random(300) < rng.uniform(0.0, 0.8)] = NAN
    found = fill_gaps(x, sampling_rate=RATE)
    known = np.isfinite(x)
    np.testing.assert_array_equal(found.values[known], x[known])
    index = np.flatnonzero(known)
    for place in np.flatnonzero(found.filled):
        at = np.searchsorted(index, place)
        low, high = sorted(x[index[at - 1 : at + 1]])
        assert low - 1e-12 <= found.values[place] <= high + 1e-12
