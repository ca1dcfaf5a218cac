"""Whether an ECG and a pulse wave run on the same clock: a verdict, never a shift.

Monitors join channels of different origin, and the delay between them may change by up
to half a second within one record. What the heart does is slow beside that: the pulse
arrival time moves by tens of milliseconds within a minute. So the lag at which pulses
follow R peaks is tracked through the record: a sudden change is a jump, a steady one a
drift.
"""

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import correlate1d

from capnet.errors import ShapeError
from capnet.signal.transit import ARRIVAL, Events, checked_times
from capnet.types import PerBeat, Times

__all__ = ["Synchrony", "judge_synchrony"]

_WINDOW: Final = 20.0
"""s, in which the lag is one number."""

_BIN: Final = 0.01
"""s of lag."""

_LAGS: Final = (-1.5, 2.0)
"""s of lag that are looked at; further off, the lag comes back by a whole beat."""

_KERNEL: Final = (0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5)
"""What counts as the same lag: 25 ms to each side whole, then half."""

_CREEP: Final = 4
"""Bins by which the lag may change from one window to the next without a jump, 7 s an
hour; what exercise does in its first minute is 20 ms in 20 s."""

_JUMP_COST: Final = 0.3
"""Of one window's matches; a jump must explain more than that."""

_LEAST_JUMP: Final = 0.06
"""s; what is less is breathing, posture or noise."""

_LEAST_STAY: Final = 2
"""Windows that a lag must last on each side of a jump; pulses that are missed or taken
for others in a burst of movement come back sooner."""

_LEAST_MATCH: Final = 0.35
"""Of the beats of a record that must share the lag of their window: events that have
nothing to do with each other reach 0.25 by chance."""

LEAST_BEATS: Final = 10
"""Pairs from which anything can be told."""

LEAST_DRIFT: Final = 0.075
"""s by which a drift must change the lag within the record."""

_STRAIGHT: Final = 0.7
"""Part of the lag's variance that a straight line must explain to be a drift: clocks
run off steadily, people do not."""

_AS_GOOD: Final = 0.75
"""Part of the matches at the best lag from which another one explains the record, too:
where the heart beats evenly, the pulse before fits as well."""

_RATES: Final = np.arange(2.0, 21.0) * 1e-3
"""s a second, either way, of clocks so far apart that the lag moves within a window by
more than `_KERNEL` forgives; 2 % is a sampling rate that is wrong."""

_CLEARER: Final = 0.15
"""Of the beats that such a rate must explain beyond those that no rate does."""

_AS_MUCH: Final = 0.02
"""Of the beats, by which the best of those rates may differ."""

_BEYOND: Final = 3.0
"""s that an event may lie beyond the ends of the record: channels that start later, or
a foot whose tangent begins before."""

Lags = Float[np.ndarray, " window"]
Path = Int[np.ndarray, " window"]
Matches = Float[np.ndarray, "window lag"]
Delays = Float[np.ndarray, "event pulse"]
Feet = Float[np.ndarray, " foot"]
Jumps = Float[np.ndarray, " jump"]
Places = Int[np.ndarray, " event"]


class Synchrony(NamedTuple):
    """How pulses follow R peaks.

    Attributes:
        verdict: Empty, or why times between the channels cannot be used.
        offset: Median time from R peak to foot, s; NaN where none can be told.
        drift: Steady change of it, jumps apart, s per hour; NaN with fewer than three
            windows of 20 s, unless it is so fast that it shows within them.
        jumps: When it changes suddenly, s. Shape (jump,).
        sizes: By how much, s. A jump by more than half a beat may be told as one the
            other way: the pulse of the neighbouring beat is nearer. Shape (jump,).
        spread: Robust standard deviation of the time from R peak to foot within
            windows, s.
    """

    verdict: str
    offset: float
    drift: float
    jumps: Jumps
    sizes: Jumps
    spread: float


