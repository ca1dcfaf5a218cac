"""Cut a record into gated beats: the unit of learning and of every benchmark."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import torch

from capnet.errors import RecordError, UnitError
from capnet.records import Beats, Cuff, Record, Signal
from capnet.signal.feet import pulse_feet
from capnet.signal.fir import LinearPhaseFIR, lowpass_taps
from capnet.signal.frontend import (
    LEAST_RATE,
    N_TAPS,
    RATE,
    beats_of_windows,
    smooth,
)
from capnet.signal.gate import LONGEST, judge_beats
from capnet.signal.grid import on_grid
from capnet.signal.interpolate import catmull_rom
from capnet.signal.pressure import (
    BeatPressures,
    beat_pressures,
    implausible_pressures,
    judge_pressure,
)
from capnet.signal.rises import steep_rises
from capnet.signal.rpeaks import r_peaks
from capnet.types import N_POINTS, BeatWaves, Labels, PerBeat, Samples, Windows
from capnet.units import pressure_factor

__all__ = ["abp_verdict", "beats_of", "cuffs_from_abp"]

CONTEXT: Final = N_TAPS // 2
"""Samples before a foot and after the next one that the front end's filter needs."""

WIDTH: Final = 2 * CONTEXT + round(LONGEST * RATE) + 8
"""Samples of a window of raw PPG: the longest beat and its context."""

_BEFORE_RISE: Final = 0.25
"""Without an ECG the steepest rise itself is known; the search starts this long
before it, s, and reaches from 0.2 to 0.3 s."""

_PRESSURE_CUTOFF: Final = 20.0
"""Hz; arterial pressure has nothing above it but noise and ringing of the line."""

_PRESSURE_TAPS: Final = 51
_READING: Final = 10.0
"""Seconds that one reading of a pseudo-cuff averages, as a monitor's display does."""

_READING_BEATS: Final = 5
"""Beats that a reading needs."""


@dataclass(frozen=True)
class _Events:
    """Where pulses are to be sought on the grid.

    Attributes:
        after: Beginning of each search, samples on the grid.
        earliest, latest: Bounds of the steepest rise after it, s.
        from_ecg: Whether ``after`` are R peaks.
    """

    after: PerBeat
    earliest: float
    latest: float
    from_ecg: bool


@cache
def _pressure_filter() -> LinearPhaseFIR:
    return LinearPhaseFIR(
        lowpass_taps(cutoff=_PRESSURE_CUTOFF, sampling_rate=RATE, n_taps=_PRESSURE_TAPS)
    )


def _level(channel: Samples) -> float:
    """A value that spares float32 a large offset; no gap further on changes it."""
    known = np.flatnonzero(np.isfinite(channel))
    return float(channel[known[0]]) if len(known) else 0.0


def _smooth_channel(channel: Samples) -> Samples:
    """Low-pass a whole channel as the front end does, gaps kept."""
    level = _level(channel)
    smoothed: Samples = smooth((channel - level)[None])[0].astype(np.float64)
    return smoothed + level


def _smooth_pressure(channel: Samples) -> Samples:
    level = _level(channel)
    row = torch.from_numpy((channel - level)[None].astype(np.float32))
    with torch.inference_mode():
        smoothed: Samples = _pressure_filter()(row)[0].numpy().astype(np.float64)
    return smoothed + level


def _cut(channel: Samples, begin: np.ndarray, *, width: int) -> np.ndarray:
    """Cut windows at whole samples; NaN beyond the ends."""
    index = begin[:, None] + np.arange(width)
    inside = (index >= 0) & (index < len(channel))
    held = np.clip(index, 0, len(channel) - 1)
    cut: np.ndarray = np.where(inside, channel[held], np.nan)
    return cut


def _feet(smoothed: Samples, events: _Events) -> PerBeat:
    """Find the foot after each event, samples on the grid."""
    margin = round(0.2 * RATE)
    begin = np.floor(events.after).astype(np.int64) - margin
    width = 2 * margin + round(events.latest * RATE) + 2
    windows = _cut(smoothed, begin, width=width)
    found = pulse_feet(
        windows,
        events.after - begin,
        sampling_rate=RATE,
        earliest=events.earliest,
        latest=events.latest,
    )
    feet: PerBeat = found + begin
    return feet


def _events(
    record: Record, ecg: str | None, *, smoothed: Samples, start: float
) -> _Events:
    """Find R peaks, or the pulse wave's own rises in a record without ECG."""
    name = ecg if ecg is not None else record.find("ecg")
    if name is None:
        rises = steep_rises(smoothed, sampling_rate=RATE)
        after, bounds = rises - _BEFORE_RISE * RATE, (0.2, 0.3)
    else:
        lead = record.signal(name)
        times = r_peaks(lead.values, sampling_rate=lead.sampling_rate) + lead.start
        after, bounds = (times - start) * RATE, (0.05, 0.45)
        after = after[(after >= 0) & (after < len(smoothed))]
    if len(after) < 2:
        msg = (
            f"record {record.subject!r}: {len(after)} heart beats found in "
            f"{'the pulse wave' if name is None else repr(name)}; wanted at least 2. "
            "Pass another lead with ecg=..."
        )
        raise RecordError(msg)
    return _Events(after, *bounds, from_ecg=name is not None)


