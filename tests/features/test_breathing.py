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


def read(time, values, window):
    """The last modulation is the height of the R peaks."""
    return breathing_of_beats(time, values[:-1], values[-1], window)


@CALM
@given(st.floats(10.0, 30.0), st.integers(0, 1000))
def test_a_rate_that_all_modulations_share_is_found(rate, seed):
    time, values, window = modulated([rate] * 4, seed=seed)
    found = read(time, values, window)
    np.testing.assert_allclose(found.rate, rate, atol=0.5)
    assert set(found.reason) == {""}


def test_a_rate_drowned_in_each_is_found_in_all():
    """Noise of 1.2 times the amplitude: two thirds of the power are noise."""
    errors = []
    for seed in range(20):
        time, values, window = modulated([18.0] * 4, seed=seed, noise=1.2)
        errors.append(read(time, values, window).rate[0] - 18.0)
    known = np.isfinite(errors)
    assert known.sum() >= 18
    assert np.abs(np.array(errors)[known]).max() < 1.0


def test_one_modulation_with_a_rhythm_of_its_own_is_outvoted():
    time, values, window = modulated([15.0, 7.0, 15.0, 15.0])
    np.testing.assert_allclose(read(time, values, window).rate, 15.0, atol=0.5)


@pytest.mark.parametrize("rates", [[10.0, 20.0], [11.0, 11.0, 20.0, 20.0]])
def test_disagreement_is_abstained(rates):
    time, values, window = modulated(rates, noise=0.1)
    found = read(time, values, window)
    assert np.isnan(found.rate).all()
    assert found.reason[0].startswith(("modulations disagree", "no frequency"))


def test_slow_waves_are_not_breathing_unless_the_chest_moves():
    """0.1 Hz in pressure, vessels and heart rate is the baroreflex's own rhythm."""
    time, values, window = modulated([6.0, 6.0, 6.0, 17.0])
    found = read(time, values, window)
    assert np.isnan(found.rate).all()
    assert found.reason[0] == "slow waves or slow breathing: 6 a minute"
    time, values, window = modulated([6.0, 17.0, 6.0, 6.0])
    np.testing.assert_allclose(read(time, values, window).rate, 6.0, atol=0.4)
    values[-1] = np.nan
    assert np.isnan(read(time, values, window).rate).all()


def test_noise_seldom_has_a_rate():
    rng = np.random.default_rng(1)
    time, _, window = modulated([15.0])
    found = [
        read(time, rng.standard_normal((4, len(time))), window).rate[0]
        for _ in range(200)
    ]
    assert np.isfinite(found).sum() <= 6


@CALM
@given(st.floats(0.01, 100.0), st.floats(-50.0, 50.0), st.floats(-1e4, 1e4))
def test_gain_offset_and_the_clock_change_nothing(gain, offset, shift):
    time, values, window = modulated([15.0] * 4)
    one = read(time, values, window)
    other = read(time + shift, gain * values + offset, window)
    np.testing.assert_allclose(one.rate, other.rate, atol=1e-4)


def test_windows_do_not_know_of_each_other():
    first, second = modulated([12.0] * 4, seed=1), modulated([20.0] * 4, seed=2)
    both = read(
        np.concatenate([first[0], 60 + second[0]]),
        np.concatenate([first[1], second[1]], axis=1),
        np.concatenate([first[2], second[2] + 1]),
    )
    n = len(first[0])
    np.testing.assert_array_equal(both.rate[:n], read(*first).rate)
    np.testing.assert_allclose(both.rate[n:], 20.0, atol=0.5)


def test_refused_beats_are_left_out_and_too_few_say_nothing():
    time, values, window = modulated([15.0] * 4)
    values[:, ::5] = np.nan
    np.testing.assert_allclose(read(time, values, window).rate, 15.0, atol=0.7)
    values[:, 20:40] = np.nan
    found = read(time, values, window)
    assert np.isnan(found.rate).all()
    assert found.reason[0] == "0 modulations with enough beats, wanted 2"


@pytest.mark.usefixtures("unchecked")
def test_rows_must_agree():
    with pytest.raises(ShapeError, match="wanted one a beat"):
        breathing_of_beats(
            np.zeros(3), np.zeros((2, 4)), np.zeros(3), np.zeros(3, dtype=np.int64)
        )


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
    assert [*found.reason[[0, 6]]] == ["samples missing", "no time"]


def chest(shape, *, rate=62.5, duration=60.0):
    time = np.arange(0.0, duration, 1.0 / rate)
    return breathing_of_channel(
        shape(time),
        sampling_rate=rate,
        start=0.0,
        windows=np.zeros(1, dtype=np.int64),
    )


@CALM
@given(st.floats(5.0, 40.0), st.floats(0.15, 0.6), st.floats(0.0, 6.0))
def test_the_shape_of_a_breath_does_not_matter(rate, share, phase):
    """A ventilator's: a short swing and a long pause, clipped, hearts on top of it."""

    def shape(time):
        cycle = (rate / 60.0 * time + phase) % 1.0
        wave = np.where(cycle < share, np.sin(np.pi * cycle / share), 0.0)
        return np.clip(3.0 * wave, 0.0, 1.0) + 0.1 * np.sin(2 * np.pi * 1.7 * time)

    found = chest(shape)
    if found.reason[0] == "":
        assert found.rate[0] == pytest.approx(rate, abs=1.2)
    else:  # the bell rounds short fast breaths to what hearts look like
        assert rate * 0.15 / share > 5.0


def test_breaths_of_changing_depth_and_pace_are_counted():
    def shape(time):
        depth = 1.0 + 0.3 * np.sin(2 * np.pi * time / 40.0)
        return depth * np.sin(2 * np.pi * (0.25 * time + 0.2 * np.sin(time / 5.0)))

    assert chest(shape).rate[0] == pytest.approx(15.0, abs=0.8)


def test_noise_and_a_pause_are_abstained():
    rng = np.random.default_rng(3)
    for _ in range(20):
        assert np.isnan(chest(lambda t: rng.standard_normal(len(t))).rate[0])
    apnoea = chest(lambda t: np.where(t < 35.0, np.sin(2 * np.pi * 0.25 * t), -1.0))
    assert apnoea.reason[0].startswith("no breath for 2")


def test_short_gaps_are_bridged_and_long_ones_are_not():
    def gap(seconds):
        def shape(time):
            wave = np.sin(2 * np.pi * 0.25 * time)
            return np.where(np.abs(time - 30.0) < 0.5 * seconds, np.nan, wave)

        return shape

    assert chest(gap(0.5)).rate[0] == pytest.approx(15.0, abs=0.3)
    assert chest(gap(5.0)).reason[0] == "samples missing"


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