def judge_synchrony(r_peaks: Events, feet: Events, *, duration: float) -> Synchrony:
    """Judge whether the delay between R peaks and pulse feet stays what it is.

    Feet should come from a search without the R peaks (`find_pulses` without
    ``r_peaks``): a search that the ECG gates finds nothing where a delay has moved.

    A constant delay that leaves the arrival time between 0.08 and 0.5 s cannot be
    seen, nor one of whole beats where the heart beats evenly. A drift is told once it
    has moved the lag by 75 ms within the record. Nothing is shifted.

    Args:
        r_peaks: s since the start of the record, ascending. Shape (event,).
        feet: Pulse feet on the same clock, s, NaN where none was found. Shape (foot,).
        duration: Of the record, s.

    Returns:
        The verdict and what it rests on.

    Raises:
        ShapeError: If times are not ascending, or the duration is not positive or
            shorter than they need.
    """
    peaks = checked_times(r_peaks, where="the R peaks")
    found = checked_times(feet, where="the pulse feet", missing=True)
    found = found[np.isfinite(found)]
    if not (np.isfinite(duration) and duration > 0.0):
        msg = f"the record lasts {duration!r} s; wanted a positive number."
        raise ShapeError(msg)
    for times, what in ((peaks, "an R peak"), (found, "a pulse foot")):
        outside = (times < -_BEYOND) | (times > duration + _BEYOND)
        if outside.any():
            msg = (
                f"{what} is at {times[outside][0]:g} s; wanted all within the record, "
                f"0 to {duration:g} s. Give times since the start of the record."
            )
            raise ShapeError(msg)
    nothing = np.zeros(0)
    if min(len(peaks), len(found)) < LEAST_BEATS:
        verdict = f"fewer than {LEAST_BEATS} R peaks or pulses"
        return Synchrony(verdict, np.nan, np.nan, nothing, nothing, np.nan)
    # windows without an R peak are left out
    held, window = np.unique(np.floor(peaks / _WINDOW), return_inverse=True)
    delays = _delays(peaks, found)
    matches, weight = _matches(delays, window)
    path = _track(matches)
    reached = matches[np.arange(len(path)), path]
    lag = _LAGS[0] + (path + 0.5) * _BIN
    near = _nearest(delays, lag[window])
    match = float((reached * weight).sum() / max(weight.sum(), 1.0))
    rate = _fast_drift(delays, peaks, window)
    if abs(rate) * duration >= LEAST_DRIFT:
        verdict = f"delay drifts by {3.6e6 * rate:+.0f} ms an hour"
        return Synchrony(verdict, np.nan, 3600.0 * rate, nothing, nothing, np.nan)
    if match < _LEAST_MATCH or not np.isfinite(near).any():
        verdict = "pulses do not follow the R peaks"
        return Synchrony(verdict, np.nan, np.nan, nothing, nothing, np.nan)
    medians = _medians(near, window, len(lag))
    jumps, sizes, stay = _jumps(
        path, medians, reached >= _LEAST_MATCH, peaks, window, delays
    )
    centred = near - medians[window]
    offset = float(np.nanmedian(near))
    spread = float(1.4826 * np.nanmedian(np.abs(centred)))
    drift, change, straight = _drift(held * (_WINDOW / 3600.0), medians, stay)
    verdict = ""
    if len(jumps):
        worst = np.abs(sizes).argmax()
        verdict = f"delay jumps by {1e3 * sizes[worst]:+.0f} ms at {jumps[worst]:.0f} s"
    elif abs(change) >= LEAST_DRIFT and straight >= _STRAIGHT:
        verdict = f"delay drifts by {1e3 * drift:+.0f} ms an hour"
    elif not (
        ARRIVAL[0] <= offset <= ARRIVAL[1]
        or _otherwise(matches, weight) >= _AS_GOOD * match
    ):
        verdict = f"pulses come {1e3 * offset:+.0f} ms after the R peaks"
    return Synchrony(verdict, offset, drift, jumps, sizes, spread)


