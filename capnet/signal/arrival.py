"""Where the pulse of each heart beat is to be sought, as the recording itself says.

Anatomy lets the pulse arrive within half a second of the R peak, monitors do not: many
show the pulse wave later than the ECG, by a delay of their own that may exceed a beat.
So the usual delay of the pulses that a free search finds is told first. Where it lies
in the gate that anatomy gives, that gate stands; elsewhere the gate is moved to it, and
where there is no usual delay the free search has the word. What such a delay holds
besides the pulse's travel nobody knows: it is no arrival time.
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from capnet.signal.synchrony import LEAST_BEATS, LEAST_DRIFT, judge_synchrony
from capnet.signal.transit import ARRIVAL

__all__ = ["GATE", "Arrival", "pulse_of_each", "usual_arrival"]

Events = Float[np.ndarray, " event"]
Found = Float[np.ndarray, " pulse"]

GATE: Final = (0.05, 0.45)
"""s after an R peak within which the steepest rise of its pulse is sought."""

_MOST: Final = 0.9
"""Part of the pulses that a gate holds which need not be moved."""

_LONGEST: Final = 2.0
"""s from one heart beat to the next at most, see `capnet.signal.gate`."""


class Arrival(NamedTuple):
    """Where to seek pulses.

    Attributes:
        shift: By which the gate is moved, s; zero where it need not be, NaN where
            pulses have no usual delay.
        verdict: Why the delay is no pulse arrival time; empty if it can be one.
    """

    shift: float
    verdict: str


def usual_arrival(
    events: Events, feet: Found, rises: Found, *, gate: tuple[float, float]
) -> Arrival:
    """Tell how long after the heart beats of a recording its pulses usually come.

    The delay is that of `judge_synchrony`: the one at which most beats have a pulse,
    tracked through the recording, where one of 0.08 to 0.5 s is preferred to others
    that fit as well, as all multiples of the RR interval do in an even rhythm.

    Args:
        events: R peaks, s, ascending. Shape (event,).
        feet: Pulse feet found without them, s, on the same clock, NaN where unknown.
            Shape (pulse,).
        rises: Steepest rises of the same pulses, likewise. Shape (pulse,).
        gate: s after an event, between which the steepest rise is sought by default.

    Returns:
        The shift of the gate. It is zero with fewer than ten beats or pulses, NaN where
        pulses do not follow the beats, or at a delay that jumps or drifts out of the
        gate. A delay after the next R peak may as well be a shorter one of that.
    """
    known = np.isfinite(feet) & np.isfinite(rises)
    late = float(np.median((rises - feet)[known])) if known.any() else 0.0
    feet = np.sort(feet[known])
    if min(len(events), len(feet)) < LEAST_BEATS:
        return Arrival(0.0, "")
    start = min(float(events[0]), float(feet[0]))
    lasts = max(float(events[-1]), float(feet[-1])) - start + 1.0
    told = judge_synchrony(events - start, feet - start, duration=lasts)
    if len(told.jumps) or not np.isfinite(told.offset):
        return Arrival(np.nan, told.verdict)
    steepest = told.offset + late
    change = abs(np.nan_to_num(told.drift)) * float(np.ptp(events)) / 3600.0
    side = 0.5 * change if change >= LEAST_DRIFT else 0.0
    possible = ARRIVAL[0] <= told.offset - side
    if possible and _held(events, rises[known], steepest, gate) >= _MOST:
        return Arrival(0.0, "")
    if side > 0.0:
        return Arrival(np.nan, f"delay drifts by {1e3 * told.drift:+.0f} ms an hour")
    latest = min(ARRIVAL[1], float(np.median(np.diff(events))))
    possible &= told.offset + 2.0 * told.spread <= latest
    verdict = f"pulses come {1e3 * told.offset:+.0f} ms after the R peaks"
    return Arrival(steepest - 0.5 * sum(gate), "" if possible else verdict)


def _held(
    events: Events, rises: Found, usual: float, gate: tuple[float, float]
) -> float:
    """Return which part of the rises at the usual delay lies in the gate."""
    expected = events + usual
    edges = np.concatenate([[-np.inf], rises, [np.inf]])
    after = np.searchsorted(rises, expected)
    off = np.stack([edges[after], edges[after + 1]]) - expected
    late = usual + off[np.abs(off).argmin(axis=0), np.arange(len(events))]
    near = np.abs(late - usual) <= 0.5 * (GATE[1] - GATE[0])
    inside = near & (late >= gate[0]) & (late <= gate[1])
    return float(inside.sum()) / max(int(near.sum()), 1)


def pulse_of_each(
    events: Events, rises: Found, *, after: float
) -> Int[np.ndarray, " event"]:
    """Return which pulse comes between each heart beat and the next one.

    Args:
        events: R peaks, s, ascending. Shape (event,).
        rises: Steepest rises of pulses on the same clock, s, ascending, NaN where
            unknown. Shape (pulse,).
        after: s after an event, from which on a rise is its own.

    Returns:
        Row of the only pulse between; -1 where there is none or more than one. The
        last beat has 2 s. Shape (event,).
    """
    begin = events + after
    end = np.minimum(np.append(begin[1:], np.inf), begin + _LONGEST)
    known = np.flatnonzero(np.isfinite(rises))
    first, last = (np.searchsorted(rises[known], edge) for edge in (begin, end))
    return np.where(last - first == 1, np.append(known, -1)[first], -1)
