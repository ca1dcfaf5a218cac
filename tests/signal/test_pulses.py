import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from capnet.errors import CapnetError, ShapeError, UnitError
from capnet.signal.feet import pulse_feet
from capnet.signal.frontend import smooth
from capnet.signal.pulses import find_pulses
from capnet.signal.smoothing import smoothed
from tests.signal import trains

RATE = 125.0
REASONS = {"", "no systolic peak", "no pulse", "samples missing", "no R peak"}


def noisy(seed=0, duration=30.0):
    wave = trains.made(duration, rate=RATE)
    return wave + 0.05 * np.random.default_rng(seed).standard_normal(len(wave))


def test_the_filter_is_the_front_ends():
    wave = noisy()
    wave[1000:1003] = np.nan
    expected = smooth(wave[None])[0]
    np.testing.assert_allclose(smoothed(wave, sampling_rate=RATE), expected, atol=1e-5)


@pytest.mark.parametrize("rate", [25.0, 61.0, 125.0, 500.0])
def test_the_filter_is_a_convolution_that_holds_the_ends(rate):
    wave = np.random.default_rng(1).standard_normal(1500)
    half = round(0.4 * rate)
    impulse = np.zeros(2 * half + 1)
    impulse[half] = 1.0
    taps = smoothed(np.pad(impulse, half), sampling_rate=rate)[half:-half]
    expected = np.convolve(np.pad(wave, half, mode="edge"), taps, mode="valid")
    np.testing.assert_allclose(smoothed(wave, sampling_rate=rate), expected, atol=1e-12)


def test_feet_are_those_of_pulse_feet():
    wave = noisy()
    peaks = 0.7 + 0.85 * np.arange(33) + 0.0013
    found = find_pulses(wave, sampling_rate=RATE, r_peaks=peaks)
    smoothed_wave = smoothed(wave, sampling_rate=RATE)
    begin = np.floor((peaks - 0.2) * RATE).astype(int)
    index = begin[:, None] + np.arange(round(0.85 * RATE) + 2)
    inside = np.clip(index, 0, len(wave) - 1)
    rows = np.where(index == inside, smoothed_wave[inside], np.nan)
    feet = begin + pulse_feet(rows, peaks * RATE - begin, sampling_rate=RATE)
    assert np.isfinite(feet).sum() >= 30
    np.testing.assert_allclose(found.foot, feet / RATE, atol=1e-9)


def test_finds_what_virtual_people_have():
    hit = missed = extra = 0
    for strip in trains.virtual():
        for kind, site in (("ppg", "ppg"), ("abp", "radial")):
            true = strip.beats.foot[strip.beats.row(site)]
            true = true[(true > 1.0) & (true < 58.0)]
            foot = find_pulses(strip.channels[kind].values, sampling_rate=RATE).foot
            foot = foot[(foot > 0.9) & (foot < 58.1)]
            off = np.abs(foot[:, None] - true)
            hit += (off.min(axis=0) < 0.1).sum()
            missed += (off.min(axis=0) >= 0.1).sum()
            extra += (off.min(axis=1) >= 0.1).sum()
            assert np.median(off.min(axis=0)) < 0.005
    assert 2 * hit / (2 * hit + missed + extra) >= 0.995


def test_r_peaks_give_one_row_each_and_the_same_pulses():
    strip = trains.virtual()[0]
    wave, peaks = strip.channels["ppg"].values, strip.beats.r_peak.copy()
    peaks[7] = np.nan
    found = find_pulses(wave, sampling_rate=RATE, r_peaks=peaks)
    assert len(found.foot) == len(found.reason) == len(peaks)
    assert found.reason[7] == "no R peak"
    assert np.isnan(found.foot[7])
    free = find_pulses(wave, sampling_rate=RATE)
    both = np.isfinite(found.foot)
    off = np.abs(free.foot - found.foot[both][:, None]).min(axis=1)
    assert np.mean(off < 1e-9) > 0.95
    inner = np.isfinite(found.peak)
    assert (found.foot < found.rise)[inner].all()
    assert (found.rise < found.peak)[inner].all()
    assert (found.height[inner] > 0.0).all()
    np.testing.assert_array_equal(found.reason == "", np.isfinite(found.height))


def test_takes_no_dicrotic_upstroke():
    wave = trains.made(30.0, rate=RATE, period=1.0, second=0.7, when=0.55, spread=0.06)
    slope = np.diff(wave[250:375])
    assert (slope[40:70] > 0.0).any()  # there is one
    assert len(find_pulses(wave, sampling_rate=RATE).foot) in (29, 30, 31)
    assert (np.diff(find_pulses(wave, sampling_rate=RATE).foot) > 0.9).all()


def test_a_premature_beat_is_known_by_the_pause_that_follows():
    # Half an interval after its predecessor, a quarter as high, and then a pause.
    period, early = 0.8, 10 * 0.8 + 0.48
    feet = np.append(np.delete(period * np.arange(1, 25), 10), early)
    time = np.arange(round(20.0 * RATE)) / RATE
    wave = np.zeros(len(time))
    for foot in feet:
        late = np.clip(time - foot - 0.05, 0.0, None)
        height = 0.25 if foot == early else 1.0
        wave += height * (late / 0.09) ** 2 * np.exp(-2.0 * (late / 0.09 - 1.0))
    found = find_pulses(wave, sampling_rate=RATE).foot
    assert len(found) == len(feet)
    assert np.abs(found - early - 0.05).min() < 0.03
    # The same little wave in every beat is no pulse.
    for foot in feet[:-1]:
        late = np.clip(time - foot - 0.53, 0.0, None)
        wave += 0.25 * (late / 0.09) ** 2 * np.exp(-2.0 * (late / 0.09 - 1.0))
    assert len(find_pulses(wave, sampling_rate=RATE).foot) <= len(feet)