def _delays(peaks: Times, feet: Feet) -> Delays:
    """Return how long after each R peak every pulse near it comes, s; NaN-padded."""
    first, last = (np.searchsorted(feet, peaks + lag) for lag in _LAGS)
    most = int(np.clip((last - first).max(initial=0), 1, 64))
    index = first[:, None] + np.arange(most)
    held = feet[np.minimum(index, len(feet) - 1)]
    return np.where(index < last[:, None], held - peaks[:, None], np.nan)


def _matches(delays: Delays, window: Places) -> tuple[Matches, Lags]:
    """Return which part of a window's beats has a pulse at each lag, and how many."""
    n_windows = int(window[-1]) + 1
    n_bins = round((_LAGS[1] - _LAGS[0]) / _BIN)
    known = np.isfinite(delays)
    place = np.floor((delays[known] - _LAGS[0]) / _BIN).astype(np.int64)
    row = np.broadcast_to(window[:, None], delays.shape)[known]
    flat = row * n_bins + np.clip(place, 0, n_bins - 1)
    count = np.bincount(flat, minlength=n_windows * n_bins).astype(np.float64)
    count = count.reshape(n_windows, n_bins)
    near = correlate1d(count, _KERNEL, axis=1, mode="constant")
    beats = np.bincount(window, minlength=n_windows)
    reached = np.bincount(window, weights=known.any(axis=1), minlength=n_windows)
    weight: Lags = np.minimum(beats, reached)
    # a window with one or two beats has no say
    return np.minimum(near / np.maximum(weight, 5.0)[:, None], 1.0), weight


def _fast_drift(delays: Delays, peaks: Times, window: Places) -> float:
    """Return the rate at which the lag moves within all windows, s a second, or zero.

    Lags of a window are told as if its clocks ran off at that rate from its middle on.
    """
    late = (peaks % _WINDOW - 0.5 * _WINDOW)[:, None]

    def explained(rate: float) -> float:
        matches, weight = _matches(delays - rate * late, window)
        best = float((matches.max(axis=1) * weight).sum())
        return best / max(float(weight.sum()), 1.0)

    still = explained(0.0)
    if still > 1.0 - _CLEARER:
        return 0.0
    rates = np.concatenate([-_RATES, _RATES])
    gain = np.array([explained(rate) for rate in rates]) - still
    if gain.max() < _CLEARER:
        return 0.0
    # rates that differ by what the kernel forgives explain as much
    return float(rates[gain >= gain.max() - _AS_MUCH].mean())


def _track(matches: Matches) -> Path:
    """Return the lag of each window, bins, that explains most at least jumps."""
    n_windows, n_bins = matches.shape
    lag = _LAGS[0] + (np.arange(n_bins) + 0.5) * _BIN
    # of two lags that are as good, the possible one
    bonus = 0.05 * ((lag >= ARRIVAL[0]) & (lag <= ARRIVAL[1]))
    origin = np.empty((n_windows, n_bins), dtype=np.int64)
    score = matches[0] + bonus
    steps = np.arange(-_CREEP, _CREEP + 1)
    # staying costs nothing and creeping next to nothing, so that ties stay
    toll = 1e-3 * np.abs(steps)[:, None]
    index = np.arange(n_bins)[None] + steps[:, None]
    inside = (index >= 0) & (index < n_bins)
    index = np.clip(index, 0, n_bins - 1)
    for row in range(1, n_windows):
        creep = np.where(inside, score[index] - toll, -np.inf)
        step = creep.argmax(axis=0)
        best = creep[step, np.arange(n_bins)]
        top = int(score.argmax())
        jump = score[top] - _JUMP_COST > best
        origin[row] = np.where(jump, top, index[step, np.arange(n_bins)])
        score = matches[row] + bonus + np.where(jump, score[top] - _JUMP_COST, best)
    path = np.empty(n_windows, dtype=np.int64)
    path[-1] = score.argmax()
    for row in range(n_windows - 1, 0, -1):
        path[row - 1] = origin[row, path[row]]
    return path


