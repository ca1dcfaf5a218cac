"""Transients are laid over each other as they should be; feet are read off."""

import numpy as np
import pytest

from capnet.hemodynamics.circulation import no_contractions
from capnet.hemodynamics.rendering import Found, Output, render
from capnet.hemodynamics.rhythm import Breath
from capnet.hemodynamics.transients import EJECTIONS, LEAD, LEVELS, RATE, TONES
from capnet.signal.feet import pulse_feet

TAU = 1.2
TIME = np.arange(round((LEAD + 2.6) * RATE) + 1) / RATE - LEAD


def _falls(late):
    """What is carried, for each unit of size."""
    return np.where(late >= -LEAD, 5.0 * np.exp(-(late + LEAD) / TAU), 0.0)


def _body(late):
    """A smooth upstroke and fall, 0.8 s long; what is carried begins with it."""
    bump = np.sin(np.pi * np.clip(late, 0.0, 0.8) / 0.8) ** 2
    begun = np.sin(np.pi * np.clip(late, 0.0, 0.2) / 0.4) ** 2
    return 40.0 * bump - (1.0 - begun) * _falls(late)


def _early(late):
    """A body that is over after 0.5 s."""
    bump = np.sin(np.pi * np.clip(late, 0.0, 0.5) / 0.5) ** 2
    begun = np.sin(np.pi * np.clip(late, 0.0, 0.2) / 0.4) ** 2
    return 40.0 * bump - (1.0 - begun) * _falls(late)


def _valve(late):
    """The same, with a rebound in its fall that is steeper than its upstroke."""
    return _early(late) - 15.0 * np.exp(-0.5 * ((late - 0.31) / 0.008) ** 2)


def _beats(onset, size):
    beats = no_contractions(len(onset), 2)
    beats.onset[:], beats.size[:] = onset, size
    beats.r_peak[:] = beats.onset - 0.1
    for name in ("tone", "level", "ejection"):
        getattr(beats, name)[:] = 1.0
    beats.decay[:], beats.drift[:] = TAU, 0.0
    carried = 0.0
    for k in range(len(onset)):
        gap = onset[k] - onset[k - 1] if k else np.inf
        carried = carried * np.exp(-gap / TAU) + 5.0 * size[k]
        beats.carried[k] = carried
    return beats


def _rendered(
    beats, *, start=8.0, stop=12.0, rate=200.0, thorax=(0.0, 0.0), body=_body
):
    """Two channels; the second's transient is twice the first's."""
    shape = (len(LEVELS), len(TONES), len(EJECTIONS))
    one = body(TIME)
    table = np.broadcast_to(np.concatenate([one, 2 * one]), (*shape, 2 * len(TIME)))
    count = round((stop - start) * rate)
    values = np.full((2, count), np.nan, dtype=np.float32)
    output = Output(
        np.arange(2), np.full(2, rate), np.full(2, round(start * rate)),
        np.full(2, count), values,
    )  # fmt: skip
    found = Found(*(np.full((2, len(beats.onset)), np.nan) for _ in range(4)))
    lungs = Breath(0.25, 0.0, *(np.zeros(0) for _ in range(3)))
    render(
        np.ascontiguousarray(table, dtype=np.float32), np.array(TONES),
        np.array([30.0, 0.0]), lungs, np.array(thorax), beats, start, stop, output,
        found,
    )  # fmt: skip
    return values, found


# onsets lie between the steps of 2 ms at which transients are kept
IRREGULAR = 7e-4 * np.arange(20) + np.cumsum(
    [0.5, 0.9, 0.6, 1.3, 0.8, 0.35, 1.1, 0.9, 0.7, 1.2] * 2
)
SIZES = np.array([1.0, 0.8, 1.2, 0.5, 1.1] * 4)


