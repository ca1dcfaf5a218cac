import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from capnet.errors import CapnetError, ConfigError, ShapeError
from capnet.signal.fiducials import FIDUCIALS, find_fiducials
from capnet.signal.indices import ejection_time
from capnet.signal.pulses import find_pulses
from tests.signal import trains

RATE = 250.0


def beat_of(wave, rate=RATE):
    """Feet of all whole beats of a wave."""
    feet = find_pulses(wave, sampling_rate=rate).foot
    feet = feet[np.isfinite(feet)]
    return feet[:-1], feet[1:]


def bumps(duration, centres, widths, heights, period=1.0, rate=RATE):
    """A regular wave made of Gaussians, whose bends are known."""
    time = np.arange(round(duration * rate)) / rate
    wave = np.zeros(len(time))
    for beat in range(-1, round(duration / period) + 1):
        for centre, width, height in zip(centres, widths, heights, strict=True):
            wave += height * np.exp(
                -0.5 * ((time - beat * period - centre) / width) ** 2
            )
    return wave


def test_tops_lie_where_the_tops_are():
    # Three tops that hardly touch: systolic, second shoulder, diastolic.
    wave = bumps(6.0, (0.18, 0.3, 0.52), (0.03, 0.03, 0.06), (1.0, 0.7, 0.4))
    start, stop = np.array([1.06, 2.06]), np.array([2.06, 3.06])
    found = find_fiducials(wave, start, stop, sampling_rate=RATE)
    assert (found.reason == "").all()
    for name, top in (("systolic", 0.18), ("shoulder", 0.3), ("diastolic", 0.52)):
        seen = found[name]
        np.testing.assert_allclose(seen.time - [1.0, 2.0], top, atol=0.008)
    np.testing.assert_allclose(found["upstroke"].time, [1.15, 2.15], atol=0.004)


def test_order_of_the_points():
    for strip in trains.virtual():
        for kind in ("ppg", "abp"):
            wave = strip.channels[kind].values
            found = find_fiducials(wave, *beat_of(wave, 125.0), sampling_rate=125.0)
            time = {name: found[name].time for name in FIDUCIALS}
            for before, after in (
                *(("a", "upstroke"), ("upstroke", "systolic"), ("upstroke", "b")),
                *(("systolic", "notch"), ("notch", "diastolic"), ("b", "c")),
                *(("c", "d"), ("d", "e"), ("shoulder", "notch")),
            ):
                both = np.isfinite(time[before]) & np.isfinite(time[after])
                assert (time[before] < time[after])[both].all()
            assert np.isfinite(time["systolic"]).mean() > 0.97
            assert (found["a"].second > 0.0)[np.isfinite(time["a"])].all()
            assert (found["b"].second < 0.0)[np.isfinite(time["b"])].all()


def test_the_notch_is_that_of_the_indices():
    rate = 500.0
    wave = bumps(4.0, (0.18, 0.45), (0.06, 0.09), (1.0, 0.4), rate=rate)
    start, stop = beat_of(wave, rate)
    found = find_fiducials(wave, start[1:2], stop[1:2], sampling_rate=rate)
    first = round(start[1] * rate)
    one = wave[first : first + round(rate)][None]
    expected = ejection_time(one, sampling_rate=rate).time
    np.testing.assert_allclose(found["notch"].time - start[1], expected, atol=0.006)


def test_gain_offset_and_drift():
    wave = trains.made(10.0, rate=RATE)
    start, stop = beat_of(wave)
    found = find_fiducials(wave, start, stop, sampling_rate=RATE)
    time = np.arange(len(wave)) / RATE
    other = find_fiducials(
        5.0 * wave - 70.0 + 0.3 * time, start, stop, sampling_rate=RATE
    )
    np.testing.assert_allclose(other.time, found.time, atol=1e-6)
    np.testing.assert_allclose(other.height, 5.0 * found.height, atol=1e-6)
    np.testing.assert_array_equal(other.reasons, found.reasons)


def test_a_later_beat_has_the_same_points_later():
    wave = trains.made(10.0, rate=RATE)
    start, stop = beat_of(wave)
    found = find_fiducials(wave, start, stop, sampling_rate=RATE)
    later = np.concatenate([np.full(333, np.nan), wave])
    other = find_fiducials(later, start + 1.332, stop + 1.332, sampling_rate=RATE)
    np.testing.assert_allclose(other.time, found.time + 1.332, atol=1e-6)
    np.testing.assert_allclose(other.height, found.height, atol=1e-6)