def _light(record: Record, ppg: str | None) -> Signal:
    """Return the PPG if it is sampled often enough for the front end."""
    light = record.signal(ppg if ppg is not None else "ppg")
    if light.sampling_rate < LEAST_RATE:
        name = ppg if ppg is not None else record.find("ppg")
        msg = (
            f"record {record.subject!r}: the PPG {name!r} is sampled at "
            f"{light.sampling_rate:g} Hz; wanted at least {LEAST_RATE:g} Hz. Take a "
            "recording with the full waveform, or correct the rate in its header."
        )
        raise UnitError(msg)
    return light


def _on_own_grid(signal: Signal, *, record: Record, what: str) -> Samples:
    stop = signal.start + signal.duration
    grid = on_grid(signal, sampling_rate=RATE, start=signal.start, stop=stop)
    if not np.isfinite(grid).any():
        msg = f"record {record.subject!r}: {what} holds no valid sample."
        raise RecordError(msg)
    return grid


def abp_verdict(record: Record, *, abp: str | None = None) -> str:
    """Say why the record's arterial pressure cannot be used; empty if it can.

    Args:
        record: The record.
        abp: Name of the channel; found by the usual names by default.
    """
    name = abp if abp is not None else record.find("abp")
    if name is None:
        return "no arterial pressure channel"
    signal = record.signal(name)
    try:
        factor = pressure_factor(signal.unit, where=f"channel {name!r}")
    except UnitError:
        return f"channel {name!r} is in {signal.unit!r}, which is no unit of pressure"
    return judge_pressure(signal.values * factor, signal.sampling_rate)


def _pressure(record: Record, abp: str | None, *, start: float, stop: float) -> Samples:
    """Put a usable pressure channel on the grid, mmHg, smoothed at 20 Hz."""
    signal = record.signal(abp if abp is not None else "abp")
    factor = pressure_factor(signal.unit, where="arterial pressure")
    grid = on_grid(signal, sampling_rate=RATE, start=start, stop=stop)
    return _smooth_pressure(grid * factor)


def _pressure_beats(
    pressure: Samples, events: _Events
) -> tuple[PerBeat, PerBeat, BeatPressures]:
    """Feet, next feet (samples) and pressures of every beat; NaN where implausible."""
    feet = _feet(_smooth_channel(pressure), events)
    start, stop = feet[:-1], feet[1:]
    found = beat_pressures(pressure, start, stop)
    long = ~(stop - start <= LONGEST * RATE)
    found[implausible_pressures(found) | long] = np.nan
    return start, stop, found


def _resampled(channel: Samples, start: PerBeat, stop: PerBeat) -> BeatWaves:
    phase = np.arange(N_POINTS) / N_POINTS
    position = start[:, None] + phase * (stop - start)[:, None]
    return catmull_rom(channel[None], position)


def _pressure_waves(pressure: Samples, events: _Events) -> BeatWaves:
    start, stop, found = _pressure_beats(pressure, events)
    waves = _resampled(pressure, start, stop)
    good = np.isfinite(found).all(axis=1) & np.isfinite(waves).all(axis=1)
    return np.where(good[:, None], waves, np.nan)


def _cuffs(record: Record, time: PerBeat) -> tuple[np.ndarray, PerBeat, Labels]:
    """Latest reading at or before each beat: SBP, DBP (beat, 2), MAP and site."""
    readings = sorted(record.cuffs, key=lambda cuff: cuff.time)
    latest = np.searchsorted([cuff.time for cuff in readings], time, side="right") - 1
    rows = [(cuff.sbp, cuff.dbp, cuff.map or np.nan) for cuff in readings]
    values = np.array([*rows, (np.nan,) * 3])[latest]
    sites = np.array([cuff.site or "brachial" for cuff in readings] + ["brachial"])
    return values[:, :2], values[:, 2], sites[latest]


