"""Pre-ejection period: from the R peak to the B point of an impedance cardiogram."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.signal import savgol_filter

from capnet.errors import ShapeError
from capnet.signal.checks import checked_numbers, checked_rate, checked_samples
from capnet.signal.transit import checked_times
from capnet.types import Labels, PerBeat, RawSamples

__all__ = ["PEP", "PreEjection", "b_points", "pre_ejection"]

PEP: Final = (0.02, 0.2)
"""Seconds; people have 0.065 (0.05 to 0.12), and 0.2 is beyond any failing heart."""

LEAST_RATE: Final = 100.0
"""Hz; below this a bend of 10 ms is not in the samples."""

_C_WAVE: Final = (0.06, 0.35)
"""Seconds after the R peak in which dZ/dt has its maximum."""

_BEFORE_C: Final = 0.15
"""Seconds before that maximum in which its upstroke begins."""

_FILTER: Final = 0.05
"""Seconds of the parabola's window (Savitzky-Golay, third degree)."""

_RIVAL: Final = 0.8
"""Of the largest bend: a second one of that size leaves it open which is B."""

_APART: Final = 0.02
"""Seconds between two bends that are not one."""

_LEAST_C: Final = 0.3
"""Height of a C wave over the median of its neighbours."""

Rows = Float[np.ndarray, "beat time"]


class PreEjection(NamedTuple):
    """Time from excitation to ejection, one row a beat.

    Attributes:
        seconds: s; NaN where it is unclear. Shape (beat,).
        reason: Why; empty otherwise. Shape (beat,).
    """

    seconds: PerBeat
    reason: Labels


class _Bends(NamedTuple):
    """Where the second derivative is largest, and whether that is clear."""

    at: PerBeat
    inside: np.ndarray
    rivalled: np.ndarray


def _bends(bend: Rows, allowed: np.ndarray, *, apart: int) -> _Bends:
    rows = np.arange(len(bend))
    left, right = np.roll(bend, 1, axis=1), np.roll(bend, -1, axis=1)
    tops = allowed & (bend > 0.0) & (bend >= left) & (bend > right)
    height = np.where(tops, bend, 0.0)
    best = height.argmax(axis=1)
    top = height[rows, best]
    column = np.arange(bend.shape[1])
    other = np.abs(column - best[:, None]) >= apart
    rival = np.where(other, height, 0.0).max(axis=1, initial=0.0)
    a, b, c = left[rows, best], bend[rows, best], right[rows, best]
    turn = a - 2.0 * b + c
    offset = np.where(turn < 0.0, 0.5 * (a - c) / np.where(turn < 0.0, turn, 1.0), 0.0)
    # What grows beyond the border of the search is no bend of this upstroke.
    largest = np.where(allowed, bend, 0.0).max(axis=1, initial=0.0)
    return _Bends(best + offset, (top > 0.0) & (top >= largest), rival > _RIVAL * top)


