"""Pre-ejection period: a C wave whose bend is known, invariances, what is unclear."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ShapeError, UnitError
from capnet.features import b_points, pre_ejection

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=30)
RATE = 500.0
WIDE = 0.03


def cardiogram(pep, *, rate=RATE, rr=0.8, height=None):
    """Gaussian C waves: their second derivative is largest sqrt(3) widths before."""
    n = len(pep)
    peaks = 0.5 + rr * np.arange(n)
    time = np.arange(0.0, peaks[-1] + 1.0, 1.0 / rate)
    height = np.ones(n) if height is None else height
    c = peaks + pep + np.sqrt(3.0) * WIDE
    wave = sum(
        h * np.exp(-0.5 * ((time - at) / WIDE) ** 2)
        for h, at in zip(height, c, strict=True)
    )
    return wave, peaks


@CALM
@given(st.floats(0.04, 0.12), st.floats(200.0, 1000.0))
def test_the_bend_of_a_gaussian_is_found(pep, rate):
    wave, peaks = cardiogram(np.full(6, pep), rate=rate)
    b = b_points(wave, peaks, sampling_rate=rate)
    found = pre_ejection(peaks, b.seconds)
    # The parabola's window (50 ms) shifts the bend by the same few ms for every beat.
    np.testing.assert_allclose(found.seconds, pep, atol=0.004)
    assert set(found.reason) == {""}


def test_changes_of_pep_are_followed_more_closely_than_its_level():
    pep = np.linspace(0.05, 0.1, 12)
    wave, peaks = cardiogram(pep)
    b = b_points(wave, peaks, sampling_rate=RATE).seconds
    np.testing.assert_allclose(np.diff(b - peaks), np.diff(pep), atol=2e-4)


@CALM
@given(st.floats(1e-3, 1e3), st.floats(-100.0, 100.0))
def test_gain_and_offset_change_nothing(gain, offset):
    wave, peaks = cardiogram(np.full(4, 0.07))
    one = b_points(wave, peaks, sampling_rate=RATE)
    two = b_points(gain * wave + offset, peaks, sampling_rate=RATE)
    np.testing.assert_allclose(one.seconds, two.seconds, atol=1e-6)


def test_what_is_unclear_says_why():
    wave, peaks = cardiogram(
        np.full(8, 0.1), height=np.array([1, 1, 0.1, 1, 0, 1, 1, 0])
    )
    time = np.arange(len(wave)) / RATE
    # Straight pieces whose slope grows twice by as much.
    corners = peaks[4] + np.array([0.06, 0.1, 0.18, 0.4])
    wave += np.interp(time, corners, [0.0, 0.2, 1.0, 0.0])
    wave[round(peaks[5] * RATE) + 60] = np.nan
    peaks[1] = np.nan
    found = b_points(wave, peaks, sampling_rate=RATE)
    assert [*found.reason] == [
        "",
        "no R peak",
        "C wave too low",
        "",
        "two bends before the C wave",
        "samples missing",
        "",
        "no C wave",
    ]
    assert (np.isnan(found.seconds) == (found.reason != "")).all()


@pytest.mark.usefixtures("unchecked")
def test_implausible_periods_are_abstained():
    peaks = np.array([0.0, 1.0, 2.0, np.nan])
    found = pre_ejection(peaks, peaks + np.array([0.065, 0.0, np.nan, 0.1]))
    assert [*found.reason] == ["", "implausible", "no B point", "no R peak"]
    np.testing.assert_allclose(found.seconds[0], 0.065)
    with pytest.raises(ShapeError, match="one row a beat"):
        pre_ejection(peaks, peaks[:2])


def test_rates_and_empty_arrays():
    wave, peaks = cardiogram(np.full(3, 0.07))
    with pytest.raises(UnitError, match="at least 100 Hz"):
        b_points(wave, peaks, sampling_rate=50.0)
    assert len(b_points(wave, peaks[:0], sampling_rate=RATE).seconds) == 0


@CALM
@given(
    st.lists(st.floats(-1e3, 1e3) | st.just(np.nan), min_size=1, max_size=300),
    st.lists(st.floats(-1.0, 3.0), max_size=5),
)
def test_any_channel_gives_times_or_reasons(values, peaks):
    found = b_points(
        np.array(values), np.sort(np.array(peaks, dtype=float)), sampling_rate=100.0
    )
    assert ((found.reason == "") == np.isfinite(found.seconds)).all()
