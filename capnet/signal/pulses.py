"""Find pulses in a whole channel, one beat or a day: foot, steepest rise, peak, height.

The wave is low-passed at 10 Hz by the front end's filter, at the channel's own rate.
Where R peaks are known each gets its pulse; else upstrokes are found by how much the
wave rises within 0.15 s, which neither noise nor the dicrotic wave does as a pulse
does. Feet are those of `capnet.signal.feet.pulse_feet`, read by a
compiled kernel: one filter and a few additions a sample.
"""

from typing import Final, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int, Shaped

from capnet.compiled import compiled
from capnet.signal.arrival import GATE, pulse_of_each, usual_arrival
from capnet.signal.checks import checked_rate, checked_samples
from capnet.signal.sampling import LEAST_RATE
from capnet.signal.smoothing import smoothed
from capnet.signal.transit import Events, checked_times
from capnet.types import RawSamples, Samples

__all__ = ["Pulses", "find_pulses", "free_pulses"]

PerPulse = Float[np.ndarray, " pulse"]

_SPAN: Final = 0.15
"""s before and after a sample whose means are compared: long enough that noise and
movement average out, short enough that a dicrotic wave rises little within it."""

_SHARE: Final = 0.2
"""Of the usual rise; the weak pulse of a premature beat reaches that."""

_BLOCK: Final = 2.0
"""s; at 30 bpm and more every block holds an upstroke."""

_NEIGHBOURS: Final = 7
"""Blocks, and intervals, whose median says what is usual."""

_REFRACTORY: Final = 0.3
"""s between two pulses, at least (200 bpm)."""

_APART: Final = 0.55
"""Of the usual interval; of two upstrokes that are nearer the higher one is a pulse."""

_FAR: Final = 1.5
"""Of that distance; so soon after a much higher upstroke comes the dicrotic one ..."""

_EARLY: Final = 0.5
"""Of the least rise, from which on such a beat is one."""

_PAUSE: Final = 0.9 / _APART
"""... or a premature beat, which is followed by a pause; likewise ..."""

_SOON: Final = 0.8
"""... and comes no sooner than this; likewise."""

_LONG: Final = (1.6, 2.4)
"""Of the usual interval: one so long misses a pulse, as where the baseline falls ..."""

_MIDDLE: Final = (0.4, 0.6)
"""... in the middle of it; half the usual least rise is enough there, as Pan & Tompkins
(1985, IEEE Trans Biomed Eng 32:230) search back in the ECG."""

_WEAK: Final = 0.35
"""Of another upstroke's rise: much lower."""

_ROUNDING: Final = 1e-9
"""Rise over the value itself that may be nothing but rounding."""

_STEEPEST: Final = 0.1
"""s around an upstroke's middle in which its steepest point lies."""

_LOOK_BACK: Final = 0.15
"""s before the steepest point in which the minimum is sought, see `pulse_feet`."""

_LEAST_RISE: Final = 0.01
"""Height of the upstroke over the range around it, see `pulse_feet`."""

_AROUND: Final = 0.2
"""s before and after a search that this range is taken over."""

_CREST: Final = 0.3
"""s from the steepest rise to the peak, at most."""

_SUMMIT: Final = 0.04
"""s to each side of the highest sample, over which a parabola says when the peak is."""

_FOUND, _NO_PEAK, _NO_RISE, _MISSING, _NO_EVENT = range(5)

_REASONS: Final = np.array(
    ["", "no systolic peak", "no pulse", "samples missing", "no R peak"]
)


class Pulses(NamedTuple):
    """Pulses of a channel, one row each, or one row an R peak.

    Attributes:
        foot: Where the tangent at the steepest rise meets the level of the minimum
            before it, s. Shape (pulse,).
        rise: Steepest point of the upstroke, s.
        peak: Highest point within 0.3 s of it and before the next pulse, s: where the
            parabola fitted to 40 ms on each side of the highest sample turns.
        height: Peak above the level of the foot, unit of the channel.
        reason: Why something is NaN; empty otherwise. ``samples missing`` also where
            the filter reaches into a gap or a search beyond an end.
    """

    foot: PerPulse
    rise: PerPulse
    peak: PerPulse
    height: PerPulse
    reason: Shaped[np.ndarray, " pulse"]