def b_points(
    dzdt: RawSamples, r_peaks: RawSamples, *, sampling_rate: float
) -> PreEjection:
    """Find the B point of each beat: the aortic valve opens.

    C is the maximum of dZ/dt 60 to 350 ms after the R peak. B is the largest maximum
    of the second derivative of dZ/dt in the 150 ms before it: where the upstroke bends
    most (Sherwood et al. 1990 for the point, the rule is one of several in use; rules
    differ by some 10 ms).

    Args:
        dzdt: -dZ/dt of the chest, C wave upwards, any unit, NaN where missing.
            Shape (time,).
        r_peaks: s since the first sample, ascending; NaN where there is none.
            Shape (beat,).
        sampling_rate: Hz, at least 100.

    Returns:
        Times of B since the first sample, s, with a reason where it is unclear: no C
        wave, one much lower than the others, no bend, or two of nearly the same size.

    Raises:
        ShapeError: If the values are no channel, or the peaks no times.
        UnitError: If the sampling rate is too low.
    """
    where = "the impedance cardiogram"
    samples = checked_samples(dzdt, where=where)
    rate = checked_rate(sampling_rate, least=LEAST_RATE, where=where)
    peaks = checked_times(r_peaks, where="the R peaks", missing=True)
    # Nothing is read beyond the channel, and far from it no sample has a number.
    away = ~(np.abs(peaks) * rate < len(samples) + 10.0 * rate)
    peaks = np.where(away, np.nan, peaks)
    if len(peaks) == 0:
        return PreEjection(np.zeros(0), np.zeros(0, dtype="U40"))
    half = max(2, round(0.5 * _FILTER * rate))
    known = np.isfinite(peaks)
    first = np.floor(np.where(known, peaks, 0.0) * rate).astype(np.int64)
    before = round(_BEFORE_C * rate) + half
    width = before + round(_C_WAVE[1] * rate) + half + 2
    index = (first - before)[:, None] + np.arange(width)
    inside = (index >= 0) & (index < len(samples))
    rows = np.where(inside, samples[np.clip(index, 0, len(samples) - 1)], np.nan)
    whole = known & np.isfinite(rows).all(axis=1)
    rows = np.where(whole[:, None], rows, 0.0)
    rows = rows - rows.mean(axis=1, keepdims=True)
    smooth = savgol_filter(rows, 2 * half + 1, 3, axis=1)
    bend = savgol_filter(rows, 2 * half + 1, 3, deriv=2, axis=1)
    column = np.arange(width)
    since = (index / rate) - np.where(known, peaks, 0.0)[:, None]
    searched = (since >= _C_WAVE[0]) & (since <= _C_WAVE[1])
    c_wave = np.where(searched, smooth, -np.inf).argmax(axis=1)
    low = np.arange(len(rows))
    at_c = smooth[low, c_wave]
    top = at_c >= np.maximum(
        smooth[low, np.maximum(c_wave - 1, 0)],
        smooth[low, np.minimum(c_wave + 1, width - 1)],
    )
    upstroke = (column < c_wave[:, None]) & (since >= PEP[0])
    upstroke &= column >= (c_wave - round(_BEFORE_C * rate))[:, None]
    height = at_c - np.where(upstroke, smooth, np.inf).min(axis=1, initial=np.inf)
    height = np.where(np.isfinite(height), height, 0.0)
    usual = np.median(height[whole]) if whole.any() else 0.0
    found = _bends(bend, upstroke, apart=max(2, round(_APART * rate)))
    time = (first - before + found.at) / rate
    reason = np.select(
        [
            ~known,
            ~whole,
            ~(height > 0.0) | ~top,
            height < _LEAST_C * usual,
            ~found.inside,
            found.rivalled,
        ],
        [
            "no R peak",
            "samples missing",
            "no C wave",
            "C wave too low",
            "no bend before the C wave",
            "two bends before the C wave",
        ],
        default="",
    )
    return PreEjection(np.where(reason == "", time, np.nan), reason)


def pre_ejection(r_peaks: RawSamples, b: RawSamples) -> PreEjection:
    """Return the time from each R peak to its B point.

    Args:
        r_peaks: s, NaN where there is none. Shape (beat,).
        b: B points of the same beats, s, NaN where unclear. Shape (beat,).

    Returns:
        Pre-ejection periods; NaN with a reason where one is missing or they lie
        outside 20 to 200 ms.

    Raises:
        ShapeError: If they are no numbers, or the rows do not agree.
    """
    r_peaks = checked_numbers(r_peaks, where="the R peaks")
    b = checked_numbers(b, where="the B points")
    if r_peaks.shape != b.shape:
        msg = f"{r_peaks.shape} R peaks and {b.shape} B points; wanted one row a beat."
        raise ShapeError(msg)
    with np.errstate(over="ignore"):
        seconds = b - r_peaks
    odd = ~((seconds >= PEP[0]) & (seconds <= PEP[1]))
    reason = np.select(
        [~np.isfinite(r_peaks), ~np.isfinite(b), odd],
        ["no R peak", "no B point", "implausible"],
        default="",
    )
    return PreEjection(np.where(reason == "", seconds, np.nan), reason)
