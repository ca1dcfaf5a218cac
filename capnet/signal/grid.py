"""Put channels of any rate and start on one shared grid of times.

Samples are evaluated at the exact times of the grid with a windowed sinc. Real ratios
are awkward (a monitor that says 125 Hz and gives 124.945) and starts fall between
samples; a polyphase filter of a nearby fraction would drift, a sinc does not. Where
the ratio of the rates is a fraction, times fall between samples in few different ways,
and the weights of each are worked out once.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Final, NamedTuple, no_type_check

import numpy as np

from capnet.compiled import compiled
from capnet.errors import ShapeError, UnitError
from capnet.records import Signal
from capnet.signal.stretches import stretches
from capnet.types import Samples

__all__ = ["on_grid"]

_LOBES: Final = 24
"""Zero crossings of the sinc to each side."""

_BETA: Final = 8.0
"""Kaiser window: side lobes near -80 dB."""

_PASS: Final = 0.448
"""Cut-off over the new rate when samples get fewer: the transition band of the
windowed sinc (0.104) then ends at half the new rate, so that nothing folds back."""

_CHUNK: Final = 1 << 14
"""Times evaluated at once, to bound memory."""

_TABLE: Final = 1 << 21
"""Weights that may be kept; more are worked out chunk by chunk."""

_THINNEST: Final = 1e-3
"""Least share of the samples that one step may leave: the filter grows as it falls."""

_MOST: Final = 1 << 30
"""Times of a grid: three months at 125 Hz. More is a mistake of a clock."""

_ON_SAMPLE: Final = 1e-6
"""A time this close to a sample, in samples, is that sample."""

# I0(2 sqrt(x)) is the sum of x^k / (k!)^2; for x up to 16 the rest is below 1e-17.
_BESSEL: Final = np.array([1.0 / math.factorial(k) ** 2 for k in range(28)])


class _Kernel(NamedTuple):
    """A windowed sinc: its cut-off over half the channel's rate, and its reach."""

    band: float
    reach: int


class _Places(NamedTuple):
    """Where times of the grid lie: sample to the left, and which row of the table.

    Attributes:
        left: Last sample at or before each time. Shape (time,).
        row: Which of the phases it has. Shape (time,).
        phase: How far behind that sample, samples, 0 to 1. Shape (phase,).
    """

    left: np.ndarray
    row: np.ndarray
    phase: np.ndarray


# Nothing that would make a NaN a number; sums may be reordered.
@compiled(fastmath={"reassoc", "contract", "nsz"})
@no_type_check
def _fill_weights(
    phase: np.ndarray,
    band: float,
    reach: int,
    bessel: np.ndarray,
    cosine: np.ndarray,
    sine: np.ndarray,
    weight: np.ndarray,
) -> None:
    """Evaluate the windowed sinc at phase - tap, tap from 1 - reach to reach."""
    taps = weight.shape[1]
    inner = np.empty(taps)
    for row in range(len(phase)):
        here, window = phase[row], weight[row]
        for k in range(taps):
            inner[k] = (here - (k + 1 - reach)) / reach
            inner[k] = 0.25 * _BETA * _BETA * max(0.0, 1.0 - inner[k] * inner[k])
            window[k] = bessel[-1]
        # Order by order, so that taps travel side by side through the processor.
        for order in range(len(bessel) - 2, -1, -1):
            for k in range(taps):
                window[k] = window[k] * inner[k] + bessel[order]
        # sin(a - k b) by the rule for differences spares one sine a tap.
        up, down = math.sin(math.pi * band * here), math.cos(math.pi * band * here)
        for k in range(taps):
            angle = math.pi * band * (here - (k + 1 - reach))
            wave = up * cosine[k] - down * sine[k]
            window[k] *= wave / angle if angle != 0.0 else 1.0


@compiled(fastmath={"reassoc", "contract", "nsz"})
@no_type_check
def _read(
    values: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    left: np.ndarray,
    row: np.ndarray,
    phase: np.ndarray,
    weight: np.ndarray,
    copies: bool,
    out: np.ndarray,
) -> None:
    """Weigh the samples around each time; NaN where a neighbour is missing.

    Times ascend, so one walk along the stretches finds the one each lies in.
    """
    taps = weight.shape[1]
    reach = taps // 2
    at = 0
    for i in range(len(left)):
        here, kind = left[i], row[i]
        while at < len(end) and end[at] <= here:
            at += 1
        right = here + (1 if phase[kind] > 0.0 else 0)
        if at == len(end) or begin[at] > here or end[at] <= right:
            out[i] = np.nan
            continue
        if copies and phase[kind] == 0.0:
            out[i] = values[here]
            continue
        first = here + 1 - reach
        low = max(0, begin[at] - first)
        high = min(taps, end[at] - first)
        total, mass = 0.0, 0.0
        for k in range(low, high):
            total += weight[kind, k] * values[first + k]
            mass += weight[kind, k]
        out[i] = total / mass