def _jumps(
    path: Path,
    lag: Lags,
    good: Bool[np.ndarray, " window"],
    peaks: Times,
    window: Places,
    delays: Delays,
) -> tuple[Jumps, Jumps, Path]:
    """Return times and sizes of lasting jumps, and to which stay each window belongs.

    ``lag`` is the path as the beats themselves have it, s, NaN where none matches;
    ``good`` says whether a window's beats agree upon it.
    """
    part = np.concatenate([[0], np.cumsum(np.abs(np.diff(path)) > _CREEP)])
    lasting = np.bincount(part, weights=good) >= _LEAST_STAY
    stay = np.where(lasting[part] & np.isfinite(lag), part, -1)
    times, sizes = [], []
    kept = np.unique(stay[stay >= 0])
    for before, after in pairwise(kept):
        old, new = np.flatnonzero(stay == before), np.flatnonzero(stay == after)
        here, there = np.median(lag[old[-3:]]), np.median(lag[new[:3]])
        if abs(there - here) < _LEAST_JUMP:
            continue
        rows = np.flatnonzero((window >= old[-1] - 1) & (window <= new[0] + 1))
        fits = [
            np.isfinite(_nearest(delays[rows], np.full(len(rows), level)))
            for level in (here, there)
        ]
        # beats before the jump fit the old lag, those after it the new one
        gain = np.concatenate([[0], np.cumsum(fits[0].astype(int) - fits[1])])
        cut = rows[min(int(gain.argmax()), len(rows) - 1)]
        times.append(float(peaks[cut]))
        sizes.append(float(there - here))
    return np.array(times), np.array(sizes), stay


def _nearest(delays: Delays, lag: np.ndarray) -> PerBeat:
    """Return the delay of each beat that is nearest to a lag; NaN if none is near."""
    off = np.abs(np.where(np.isfinite(delays), delays, np.inf) - lag[:, None])
    best = off.argmin(axis=1)[:, None]
    near = np.take_along_axis(off, best, axis=1)[:, 0] < 0.5 * _LEAST_JUMP
    return np.where(near, np.take_along_axis(delays, best, axis=1)[:, 0], np.nan)


def _medians(values: PerBeat, window: Places, n_windows: int) -> Lags:
    """Return the median of each window; NaN where it has no value."""
    known = np.isfinite(values)
    count = np.bincount(window[known], minlength=n_windows)
    order = np.lexsort((values[known], window[known]))
    ordered = np.append(values[known][order], np.nan)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    low, high = first + np.maximum(count - 1, 0) // 2, first + count // 2
    last = len(ordered) - 1
    middle = 0.5 * (ordered[np.minimum(low, last)] + ordered[np.minimum(high, last)])
    return np.where(count > 0, middle, np.nan)


def _drift(hours: Lags, lag: Lags, stay: Path) -> tuple[float, float, float]:
    """Return a steady change of the lag (s) over time (h) within its stays.

    Returns:
        Slope (s an hour), what it adds up to (s), and which part of the variance a
        straight line explains; NaN and zeros with fewer than three windows.
    """
    rows = np.flatnonzero(stay >= 0)
    if len(rows) < 3:
        return np.nan, 0.0, 0.0
    part = np.unique(stay[rows], return_inverse=True)[1]
    size = np.bincount(part)
    hours = hours[rows]
    time, value = (
        x - (np.bincount(part, weights=x) / size)[part] for x in (hours, lag[rows])
    )
    power = float((time**2).sum())
    if power == 0.0:
        return np.nan, 0.0, 0.0
    slope = float((time * value).sum()) / power
    total = float((value**2).sum())
    straight = slope**2 * power / total if total > 0.0 else 0.0
    return slope, slope * float(hours[-1] - hours[0]), straight


def _otherwise(matches: Matches, weight: Lags) -> float:
    """Return the part of the beats that a possible arrival time would explain."""
    low, high = (round((edge - _LAGS[0]) / _BIN) for edge in ARRIVAL)
    best = matches[:, low:high].max(axis=1)
    return float((best * weight).sum() / weight.sum())
