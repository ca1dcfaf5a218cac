"""The low-pass of the front end, for channels at any rate and for windows of beats.

`capnet.signal.frontend` holds the same filter as a torch module, for training and for
the exported graph. Here it runs without torch, in double precision.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from capnet.signal.fir import filter_fir, filter_rows
from capnet.signal.interpolate import catmull_rom
from capnet.signal.sampling import CUTOFF, N_TAPS, RATE, TINY, UNDERSHOOT
from capnet.signal.taps import Taps, lowpass_taps
from capnet.types import N_POINTS, BeatWaves, PerBeat, Samples, Windows

__all__ = ["HALF", "beat_shapes", "smoothed", "smoothed_rows"]

HALF: Final = N_TAPS // 2 / RATE
"""Seconds that the filter reaches to each side."""


@lru_cache(maxsize=16)
def _taps(sampling_rate: float) -> Taps:
    n_taps = 2 * max(round(HALF * sampling_rate), 1) + 1
    return lowpass_taps(cutoff=CUTOFF, sampling_rate=sampling_rate, n_taps=n_taps)


def smoothed(values: Samples, *, sampling_rate: float) -> Samples:
    """Low-pass a channel at 10 Hz without delay.

    Args:
        values: NaN where missing. Shape (time,).
        sampling_rate: Hz.

    Returns:
        The same, 0.4 s around missing samples missing as well. Shape (time,).
    """
    return filter_fir(values, _taps(float(sampling_rate)))


def smoothed_rows(rows: Windows) -> Windows:
    """Low-pass windows, each for itself.

    Args:
        rows: Samples at `RATE`, NaN where missing. Shape (beat, time).

    Returns:
        The same, likewise. Shape (beat, time).
    """
    return filter_rows(rows, _taps(RATE))


def beat_shapes(smooth: Samples, start: PerBeat, stop: PerBeat) -> BeatWaves:
    """Read 64 points of each beat from a smoothed channel, foot 0 and peak 1.

    These are the numbers of `capnet.signal.frontend.BeatFrontend`, which smooths each
    beat's own window, to its single precision.

    Args:
        smooth: PPG at `RATE`, any unit, behind `smoothed`. Shape (time,).
        start: Pulse foot, samples. Shape (beat,).
        stop: Next pulse foot, samples. Shape (beat,).

    Returns:
        Shape of each beat; NaN where samples or a foot are missing. float32. Shape
        (beat, 64).
    """
    phase = np.arange(N_POINTS + 1) / N_POINTS
    position = start[:, None] + phase * (stop - start)[:, None]
    inside = (position[:, :1] >= 0.0) & (position[:, -1:] <= len(smooth) - 1)
    wave = catmull_rom(smooth[None], np.where(inside, position, np.nan))
    first, last = wave[:, :1], wave[:, -1:]
    pulse = (wave - first - phase * (last - first))[:, :-1]
    highest = pulse.max(axis=1, keepdims=True)
    depth = np.abs(pulse).max(axis=1, keepdims=True)
    height = np.maximum(highest, UNDERSHOOT * depth) + TINY
    shapes: BeatWaves = (pulse / height).astype(np.float32)
    return shapes
