"""Rhythms come out as they were asked for, however they are cut."""

import dataclasses

import numpy as np
import pytest
from scipy.signal import welch

from capnet.errors import ConfigError
from capnet.hemodynamics.rhythm import (
    Respiration,
    Rhythm,
    Timing,
    beat_times,
    breath,
    breathing,
    heart,
    normal_intervals,
)


def _timing(rhythm, row, *, seconds=3600.0, interval=0.85, lungs=None, stops=()):
    """One heart from time 0; ``stops`` are the ends of pieces it is made in."""
    lungs = lungs or Respiration().draw(row + 1, np.random.default_rng(2))
    state = np.array([0.0, 0.0, 0.0])
    pump, chest = heart(rhythm, row, interval), breath(lungs, row)
    parts = [beat_times(pump, chest, state, t) for t in (*stops, seconds)]
    return Timing(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _draw(n, **settings):
    return Rhythm(**settings).draw(n, np.random.default_rng(1))


def _swing(timing):
    """Fall of the normal intervals at the height of inspiration, s."""
    both = ~timing.ectopic[1:] & ~timing.ectopic[:-1]
    turn = 2.0 * np.pi * timing.phase[:-1][both]
    columns = np.stack([np.sin(turn), np.cos(turn), np.ones_like(turn)], axis=1)
    found = np.linalg.lstsq(columns, np.diff(timing.r_peak)[both])[0]
    assert abs(found[1]) < 0.2 * abs(found[0])
    return -found[0]


def test_variability_is_what_was_asked_for():
    draw = _draw(25)
    timings = [_timing(draw, row) for row in range(25)]
    sdnn = np.array([normal_intervals(t).std() for t in timings])
    np.testing.assert_allclose(sdnn, draw.sdnn, rtol=0.05)
    rsa = np.array([_swing(t) for t in timings])
    np.testing.assert_allclose(rsa, draw.rsa, rtol=0.03)
    whole = draw.rsa**2 / 2 + draw.lf**2 + draw.vlf**2
    np.testing.assert_allclose(whole, draw.sdnn**2, rtol=1e-12)


def test_low_frequencies_have_their_power():
    """On a tachogram evenly sampled at 4 Hz, as the Task Force (1996) does it."""
    draw = _draw(8, ectopic_rate=(0.0, 0.0))
    ratio = []
    for row in range(8):
        beats = _timing(draw, row).r_peak
        even = np.arange(10.0, 3590.0, 0.25)
        tachogram = np.interp(even, beats[:-1], np.diff(beats))
        frequency, power = welch(tachogram, 4.0, nperseg=2048, detrend="linear")
        band = (frequency >= 0.04) & (frequency <= 0.15)
        ratio.append(power[band].sum() * frequency[1] / draw.lf[row] ** 2)
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("rate", [20.0, 200.0, 800.0])
def test_ectopic_beats_come_as_often_as_asked_and_never_in_pairs(rate):
    draw = _draw(6, ectopic_rate=(rate, rate))
    hours = 8000.0 / rate / 6.0
    timings = [_timing(draw, row, seconds=3600.0 * hours) for row in range(6)]
    found = sum(t.ectopic.sum() for t in timings) / hours / 6.0
    assert found == pytest.approx(rate, rel=0.05)
    assert not any((t.ectopic[1:] & t.ectopic[:-1]).any() for t in timings)


def test_an_ectopic_beat_is_early_and_the_pause_compensates():
    calm = dataclasses.replace(
        Rhythm.regular(), ectopic_rate=(300.0, 300.0), coupling=(0.6, 0.6)
    )
    timing = _timing(calm.draw(1, np.random.default_rng(0)), 0, interval=0.8)
    odd = np.flatnonzero(timing.ectopic[1:-1]) + 1
    early = timing.r_peak[odd] - timing.r_peak[odd - 1]
    assert early.min() >= 0.57 * 0.8
    assert early.max() <= 0.63 * 0.8
    both = timing.r_peak[odd + 1] - timing.r_peak[odd - 1]
    np.testing.assert_allclose(both, 1.6, rtol=1e-9)


def test_a_rhythm_does_not_depend_on_how_it_is_cut():
    draw = _draw(1, ectopic_rate=(100.0, 100.0))
    whole = _timing(draw, 0, seconds=600.0)
    cut = _timing(draw, 0, seconds=600.0, stops=(0.3, 61.7, 300.0))
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_first_hearts_do_not_depend_on_how_many_there_are():
    few, many = _draw(3), _draw(50).take(np.arange(3))
    for name, part in vars(few).items():
        for one, other in zip(part, getattr(many, name), strict=True):
            np.testing.assert_array_equal(one, other)
    few = Respiration().draw(3, np.random.default_rng(1))
    many = Respiration().draw(50, np.random.default_rng(1)).take(np.arange(3))
    np.testing.assert_array_equal(few.wander.frequency, many.wander.frequency)
    np.testing.assert_array_equal(few.breaths, many.breaths)


def test_breathing_turns_at_its_rate_and_wanders_as_asked():
    draw = Respiration().draw(6, np.random.default_rng(4))
    rms = np.sqrt((draw.wander.amplitude**2).sum(axis=1) / 2.0)
    time = np.arange(0.0, 20000.0, 0.5)
    for row in range(6):
        chest = breath(draw, row)
        phase = np.array([breathing(chest, t) for t in time])
        rate = np.diff(phase) / 0.5
        assert rate.mean() == pytest.approx(draw.breaths[row], rel=2e-3)
        assert rate.std() / draw.breaths[row] == pytest.approx(rms[row], rel=0.1)


def test_a_heart_twice_as_fast_varies_a_quarter_as_much():
    draw = _draw(1, ectopic_rate=(0.0, 0.0))
    lungs = breath(Respiration().draw(1, np.random.default_rng(2)), 0)
    fast = beat_times(
        *(heart(draw, 0, 1.0), lungs, np.array([0.0, 0.0, 0.0]), 3600.0),
        times=np.array([[-9.0, 1.0, 1e6, 1.0]]),
        rates=np.array([np.log(2.0)]),
    )
    gaps = normal_intervals(fast)
    assert gaps.mean() == pytest.approx(0.5, rel=0.01)
    assert gaps.std() == pytest.approx(draw.sdnn[0] / 4.0, rel=0.06)


def test_a_regular_heart_is_a_clock():
    draw = Rhythm.regular().draw(1, np.random.default_rng(0))
    gaps = np.diff(_timing(draw, 0, seconds=60.0, interval=0.9).r_peak)
    np.testing.assert_allclose(gaps, 0.9, rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"hf": (0.4, 0.2)}, "hf 0.4 to 0.2"),
        ({"hf": (0.1, 0.7), "lf": (0.1, 0.4)}, "together 1 at most"),
        ({"coupling": (0.1, 0.5)}, r"coupling 0\.1"),
        ({"sdnn": -0.1}, r"SDNN -0\.1"),
        ({"sdnn": np.nan}, "SDNN nan"),
        ({"sdnn": 0.1, "sdnn_spread": 0.5}, r"may have 0\.3"),
        ({"ectopic_rate": (0.0, 2000.0)}, "ectopic_rate 0 to 2000"),
        ({"pep_mean": (0.1, 2.0)}, r"pep_mean 0\.1 to 2; wanted 0\.03"),
        ({"pep_sd": (0.0, 0.5)}, "pep_sd"),
    ],
)
def test_impossible_rhythms_are_refused(settings, match):
    with pytest.raises(ConfigError, match=match):
        Rhythm(**settings)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("breaths", 0.01, 0.2),
        ("variability", 0.0, 0.5),
        ("stroke", 0.0, 1.5),
        ("thoracic", 0.0, 500.0),
        ("baseline", -0.1, 0.1),
        ("baseline", np.nan, 0.1),
    ],
)
def test_impossible_breathing_is_refused(name, low, high):
    with pytest.raises(
        ConfigError, match=f"respiration has {name} {low:g} to {high:g}"
    ):
        Respiration(**{name: (low, high)})