def _weights(phase: np.ndarray, kernel: _Kernel) -> np.ndarray:
    """Work out the weights of the samples around each phase. Shape (phase, tap)."""
    weight = np.empty((len(phase), 2 * kernel.reach))
    angle = np.pi * kernel.band * np.arange(1.0 - kernel.reach, kernel.reach + 1.0)
    cosine, sine = np.cos(angle), np.sin(angle)
    _fill_weights(phase, *kernel, _BESSEL, cosine, sine, weight)
    return weight


def _snapped(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Part places in the sample to the left and the phase behind it."""
    near = np.rint(place)
    place = np.where(np.abs(place - near) < _ON_SAMPLE, near, place)
    left = np.floor(place)
    return left.astype(np.int64), place - left


def _places(offset: float, *, step: float, n: int, taps: int) -> Iterator[_Places]:
    """Find, chunk by chunk, where ``offset + i * step`` lies among the samples."""
    fraction = Fraction(step).limit_denominator(1 << 15)
    kinds = fraction.denominator
    rational = abs(float(fraction) - step) <= 4.0 * np.finfo(np.float64).eps * step
    kept = rational and kinds <= n and kinds * taps <= _TABLE
    whole = math.floor(offset)
    if kept:
        carried, phase = _snapped((offset - whole) + np.arange(kinds) / kinds)
    chunk = min(_CHUNK, _TABLE // taps)
    for begin in range(0, n, chunk):
        index = np.arange(begin, min(begin + chunk, n))
        if kept:
            left, row = np.divmod(index * fraction.numerator, kinds)
            yield _Places(whole + left + carried[row], row, phase)
        else:
            left, own = _snapped(offset + index * step)
            yield _Places(left, np.arange(len(index)), own)


def on_grid(
    signal: Signal, *, sampling_rate: float, start: float, stop: float
) -> Samples:
    """Resample a channel at ``start + i / sampling_rate``, before ``stop``.

    Frequencies above half the new rate are removed. Each stretch between gaps is
    treated apart: nothing is filtered across a gap, and near its ends the weights of
    the samples that exist are scaled to a sum of one. A sample of a channel that is not
    thinned out stays as it is where the grid meets it.

    Args:
        signal: The channel; its own start is honoured.
        sampling_rate: Rate of the grid, Hz.
        start: First time of the grid, seconds since the start of the record.
        stop: End of the grid (excluded), same clock.

    Returns:
        Values in the channel's unit; NaN in gaps and outside the channel.
        Shape (time,).

    Raises:
        UnitError: If the rate is not a positive number, or under a thousandth of the
            channel's.
        ShapeError: If the grid is empty, or longer than any record.
    """
    if not (np.isfinite(sampling_rate) and sampling_rate > 0):
        msg = f"sampling rate of the grid is {sampling_rate!r} Hz; wanted it positive."
        raise UnitError(msg)
    known = np.isfinite(start) and np.isfinite(stop) and stop > start
    n = round((stop - start) * sampling_rate) if known else 0
    if n < 1:
        msg = (
            f"the grid from {start:g} to {stop:g} s holds no time; wanted stop > start."
        )
        raise ShapeError(msg)
    if n > _MOST:
        msg = (
            f"the grid from {start:g} to {stop:g} s has {n} times; wanted at most "
            f"{_MOST}. Check the start offsets, or go piece by piece."
        )
        raise ShapeError(msg)
    ratio = sampling_rate / signal.sampling_rate
    if ratio < _THINNEST:
        msg = (
            f"from {signal.sampling_rate:g} to {sampling_rate:g} Hz only one sample in "
            f"{1 / ratio:.0f} would stay; wanted at least one in {1 / _THINNEST:.0f}. "
            "Go there in two steps."
        )
        raise UnitError(msg)
    # Twice the cut-off, in cycles a sample of the channel: 1 keeps everything.
    band = 1.0 if ratio >= 1.0 - 1e-9 else 2.0 * _PASS * ratio
    kernel = _Kernel(band, math.ceil(_LOBES / band))
    offset = (start - signal.start) * signal.sampling_rate
    grid = np.empty(n)
    done, weight, phase = 0, np.empty((0, 0)), np.empty(0)
    step = signal.sampling_rate / sampling_rate
    for places in _places(offset, step=step, n=n, taps=2 * kernel.reach):
        if places.phase is not phase:
            phase, weight = places.phase, _weights(places.phase, kernel)
        out = grid[done : done + len(places.left)]
        _read_part(signal.values, places, weight, copies=band == 1.0, out=out)
        done += len(out)
    return grid


def _read_part(
    values: np.ndarray,
    places: _Places,
    weight: np.ndarray,
    *,
    copies: bool,
    out: Samples,
) -> None:
    """Read ascending places, taking up no more of the channel than they need."""
    taps = weight.shape[1]
    low = int(np.clip(places.left[0] - taps, 0, len(values)))
    high = int(np.clip(places.left[-1] + taps, low, len(values)))
    part = values[low:high].astype(np.float64)
    begin, end = stretches(part).T
    left = places.left - low
    _read(part, begin, end, left, places.row, places.phase, weight, copies, out)
