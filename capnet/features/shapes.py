"""Shape of beats that are given as 64 points, foot to foot: widths, area, pressures."""

from typing import Final, NamedTuple

import numpy as np

from capnet.errors import ShapeError
from capnet.signal.checks import checked_numbers, checked_rows
from capnet.signal.indices import augmentation
from capnet.signal.interpolate import catmull_rom
from capnet.signal.sampling import RATE
from capnet.types import N_POINTS, BeatWaves, Labels, PerBeat, RawSamples

__all__ = ["Widths", "augmentation_of_beats", "pulse_widths"]

_FINE: Final = 4
"""Points between two of the 64 at which levels are sought."""

LEVELS: Final = (0.25, 0.50, 0.75)
"""Of the pulse height."""


class Widths(NamedTuple):
    """Times and area of each PPG beat.

    Attributes:
        rise_time: Foot to peak, s.
        width_25, width_50, width_75: How long the pulse is above that part of its
            height, around the peak, s.
        form_factor: Mean over height.
        reason: Why they are NaN; empty otherwise.
    """

    rise_time: PerBeat
    width_25: PerBeat
    width_50: PerBeat
    width_75: PerBeat
    form_factor: PerBeat
    reason: Labels


def _closed(wave: BeatWaves, *, fine: int) -> np.ndarray:
    """Read beats on a finer grid, closed by the next foot. (beat, 64 fine + 1)."""
    padded = np.concatenate([wave[:, -1:], wave, wave[:, :2]], axis=1)
    position = 1.0 + np.arange(N_POINTS * fine + 1) / fine
    return catmull_rom(padded.astype(np.float64), np.tile(position, (len(wave), 1)))


def _side(curve: np.ndarray, peak: np.ndarray, level: float, *, step: int) -> PerBeat:
    """First point below a level on one side of the peak, between points."""
    column = np.arange(curve.shape[1])
    ahead = (column - peak[:, None]) * step > 0
    below = ahead & (curve < level)
    order = below if step > 0 else below[:, ::-1]
    first = order.argmax(axis=1)
    at = first if step > 0 else curve.shape[1] - 1 - first
    rows = np.arange(len(curve))
    before = np.clip(at - step, 0, curve.shape[1] - 1)
    low, high = curve[rows, at], curve[rows, before]
    rise = np.where(high > low, high - low, 1.0)
    where = at - step * (level - low) / rise
    return np.where(below.any(axis=1), where, np.nan)


def _checked(wave: RawSamples, duration: RawSamples) -> tuple[BeatWaves, PerBeat]:
    """Return beats of 64 points and one duration each."""
    rows = checked_rows(wave, where="the beats")
    lasts = checked_numbers(duration, where="the durations")
    if rows.shape != (len(lasts), N_POINTS):
        msg = (
            f"beats of shape {rows.shape}, {len(lasts)} durations; wanted "
            f"{N_POINTS} points and one duration a beat."
        )
        raise ShapeError(msg)
    return rows.astype(np.float64, copy=False), lasts


def pulse_widths(wave: RawSamples, duration: RawSamples) -> Widths:
    """Measure PPG beats that begin at 0, have height 1 and end at 0.

    Args:
        wave: What the front end makes of beats, NaN where there is none.
            Shape (beat, 64).
        duration: Foot to foot, s. Shape (beat,).

    Returns:
        Measures; NaN with a reason where points are missing or the pulse never falls
        below a level.

    Raises:
        ShapeError: If there are not 64 points and one duration a beat.

    Reference:
        Awad et al. 2007 (J Clin Monit Comput 21:365) for widths at parts of the height.
    """
    wave, duration = _checked(wave, duration)
    known = np.isfinite(wave).all(axis=1) & (duration > 0.0)
    safe = np.where(known[:, None], wave, 0.0)
    curve = _closed(safe, fine=_FINE)
    top = curve.max(axis=1, initial=0.0)
    pulse = known & (top > 0.0)
    curve = curve / np.where(pulse, top, 1.0)[:, None]
    peak = curve.argmax(axis=1) if len(curve) else np.zeros(0, dtype=np.int64)
    second = duration / (curve.shape[1] - 1)
    widths = [
        second * (_side(curve, peak, x, step=1) - _side(curve, peak, x, step=-1))
        for x in LEVELS
    ]
    # Where a beat starts above a level, its foot is where the level is crossed.
    crossed = np.isfinite(widths).all(axis=0)
    mean = curve[:, :-1].mean(axis=1)
    reason = np.select(
        [~known, ~pulse, ~crossed],
        ["samples missing", "no pulse", "the pulse never falls below a level"],
        default="",
    )
    rise, quarter, half, most, factor = (
        np.where(reason == "", x, np.nan) for x in (peak * second, *widths, mean)
    )
    return Widths(rise, quarter, half, most, factor, reason)


def augmentation_of_beats(
    wave: RawSamples, duration: RawSamples
) -> tuple[PerBeat, Labels]:
    """Read the augmentation index of pressure beats of different lengths.

    Beats are read at `RATE`, rounded to whole samples, which changes their length by
    0.5 % at most; see `capnet.signal.augmentation` for the index itself.

    Args:
        wave: Pressure, any unit, NaN where there is none. Shape (beat, 64).
        duration: Foot to foot, s. Shape (beat,).

    Returns:
        Index, %, and why it is NaN.

    Raises:
        ShapeError: If there are not 64 points and one duration a beat.
    """
    wave, duration = _checked(wave, duration)
    known = np.isfinite(wave).all(axis=1) & np.isfinite(duration)
    known &= (duration > 0.2) & (duration < 4.0)
    aix = np.full(len(wave), np.nan)
    reason = np.full(len(wave), "samples missing", dtype="U64")
    rows = np.flatnonzero(known)
    if len(rows) == 0:
        return aix, reason
    count = np.round(duration[rows] * RATE).astype(np.int64)
    sample = np.arange(count.max())
    position = sample * (N_POINTS / count)[:, None]
    padded = np.concatenate([wave[rows][:, -1:], wave[rows], wave[rows][:, :2]], axis=1)
    held = np.minimum(position, N_POINTS)
    beats = catmull_rom(padded.astype(np.float64), held + 1.0)
    beats = np.where(sample < count[:, None], beats, np.nan)
    found = augmentation(beats, sampling_rate=RATE)
    aix[rows], reason[rows] = found.aix, found.reason
    return aix, reason
