"""Heart beats of a record: when each begins, and where its pulse is to be sought."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from capnet.errors import RecordError
from capnet.records import Record
from capnet.signal.arrival import GATE, pulse_of_each, usual_arrival
from capnet.signal.feet import pulse_feet
from capnet.signal.pulses import free_pulses
from capnet.signal.rpeaks import r_peaks
from capnet.signal.sampling import RATE
from capnet.types import PerBeat, Samples

__all__ = ["Events", "cut", "events_of", "feet_after", "feet_and_verdict"]

_BEFORE_RISE: Final = 0.25
"""Without an ECG the steepest rise itself is known; the search starts this long
before it, s, and reaches from 0.2 to 0.3 s."""


@dataclass(frozen=True, eq=False)
class Events:
    """Where pulses are to be sought on a grid of `RATE`.

    Attributes:
        after: Beginning of each search, samples on the grid.
        earliest, latest: Bounds of the steepest rise after it, s.
        from_ecg: Whether ``after`` are R peaks.
        complaint: Why they are not although there is an ECG; empty otherwise.
    """

    after: PerBeat
    earliest: float
    latest: float
    from_ecg: bool
    complaint: str = ""


def events_of(
    record: Record, lead: str | None, *, smoothed: Samples, start: float
) -> Events:
    """Find R peaks, or the pulse wave's own rises where there is no readable ECG.

    Args:
        record: The record.
        lead: Name of the ECG channel; None without.
        smoothed: Pulse wave on a grid of `RATE`, low-passed. Shape (time,).
        start: Time of the grid's first sample, s.

    Raises:
        UnitError: If the sampling rate of the ECG is too low.
    """
    complaint = ""
    if lead is not None:
        signal = record.signal(lead)
        try:
            times = r_peaks(signal.values, sampling_rate=signal.sampling_rate)
        except RecordError as error:
            times, complaint = np.zeros(0), str(error)
        after = (times + signal.start - start) * RATE
        after = after[(after >= 0) & (after < len(smoothed))]
        if len(after) >= 2:
            return Events(after, *GATE, from_ecg=True)
        complaint = complaint or (
            f"{len(after)} heart beats found in {lead!r}; wanted at least 2. Pass "
            "another lead with ecg=..."
        )
    rises = free_pulses(smoothed, sampling_rate=RATE).rise
    rises = rises[np.isfinite(rises)]
    return Events((rises - _BEFORE_RISE) * RATE, 0.2, 0.3, False, complaint)


def cut(channel: Samples, begin: np.ndarray, *, width: int) -> np.ndarray:
    """Cut windows at whole samples; NaN beyond the ends.

    Args:
        channel: Shape (time,).
        begin: First sample of each window. Shape (beat,).
        width: Samples of a window.

    Returns:
        Windows. Shape (beat, width).
    """
    index = begin[:, None] + np.arange(width)
    inside = (index >= 0) & (index < len(channel))
    held = np.clip(index, 0, len(channel) - 1)
    windows: np.ndarray = np.where(inside, channel[held], np.nan)
    return windows


def feet_after(smoothed: Samples, events: Events) -> PerBeat:
    """Find the pulse foot of each event, samples on the grid, NaN where none is.

    The search follows what is usual in the channel, see `capnet.signal.arrival`.

    Args:
        smoothed: Pulse wave on the grid of the events, low-passed. Shape (time,).
        events: Where to search.
    """
    return feet_and_verdict(smoothed, events)[0]


def feet_and_verdict(smoothed: Samples, events: Events) -> tuple[PerBeat, str]:
    """Find feet as `feet_after` does, and say why their delay is no arrival time.

    Args:
        smoothed: Likewise.
        events: Likewise.

    Returns:
        Feet, and the verdict, empty if the delay can be a pulse arrival time.
    """
    free = free_pulses(smoothed, sampling_rate=RATE)
    times, gate = events.after / RATE, (events.earliest, events.latest)
    shift, verdict = usual_arrival(times, free.foot, free.rise, gate=gate)
    if not np.isfinite(shift):
        row = pulse_of_each(times, free.rise, after=events.earliest)
        held = np.append(free.foot, np.nan)
        return np.where(row >= 0, held[row], np.nan) * RATE, verdict
    after = events.after + shift * RATE
    margin = round(0.2 * RATE)
    begin = np.floor(after).astype(np.int64) - margin
    width = 2 * margin + round(events.latest * RATE) + 2
    found = pulse_feet(
        cut(smoothed, begin, width=width),
        after - begin,
        sampling_rate=RATE,
        earliest=events.earliest,
        latest=events.latest,
    )
    feet: PerBeat = found + begin
    return feet, verdict