def find_pulses(
    values: RawSamples, *, sampling_rate: float, r_peaks: Events | None = None
) -> Pulses:
    """Find the pulses of a PPG or a pressure.

    With R peaks, each gets the pulse whose steepest rise comes 0.05 to 0.45 s later;
    its foot is exactly that of `capnet.signal.feet.pulse_feet` on the smoothed wave.
    Where the pulses of the channel usually come at another time, as a monitor may delay
    them, the rise is sought within 0.2 s of that; where there is no usual time, an R
    peak has the only pulse before the next one (`capnet.signal.arrival`).

    Without them, an upstroke is where the mean of the next 0.15 s exceeds that of the
    last 0.15 s most, by at least a fifth of what is usual within 14 s. Two upstrokes
    are at least 0.3 s and 0.55 of the usual interval apart. One that follows another,
    three times as high, within 1.5 times that distance is dicrotic, unless a pause
    follows, as it does after premature beats; their rise may be a tenth of the usual.
    So may that of a pulse in the middle of an interval of twice the usual length.
    A gap alters what is usual, and so may decide on a doubtful upstroke 7 s away.

    Nothing is filtered across a gap: 0.4 s around a missing sample are missing too.
    Beyond the ends the first and the last sample are held.

    Args:
        values: The channel, any unit, NaN where missing. Shape (time,).
        sampling_rate: Hz, at least 25.
        r_peaks: s since the first sample, ascending, NaN where one is unknown.
            Shape (event,).

    Returns:
        One row for each R peak, else for each pulse found.

    Raises:
        ShapeError: If the values are no channel, or R peaks are not ascending.
        UnitError: If the sampling rate is too low or impossible.
    """
    samples = checked_samples(values, where="the pulse wave")
    rate = checked_rate(sampling_rate, least=LEAST_RATE, where="the pulse wave")
    wave = smoothed(samples, sampling_rate=rate)
    if r_peaks is None:
        return free_pulses(wave, sampling_rate=rate)
    events = checked_times(r_peaks, where="the R peaks", missing=True)
    inside = (events >= 0.0) & (events * rate < len(wave))
    within, free = events[inside], free_pulses(wave, sampling_rate=rate)
    shift, _ = usual_arrival(within, free.foot, free.rise, gate=GATE)
    if np.isfinite(shift):
        return _pulses(wave, events * rate + shift * rate, rate, GATE)
    row = np.full(len(events), -1)
    row[inside] = pulse_of_each(within, free.rise, after=GATE[0])
    nothing = np.where(np.isfinite(events), _REASONS[_NO_RISE], _REASONS[_NO_EVENT])
    foot, rise, peak, height = (
        np.where(row >= 0, np.append(times, np.nan)[row], np.nan) for times in free[:4]
    )
    reason = np.where(row >= 0, np.append(free.reason, "")[row], nothing)
    return Pulses(foot, rise, peak, height, reason)


def free_pulses(wave: Samples, *, sampling_rate: float) -> Pulses:
    """Find the pulses of a wave that is smoothed already, see `find_pulses`.

    Args:
        wave: Low-passed, NaN where missing. Shape (time,).
        sampling_rate: Hz.

    Returns:
        One row for each pulse found.
    """
    bounds = (-0.5 * _STEEPEST, 0.5 * _STEEPEST)
    return _pulses(wave, _upstrokes(wave, sampling_rate), sampling_rate, bounds)


def _pulses(
    wave: Samples,
    after: Float[np.ndarray, " event"],
    rate: float,
    bounds: tuple[float, float],
) -> Pulses:
    """Read the pulse after each event (samples), its rise within bounds (s)."""
    found = np.full((4, len(after)), np.nan)
    status = np.empty(len(after), dtype=np.int64)
    _read_pulses(wave, after, rate, *bounds, found, status)
    found[:3] /= rate
    foot, rise, peak, height = found
    return Pulses(foot, rise, peak, height, _REASONS[status])


