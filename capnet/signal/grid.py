"""Put channels of any rate and start on one shared grid of times.

Samples are evaluated at the exact times of the grid with a windowed sinc. Real ratios
are awkward (a monitor that says 125 Hz and gives 124.945) and starts fall between
samples; a polyphase filter of a nearby fraction would drift, a sinc does not.
"""

from typing import Final

import numpy as np

from capnet.errors import ShapeError, UnitError
from capnet.records import Signal
from capnet.types import Samples

__all__ = ["on_grid"]

_LOBES: Final = 24
"""Zero crossings of the sinc to each side."""

_BETA: Final = 8.0
"""Kaiser window: side lobes near -80 dB."""

_PASS: Final = 0.448
"""Cut-off over the new rate when samples get fewer: the transition band of the
windowed sinc (0.104) then ends at half the new rate, so that nothing folds back."""

_CHUNK: Final = 1 << 15
"""Times evaluated at once, to bound memory."""

_ON_SAMPLE: Final = 1e-6
"""A time this close to a sample, in samples, is that sample."""


def _runs(values: Samples) -> np.ndarray:
    """Number the stretches without gaps from 0; -1 where a sample is missing."""
    finite = np.isfinite(values)
    begins = finite & ~np.concatenate([[False], finite[:-1]])
    return np.where(finite, np.cumsum(begins) - 1, -1)


def on_grid(
    signal: Signal, *, sampling_rate: float, start: float, stop: float
) -> Samples:
    """Resample a channel at ``start + i / sampling_rate``, before ``stop``.

    Frequencies above half the new rate are removed. Each stretch between gaps is
    treated apart: nothing is filtered across a gap, and near its ends the weights of
    the samples that exist are scaled to a sum of one.

    Args:
        signal: The channel; its own start is honoured.
        sampling_rate: Rate of the grid, Hz.
        start: First time of the grid, seconds since the start of the record.
        stop: End of the grid (excluded), same clock.

    Returns:
        Values in the channel's unit; NaN in gaps and outside the channel.
        Shape (time,).

    Raises:
        UnitError: If the rate is not a positive number.
        ShapeError: If the grid is empty.
    """
    if not (np.isfinite(sampling_rate) and sampling_rate > 0):
        msg = f"sampling rate of the grid is {sampling_rate!r} Hz; wanted it positive."
        raise UnitError(msg)
    n = round((stop - start) * sampling_rate) if stop > start else 0
    if n < 1:
        msg = (
            f"the grid from {start:g} to {stop:g} s holds no time; wanted stop > start."
        )
        raise ShapeError(msg)
    ratio = sampling_rate / signal.sampling_rate
    # Twice the cut-off, in cycles a sample of the channel: 1 keeps everything.
    band = 1.0 if ratio >= 1.0 - 1e-9 else 2.0 * _PASS * ratio
    reach = int(np.ceil(_LOBES / band))
    taps = np.arange(1 - reach, reach + 1)
    values = signal.values.astype(np.float64)
    run = _runs(values)
    known = np.where(run >= 0, values, 0.0)
    last = len(values) - 1
    grid = np.full(n, np.nan)
    for begin in range(0, n, _CHUNK):
        index = np.arange(begin, min(begin + _CHUNK, n))
        place = (start - signal.start + index / sampling_rate) * signal.sampling_rate
        near = np.rint(place)
        place = np.where(np.abs(place - near) < _ON_SAMPLE, near, place)
        low, high = np.floor(place), np.ceil(place)
        inside = (low >= 0) & (high <= last)
        index, place = index[inside], place[inside]
        left = low[inside].astype(np.int64)
        here = run[left]
        whole = (here >= 0) & (here == run[high[inside].astype(np.int64)])
        index, place, left, here = index[whole], place[whole], left[whole], here[whole]
        # shape: (time, tap)
        around = left[:, None] + taps
        held = np.clip(around, 0, last)
        usable = (around == held) & (run[held] == here[:, None])
        distance = place[:, None] - around
        inner = np.clip(1.0 - (distance / reach) ** 2, 0.0, None)
        window = np.i0(_BETA * np.sqrt(inner)) * (np.abs(distance) <= reach)
        weight = np.where(usable, np.sinc(band * distance) * window, 0.0)
        grid[index] = (weight * known[held]).sum(axis=1) / weight.sum(axis=1)
    return grid
