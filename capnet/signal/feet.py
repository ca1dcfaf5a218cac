"""Pulse feet by intersecting tangents, searched for where the ECG says they are.

A free search takes the dicrotic upstroke for the pulse in 5 to 10 % of stiff
subjects; the R peak tells which rise is the right one.
"""

from typing import Final

import numpy as np

from capnet.errors import ShapeError
from capnet.signal.checks import checked_numbers, checked_rate, checked_rows
from capnet.signal.interpolate import catmull_rom
from capnet.types import PerBeat, RawSamples, Windows

__all__ = ["pulse_feet"]

_LOOK_BACK: Final = 0.15
"""Seconds before the steepest point in which the diastolic minimum is sought."""

_LEAST_RISE: Final = 0.01
"""Height of the upstroke over the range of its row: less is rounding, no pulse."""


def _at(rows: Windows, index: np.ndarray) -> PerBeat:
    inside = np.clip(index, 0, rows.shape[1] - 1)
    found: PerBeat = np.take_along_axis(rows, inside[:, None], axis=1)[:, 0]
    return found


def _read(rows: Windows, position: PerBeat) -> PerBeat:
    return catmull_rom(rows, position[:, None])[:, 0]


def _vertex(rows: Windows, index: np.ndarray) -> tuple[PerBeat, PerBeat]:
    """Extremum of the parabola through three samples: offset (samples), value."""
    left, middle, right = (_at(rows, index + k) for k in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    safe = np.where(bend == 0.0, 1.0, bend)
    offset = np.where(bend == 0.0, 0.0, 0.5 * (left - right) / safe)
    offset = np.clip(offset, -1.0, 1.0)
    return offset, middle - 0.25 * (left - right) * offset


def pulse_feet(
    wave: RawSamples,
    after: RawSamples,
    *,
    sampling_rate: float,
    earliest: float = 0.05,
    latest: float = 0.45,
) -> PerBeat:
    """Find the foot of the pulse that follows an R peak, one a row.

    The foot is where the tangent at the steepest point of the upstroke meets the
    horizontal through the minimum before it (at most 0.15 s before), to a fraction
    of a sample (Chiu et al. 1991, "intersecting tangents").

    Args:
        wave: Smoothed pulse wave (PPG or pressure, any unit), NaN where missing.
            Shape (beat, time).
        after: R peak within its row, samples, may be fractional. Shape (beat,).
        sampling_rate: Hz.
        earliest: The steepest rise comes at least this long after the R peak, s.
        latest: And at most this long after it, s.

    Returns:
        Foot within its row, samples; NaN where there is no rise in that time, where
        the steepest rise lies outside it, or where samples are missing. Shape (beat,).

    Raises:
        ShapeError: If the waves are no rows of real numbers, or there is not one R
            peak a row.
        UnitError: If the sampling rate is no positive number.
    """
    wave = checked_rows(wave, where="the pulse waves").astype(np.float64)
    after = checked_numbers(after, where="the R peaks")
    checked_rate(sampling_rate, least=0.0, where="the pulse wave")
    n_beats, n_times = wave.shape
    if len(after) != n_beats:
        msg = f"{n_beats} rows, {len(after)} R peaks; wanted one a row."
        raise ShapeError(msg)
    if n_beats == 0 or n_times < 4:
        return np.full(n_beats, np.nan)
    # Low and high samples of the search; NaN bounds find nothing.
    low, high = after + earliest * sampling_rate, after + latest * sampling_rate
    time = np.arange(n_times)[None]
    searched = (time >= low[:, None]) & (time <= high[:, None])
    slope = np.gradient(wave, axis=1)
    missing = ~np.isfinite(slope)
    safe = np.where(missing, -np.inf, slope)
    steepest = np.where(searched, safe, -np.inf).argmax(axis=1)
    # At the border of the search the real steepest rise may lie outside of it.
    at_peak = np.ones(n_beats, dtype=np.bool_)
    for step in (-1, 1):
        at_peak &= _at(safe, steepest + step) <= _at(safe, steepest)
    finite = np.where(missing, 0.0, slope)
    offset, rise = _vertex(finite, steepest)
    tangent = steepest + offset

    back = _LOOK_BACK * sampling_rate
    before = (time >= (tangent - back)[:, None]) & (time <= steepest[:, None])
    samples = np.where(before & np.isfinite(wave), wave, np.inf)
    lowest = samples.argmin(axis=1)
    inner = samples.min(axis=1)
    interior = (lowest > 0) & (_at(wave, lowest - 1) > inner)
    turned = _vertex(np.where(np.isfinite(wave), wave, 0.0), lowest)[1]
    inner = np.where(interior, np.minimum(inner, turned), inner)
    edge = _read(wave, tangent - back)
    base = np.where(tangent - back >= 0.0, np.fmin(inner, edge), inner)

    height = _read(wave, tangent) - base
    known = np.isfinite(wave)
    top = np.where(known, wave, -np.inf).max(axis=1)
    bottom = np.where(known, wave, np.inf).min(axis=1)
    least = _LEAST_RISE * np.where(top > bottom, top - bottom, np.inf)
    found = at_peak & (rise > 0.0) & (height > least) & np.isfinite(height)
    foot = tangent - height / np.where(found, rise, 1.0)
    # Data are missing where the search or the look back meets a gap or an end.
    inside = (low - 1 >= 0) & (high + 1 <= n_times - 1)
    gap = (missing & (searched | before)).any(axis=1)
    return np.where(found & inside & ~gap & (foot >= 0.0), foot, np.nan)