def test_a_pulse_on_a_falling_baseline_is_searched_back():
    # pulses 0.5 s apart; in every sixth the baseline falls as fast as the pulse rises
    wave = trains.made(60.0, rate=RATE, period=0.5)
    time = np.arange(len(wave)) / RATE
    fall = np.clip(time % 3.0 - 1.9, 0.0, 0.4) / 0.4
    wave = wave - 1.4 * fall + 1.4 * (time % 3.0 > 2.5)
    rise = find_pulses(wave, sampling_rate=RATE).rise
    inner = rise[(rise > 1.0) & (rise < 59.0)]
    assert np.isfinite(inner).all()
    assert np.mean((np.diff(inner) > 0.35) & (np.diff(inner) < 0.65)) > 0.97
    assert np.diff(rise).min() >= 0.1


@pytest.mark.parametrize("rate", [50.0, 250.0, 1000.0])
def test_any_sampling_rate(rate):
    usual = find_pulses(trains.made(20.0, rate=RATE), sampling_rate=RATE)
    other = find_pulses(trains.made(20.0, rate=rate), sampling_rate=rate)
    inner = slice(1, -1)
    np.testing.assert_allclose(usual.foot[inner], other.foot[inner], atol=3e-3)
    np.testing.assert_allclose(usual.height[inner], other.height[inner], rtol=0.02)


def test_gain_offset_and_shift():
    wave = noisy()
    found = find_pulses(wave, sampling_rate=RATE)
    other = find_pulses(7.0 * wave - 300.0, sampling_rate=RATE)
    np.testing.assert_allclose(other.foot, found.foot, atol=1e-6)
    np.testing.assert_allclose(other.height, 7.0 * found.height, rtol=1e-6)
    later = find_pulses(
        np.concatenate([np.full(250, np.nan), wave]), sampling_rate=RATE
    )
    whole = np.isfinite(found.foot) & (found.foot > 1.0)
    known = later.foot[later.foot > 3.0]
    np.testing.assert_allclose(known - 2.0, found.foot[whole], atol=1e-9)


def test_a_gap_changes_nothing_beyond_its_beat_and_the_filter():
    wave = noisy(duration=60.0)
    rng = np.random.default_rng(3)
    peaks = 0.7 + 0.85 * np.arange(68)
    before = find_pulses(wave, sampling_rate=RATE, r_peaks=peaks)
    free = find_pulses(wave, sampling_rate=RATE).foot
    for _ in range(20):
        begin, length = rng.uniform(5.0, 50.0), rng.uniform(0.01, 3.0)
        holed = wave.copy()
        holed[round(begin * RATE) : round((begin + length) * RATE) + 1] = np.nan
        after = find_pulses(holed, sampling_rate=RATE, r_peaks=peaks)
        far = (peaks < begin - 1.3) | (peaks > begin + length + 0.9)
        np.testing.assert_allclose(after.foot[far], before.foot[far], atol=1e-9)
        np.testing.assert_allclose(after.height[far], before.height[far], atol=1e-9)
        here = (peaks > begin - 0.05) & (peaks < begin + length)
        assert (after.reason[here] == "samples missing").all()
        found = find_pulses(holed, sampling_rate=RATE).foot
        kept = free[(free < begin - 1.3) | (free > begin + length + 1.3)]
        assert np.isin(np.round(kept, 7), np.round(found, 7)).all()


def test_one_beat_alone():
    wave = trains.made(3.0, rate=RATE)
    whole = find_pulses(trains.made(60.0, rate=RATE), sampling_rate=RATE)
    alone = find_pulses(wave, sampling_rate=RATE)
    np.testing.assert_allclose(alone.foot[1], whole.foot[1], atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 120.0, 1e8])
def test_nothing_in_a_constant(value):
    flat = np.full(2000, value)
    assert len(find_pulses(flat, sampling_rate=RATE).foot) == 0
    gated = find_pulses(flat, sampling_rate=RATE, r_peaks=np.array([3.0, 4.0]))
    assert gated.reason.tolist() == ["no pulse"] * 2


def test_refuses_what_it_cannot_read():
    wave = trains.made(5.0, rate=RATE)
    with pytest.raises(UnitError, match="sampled at 20"):
        find_pulses(wave, sampling_rate=20.0)
    with pytest.raises(ShapeError, match="ascending"):
        find_pulses(wave, sampling_rate=RATE, r_peaks=np.array([2.0, 1.0]))


ANY = st.one_of(
    arrays(np.float64, st.integers(0, 400), elements=st.floats(width=64)),
    arrays(np.float16, st.integers(1, 400), elements=st.floats(width=16)),
    arrays(np.int16, st.integers(1, 400)),
)


@settings(max_examples=30, deadline=None)
@given(values=ANY, rate=st.sampled_from([25.0, 60.5, 125.0]))
def test_any_array_gives_rows_or_an_error(values, rate):
    peaks = np.array([0.2, 1.0, np.nan, 2.0])
    try:
        free = find_pulses(values, sampling_rate=rate)
        gated = find_pulses(values, sampling_rate=rate, r_peaks=peaks)
    except CapnetError:
        return
    assert len(gated.foot) == 4
    for found in (free, gated):
        assert set(found.reason.tolist()) <= REASONS
        whole = found.reason == ""
        for part in found[:4]:
            assert np.isfinite(part[whole]).all()
        lost = np.isin(found.reason, ["no pulse", "no R peak"])
        assert np.isnan(found.foot[lost]).all()
