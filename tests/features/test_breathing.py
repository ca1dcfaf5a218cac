"""Respiration rate: analytic modulations, virtual people, what is abstained."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ShapeError, UnitError
from capnet.features import breathing_of_beats, breathing_of_channel

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=30)


def modulated(rates, *, seed=0, noise=0.3, mean=0.8):
    """Beats of a minute, each modulation at a rate of its own, 1/min."""
    rng = np.random.default_rng(seed)
    time = np.cumsum(mean + 0.03 * rng.standard_normal(int(60 / mean) - 2))
    rows = [
        np.sin(2 * np.pi * rate / 60 * time + rng.uniform(0, 6))
        + noise * rng.standard_normal(len(time))
        for rate in rates
    ]
    return time, np.array(rows), np.zeros(len(time), dtype=np.int64)


@CALM
@given(st.floats(8.0, 30.0), st.integers(0, 1000))
def test_a_rate_that_all_modulations_share_is_found(rate, seed):
    time, values, window = modulated([rate] * 3, seed=seed)
    found = breathing_of_beats(time, values, window)
    np.testing.assert_allclose(found.rate, rate, atol=0.7)
    assert set(found.reason) == {""}


def test_one_modulation_with_a_rhythm_of_its_own_is_outvoted():
    time, values, window = modulated([15.0, 7.0, 15.0, 15.0])
    found = breathing_of_beats(time, values, window)
    np.testing.assert_allclose(found.rate, 15.0, atol=0.5)


@pytest.mark.parametrize("rates", [[10.0, 20.0], [10.0, 10.0, 20.0, 20.0]])
def test_disagreement_is_abstained_with_what_was_found(rates):
    time, values, window = modulated(rates, noise=0.1)
    found = breathing_of_beats(time, values, window)
    assert np.isnan(found.rate).all()
    assert found.reason[0].startswith("modulations disagree: 10, ")
    assert found.reason[0].endswith("20 a minute")


def test_noise_has_no_rate():
    rng = np.random.default_rng(1)
    time, _, window = modulated([15.0])
    for _ in range(20):
        found = breathing_of_beats(time, rng.standard_normal((4, len(time))), window)
        assert np.isnan(found.rate).all()


@CALM
@given(st.floats(0.01, 100.0), st.floats(-50.0, 50.0), st.floats(-1e4, 1e4))
def test_gain_offset_and_the_clock_change_nothing(gain, offset, shift):
    time, values, window = modulated([15.0] * 3)
    one = breathing_of_beats(time, values, window)
    other = breathing_of_beats(time + shift, gain * values + offset, window)
    np.testing.assert_allclose(one.rate, other.rate, atol=1e-4)


def test_windows_do_not_know_of_each_other():
    first, second = modulated([12.0] * 3, seed=1), modulated([20.0] * 3, seed=2)
    both = breathing_of_beats(
        np.concatenate([first[0], 60 + second[0]]),
        np.concatenate([first[1], second[1]], axis=1),
        np.concatenate([first[2], second[2] + 1]),
    )
    n = len(first[0])
    np.testing.assert_array_equal(both.rate[:n], breathing_of_beats(*first).rate)
    np.testing.assert_allclose(both.rate[n:], 20.0, atol=0.5)


def test_refused_beats_are_left_out_and_too_few_say_nothing():
    time, values, window = modulated([15.0] * 3)
    values[:, ::5] = np.nan
    np.testing.assert_allclose(
        breathing_of_beats(time, values, window).rate, 15.0, atol=0.7
    )
    values[:, 20:40] = np.nan
    found = breathing_of_beats(time, values, window)
    assert np.isnan(found.rate).all()
    assert found.reason[0] == "breathing stands out in 0 modulations, wanted 2"


@pytest.mark.usefixtures("unchecked")
def test_rows_must_agree():
    with pytest.raises(ShapeError, match="wanted one a beat"):
        breathing_of_beats(np.zeros(3), np.zeros((2, 4)), np.zeros(3, dtype=np.int64))


def test_a_channel_is_read_on_the_clock_of_the_record():
    time = 30.0 + np.arange(0, 240, 1 / 25.0)
    rate = np.where(time < 120.0, 12.0, 21.0)
    values = np.sin(2 * np.pi * np.cumsum(rate / 60.0 / 25.0))
    found = breathing_of_channel(
        values,
        sampling_rate=25.0,
        start=30.0,
        windows=np.array([0, 1, 2, 3, 4, 9, -1]),
    )
    np.testing.assert_allclose(found.rate[1:4], [12.0, 21.0, 21.0], atol=0.1)
    assert np.isnan(found.rate[[0, 4, 5, 6]]).all()
    assert [*found.reason[[0, 6]]] == ["no frequency stands out", "no time"]


def test_a_flat_channel_and_a_slow_one():
    window = np.zeros(1, dtype=np.int64)
    flat = breathing_of_channel(
        np.ones(1500), sampling_rate=25.0, start=0.0, windows=window
    )
    assert np.isnan(flat.rate[0])
    with pytest.raises(UnitError, match="at least 4 Hz"):
        breathing_of_channel(np.ones(150), sampling_rate=2.0, start=0.0, windows=window)


@CALM
@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=1, max_size=400),
    st.floats(4.0, 20.0),
)
def test_any_channel_gives_a_rate_or_a_reason(values, rate):
    found = breathing_of_channel(
        np.array(values),
        sampling_rate=rate,
        start=0.0,
        windows=np.array([0, 1], dtype=np.int64),
    )
    assert ((found.reason == "") == np.isfinite(found.rate)).all()