def test_a_beat_alone_is_the_same_beat_among_others():
    wave = trains.virtual()[0].channels["ppg"].values
    start, stop = beat_of(wave, 125.0)
    found = find_fiducials(wave, start, stop, sampling_rate=125.0)
    for row in (3, 17, 30):
        low, high = int(start[row] * 125) - 2, int(stop[row] * 125) + 4
        alone = np.full(len(wave), np.nan)
        alone[low:high] = wave[low:high]
        one = find_fiducials(
            alone, start[row : row + 1], stop[row : row + 1], sampling_rate=125.0
        )
        np.testing.assert_array_equal(one.time[0], found.time[row])
        np.testing.assert_array_equal(one.height[0], found.height[row])


def test_what_is_undefined_has_a_reason():
    smooth = bumps(4.0, (0.25,), (0.1,), (1.0,))
    found = find_fiducials(smooth, np.array([1.0]), np.array([2.0]), sampling_rate=RATE)
    assert found["diastolic"].reason[0] == "no diastolic peak"
    assert found["c"].reason[0] == found["d"].reason[0] == "no c and d waves"
    np.testing.assert_array_equal(found.reasons == "", np.isfinite(found.time))
    wave = trains.made(5.0, rate=RATE)
    wave[700] = np.nan
    start = np.array([np.nan, 0.85, 2.55, 1.7, 3.0, 4.25])
    stop = np.array([1.0, 1.7, 3.4, 1.8, 2.0, 5.1])
    found = find_fiducials(wave, start, stop, sampling_rate=RATE)
    odd = "duration implausible"
    missing = "samples missing"
    assert found.reason.tolist() == ["no foot", "", missing, odd, odd, missing]
    assert (found.reasons[2] == missing).all()
    flat = find_fiducials(
        np.full(1000, 3.0), np.array([1.0]), np.array([2.0]), sampling_rate=RATE
    )
    assert flat.reason.tolist() == ["flat"]


def test_names():
    wave = trains.made(3.0, rate=RATE)
    found = find_fiducials(wave, np.array([0.85]), np.array([1.7]), sampling_rate=RATE)
    with pytest.raises(ConfigError, match="there are upstroke"):
        found["dicrotic"]
    np.testing.assert_array_equal(found["e"].time, found["notch"].time)


def test_refuses_beats_that_are_none():
    wave = trains.made(3.0, rate=RATE)
    with pytest.raises(ShapeError, match="start and stop"):
        find_fiducials(wave, np.zeros(2), np.zeros(3), sampling_rate=RATE)
    none = find_fiducials(wave, np.zeros(0), np.zeros(0), sampling_rate=RATE)
    assert none.time.shape == (0, len(FIDUCIALS))


ANY = st.one_of(
    arrays(np.float64, st.integers(0, 400), elements=st.floats(width=64)),
    arrays(np.int16, st.integers(1, 400)),
)


@settings(max_examples=30, deadline=None)
@given(values=ANY)
def test_any_array_gives_rows_or_an_error(values):
    start, stop = np.array([0.1, 0.9, -1.0]), np.array([0.9, 1.5, 0.3])
    try:
        found = find_fiducials(values, start, stop, sampling_rate=125.0)
    except CapnetError:
        return
    assert found.time.shape == (3, len(FIDUCIALS))
    np.testing.assert_array_equal(found.reasons == "", np.isfinite(found.time))


def test_what_noise_alone_may_make_is_no_fiducial():
    """Bends drown first; what is left lies where it was."""
    strip = trains.virtual()[0]
    wave = strip.channels["abp"].values.astype(np.float64)
    start, stop = beat_of(wave, 125.0)
    clean = find_fiducials(wave, start, stop, sampling_rate=125.0)["notch"]
    rng = np.random.default_rng(7)
    shares = []
    for noise in (0.0, 0.03, 0.1, 0.3):
        noisy = wave + noise * wave.std() * rng.standard_normal(len(wave))
        found = find_fiducials(noisy, start, stop, sampling_rate=125.0)
        notch = found["notch"]
        known = np.isfinite(notch.time)
        shares.append(known.mean())
        assert ((notch.reason == "no dicrotic notch") == ~known).all()
        assert np.nanmedian(np.abs(notch.time - clean.time)) < 0.03
        assert np.isfinite(found["systolic"].time).all()
    assert shares[0] > 0.95
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.3
