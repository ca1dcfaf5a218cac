"""What a window of one channel looks like: numbers from which its faults are told.

Every window is looked at by itself, so that a verdict does not depend on what else was
recorded. All numbers but levels are free of gain and offset: times in s, sizes in
heights (the usual range within a second, baseline removed).
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Self, no_type_check

import numpy as np
from jaxtyping import Float

from capnet.compiled import compiled

__all__ = ["Look", "PerWindow", "Rows", "look_at"]

Rows = Float[np.ndarray, "window _"]
"""Samples, one window a row, NaN where missing."""

PerWindow = Float[np.ndarray, "window"]
"""One number a window."""

Events = Float[np.ndarray, "window _"]
"""When beats are, s since the beginning of the window; NaN behind the last."""

_COARSE: Final = {"ecg": 125.0, "pulse": 50.0}
"""Means a second that are looked at: what beats consist of is slower."""
_STEP: Final = {"ecg": 2, "pulse": 3}
"""Means over which a slope is taken: 16 ms of a QRS complex, 60 ms of an upstroke."""
_SHARE: Final = {"ecg": 0.35, "pulse": 0.4}
"""Of the usual steepest slope that makes a beat; T waves, dicrotic upstrokes have
less."""
_REFRACTORY: Final = 0.2
"""s between beats at least, also if a rate of 150 bpm is declared twice too fast."""
_EVENTS: Final = 40
"""Beats of a window that are kept, per 8 s."""
_BINS: Final = 64
"""Classes of value by which steps of a converter are told."""
_STILL: Final = 1e-4
"""Change from sample to sample, in ranges of the window, that is none."""
_RAIL: Final = 1e-5
"""Distance from the highest or lowest sample, in ranges of the window: at the rail."""
_REACH: Final = {"ecg": (-0.1, 0.3), "pulse": (-0.2, 0.4)}
"""s about a beat that are compared with other beats: QRS and T, or upstroke and top."""
_MOVE: Final = 0.05
"""s by which a beat is moved to where it fits best, either way."""
_BASE: Final = 1.2
"""s over which the mean is the baseline."""
_PIECE: Final = 1.0
"""s within which the range of a window is a height."""
_TINY: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Look:
    """What windows of one channel look like, one row a window.

    Attributes:
        missing: Samples that are missing, s.
        still: Longest time without movement, s.
        rail: Longest time at the highest or at the lowest value, s.
        values: How many of 64 equal classes between the lowest and the highest value
            occur.
        low, mean, high: First percentile, mean, 99th percentile, unit of the channel.
        least, most: Lowest and highest value.
        height: Median range within a second, unit of the channel.
        wander: Range of the baseline, heights.
        hiss: Robust SD of what is faster than beats, heights.
        pure: Part of the power that lies about one frequency: 1 for a sine.
        quick: Part of the power that lies above 8 Hz: most of a QRS complex does.
        top: Frequency of most power, Hz.
        steepness: Steepest rise over steepest fall; of pulses alone.
        climb: All upward movement, heights a second.
        sharp: Steepest rise, heights a second; of pulses alone.
        likeness: Median correlation of beats with the median beat.
        odd: Least correlation of a beat with it.
        irregular: Largest deviation of an interval from the median, part of it.
        interval: Median interval of beats, s; NaN with fewer than three.
        beats: How many.
        width: QRS duration, or steepest rise to peak, s; see `_widths`.
        late: Middle of the QRS to the top of the T wave, or steepest rise to steepest
            fall, s.
        event: Foot of each pulse by intersecting tangents, or the middle of the QRS,
            s since the beginning of the window. Shape (window, event).
    """

    missing: PerWindow
    still: PerWindow
    rail: PerWindow
    values: PerWindow
    low: PerWindow
    mean: PerWindow
    high: PerWindow
    least: PerWindow
    most: PerWindow
    height: PerWindow
    wander: PerWindow
    hiss: PerWindow
    pure: PerWindow
    quick: PerWindow
    top: PerWindow
    steepness: PerWindow
    climb: PerWindow
    sharp: PerWindow
    likeness: PerWindow
    odd: PerWindow
    irregular: PerWindow
    interval: PerWindow
    beats: PerWindow
    width: PerWindow
    late: PerWindow
    event: Events

    @classmethod
    def concatenate(cls, parts: list[Self]) -> Self:
        """Join the looks of blocks of windows."""
        joined: dict[str, Any] = {
            part.name: np.concatenate([getattr(p, part.name) for p in parts])
            for part in fields(cls)
        }
        return cls(**joined)


@compiled()
@no_type_check
def _runs(
    rows: np.ndarray, step: np.ndarray, rail: np.ndarray, answer: np.ndarray
) -> None:
    """Missing samples, longest standstill, longest stay at a rail, of each row."""
    for k in range(rows.shape[0]):
        missing, longest, current = 0, 0, 0
        low, high = np.inf, -np.inf
        for n in range(rows.shape[1]):
            value = rows[k, n]
            if np.isnan(value):
                missing += 1
                current = 0
                continue
            low, high = min(low, value), max(high, value)
            if n > 0 and abs(value - rows[k, n - 1]) <= step[k]:
                current += 1
                longest = max(longest, current)
            else:
                current = 0
        stay, at_low, at_high = 0, 0, 0
        for n in range(rows.shape[1]):
            at_low = at_low + 1 if rows[k, n] <= low + rail[k] else 0
            at_high = at_high + 1 if rows[k, n] >= high - rail[k] else 0
            stay = max(stay, at_low, at_high)
        answer[k, 0], answer[k, 1], answer[k, 2] = missing, longest, stay


@compiled()
@no_type_check
def _peaks(
    rows: np.ndarray, level: np.ndarray, apart: float, found: np.ndarray
) -> None:
    """Highest points above a level that lie apart, samples to a fraction of one."""
    for k in range(rows.shape[0]):
        count = 0
        for n in range(1, rows.shape[1] - 1):
            here = rows[k, n]
            if here <= level[k] or here < rows[k, n - 1] or here <= rows[k, n + 1]:
                continue
            if count > 0 and n - found[k, count - 1] < apart:
                before = rows[k, int(found[k, count - 1])]
                if here > before:
                    found[k, count - 1] = n
            elif count < found.shape[1]:
                found[k, count] = n
                count += 1
        for m in range(count):
            n = int(found[k, m])
            bend = rows[k, n - 1] - 2.0 * rows[k, n] + rows[k, n + 1]
            if bend < 0.0:
                found[k, m] = n + 0.5 * (rows[k, n - 1] - rows[k, n + 1]) / bend


def _filled(rows: Rows) -> Rows:
    """Draw straight lines across gaps, so that the rest can be looked at."""
    lacking = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(lacking) == 0:
        return rows
    rows = rows.copy()
    at = np.arange(rows.shape[1])
    for k in lacking:
        known = np.isfinite(rows[k])
        rows[k] = np.interp(at, at[known], rows[k][known]) if known.any() else 0.0
    return rows


def _means(rows: Rows, *, rate: float, coarse: float) -> Rows:
    """Return the mean of each ``1 / coarse`` s: between samples the row is a stair."""
    n = rows.shape[1]
    total = np.zeros((len(rows), n + 1))
    np.cumsum(rows, axis=1, out=total[:, 1:])
    place = np.arange(int(n / rate * coarse + 1e-9) + 1) * (rate / coarse)
    left = np.minimum(place.astype(np.int64), n - 1)
    part = place - left
    at = total[:, left] * (1.0 - part) + total[:, left + 1] * part
    # rows must lie one behind the other, or sums would depend on how many there are
    means: Rows = np.ascontiguousarray(np.diff(at, axis=1) * (coarse / rate))
    return means


def _smoothed(rows: Rows, width: int) -> Rows:
    """Moving mean over an odd number of samples, ends held."""
    half = width // 2
    held = np.pad(rows, ((0, 0), (half + 1, half)), mode="edge")
    total = np.cumsum(held, axis=1)
    answer: Rows = (total[:, 2 * half + 1 :] - total[:, : -2 * half - 1]) / (
        2 * half + 1
    )
    return answer


def _ranges(rows: Rows, width: int) -> Rows:
    """Range of each piece of so many samples."""
    pieces = rows[:, : rows.shape[1] // width * width].reshape(len(rows), -1, width)
    ranges: Rows = pieces.max(axis=2) - pieces.min(axis=2)
    return ranges


def _powers(rows: Rows, *, rate: float) -> tuple[PerWindow, PerWindow, PerWindow]:
    """Parts of the power within 0.35 Hz of its maximum, above 8 Hz; the maximum, Hz."""
    n = rows.shape[1]
    centred = rows - rows.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(centred * np.hanning(n), axis=1)) ** 2
    frequency = np.fft.rfftfreq(n, 1.0 / rate)
    low, high = np.searchsorted(frequency, [0.4, 25.0])
    spectrum, frequency = spectrum[:, low:high], frequency[low:high]
    top = frequency[spectrum.argmax(axis=1)]
    about = np.abs(frequency - top[:, None]) <= 0.35
    total = spectrum.sum(axis=1) + _TINY
    pure: PerWindow = (spectrum * about).sum(axis=1) / total
    quick: PerWindow = (spectrum * (frequency > 8.0)).sum(axis=1) / total
    return pure, quick, top


def _around(rows: Rows, place: Events, reach: tuple[int, int]) -> np.ndarray:
    """Cut what is around each event; ends held. Shape (window, event, time)."""
    index = np.nan_to_num(place).round().astype(np.int64)[..., None]
    index = np.clip(index + np.arange(*reach), 0, rows.shape[1] - 1)
    cut: np.ndarray = rows[np.arange(len(rows))[:, None, None], index]
    return cut


def _median(values: np.ndarray) -> np.ndarray:
    """Median of what is known along the second axis; NaN where nothing is."""
    ordered = np.sort(values, axis=1)
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, values.shape[1] - 1)
    ends = [np.take_along_axis(ordered, index, axis=1) for index in (low, high)]
    middle = np.where(count > 0, 0.5 * (ends[0] + ends[1]), np.nan)
    answer: np.ndarray = middle[:, 0]
    return answer


def _likeness(
    rows: Rows, place: Events, *, reach: tuple[int, int], shift: int
) -> tuple[PerWindow, PerWindow]:
    """Correlate beats with the median beat, each moved to where it fits best.

    Beats that the window cuts are left out.

    Returns:
        Median and least correlation of each window, 0 without two beats.
    """
    place = place[:, : max(2, int(np.isfinite(place).sum(axis=1).max(initial=0)))]
    first, last = reach[0] - shift, reach[1] + shift
    middle = np.nan_to_num(place).round()
    whole = np.isfinite(place) & (middle + first >= 0)
    whole &= middle + last <= rows.shape[1]
    cut = _around(rows, place, (first, last))
    width = reach[1] - reach[0]
    inner = cut[..., shift : shift + width]
    model = _median(np.where(whole[..., None], inner, np.nan))
    model = np.nan_to_num(model - model.mean(axis=1, keepdims=True))
    model /= np.sqrt((model**2).sum(axis=1, keepdims=True)) + _TINY
    like = np.full(whole.shape, -1.0)
    for move in range(2 * shift + 1):
        piece = cut[..., move : move + width]
        piece = piece - piece.mean(axis=2, keepdims=True)
        size = np.sqrt((piece**2).sum(axis=2)) + _TINY
        like = np.maximum(like, (piece * model[:, None]).sum(axis=2) / size)
    enough = whole.sum(axis=1) >= 2
    usual = _median(np.where(whole, like, np.nan))
    least = np.where(whole, like, 1.0).min(axis=1)
    return np.where(enough, usual, 0.0), np.where(enough, least, 0.0)


def _variety(part: Rows) -> PerWindow:
    """How many of 64 classes of value occur, of rows from 0 to 1."""
    place = np.minimum((part * _BINS).astype(np.int64), _BINS - 1)
    place += _BINS * np.arange(len(part))[:, None]
    count = np.bincount(place.ravel(), minlength=_BINS * len(part))
    variety: PerWindow = (count.reshape(-1, _BINS) > 0).sum(axis=1).astype(np.float64)
    return variety


def _usual(rows: Rows, width: int) -> PerWindow:
    """Median of the highest values of pieces of so many samples."""
    pieces = rows[:, : rows.shape[1] // width * width].reshape(len(rows), -1, width)
    return _median(pieces.max(axis=2))


def _slopes(y: Rows, *, kind: str, coarse: float) -> tuple[Rows, Rows, Rows]:
    """Return the rows as they are timed by, their slope, and what is high at a beat.

    A pulse is smoothed and its slope (a second) is high in its upstroke; the size of an
    ECG's slope is smoothed, which makes one hump of a QRS complex.
    """
    step = _STEP[kind]
    if kind == "ecg":
        slope = np.zeros_like(y)
        slope[:, step:-step] = np.abs(y[:, 2 * step :] - y[:, : -2 * step])
        return y, slope, _smoothed(slope, 2 * round(0.04 * coarse) + 1)
    y = _smoothed(y, step)
    slope = np.gradient(y, axis=1) * coarse
    return y, slope, slope


def look_at(rows: Rows, *, rate: float, kind: str) -> Look:
    """Look at windows of one channel.

    Args:
        rows: Samples, NaN where missing. Shape (window, time).
        rate: Sampling rate, Hz.
        kind: ``ecg`` or ``pulse``.
    """
    n = rows.shape[1]
    known = np.isfinite(rows)
    least = np.where(known, rows, np.inf).min(axis=1)
    most = np.where(known, rows, -np.inf).max(axis=1)
    span = np.where(most >= least, most - least, 0.0)
    runs = np.zeros((len(rows), 3))
    _runs(np.ascontiguousarray(rows), _STILL * span, _RAIL * span, runs)
    # everything further is seen from 0, the lowest value, to 1, the highest
    scale = np.where(span > 0.0, span, 1.0)
    bottom = np.where(np.isfinite(least), least, 0.0)
    part = (_filled(rows) - bottom[:, None]) / scale[:, None]
    blur = 2 * max(1, round((0.016 if kind == "ecg" else 0.04) * rate)) + 1
    fast = _median(np.abs(part - _smoothed(part, blur))) / 0.6745

    coarse = min(_COARSE[kind], rate)
    y = _means(part, rate=rate, coarse=coarse)
    low, high = np.percentile(y, [1.0, 99.0], axis=1)
    pure, quick, top = _powers(y, rate=coarse)
    half = int(0.5 * _BASE * coarse)
    base = _smoothed(y, 2 * half + 1)
    flat, inner = y - base, base[:, half : -half or None]
    height = _median(_ranges(flat, max(2, round(_PIECE * coarse)))) + _TINY

    timed, slope, work = _slopes(y, kind=kind, coarse=coarse)
    piece = round(2.0 * coarse)
    usual, fall = _usual(work, piece), _usual(-slope, piece)
    found = np.full((len(y), max(4, round(_EVENTS * n / rate / 8.0))), np.nan)
    level = np.maximum(_SHARE[kind] * usual, _TINY)
    _peaks(work, level, _REFRACTORY * coarse, found)
    gaps = np.diff(found, axis=1) / coarse
    beats = np.isfinite(found).sum(axis=1).astype(np.float64)
    interval = np.where(beats >= 3, _median(gaps), np.nan)
    off = np.abs(gaps - interval[:, None]) / interval[:, None]
    reach = (round(_REACH[kind][0] * coarse), round(_REACH[kind][1] * coarse))
    likeness, odd = _likeness(flat, found, reach=reach, shift=round(_MOVE * coarse))
    up = np.clip(np.diff(timed, axis=1), 0.0, None).sum(axis=1)
    width, late, foot = _widths(timed, slope, found, kind=kind, coarse=coarse)
    return Look(
        missing=runs[:, 0] / rate,
        still=runs[:, 1] / rate,
        rail=runs[:, 2] / rate,
        values=_variety(part),
        low=bottom + scale * low,
        mean=bottom + scale * y.mean(axis=1),
        high=bottom + scale * high,
        least=least,
        most=most,
        height=scale * height,
        wander=(inner.max(axis=1) - inner.min(axis=1)) / height,
        hiss=fast / height,
        pure=pure,
        quick=quick,
        top=top,
        steepness=usual / np.maximum(fall, _TINY),
        climb=up / (n / rate * height),
        sharp=usual / height,
        likeness=likeness,
        odd=odd,
        irregular=np.where(np.isfinite(off), off, 0.0).max(axis=1),
        interval=interval,
        beats=beats,
        width=width,
        late=late,
        event=(foot + 0.5) / coarse,
    )


def _widths(
    y: Rows, slope: Rows, found: Events, *, kind: str, coarse: float
) -> tuple[PerWindow, PerWindow, Events]:
    """Return durations within a beat that do not depend on its amplitude.

    Of an ECG: how long the slope about the middle of the QRS complex is above a fifth
    of its maximum, s, and from the middle to the top of the T wave. Of a pulse: from
    the steepest rise to the peak, and to the steepest fall behind it.

    The T wave is sought in the mean beat, from 0.12 to 0.62 of an interval.
    """
    known = np.isfinite(found)
    some = known.sum(axis=1) >= 3
    interval = np.where(some, _median(np.diff(found, axis=1)), coarse)
    back, ahead = round(0.25 * coarse), round(1.3 * coarse)
    # a beat whose end lies outside says nothing about what comes late
    inside = known & (np.nan_to_num(found) + interval[:, None] < y.shape[1])
    inside &= np.nan_to_num(found) > back
    weight = np.where(inside, 1.0, 0.0)[..., None]
    total = np.maximum(inside.sum(axis=1), 1)[:, None]
    mean = (_around(y, found, (-back, ahead)) * weight).sum(axis=1) / total
    time = np.arange(-back, ahead)[None]
    row = np.arange(len(y))
    foot = found
    if kind == "ecg":
        steep = (_around(slope, found, (-back, ahead)) * weight).sum(axis=1) / total
        near = np.abs(time) <= 0.2 * interval[:, None]
        top = np.where(near, steep, 0.0).max(axis=1, keepdims=True)
        width = (near & (steep > 0.2 * top)).sum(axis=1) / coarse
        level = np.median(mean, axis=1, keepdims=True)
        sought = (time >= 0.12 * interval[:, None] + 0.04 * coarse) & (
            time <= 0.62 * interval[:, None]
        )
        wave = np.where(sought, np.abs(_smoothed(mean, 7) - level), -1.0)
        late = (wave.argmax(axis=1) - back) / coarse
    else:
        sought = (time >= 0) & (time <= 0.6 * interval[:, None])
        peak = np.where(sought, mean, -np.inf).argmax(axis=1)
        width = (peak - back) / coarse
        fall = np.gradient(mean, axis=1)
        behind = sought & (time > (peak - back)[:, None])
        late = (np.where(behind, fall, np.inf).argmin(axis=1) - back) / coarse
        before = _around(y, found, (-round(0.25 * coarse), 1))
        index = np.clip(np.nan_to_num(found).round().astype(np.int64), 0, None)
        rise = slope[row[:, None], index] / coarse
        drop = before[..., -1] - before.min(axis=2)
        foot = found - np.minimum(drop / np.maximum(rise, _TINY), 0.25 * coarse)
    ok = some & inside.any(axis=1)
    return np.where(ok, width, np.nan), np.where(ok, late, np.nan), foot
