"""Tachogram: the heart rate of windows, from the times of any events of the heart.

R peaks and pulse feet give the same rate where both are right, so that channels can be
held against each other.
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from capnet.errors import ConfigError
from capnet.signal.transit import Events, checked_times

__all__ = ["HeartRates", "heart_rate"]

PLAUSIBLE: Final = (0.3, 2.0)
"""s between two beats: 200 to 30 bpm."""

LEAST_INTERVALS: Final = 3
"""From which a median means something."""

ALIKE: Final = 0.25
"""Relative deviation from the median up to which an interval agrees with it. A missed
beat doubles an interval, one too many halves it."""

COVERED: Final = 0.7
"""Part of the window, less an interval at its ends, that must be covered by intervals
that agree with the median."""

_BLOCK: Final = 4096
"""Windows handled at once, to bound memory."""


class HeartRates(NamedTuple):
    """Heart rate of windows.

    Attributes:
        start: Of each window, s. Shape (window,).
        rate: bpm; NaN where it cannot be told. Shape (window,).
        n: Plausible intervals in the window. Shape (window,).
        reason: Why the rate is NaN; empty otherwise. Shape (window,).
    """

    start: Float[np.ndarray, " window"]
    rate: Float[np.ndarray, " window"]
    n: Int[np.ndarray, " window"]
    reason: Shaped[np.ndarray, " window"]


def heart_rate(
    events: Events, *, window: float, step: float, duration: float
) -> HeartRates:
    """Return the heart rate of windows, from the intervals that agree with each other.

    An interval counts where both of its events lie in the window and it lasts 0.3 to
    2 s. The rate is 60 over the mean of those within 25 % of their median: a missed
    beat is forgiven, and where none is, errors of all events but the first and the last
    cancel. Where they cover less than 70 % of the window less one interval, there is
    no rate.

    Args:
        events: R peaks or pulse feet, s since the start of the record, ascending, NaN
            where one was not found. Shape (event,).
        window: Length of a window, s.
        step: From one window to the next, s.
        duration: Of the record, s; windows lie whole within it.

    Returns:
        One row a window, none if the record is shorter; reasons are ``too few beats``
        and ``intervals disagree``.

    Raises:
        ConfigError: If a length is not positive.
        ShapeError: If the events are not ascending times.

    Example:
        >>> beats = np.arange(0.0, 60.0, 0.8)
        >>> heart_rate(beats, window=30.0, step=30.0, duration=60.0).rate
        array([75., 75.])
    """
    for name, value in (("window", window), ("step", step), ("duration", duration)):
        if not (np.isfinite(value) and value > 0.0):
            msg = f"{name} is {value!r} s; wanted a positive number."
            raise ConfigError(msg)
    times = checked_times(events, where="the events", missing=True)
    # an event that was not found leaves a long interval, which nobody believes
    times = times[np.isfinite(times)]
    count = max(int((duration - window) / step + 1e-9) + 1, 0)
    start = step * np.arange(count if duration >= window else 0)
    n = np.zeros(len(start), dtype=np.int64)
    covered, agreed, asked = (np.zeros(len(start)) for _ in range(3))
    interval = np.diff(times)
    plausible = (interval >= PLAUSIBLE[0]) & (interval <= PLAUSIBLE[1])
    usable = np.append(np.where(plausible, interval, np.nan), np.nan)
    for begin in range(0, len(start), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        first = np.searchsorted(times, start[rows])
        last = np.searchsorted(times, start[rows] + window) - 1
        index = first[:, None] + np.arange(max(int((last - first).max()), 1))
        inside = index < last[:, None]
        kept = np.where(inside, usable[np.minimum(index, len(usable) - 1)], np.nan)
        n[rows] = np.isfinite(kept).sum(axis=1)
        usual = _median(kept, n[rows])
        alike = np.abs(kept - usual[:, None]) <= ALIKE * usual[:, None]
        covered[rows] = np.where(alike, kept, 0.0).sum(axis=1)
        agreed[rows] = alike.sum(axis=1)
        asked[rows] = COVERED * (window - usual)
    few = n < LEAST_INTERVALS
    apart = covered < asked
    reason = np.select([few, apart], ["too few beats", "intervals disagree"], "")
    rate = np.full(len(start), np.nan)
    known = reason == ""
    rate[known] = 60.0 * agreed[known] / covered[known]
    return HeartRates(start, rate, n, reason)


def _median(
    values: Float[np.ndarray, "window interval"], n: Int[np.ndarray, " window"]
) -> Float[np.ndarray, " window"]:
    """Return the median of what is not NaN in each row; NaN where nothing is."""
    ordered = np.sort(values, axis=1)  # NaN last
    low, high = np.maximum(n - 1, 0) // 2, np.minimum(n // 2, values.shape[1] - 1)
    both = np.take_along_axis(ordered, np.stack([low, high], axis=1), axis=1)
    median: np.ndarray = both.mean(axis=1)
    return median
