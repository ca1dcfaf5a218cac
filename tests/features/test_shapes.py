"""Widths and pressures of 64 points against analytic waves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ShapeError
from capnet.features import augmentation_of_beats, pulse_widths
from capnet.signal.indices import augmentation
from capnet.signal.sampling import RATE
from tests.signal.pulses import pulse

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=30)
PHASE = np.arange(64) / 64


def triangle(top):
    """Rise to 1 at a phase, then fall to 0 at the end."""
    return np.where(top > PHASE, PHASE / top, (1.0 - PHASE) / (1.0 - top))


@CALM
@given(st.floats(0.12, 0.4), st.floats(0.4, 1.6))
def test_a_triangle_has_known_widths(top, duration):
    found = pulse_widths(triangle(top)[None], np.array([duration]))
    step = duration / 64
    assert found.rise_time[0] == pytest.approx(top * duration, abs=step)
    for level in (25, 50, 75):
        width = getattr(found, f"width_{level}")[0]
        assert width == pytest.approx((1 - level / 100) * duration, abs=0.6 * step)
    assert found.form_factor[0] == pytest.approx(0.5, abs=0.02)


def test_a_raised_cosine_is_measured_to_a_fraction_of_a_point():
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * PHASE)
    found = pulse_widths(wave[None], np.ones(1))
    # It is above the level x while |phase - 1/2| < acos(2 x - 1) / (2 pi).
    for level in (25, 50, 75):
        width = np.arccos(2 * level / 100 - 1) / np.pi
        assert getattr(found, f"width_{level}")[0] == pytest.approx(width, abs=2e-4)
    assert found.rise_time[0] == pytest.approx(0.5, abs=1e-9)
    assert found.form_factor[0] == pytest.approx(0.5, abs=1e-4)


@CALM
@given(st.floats(0.3, 2.0), st.floats(1.1, 3.0))
def test_times_stretch_with_the_beat(duration, factor):
    wave = triangle(0.2)[None]
    one = pulse_widths(wave, np.array([duration]))
    two = pulse_widths(wave, np.array([factor * duration]))
    np.testing.assert_allclose(
        factor * np.array(one[:4]), np.array(two[:4]), rtol=1e-12
    )
    assert one.form_factor == two.form_factor


def test_what_is_no_pulse_says_why():
    rows = np.stack([triangle(0.2), np.full(64, np.nan), np.zeros(64), np.ones(64)])
    found = pulse_widths(rows, np.ones(4))
    assert [*found.reason] == [
        "",
        "samples missing",
        "no pulse",
        "the pulse never falls below a level",
    ]
    assert np.isnan(np.array(found[:5])[:, 1:]).all()
    assert len(pulse_widths(rows[:0], np.zeros(0)).reason) == 0


@pytest.mark.usefixtures("unchecked")
def test_one_duration_a_beat():
    with pytest.raises(ShapeError, match="2 durations; wanted 64 points"):
        pulse_widths(triangle(0.2)[None], np.ones(2))


@CALM
@given(
    st.lists(st.floats(-1e3, 1e3) | st.just(np.nan), min_size=64, max_size=64),
    st.floats(0.0, 3.0),
)
def test_any_beat_gives_numbers_or_a_reason(values, duration):
    found = pulse_widths(np.array(values)[None], np.array([duration]))
    known = np.isfinite([x[0] for x in found[:5]])
    assert known.all() == (found.reason[0] == "")
    assert not known.any() or known.all()


def pressure(duration, count):
    shape = {"rise": 0.08, "second": 0.55, "when": 0.42, "spread": 0.11}
    return 80.0 + 40.0 * pulse(np.arange(count) / count * np.ones(1), **shape)


@pytest.mark.parametrize("duration", [0.6, 0.8, 1.2])
def test_augmentation_is_that_of_the_whole_beat(duration):
    count = round(duration * RATE)
    whole = augmentation(pressure(duration, count)[None], sampling_rate=RATE)
    found, reason = augmentation_of_beats(
        pressure(duration, 64)[None], np.array([duration])
    )
    assert reason[0] == whole.reason[0] == ""
    assert found[0] == pytest.approx(whole.aix[0], abs=0.5)


def test_augmentation_of_many_is_that_of_each():
    durations = np.array([0.6, np.nan, 1.1, 0.9])
    rows = np.tile(pressure(1.0, 64), (4, 1))
    rows[3, 5] = np.nan
    found, reason = augmentation_of_beats(rows, durations)
    for row in range(4):
        one, why = augmentation_of_beats(rows[row : row + 1], durations[row : row + 1])
        np.testing.assert_allclose(one[0], found[row], rtol=1e-9)
        assert why[0] == reason[row]
    assert [*(reason != "")] == [False, True, False, True]
