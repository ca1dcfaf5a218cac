"""The true aortic pressure, beside the beats that it belongs to.

Recorded together with the pulse, each beat has its own aortic wave. From a pullback
minutes before or after, all beats of a person share the mean aortic beat, and then an
error of an estimate also holds what changed meanwhile; where heart rate or mean
pressure changed by more than a bound, there is no reference.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from capnet.errors import RecordError
from capnet.records import Beats, Record
from capnet.signal.calibration import average_beats
from capnet.signal.events import Events, events_of, feet_after
from capnet.signal.line import abp_verdict, line_on_grid, line_waves
from capnet.signal.sampling import RATE
from capnet.signal.smoothing import smoothed
from capnet.types import N_POINTS, BeatWaves, PerBeat, ReferenceType, Samples

__all__ = [
    "HR_CHANGE",
    "LEAST_BEATS",
    "MAP_CHANGE",
    "Change",
    "Pullback",
    "arrival",
    "change_between",
    "pullback",
    "simultaneous_waves",
    "with_references",
]

LEAST_BEATS: Final = 5
"""Plausible aortic beats that a mean needs: a breath has four or five."""

HR_CHANGE: Final = 0.15
"""Relative change of heart rate between reference and pulse above which there is no
reference. A declared assumption, as the next one: two SDs or more of what the virtual
catheter laboratory (configs/clinic/catheter_lab.yaml) lets people wander."""

MAP_CHANGE: Final = 15.0
"""mmHg, likewise of the mean pressure, in which two zeros and two levellings by eye
err, too."""

IRREGULAR: Final = 0.25
"""Relative distance from the median interval beyond which a beat is no part of a mean:
an extrasystole comes earlier than that, and a pause follows it."""

MOVED: Final = 0.025
"""s by which the arrival of the pulse may differ between the two halves of a pullback;
at 8 m/s the tip of a catheter that moved changes it by that much in 20 cm."""

_BEFORE: Final = 0.5
"""s before the foot of a pulse at the finger within which its aortic foot lies."""

_SAME: Final = 0.02
"""s within which two R peaks are one."""


@dataclass(frozen=True, eq=False)
class Pullback:
    """The mean aortic beat of a recording.

    Attributes:
        wave: Foot to foot, mmHg. Shape (64,).
        beats: That went into it.
        hr: Median heart rate, bpm.
        mean: MAP of the mean beat, mmHg.
        arrival: Median time from R peak to foot, s; NaN without an ECG.
    """

    wave: Float[np.ndarray, " point"]
    beats: int
    hr: float
    mean: float
    arrival: float


@dataclass(frozen=True)
class Change:
    """What changed between the reference and the pulse.

    Attributes:
        hr: Pulse minus reference, bpm.
        hr_share: The same as a part of the heart rate at the reference.
        mean: Mean pressure of the arterial line minus that of the aorta, mmHg; NaN
            without a line.
        reason: Why there is no reference; empty where there is. Without a line, only
            the heart rate is held against its bound.
    """

    hr: float
    hr_share: float
    mean: float
    reason: str


def _aortic(record: Record, aortic: str, lead: str | None) -> tuple[Samples, Events]:
    """Put the pressure on the grid of beats, and find where they are."""
    signal = record.signal(aortic)
    start, stop = signal.start, signal.start + signal.duration
    pressure = line_on_grid(record, aortic, start=start, stop=stop)
    smooth = smoothed(pressure, sampling_rate=RATE)
    return pressure, events_of(record, lead, smoothed=smooth, start=start)


def _arrivals(pressure: Samples, events: Events) -> PerBeat:
    """Time from each R peak to the foot, s; NaN where there is no such peak or foot."""
    if not events.from_ecg:
        return np.full(len(events.after), np.nan)
    feet = feet_after(smoothed(pressure, sampling_rate=RATE), events)
    late: PerBeat = (feet - events.after) / RATE
    return late


def _median(values: PerBeat) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan


def arrival(record: Record, line: str) -> float:
    """Return how long after the R peak the pulse reaches a pressure line.

    The aorta comes first, then a femoral line and the arm: what a channel is called
    does not change that.

    Args:
        record: With the pressure, and perhaps an ECG.
        line: Name of the pressure.

    Returns:
        The median, s; NaN without an ECG, or where its channels share no clock.
    """
    if record.sync == "untrusted":
        return math.nan
    return _median(_arrivals(*_aortic(record, line, record.find("ecg"))))


def simultaneous_waves(record: Record, beats: Beats, *, aortic: str) -> BeatWaves:
    """Cut the aortic pressure of a record for each of its beats.

    With an ECG, a beat and its aortic wave follow the same R peak; without, the aortic
    foot is the last one in the half second before the foot of the pulse.

    Args:
        record: With a PPG, an aortic pressure and perhaps an ECG on one clock.
        beats: Of this record, see `capnet.signal.beats_of`.
        aortic: Name of the aortic pressure.

    Returns:
        From each beat's aortic foot to the next, mmHg, NaN where there is none that an
        artery gives. Shape (beat, 64).
    """
    found: BeatWaves = np.full((len(beats), N_POINTS), np.nan)
    if not len(beats) or abp_verdict(record, abp=aortic):
        return found
    peaks = beats.features["r_peak"]
    by_peak = bool(np.isfinite(peaks).any())
    lead = record.find("ecg") if by_peak else None
    pressure, events = _aortic(record, aortic, lead)
    if len(events.after) < 2 or events.from_ecg != by_peak:
        return found
    start = record.signal(aortic).start
    waves = line_waves(pressure, events)
    if by_peak:
        row = _last(start + events.after[:-1] / RATE, peaks + _SAME, within=2 * _SAME)
    else:
        feet = feet_after(smoothed(pressure, sampling_rate=RATE), events)
        row = _last(start + feet[:-1] / RATE, beats.time, within=_BEFORE)
    found[row >= 0] = waves[row[row >= 0]]
    return found


def _last(times: PerBeat, limits: PerBeat, *, within: float) -> np.ndarray:
    """Return for each limit the row of the last time before it, -1 if too early."""
    known = np.flatnonzero(np.isfinite(times))
    order = known[np.argsort(times[known], kind="stable")]
    at = np.searchsorted(times[order], limits, side="right") - 1
    if not len(order):
        return np.full(len(limits), -1)
    row = order[np.maximum(at, 0)]
    near = (at >= 0) & (limits - times[row] <= within)
    return np.where(near, row, -1)


def pullback(record: Record, *, aortic: str) -> Pullback:
    """Average the aortic beats of a recording.

    Beats that no artery gives (those of a ventricle, too: their diastolic pressure) and
    those that come much too early or late are left out. Breathing is averaged over.

    Args:
        record: With an aortic pressure and perhaps an ECG.
        aortic: Name of the pressure.

    Raises:
        RecordError: If the pressure is none of an artery, holds too few beats, or was
            taken while the catheter moved.
        UnitError: If the sampling rate of the ECG is too low.
    """
    verdict = abp_verdict(record, abp=aortic)
    if verdict:
        msg = (
            f"channel {aortic!r} cannot be a reference: {verdict}. Correct its unit or "
            "zero, or take another part of the pullback."
        )
        raise RecordError(msg)
    pressure, events = _aortic(record, aortic, record.find("ecg"))
    interval = np.diff(events.after) / RATE
    waves = line_waves(pressure, events) if len(interval) else np.empty((0, N_POINTS))
    good = np.isfinite(waves).all(axis=1)
    good &= np.abs(interval - _median(interval)) <= IRREGULAR * _median(interval)
    if good.sum() < LEAST_BEATS:
        msg = (
            f"channel {aortic!r} has {int(good.sum())} plausible and regular beats; "
            f"wanted at least {LEAST_BEATS}. Record 10 s or more in the ascending "
            "aorta."
        )
        raise RecordError(msg)
    late = np.where(good, _arrivals(pressure, events)[:-1], np.nan)
    middle = int(np.flatnonzero(good)[good.sum() // 2])
    moved = abs(_median(late[middle:]) - _median(late[:middle]))
    if moved > MOVED:
        msg = (
            f"channel {aortic!r}: the pulse arrives {1e3 * moved:.0f} ms earlier or "
            f"later in the second half than in the first; wanted at most "
            f"{1e3 * MOVED:.0f} ms, with the catheter at one place. Cut out the part "
            "in the ascending aorta."
        )
        raise RecordError(msg)
    average = average_beats(waves[good], np.zeros(int(good.sum()), dtype=np.int64))
    wave = average.values[0]
    hr = 60.0 / _median(interval[good])
    return Pullback(wave, int(good.sum()), hr, float(wave.mean()), _median(late))


def change_between(reference: Pullback, beats: Beats) -> Change:
    """Say how far a person was from the state of the reference.

    Args:
        reference: The mean aortic beat.
        beats: Of the same person, recorded at another time; ``waves["abp"]`` gives the
            mean pressure, which hardly falls from the aorta to the arm.
    """
    good = beats.usable()
    if not len(good):
        return Change(math.nan, math.nan, math.nan, "no beat was accepted")
    hr = float(np.median(good.hr)) - reference.hr
    share, mean, reason = hr / reference.hr, math.nan, ""
    line = good.waves.get("abp")
    if line is not None and np.isfinite(line).any():
        mean = float(np.nanmedian(line.mean(axis=1))) - reference.mean
    if abs(share) > HR_CHANGE:
        reason = (
            f"heart rate is {abs(100 * share):.0f} % off that of the reference, wanted "
            f"at most {100 * HR_CHANGE:.0f} %"
        )
    elif abs(mean) > MAP_CHANGE:
        reason = (
            f"mean pressure is {abs(mean):.0f} mmHg off that of the aorta, wanted at "
            f"most {MAP_CHANGE:g} mmHg"
        )
    return Change(hr, share, mean, reason)


def with_references(
    beats: Beats, waves: BeatWaves, kind: ReferenceType, *, simultaneous: bool
) -> Beats:
    """Give beats their true aortic waves.

    Args:
        beats: Without a reference.
        waves: mmHg, NaN where unknown. Shape (beat, 64).
        kind: What kind of truth they are.
        simultaneous: Whether they are of the very same beats; it stands in
            ``truth["simultaneous"]`` as 1 or 0.
    """
    flag: PerBeat = np.full(len(beats), float(simultaneous))
    return beats.replace(
        reference=waves,
        reference_type=kind,
        truth={**beats.truth, "simultaneous": flag},
    )