def beats_of(
    record: Record,
    *,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
) -> Beats:
    """Cut a record into beats, one row for every pair of heart beats.

    R peaks of the ECG (or, without ECG, the steep rises of the PPG) say where to look
    for the pulse feet; the front end makes 64 points from foot to foot; the gate says
    which beats to believe. Refused beats stay, with the reason. An arterial pressure
    becomes ``waves["abp"]`` (foot to foot of its own pulse, mmHg, NaN where a beat of
    it cannot be used); one that `abp_verdict` refuses is left out.

    Args:
        record: The record, with a PPG.
        ecg: Name of the ECG lead; found by the usual names by default.
        ppg: Name of the PPG; likewise.
        abp: Name of the arterial pressure; likewise.

    Returns:
        Beats with features ``pat`` (s, NaN without ECG), ``hr`` (bpm) and ``rr`` (s)
        from the heart beats, ``r_peak`` (s since the start of the record, NaN without
        ECG), ``cuff_map`` (mmHg, NaN where the reading has no mean). Where no foot was
        found, ``time`` is the R peak plus the median PAT.

    Raises:
        RecordError: If there is no PPG, a named channel is missing, or fewer than two
            heart beats are found.
        UnitError: If the sampling rate of the PPG (under 25 Hz) or of the ECG (under
            100 Hz) is too low.
    """
    light = _light(record, ppg)
    start = light.start
    grid = _on_own_grid(light, record=record, what="the PPG")
    smoothed = _smooth_channel(grid)
    events = _events(record, ecg, smoothed=smoothed, start=start)
    feet = _feet(smoothed, events)
    known = np.isfinite(feet)
    delay = np.median((feet - events.after)[known]) if known.any() else 0.2 * RATE
    expected = np.where(known, feet, events.after + delay)

    first = np.floor(expected[:-1]).astype(np.int64) - CONTEXT - 2
    raw = _cut(grid, first, width=WIDTH)
    begin, end = feet[:-1] - first, feet[1:] - first
    wave = beats_of_windows(raw, begin, end)
    rr = np.diff(events.after) / RATE
    pat = (feet - events.after)[:-1] / RATE
    pat = pat if events.from_ecg else np.full(len(rr), np.nan)
    subject = np.full(len(rr), record.subject)
    reason = judge_beats(raw, begin, end, wave, subject=subject, rr=rr, pat=pat)
    accepted = reason == ""
    raw = _without_gaps(raw, rows=accepted)

    time = start + expected[:-1] / RATE
    cuff, mean, site = _cuffs(record, time)
    waves: dict[str, BeatWaves] = {}
    if not abp_verdict(record, abp=abp):
        stop = start + len(grid) / RATE
        pressure = _pressure(record, abp, start=start, stop=stop)
        waves["abp"] = _pressure_waves(pressure, events)
    r_peak = start + events.after[:-1] / RATE
    return Beats(
        subject=subject,
        beat=np.arange(len(rr)),
        time=time,
        duration=(end - begin) / RATE,
        ppg=wave,
        age=np.full(len(rr), np.nan if record.age is None else float(record.age)),
        cuff=cuff,
        cuff_site=site,
        calibration=record.calibration,
        accepted=accepted,
        reason=reason,
        waves=waves,
        features={
            "pat": pat,
            "hr": 60.0 / rr,
            "rr": rr,
            "r_peak": r_peak if events.from_ecg else np.full(len(rr), np.nan),
            "cuff_map": mean,
        },
        raw=raw.astype(np.float32),
        start=begin,
        stop=end,
    )


def _without_gaps(raw: Windows, *, rows: np.ndarray) -> Windows:
    """Hold the last sample over what follows an accepted beat and is missing.

    The gate saw to it that all an accepted beat needs is there; what is still missing
    lies beyond the reach of the filter and does not change the beat.
    """
    missing = ~np.isfinite(raw)
    index = np.where(missing, 0, np.arange(raw.shape[1]))
    held = np.take_along_axis(raw, np.maximum.accumulate(index, axis=1), axis=1)
    return np.where(rows[:, None] & missing, held, raw)


def cuffs_from_abp(
    record: Record, *, every: float, ecg: str | None = None, abp: str | None = None
) -> tuple[Cuff, ...]:
    """Read the record's own arterial line as if it were a cuff.

    Every ``every`` seconds the medians of SBP, DBP and MAP over 10 s of plausible beats
    make one reading, stamped with the end of the 10 s, so that no beat is calibrated
    by its own future. The site of the line is not known.

    Args:
        record: The record, with an arterial pressure.
        every: Seconds between two readings, at least 10.
        ecg: Name of the ECG lead; found by the usual names by default.
        abp: Name of the arterial pressure; likewise.

    Raises:
        RecordError: If the pressure is refused (the message says why), the interval
            is under 10 s, or no 10 s hold 5 plausible beats.
    """
    verdict = abp_verdict(record, abp=abp)
    if verdict:
        msg = (
            f"record {record.subject!r}: its arterial pressure cannot stand in for a "
            f"cuff: {verdict}. Give cuff readings instead."
        )
        raise RecordError(msg)
    if not every >= _READING:
        msg = f"a reading every {every:g} s; wanted at least {_READING:g} s."
        raise RecordError(msg)
    signal = record.signal(abp if abp is not None else "abp")
    start, stop = signal.start, signal.start + signal.duration
    pressure = _pressure(record, abp, start=start, stop=stop)
    events = _events(record, ecg, smoothed=_smooth_channel(pressure), start=start)
    begin, _, found = _pressure_beats(pressure, events)
    good = np.isfinite(found).all(axis=1)
    time, found = start + begin[good] / RATE, found[good]
    readings = []
    for at in np.arange(time[0] if len(time) else stop, stop, every):
        within = (time >= at) & (time < at + _READING)
        if within.sum() >= _READING_BEATS:
            sbp, dbp, mean = map(float, np.median(found[within], axis=0))
            readings.append(Cuff(float(at + _READING), sbp, dbp, None, mean))
    if not readings:
        msg = (
            f"record {record.subject!r}: no {_READING:g} s of arterial pressure hold "
            f"{_READING_BEATS} plausible beats. Give cuff readings instead."
        )
        raise RecordError(msg)
    return tuple(readings)