def _upstrokes(wave: Samples, rate: float) -> Float[np.ndarray, " event"]:
    """Return the steepest sample of every upstroke, found without R peaks."""
    span = max(round(_SPAN * rate), 1)
    rise = np.empty(len(wave))
    _differences(wave, span, rise)
    width = max(round(_BLOCK * rate), 1)
    n_blocks = -(-len(wave) // width)
    highest = np.full(n_blocks, np.nan)
    _block_maxima(rise, width, highest)
    level = _median_around(highest)
    found = np.empty(len(wave) // 2 + 1, dtype=np.int64)
    usual, count = np.zeros(n_blocks), 0
    for pause in (np.inf, _PAUSE):  # first to learn how fast the heart beats
        near = np.maximum(_APART * usual, _REFRACTORY * rate)
        count = _select(wave, rise, _SHARE * level, near, pause, width, found)
        usual = _usual_interval(found[:count], width, n_blocks)
    least = _EARLY * _SHARE * level
    places = np.empty(2 * count, dtype=np.int64)
    apart = round(_REFRACTORY * rate)
    count = _search_back(wave, rise, least, usual, width, apart, found[:count], places)
    _move_to_steepest(wave, places[:count], max(round(_STEEPEST * rate), 1))
    return places[:count].astype(np.float64)


def _usual_interval(
    places: Int[np.ndarray, " place"], width: int, n_blocks: int
) -> Float[np.ndarray, " block"]:
    """Return the median interval around each block, samples; 0 where none is known."""
    if len(places) < 3:
        return np.zeros(n_blocks)
    interval = np.diff(places).astype(np.float64)
    median = _median_around(interval)
    here = np.searchsorted(places, (np.arange(n_blocks) + 0.5) * width)
    return median[np.clip(here - 1, 0, len(median) - 1)]


def _median_around(
    values: Float[np.ndarray, " block"],
) -> Float[np.ndarray, " block"]:
    """Return the median of each block's neighbours that are known."""
    side = _NEIGHBOURS // 2
    padded = np.pad(values, side, constant_values=np.nan)
    around = np.sort(np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS))
    known = np.isfinite(around).sum(axis=1)
    rows = np.arange(len(values))
    low = around[rows, np.maximum(known - 1, 0) // 2]
    high = around[rows, np.minimum(known // 2, _NEIGHBOURS - 1)]
    return np.where(known > 0, 0.5 * (low + high), np.inf)


@compiled()
@no_type_check
def _differences(wave: np.ndarray, span: int, rise: np.ndarray) -> None:
    """Write mean after minus mean before each sample, NaN near gaps and ends."""
    n = len(wave)
    rise[:] = np.nan
    begin = 0
    while begin < n:
        if not np.isfinite(wave[begin]):
            begin += 1
            continue
        end = begin
        while end < n and np.isfinite(wave[end]):
            end += 1
        if end - begin > 2 * span:
            total = 0.0
            for k in range(1, span + 1):
                total += wave[begin + span + k] - wave[begin + span - k]
            for i in range(begin + span, end - span):
                rise[i] = total / span
                if i + span + 1 < end:
                    total += wave[i + span + 1] - wave[i + 1]
                    total -= wave[i] - wave[i - span]
        begin = end


@compiled()
@no_type_check
def _block_maxima(rise: np.ndarray, width: int, highest: np.ndarray) -> None:
    for i in range(len(rise)):
        block = i // width
        if np.isfinite(rise[i]) and not rise[i] <= highest[block]:
            highest[block] = rise[i]


@compiled()
@no_type_check
def _select(
    wave: np.ndarray,
    rise: np.ndarray,
    least: np.ndarray,
    near: np.ndarray,
    pause: float,
    width: int,
    places: np.ndarray,
) -> int:
    """Write where the rise is highest around; return how many there are.

    Least rise and distance (samples) are those of blocks of a width. Of two maxima
    that are near the higher one stays; of two less near one that is much lower goes,
    unless a pause (in parts of the distance) follows it.
    """
    count, early = 0, -1
    for i in range(1, len(rise) - 1):
        here, block = rise[i], i // width
        if not (here > _ROUNDING * abs(wave[i]) and here >= _EARLY * least[block]):
            continue
        if rise[i - 1] >= here or rise[i + 1] > here:
            continue
        keep = here >= least[block]
        while count and i - places[count - 1] < _FAR * near[block]:
            last = rise[places[count - 1]]
            close = i - places[count - 1] < near[block]
            if last < here if close else last < _WEAK * here:
                count -= 1
                continue
            keep = keep and not close and here >= _WEAK * last
            if not keep and i - places[count - 1] >= _SOON * near[block]:
                early = i
            break
        if keep:
            if count and early > places[count - 1] and i - early >= pause * near[block]:
                places[count] = early
                count += 1
            places[count] = i
            count += 1
    return count


@compiled()
@no_type_check
def _search_back(
    wave: np.ndarray,
    rise: np.ndarray,
    least: np.ndarray,
    usual: np.ndarray,
    width: int,
    apart: int,
    found: np.ndarray,
    places: np.ndarray,
) -> int:
    """Write the places found and, where one is missing between two, the one there.

    It is at least so many samples apart from both.

    Returns:
        How many there are.
    """
    count = 0
    for k in range(len(found)):
        here = found[k]
        if k:
            gap = here - found[k - 1]
            block = (here + found[k - 1]) // 2 // width
            if _LONG[0] * usual[block] <= gap <= _LONG[1] * usual[block]:
                first = found[k - 1] + max(int(_MIDDLE[0] * gap), apart)
                last = min(found[k - 1] + int(_MIDDLE[1] * gap), here - apart)
                best, place = max(least[block], _ROUNDING * abs(wave[here])), -1
                for i in range(first, last + 1):  # NaN is never higher
                    if rise[i] >= best and rise[i - 1] < rise[i] >= rise[i + 1]:
                        best, place = rise[i], i
                if place >= 0:
                    places[count] = place
                    count += 1
        places[count] = here
        count += 1
    return count


@compiled()
@no_type_check
def _move_to_steepest(wave: np.ndarray, places: np.ndarray, near: int) -> None:
    """Move places to the steepest sample near them."""
    for k in range(len(places)):
        best, steepest = -np.inf, places[k]
        first = max(places[k] - near, 1)
        for i in range(first, min(places[k] + near + 1, len(wave) - 1)):
            slope = wave[i + 1] - wave[i - 1]
            if slope > best:
                best, steepest = slope, i
        places[k] = steepest


@compiled()
@no_type_check
def _read_pulses(
    wave: np.ndarray,
    after: np.ndarray,
    rate: float,
    earliest: float,
    latest: float,
    found: np.ndarray,
    status: np.ndarray,
) -> None:
    """Write foot, steepest rise, peak (samples) and height of the pulse of each event.

    The steepest rise lies ``earliest`` to ``latest`` s after it. The same steps as in
    `capnet.signal.feet.pulse_feet`.
    """
    n = len(wave)
    limit = np.inf  # beginning of the next event's search
    for row in range(len(after) - 1, -1, -1):
        if not np.isfinite(after[row]):
            status[row] = _NO_EVENT
            continue
        low, high = after[row] + earliest * rate, after[row] + latest * rate
        stop, limit = limit, low
        if low - 1.0 < 0.0 or high + 1.0 > n - 1:
            status[row] = _MISSING
            continue
        steepest, status[row] = _steepest(wave, low, high)
        if status[row] != _FOUND:
            continue
        left = _slope(wave, steepest - 1)
        middle = _slope(wave, steepest)
        right = _slope(wave, steepest + 1)
        offset = _offset(left, middle, right)
        steepness = middle - 0.25 * (left - right) * offset
        tangent = steepest + offset
        base, known = _base(wave, tangent, steepest, _LOOK_BACK * rate)
        if not known:
            status[row] = _MISSING
            continue
        height = _read(wave, tangent) - base
        first = max(int(after[row] + (min(earliest, 0.0) - _AROUND) * rate), 0)
        last = min(int(high + _AROUND * rate) + 1, n - 1)
        top, bottom = -np.inf, np.inf
        for i in range(first, last + 1):
            top, bottom = max(top, wave[i]), min(bottom, wave[i])
        foot = tangent - height / steepness
        least = max(_LEAST_RISE * (top - bottom), _ROUNDING * abs(base))
        if not (height > least and foot >= 0.0):
            status[row] = _NO_RISE
            continue
        found[0, row], found[1, row] = foot, tangent
        last = int(min(tangent + _CREST * rate, stop))
        peak, status[row] = _peak(wave, steepest, last)
        if status[row] == _FOUND:
            left, middle, right = wave[peak - 1], wave[peak], wave[peak + 1]
            offset = _offset(left, middle, right)
            found[2, row] = peak + _summit(wave, peak, max(round(_SUMMIT * rate), 1))
            found[3, row] = middle - 0.25 * (left - right) * offset - base


@compiled()
@no_type_check
def _summit(wave: np.ndarray, peak: int, side: int) -> float:
    """Return where the parabola fitted around a peak turns, samples after it.

    Over three samples it would follow what noise the filter leaves.
    """
    side = min(side, peak, len(wave) - 1 - peak)
    n = 2 * side + 1
    second, fourth, slope, level, bend = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(-side, side + 1):
        value = wave[peak + k] - wave[peak]
        square = float(k * k)
        second += square
        fourth += square * square
        level += value
        slope += k * value
        bend += square * value
    curve = (n * bend - second * level) / (n * fourth - second * second)
    if not curve < 0.0:  # a corner, or samples are missing
        return _offset(wave[peak - 1], wave[peak], wave[peak + 1])
    return min(max(-0.5 * slope / second / curve, -float(side)), float(side))


@compiled()
@no_type_check
def _slope(wave: np.ndarray, i: int) -> float:
    """Return the slope at a sample, as `numpy.gradient` has it."""
    if i <= 0:
        return wave[1] - wave[0]
    if i >= len(wave) - 1:
        return wave[-1] - wave[-2]
    return 0.5 * (wave[i + 1] - wave[i - 1])


@compiled()
@no_type_check
def _offset(left: float, middle: float, right: float) -> float:
    """Return where the parabola through three samples turns, samples."""
    bend = left - 2.0 * middle + right
    if bend == 0.0:
        return 0.0
    return min(max(0.5 * (left - right) / bend, -1.0), 1.0)


@compiled()
@no_type_check
def _read(wave: np.ndarray, position: float) -> float:
    """Read the wave between samples, see `capnet.signal.interpolate`."""
    last = len(wave) - 1
    index = int(np.floor(position))
    t = position - index
    a, b = wave[min(max(index - 1, 0), last)], wave[min(max(index, 0), last)]
    c, d = wave[min(max(index + 1, 0), last)], wave[min(max(index + 2, 0), last)]
    cubic = 1.5 * (b - c) + 0.5 * (d - a)
    square = a - 2.5 * b + 2.0 * c - 0.5 * d
    return b + t * (0.5 * (c - a) + t * (square + t * cubic))


@compiled()
@no_type_check
def _steepest(wave: np.ndarray, low: float, high: float) -> tuple[int, int]:
    """Return the steepest sample of a search, and whether it is one."""
    best, place = -np.inf, 0
    for i in range(int(np.ceil(low)), int(np.floor(high)) + 1):
        slope = _slope(wave, i)
        if not np.isfinite(slope):
            return 0, _MISSING
        if slope > best:
            best, place = slope, i
    # at the border of the search the real steepest rise may lie outside of it
    if best <= 0.0 or _slope(wave, place - 1) > best or _slope(wave, place + 1) > best:
        return place, _NO_RISE
    return place, _FOUND


@compiled()
@no_type_check
def _base(
    wave: np.ndarray, tangent: float, steepest: int, back: float
) -> tuple[float, bool]:
    """Return the minimum before a tangent, and whether all samples are known."""
    begin = tangent - back
    first = max(int(np.ceil(begin)), 0)
    lowest = first
    for i in range(first, steepest + 1):
        if not np.isfinite(_slope(wave, i)):
            return 0.0, False
        if wave[i] < wave[lowest]:
            lowest = i
    inner = wave[lowest]
    if lowest > 0 and wave[lowest - 1] > inner:
        left, right = wave[lowest - 1], wave[lowest + 1]
        offset = _offset(left, inner, right)
        inner = min(inner, inner - 0.25 * (left - right) * offset)
    if begin >= 0.0:
        edge = _read(wave, begin)
        if edge < inner:
            inner = edge
    return inner, True


@compiled()
@no_type_check
def _peak(wave: np.ndarray, steepest: int, last: int) -> tuple[int, int]:
    """Return the highest sample after the steepest one, and whether it is a peak."""
    last = min(last, len(wave) - 2)
    place = steepest
    for i in range(steepest, last + 2):
        if not np.isfinite(wave[i]):
            return 0, _MISSING
        if i <= last and wave[i] > wave[place]:
            place = i
    if place == steepest or wave[place + 1] > wave[place]:
        return place, _NO_PEAK
    return place, _FOUND
