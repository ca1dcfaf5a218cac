"""The arterial line of a record: whether to believe it, its beats, a pseudo-cuff."""

from typing import Final

import numpy as np

from capnet.errors import RecordError, UnitError
from capnet.records import Cuff, Record
from capnet.signal.events import Events, events_of, feet_after
from capnet.signal.fir import filter_fir
from capnet.signal.gate import LONGEST
from capnet.signal.grid import on_grid
from capnet.signal.interpolate import catmull_rom
from capnet.signal.pressure import (
    BeatPressures,
    beat_pressures,
    implausible_pressures,
    judge_pressure,
)
from capnet.signal.sampling import RATE
from capnet.signal.smoothing import smoothed
from capnet.signal.taps import lowpass_taps
from capnet.types import N_POINTS, BeatWaves, PerBeat, Samples
from capnet.units import pressure_factor

__all__ = ["abp_verdict", "cuffs_from_abp", "line_on_grid", "line_waves"]

_CUTOFF: Final = 20.0
"""Hz; arterial pressure has nothing above it but noise and ringing of the line."""

_N_TAPS: Final = 51
_READING: Final = 10.0
"""Seconds that one reading of a pseudo-cuff averages, as a monitor's display does."""

_READING_BEATS: Final = 5
"""Beats that a reading needs."""


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


def line_on_grid(
    record: Record, abp: str | None, *, start: float, stop: float
) -> Samples:
    """Put a usable pressure channel on a grid of `RATE`, mmHg, smoothed at 20 Hz.

    Args:
        record: The record.
        abp: Name of the channel; found by the usual names by default.
        start: Of the grid, s.
        stop: Of the grid (excluded), s.
    """
    signal = record.signal(abp if abp is not None else "abp")
    factor = pressure_factor(signal.unit, where="arterial pressure")
    grid = on_grid(signal, sampling_rate=RATE, start=start, stop=stop) * factor
    taps = lowpass_taps(cutoff=_CUTOFF, sampling_rate=RATE, n_taps=_N_TAPS)
    return filter_fir(grid, taps)


def _beats(pressure: Samples, events: Events) -> tuple[PerBeat, PerBeat, BeatPressures]:
    """Feet, next feet (samples) and pressures of every beat; NaN where implausible."""
    feet = feet_after(smoothed(pressure, sampling_rate=RATE), events)
    start, stop = feet[:-1], feet[1:]
    found = beat_pressures(pressure, start, stop)
    long = ~(stop - start <= LONGEST * RATE)
    found[implausible_pressures(found) | long] = np.nan
    return start, stop, found


def line_waves(pressure: Samples, events: Events) -> BeatWaves:
    """Cut a pressure on the grid into 64 points a beat, NaN where one is implausible.

    Args:
        pressure: mmHg, on the grid of the events. Shape (time,).
        events: Heart beats; the wave of one lasts from its pulse foot to the next.
    """
    start, stop, found = _beats(pressure, events)
    phase = np.arange(N_POINTS) / N_POINTS
    position = start[:, None] + phase * (stop - start)[:, None]
    waves = catmull_rom(pressure[None], position)
    good = np.isfinite(found).all(axis=1) & np.isfinite(waves).all(axis=1)
    return np.where(good[:, None], waves, np.nan)


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
    pressure = line_on_grid(record, abp, start=start, stop=stop)
    lead = ecg if ecg is not None else record.find("ecg")
    smooth = smoothed(pressure, sampling_rate=RATE)
    events = events_of(record, lead, smoothed=smooth, start=start)
    begin, _, found = _beats(pressure, events)
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
