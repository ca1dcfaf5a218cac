"""Fill the short gaps of a channel, and say which samples were filled.

A tenth of a second is as long as a gap may be: over that a pulse or a QRS complex may
have come and gone. Longer gaps stay gaps.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from capnet.errors import ConfigError
from capnet.signal.checks import checked_rate, checked_samples
from capnet.types import RawSamples, Samples

__all__ = ["LONGEST_GAP", "Filled", "fill_gaps"]

LONGEST_GAP: Final = 0.1
"""Seconds of missing samples that may be filled at most."""

_LOWEST_RATE: Final = 10.0
"""Hz; below this one missing sample is a longer gap than that."""

Mask = Bool[np.ndarray, " time"]

Pieces = Float[np.ndarray, " gap"]


@dataclass(frozen=True, eq=False)
class Filled:
    """A channel whose short gaps are filled.

    Attributes:
        values: Samples in the channel's unit, NaN where still missing. Shape (time,).
        filled: Which of them were made up. Shape (time,).
    """

    values: Samples
    filled: Mask


def _inner_slope(left: Pieces, right: Pieces, before: Pieces, after: Pieces) -> Pieces:
    """Slope at a sample between two secants: their weighted harmonic mean.

    Args:
        left: Slope of the secant before.
        right: Slope of the secant after.
        before: Its length, and
        after: that of the other, samples.
    """
    same = np.sign(left) * np.sign(right) > 0
    first, second = 2.0 * after + before, after + 2.0 * before
    safe_left, safe_right = np.where(same, left, 1.0), np.where(same, right, 1.0)
    mean = (first + second) / (first / safe_left + second / safe_right)
    return np.where(same, mean, 0.0)


def _end_slope(near: Pieces, far: Pieces, first: Pieces, next_: Pieces) -> Pieces:
    """Slope at the end of a curve: of the parabola, bounded so that none is shot over.

    Args:
        near: Slope of the secant at the end.
        far: Slope of the one after it.
        first: Length of the former, and
        next_: of the latter, samples.
    """
    slope = ((2.0 * first + next_) * near - first * far) / (first + next_)
    slope = np.where(np.sign(slope) == np.sign(near), slope, 0.0)
    turns = np.sign(near) != np.sign(far)
    steep = turns & (np.abs(slope) > 3.0 * np.abs(near))
    return np.where(steep, 3.0 * near, slope)


def _neighbour(
    values: Samples, known: np.ndarray, at: np.ndarray, *, step: int, longest: int
) -> tuple[Pieces, Pieces, np.ndarray]:
    """Look one known sample further: slope and length of the secant, if there is one.

    Args:
        values: The channel.
        known: Where samples are known.
        at: Which of them to start from.
        step: -1 to look back, 1 to look ahead.
        longest: A gap of more samples than this is not looked across.
    """
    other = np.clip(at + step, 0, len(known) - 1)
    here, there = known[at], known[other]
    length = np.abs(there - here)
    exists = (length > 0) & (length <= longest + 1)
    safe = np.where(exists, there - here, 1)
    return (values[there] - values[here]) / safe, length.astype(np.float64), exists


def fill_gaps(
    values: RawSamples, *, sampling_rate: float, longest: float = LONGEST_GAP
) -> Filled:
    """Fill gaps of at most a tenth of a second by a cubic that keeps the shape.

    Between the last sample before a gap and the first one after it lies a cubic whose
    slopes come from the two samples to each side, bounded so that it never leaves the
    range of these two samples (Fritsch and Butland 1984, SIAM J. Sci. Stat. Comput.
    5:300). It does not look across a longer gap, and nothing is added before the
    first or after the last sample.

    Args:
        values: The channel, any unit, NaN where missing. Shape (time,).
        sampling_rate: Hz, at least 10.
        longest: Longest gap to fill, s: number of missing samples over the rate.

    Returns:
        The channel, and which samples were filled.

    Raises:
        ShapeError: If the values are no channel.
        UnitError: If the sampling rate is too low.
        ConfigError: If ``longest`` is not above 0 and at most 0.1 s.
    """
    samples = checked_samples(values, where="the channel with gaps")
    rate = checked_rate(sampling_rate, least=_LOWEST_RATE, where="the channel")
    if not 0.0 < longest <= LONGEST_GAP:
        msg = (
            f"gaps of up to {longest:g} s are to be filled; wanted more than 0 and at "
            f"most {LONGEST_GAP:g} s: what is missing longer cannot be guessed."
        )
        raise ConfigError(msg)
    most = int(longest * rate * (1.0 + 1e-9))
    known = np.flatnonzero(np.isfinite(samples))
    missing = np.diff(known) - 1
    left = np.flatnonzero((missing > 0) & (missing <= most))
    filled = np.zeros(len(samples), dtype=np.bool_)
    if len(left) == 0:
        return Filled(samples.copy(), filled)
    start, width = known[left], missing[left] + 1.0
    rise = samples[known[left + 1]] - samples[start]
    slope = rise / width
    back, behind, has_before = _neighbour(samples, known, left, step=-1, longest=most)
    ahead, beyond, has_after = _neighbour(
        samples, known, left + 1, step=1, longest=most
    )
    first = np.where(
        has_before,
        _inner_slope(back, slope, behind, width),
        np.where(has_after, _end_slope(slope, ahead, width, beyond), slope),
    )
    last = np.where(
        has_after,
        _inner_slope(slope, ahead, width, beyond),
        np.where(has_before, _end_slope(slope, back, width, behind), slope),
    )
    # One entry a missing sample: which gap it is in, and how far.
    gap = np.repeat(np.arange(len(left)), missing[left])
    order = np.arange(len(gap)) - (np.cumsum(missing[left]) - missing[left])[gap] + 1
    t, h = order / width[gap], width[gap]
    curve = (
        samples[start][gap]
        + rise[gap] * t**2 * (3.0 - 2.0 * t)
        + h * first[gap] * t * (1.0 - t) ** 2
        - h * last[gap] * t**2 * (1.0 - t)
    )
    place = start[gap] + order
    whole = samples.copy()
    whole[place] = curve
    filled[place] = True
    return Filled(whole, filled)