def test_waves_are_sums_of_transients_and_of_what_is_carried():
    values, _ = _rendered(_beats(IRREGULAR, SIZES))
    time = np.arange(8.0, 12.0, 1 / 200.0)
    late = time - IRREGULAR[:, None]
    body, falls = SIZES @ _body(late), SIZES @ _falls(late)
    np.testing.assert_allclose(values[0], 30.0 + body + falls, atol=0.02)
    np.testing.assert_allclose(values[1], 2.0 * body + falls, atol=0.02)


def test_pieces_are_those_of_the_whole():
    beats = _beats(IRREGULAR, SIZES)
    whole = _rendered(beats)[0]
    first = _rendered(beats, stop=9.37)[0]
    second = _rendered(beats, start=9.37)[0]
    np.testing.assert_array_equal(whole, np.concatenate([first, second], axis=1))


def test_the_chest_moves_all_as_a_sine_that_begins_with_inspiration():
    beats = _beats(IRREGULAR, SIZES)
    still, moved = (_rendered(beats, thorax=t)[0] for t in ((0.0, 0.0), (-2.0, 0.3)))
    sway = np.sin(2.0 * np.pi * 0.25 * np.arange(8.0, 12.0, 1 / 200.0))
    np.testing.assert_allclose((moved - still)[0], -2.0 * sway, atol=5e-3)
    np.testing.assert_allclose((moved - still)[1], 0.3 * sway, atol=5e-3)


def test_only_the_last_channels_level_is_followed_and_without_a_step():
    beats, tilted = (_beats(IRREGULAR, SIZES) for _ in range(2))
    tilted.drift[:] = 0.01 * np.arange(20) ** 2
    moved = _rendered(beats)[0] - _rendered(tilted)[0]
    time = np.arange(8.0, 12.0, 1 / 200.0)
    np.testing.assert_array_equal(moved[0], 0.0)
    np.testing.assert_allclose(
        moved[1], np.interp(time + LEAD, tilted.onset, tilted.drift), atol=1e-3
    )


def test_feet_and_levels_are_read_as_in_the_signal_room():
    beats = _beats(np.arange(0.5, 20.0, 0.8), np.full(25, 1.0))
    values, found = _rendered(beats, rate=RATE)
    inner = np.flatnonzero((beats.onset > 8.3) & (beats.onset < 11.2))
    first = np.floor((beats.onset[inner] - 0.25) * RATE).astype(int)
    rows = values[0][first[:, None] - 4000 + np.arange(350)].astype(np.float64)
    foot = pulse_feet(
        *(rows, beats.onset[inner] * RATE - first),
        sampling_rate=RATE,
        earliest=0.0,
        latest=0.32,
    )
    np.testing.assert_allclose((first + foot) / RATE, found.foot[0][inner], atol=5e-4)
    for k in inner:
        at = values[0][round((beats.onset[k] - 8.06) * RATE) :][: round(0.8 * RATE)]
        assert found.systolic[0, k] == pytest.approx(at.max(), abs=0.01)
        assert found.diastolic[0, k] == pytest.approx(at.min(), abs=0.03)
        assert found.mean[0, k] == pytest.approx(at.mean(), abs=0.05)


def test_a_beat_without_an_upstroke_has_no_foot():
    beats = _beats(np.arange(0.5, 20.0, 0.8), np.zeros(25))
    assert np.isnan(_rendered(beats)[1].foot).all()


def test_a_steep_rebound_of_the_aortic_valve_is_no_foot():
    beats = _beats(np.arange(0.5, 20.0, 0.8), np.full(25, 1.0))
    steepest = TIME[np.argmax(np.diff(_valve(TIME)))]
    assert 0.3 < steepest < 0.32  # or nothing would be shown
    plain, dented = (_rendered(beats, body=body)[1] for body in (_early, _valve))
    inner = (beats.onset > 8.3) & (beats.onset < 11.2)
    for row in (0, 1):
        np.testing.assert_allclose(
            dented.foot[row, inner], plain.foot[row, inner], atol=5e-3
        )
        np.testing.assert_allclose(
            dented.systolic[row, inner], plain.systolic[row, inner], atol=0.02
        )
