import inspect

import numpy as np
import pytest
import torch
from torch.export import Dim, export

from capnet.errors import ShapeError
from capnet.signal.frontend import RATE, BeatFrontend, beats_of_windows, smooth
from tests.signal import pulses


@pytest.fixture(scope="module")
def made():
    people = pulses.draw(40, np.random.default_rng(3))
    raw = pulses.windows(people)
    start, stop = pulses.feet(raw, people["period"])
    return raw, start, stop


def test_foot_is_zero_and_peak_is_one(made):
    wave = beats_of_windows(*made)
    assert wave.shape == (40, 64)
    np.testing.assert_array_equal(wave[:, 0], 0.0)
    np.testing.assert_allclose(wave.max(axis=1), 1.0, atol=1e-6)


def test_gain_offset_and_drift_do_not_matter(made):
    raw, start, stop = made
    line = np.arange(raw.shape[1]) / RATE
    changed = 250.0 * (raw + 0.3 * line) + 4000.0
    before, after = (
        beats_of_windows(raw, start, stop),
        beats_of_windows(changed, start, stop),
    )
    np.testing.assert_allclose(before, after, atol=2e-5)


def test_a_shift_of_samples_does_not_matter(made):
    raw, start, stop = made
    shifted = np.roll(raw, 5, axis=1)[:, 5:]
    np.testing.assert_allclose(
        beats_of_windows(raw, start, stop),
        beats_of_windows(shifted, start, stop),
        atol=1e-4,
    )


def test_batch_equals_one_by_one(made):
    whole = beats_of_windows(*made)
    single = [beats_of_windows(*(x[i : i + 1] for x in made)) for i in range(40)]
    np.testing.assert_allclose(whole, np.concatenate(single), atol=2e-6)


def test_points_follow_a_smooth_pulse():
    # A pulse of low frequencies passes the filter and the cubic nearly unchanged.
    start, stop = np.array([60.25]), np.array([160.75])
    phase = (np.arange(300) - 60.25) / 100.5
    wave = beats_of_windows((1.0 - np.cos(2 * np.pi * phase))[None], start, stop)
    expected = (1.0 - np.cos(2 * np.pi * np.arange(64) / 64)) / 2
    np.testing.assert_allclose(wave[0], expected, atol=1e-3)


@pytest.mark.parametrize("level", [0.0, 1.0, -3e5])
def test_flat_windows_stay_finite(level):
    wave = beats_of_windows(
        np.full((2, 300), level), np.full(2, 60.0), np.full(2, 150.0)
    )
    np.testing.assert_array_equal(wave, 0.0)


def test_inverted_windows_stay_bounded(made):
    raw, start, stop = made
    wave = beats_of_windows(-raw, start, stop)
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() <= 10.0 + 1e-3


def test_a_gap_stays_where_it_is(made):
    raw, start, stop = (x.copy() for x in made)
    clean = beats_of_windows(raw, start, stop)
    raw[3, 70] = np.nan
    start[5] = np.nan
    wave = beats_of_windows(raw, start, stop)
    lost = ~np.isfinite(wave).all(axis=1)
    assert np.flatnonzero(lost).tolist() == [3, 5]
    np.testing.assert_allclose(wave[~lost], clean[~lost], atol=1e-6)
    assert np.isfinite(smooth(raw)[3]).sum() == raw.shape[1] - 101


def test_no_windows_no_beats():
    empty = np.zeros((0, 300))
    assert beats_of_windows(empty, np.zeros(0), np.zeros(0)).shape == (0, 64)
    assert smooth(empty).shape == (0, 300)


def test_rows_must_agree():
    bare = inspect.unwrap(beats_of_windows)  # as a user calls it, unchecked
    with pytest.raises(ShapeError, match="3 windows, 2 starts"):
        bare(np.zeros((3, 300)), np.zeros(2), np.zeros(3))


def test_exports_with_dynamic_batch_and_time(made):
    raw, start, stop = (torch.from_numpy(x.astype(np.float32)) for x in made)
    beat, time = Dim("beat"), Dim("time", min=128, max=4096)
    program = export(
        BeatFrontend(),
        (raw[:3], start[:3], stop[:3]),
        dynamic_shapes=({0: beat, 1: time}, {0: beat}, {0: beat}),
    )
    longer = torch.nn.functional.pad(raw, (0, 55))
    found = program.module()(longer, start, stop)
    torch.testing.assert_close(found, BeatFrontend()(longer, start, stop))
