"""The table of features: one row a beat, the same columns for every record."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from capnet.errors import ConfigError, RecordError
from capnet.features.breathing import LEAST_RATE as LEAST_CHEST_RATE
from capnet.features.breathing import (
    WINDOW,
    breathing_of_beats,
    breathing_of_channel,
)
from capnet.features.hrv import (
    Nonlinear,
    Spectrum,
    Variability,
    nonlinear,
    normal_intervals,
    segments,
    spectrum,
    variability,
)
from capnet.features.impedance import LEAST_RATE as LEAST_ICG_RATE
from capnet.features.impedance import b_points, pre_ejection
from capnet.features.morphology import pulse_morphology
from capnet.features.oximetry import oximetry_of_beats
from capnet.features.registry import FEATURES, Features
from capnet.features.shapes import augmentation_of_beats, pulse_widths
from capnet.records import Beats, Record, Signal
from capnet.signal.arrival import GATE, usual_arrival
from capnet.signal.beats import beats_of_pieces
from capnet.signal.checks import checked_samples
from capnet.signal.fiducials import LEAST_RATE
from capnet.signal.indices import pressure_levels, pulse_wave_velocity
from capnet.signal.interpolate import catmull_rom
from capnet.signal.line import abp_verdict
from capnet.signal.pulses import find_pulses
from capnet.signal.sampling import LEAST_RATE as LEAST_LIGHT_RATE
from capnet.signal.smoothing import smoothed
from capnet.signal.transit import pulse_transit
from capnet.types import N_POINTS, BeatWaves, Flags, Labels, PerBeat, Samples

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["feature_table", "feature_tables", "features_of", "to_xarray"]

IDENTITY: Final = ("subject", "beat", "time", "duration", "accepted", "reason")
"""Columns before the features: what beat it is, and whether the gate believes it."""


@dataclass(frozen=True)
class _Asked:
    """Which channels play which part, and two lengths, m."""

    ecg: str | None
    ppg: str | None
    abp: str | None
    near: str | None
    far: str | None
    distance: float | None
    height: float | None

    def __post_init__(self) -> None:
        if (self.near is None) != (self.far is None):
            msg = (
                f"near is {self.near!r} and far {self.far!r}; wanted two pulse "
                "channels for a transit time, or neither."
            )
            raise ConfigError(msg)
        for name, value, most in [
            ("distance between the sites", self.distance, 2.5),
            ("height of the body", self.height, 2.6),
        ]:
            if value is not None and not 0.0 < value <= most:
                msg = f"the {name} is {value!r} m; wanted above 0 and up to {most:g} m."
                raise ConfigError(msg)


@dataclass(eq=False)
class _Columns:
    """Columns as they are filled, group by group; each number with its reason."""

    beats: Beats
    normal: Flags
    """Which RR intervals are normal (NN), whatever the pulse after them looks like."""
    found: dict[str, np.ndarray] = field(default_factory=dict)

    def put(
        self,
        group: str,
        values: Mapping[str, PerBeat],
        reason: Labels | str,
        *,
        of_beat: bool = True,
    ) -> None:
        """Fill a group. What is said of a beat is not said of a refused one."""
        n = len(self.beats)
        why = np.array(np.broadcast_to(np.asarray(reason, dtype=np.str_), (n,)))
        if of_beat:
            refused = ~self.beats.accepted
            why = np.where(refused, self.beats.reason, why)
            values = {k: np.where(refused, np.nan, v) for k, v in values.items()}
        # What is too large for a number is undefined.
        values = {k: np.where(np.isfinite(v), v, np.nan) for k, v in values.items()}
        known = np.ones(n, dtype=np.bool_)
        for value in values.values():
            known &= np.isfinite(value)
        why = np.where(known, "", np.where(why == "", "undefined", why))
        self.found |= {k: v.astype(np.float64) for k, v in values.items()}
        self.found[f"{group}_reason"] = why

    def lack(self, group: str, reason: str, *, of_beat: bool = True) -> None:
        """Say why a group has no number at all."""
        empty = np.full(len(self.beats), np.nan)
        names = FEATURES.of_group(group)
        self.put(group, dict.fromkeys(names, empty), reason, of_beat=of_beat)

    def frame(self, features: Features) -> "pd.DataFrame":
        """Return the table in the registry's order."""
        import pandas as pd

        beats = self.beats
        columns: dict[str, object] = {name: getattr(beats, name) for name in IDENTITY}
        for name in ("time", "duration"):
            known = np.isfinite(getattr(beats, name))
            columns[name] = np.where(known, getattr(beats, name), np.nan)
        columns |= {name: self.found[name] for name in features.columns()}
        frame = pd.DataFrame(columns)
        # An empty table has the types of a full one, so that tables can be joined.
        words = [name for name in columns if name.endswith("reason")]
        return frame.astype(dict.fromkeys(["subject", *words], object))


def _feature(beats: Beats, name: str) -> PerBeat:
    found = beats.features.get(name)
    return np.full(len(beats), np.nan) if found is None else found


def features_of(beats: Beats) -> "pd.DataFrame":
    """Compute the features that beats have without their record.

    Refused beats keep their row with NaN in the numbers of the beat; variability is
    that of each subject's 5-minute segments, on the clock of the record, and stands in
    all rows of its segment. Its intervals are those between R peaks, whether or not the
    gate believes the pulse that follows; without ECG, those between accepted pulses.

    Args:
        beats: The beats, each subject's in their order.

    Returns:
        Columns ``subject``, ``beat``, ``time``, ``duration``, ``accepted``, ``reason``,
        and those of `FEATURES.of_beats()`, each group followed by its reason. One row
        a beat.
    """
    return _of_beats(beats).frame(FEATURES.of_beats())


def _of_beats(beats: Beats) -> _Columns:
    measured = _feature(beats, "rr")
    rr = np.where(np.isfinite(measured), measured, beats.duration)
    parts = _segments(beats)
    columns = _Columns(beats, _normal(beats, rr, parts))
    rate = 60.0 / np.where(rr > 1e-3, rr, np.nan)
    columns.put("hr", {"hr": rate}, "no interval")
    # `capnet.signal.beats` gives none where the delay cannot be one
    beaten = np.isfinite(_feature(beats, "r_peak"))
    why = np.where(beaten, "no arrival time: delay impossible", "no R peak")
    columns.put("pat", {"pat": _feature(beats, "pat")}, why)
    _widths(columns)
    _pressures(columns)
    _variability(columns, rr, parts)
    return columns


def _widths(columns: _Columns) -> None:
    beats = columns.beats
    found = pulse_widths(beats.ppg, beats.duration)
    values = {
        "rise_time": found.rise_time,
        "width_25": found.width_25,
        "width_50": found.width_50,
        "width_75": found.width_75,
        "ppg_form_factor": found.form_factor,
    }
    columns.put("width", values, found.reason)


def _pressures(columns: _Columns) -> None:
    beats = columns.beats
    wave: BeatWaves | None = beats.waves.get("abp")
    if wave is None or not np.isfinite(wave).any():
        for group in ("pressure", "aix"):
            columns.lack(group, "no arterial pressure")
        return
    levels = pressure_levels(wave)
    lost = np.where(levels.reason == "", "", "no beat of arterial pressure")
    values = {
        "sbp": levels.sbp,
        "dbp": levels.dbp,
        "map": levels.map,
        "form_factor": levels.form_factor,
    }
    columns.put("pressure", values, lost)
    aix, reason = augmentation_of_beats(wave, beats.duration)
    columns.put("aix", {"aix": aix}, np.where(lost == "", reason, lost))


def _segments(beats: Beats) -> list[np.ndarray]:
    """Rows of each segment, in the order of the heart."""
    number = segments(beats.subject, beats.time)
    order = np.lexsort((beats.beat, number))
    order = order[number[order] >= 0]
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1)


def _breaks(beats: Beats, rows: np.ndarray) -> np.ndarray:
    """Where rows do not follow each other: they may be a selection."""
    return np.flatnonzero(np.diff(beats.beat[rows].astype(np.int64), prepend=-2) != 1)


def _normal(beats: Beats, rr: PerBeat, parts: list[np.ndarray]) -> Flags:
    """Say which intervals are normal; between pulses, both must be believed."""
    # Between R peaks an interval is what it is, however bad the PPG.
    heart = np.isfinite(_feature(beats, "r_peak"))
    known = np.where(heart | beats.accepted, rr, np.nan)
    normal = np.zeros(len(beats), dtype=np.bool_)
    for rows in parts:
        gaps = _breaks(beats, rows)
        found = normal_intervals(np.insert(known[rows], gaps, np.nan))
        normal[rows] = np.delete(found, gaps + np.arange(len(gaps)))
    return normal


def _variability(columns: _Columns, rr: PerBeat, parts: list[np.ndarray]) -> None:
    beats = columns.beats
    measures: dict[str, Callable[..., Variability | Spectrum | Nonlinear]] = {
        "hrv": variability,
        "spectrum": spectrum,
        "nonlinear": nonlinear,
    }
    values = {
        name: np.full(len(beats), np.nan)
        for group in measures
        for name in FEATURES.of_group(group)
    }
    reasons = {group: np.full(len(beats), "no time", dtype="U80") for group in measures}
    heart = _feature(beats, "r_peak")
    begins = np.where(np.isfinite(heart), heart, beats.time)
    for rows in parts:
        gaps = _breaks(beats, rows)
        series, time = (np.insert(x[rows], gaps, np.nan) for x in (rr, begins))
        counts = np.insert(columns.normal[rows], gaps, values=False)
        for group, measure in measures.items():
            found = measure(series, counts, time=time)
            names = FEATURES.of_group(group)
            for name, value in zip(names, found[:-1], strict=True):
                values[name][rows] = value
            reasons[group][rows] = found.reason
    for group in measures:
        chosen = {name: values[name] for name in FEATURES.of_group(group)}
        columns.put(group, chosen, reasons[group], of_beat=False)


def feature_table(
    record: Record,
    *,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
    near: str | None = None,
    far: str | None = None,
    distance: float | None = None,
    height: float | None = None,
) -> "pd.DataFrame":
    """Compute all features of a record, one row a beat.

    The rows are those of `capnet.signal.beats_of`. Every record gives the same columns
    in the order of `FEATURES`; what is undefined is NaN, and the column
    ``<group>_reason`` says why: exactly there it is not empty. Refused beats keep their
    row. Values of a segment (variability, 5 min) or a window (respiration, 60 s), both
    on the record's clock, stand in all of its rows, refused ones included: R peaks are
    what they are, however bad the PPG. Where the delay between ECG and PPG
    jumps, no arrival time of those ten minutes is told; a record whose channels share
    no clock (``sync`` untrusted) has no time between two of them at all.

    Args:
        record: The record, with a PPG.
        ecg: Name of the ECG lead; found by the usual names by default.
        ppg: Name of the PPG; likewise.
        abp: Name of the arterial pressure; likewise.
        near: Kind or name of the pulse channel nearer to the heart, for the transit
            time.
        far: And of the one further away.
        distance: Between both along the artery, m, for the pulse wave velocity.
        height: Of the body, m, for the stiffness index.

    Returns:
        Columns ``subject``, ``beat``, ``time`` (of the foot, s), ``duration`` (s),
        ``accepted``, ``reason``, then those of `FEATURES`.

    Raises:
        RecordError: If there is no PPG, a named channel is missing, or there are no
            heart beats.
        UnitError: If a sampling rate is too low.
        ConfigError: If only one of two sites is named, or a length is impossible.
    """
    import pandas as pd

    tables = list(
        feature_tables(
            record,
            ecg=ecg,
            ppg=ppg,
            abp=abp,
            near=near,
            far=far,
            distance=distance,
            height=height,
        )
    )
    if not tables:
        msg = (
            f"record {record.subject!r} has no heart beats in its PPG. Pass another "
            "channel with ppg=... or ecg=..."
        )
        raise RecordError(msg)
    return pd.concat(tables, ignore_index=True)


def feature_tables(
    records: Record | Iterable[Record],
    *,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
    near: str | None = None,
    far: str | None = None,
    distance: float | None = None,
    height: float | None = None,
) -> Iterator["pd.DataFrame"]:
    """Compute the features of a recording as it comes in, in constant memory.

    Args:
        records: The recording, or parts of it that follow each other, see
            `capnet.signal.pieces.pieces_of`. The tables do not depend on the parts.
        ecg: See `feature_table`, as the rest.
        ppg: Likewise.
        abp: Likewise.
        near: Likewise.
        far: Likewise.
        distance: Likewise.
        height: Likewise.

    Yields:
        The table of ten minutes at a time; none of those without a beat.

    Raises:
        RecordError: If there is no PPG, or a named channel is missing.
        UnitError: If a sampling rate is too low.
        ConfigError: If only one of two sites is named, or a length is impossible.
    """
    asked = _Asked(ecg, ppg, abp, near, far, distance, height)
    found = beats_of_pieces(records, ecg=ecg, ppg=ppg, abp=abp)
    return (_of_record(piece.record, beats, asked) for piece, beats in found)


def _of_record(record: Record, beats: Beats, asked: _Asked) -> "pd.DataFrame":
    columns = _of_beats(beats)
    if not np.isfinite(beats.waves["abp"]).any():
        verdict = abp_verdict(record, abp=asked.abp) or "no beat of arterial pressure"
        for group in ("pressure", "aix"):
            columns.lack(group, verdict)
    if record.sync == "untrusted":
        for group in ("pat", "pep", "ptt", "pwv"):
            columns.lack(group, "not synchronous: the record says so")
    else:
        delay = _delay(record, beats, asked)
        if delay:
            columns.lack("pat", delay)
        _pre_ejection(columns, record)
        _transit(columns, record, asked)
    _morphology(columns, record, asked)
    _breathing(columns, record, asked)
    _oximetry(columns, record)
    return columns.frame(FEATURES)


def _delay(record: Record, beats: Beats, asked: _Asked) -> str:
    """Say why the delay between ECG and PPG is no arrival time; empty if it may be.

    It jumps, and nobody knows which side is right, it drifts, or it is none that a
    body has.
    """
    peaks = _feature(beats, "r_peak")
    light = record.signal(asked.ppg or "ppg")
    pulses = find_pulses(light.values, sampling_rate=light.sampling_rate)
    foot, rise = (times + light.start for times in (pulses.foot, pulses.rise))
    verdict = usual_arrival(peaks[np.isfinite(peaks)], foot, rise, gate=GATE).verdict
    return f"not synchronous: {verdict}" if verdict else ""


def _pre_ejection(columns: _Columns, record: Record) -> None:
    name = record.find("icg")
    peaks = _feature(columns.beats, "r_peak")
    if name is None:
        columns.lack("pep", "no impedance cardiogram")
        return
    icg = record.signal(name)
    if icg.sampling_rate < LEAST_ICG_RATE:
        columns.lack("pep", f"sampled below {LEAST_ICG_RATE:g} Hz")
        return
    b = b_points(icg.values, peaks - icg.start, sampling_rate=icg.sampling_rate)
    found = pre_ejection(peaks - icg.start, b.seconds)
    columns.put(
        "pep", {"pep": found.seconds}, np.where(b.reason == "", found.reason, b.reason)
    )


def _transit(columns: _Columns, record: Record, asked: _Asked) -> None:
    if asked.near is None or asked.far is None:
        columns.lack("ptt", "no two pulse sites named")
        columns.lack("pwv", "no two pulse sites named")
        return
    peaks = _feature(columns.beats, "r_peak")
    feet = [_feet(record.signal(name), peaks) for name in (asked.near, asked.far)]
    found = pulse_transit(*feet)
    reason = np.where(np.isfinite(peaks), found.reason, "no R peak")
    columns.put("ptt", {"ptt": found.seconds}, reason)
    if asked.distance is None:
        columns.lack("pwv", "no distance given")
        return
    distance = np.full(len(peaks), asked.distance)
    speed = pulse_wave_velocity(distance, found.seconds)
    columns.put("pwv", {"pwv": speed}, reason)


def _feet(signal: Signal, peaks: PerBeat) -> PerBeat:
    found = find_pulses(
        signal.values,
        sampling_rate=signal.sampling_rate,
        r_peaks=peaks - signal.start,
    )
    return found.foot + signal.start


def _values(signal: Signal) -> Samples:
    return checked_samples(signal.values, where="the channel")


def _points(signal: Signal, beats: Beats, count: int) -> np.ndarray:
    """Read a low-passed channel at even times of each beat, its ends included."""
    wave = smoothed(_values(signal), sampling_rate=signal.sampling_rate)
    phase = np.linspace(0.0, 1.0, count)
    time = beats.time[:, None] + phase * beats.duration[:, None]
    return _read(signal, wave, time)


def _read(signal: Signal, wave: np.ndarray, time: np.ndarray) -> np.ndarray:
    position = (time - signal.start) * signal.sampling_rate
    inside = (position >= 0.0) & (position <= len(wave) - 1)
    return catmull_rom(wave[None], np.where(inside, position, np.nan))


def _morphology(columns: _Columns, record: Record, asked: _Asked) -> None:
    beats = columns.beats
    light = record.signal(asked.ppg or "ppg")
    # Where no foot was found, the row's time is only where one was expected.
    start = np.where(beats.accepted, beats.time - light.start, np.nan)
    groups = ("notch", "reflection", "stiffness", "augmentation", "apg", "ageing")
    if light.sampling_rate < LEAST_RATE:
        for group in groups:
            columns.lack(group, f"sampled below {LEAST_RATE:g} Hz")
        return
    found = pulse_morphology(
        light.values, start, start + beats.duration, sampling_rate=light.sampling_rate
    )
    names = {"ppg_augmentation": "augmentation"}
    for group in ("notch", "reflection", "augmentation", "apg", "ageing"):
        values = {
            name: getattr(found, names.get(name, name))
            for name in FEATURES.of_group(group)
        }
        columns.put(group, values, getattr(found, f"{group}_reason"))
    if asked.height is None:
        columns.lack("stiffness", "no body height given")
        return
    late = np.where(found.peak_to_peak > 0.0, found.peak_to_peak, np.nan)
    stiffness = {"stiffness_index": asked.height / late}
    columns.put("stiffness", stiffness, found.reflection_reason)


def _breathing(columns: _Columns, record: Record, asked: _Asked) -> None:
    beats = columns.beats
    window = np.where(
        np.isfinite(beats.time), np.floor(beats.time / WINDOW), -1
    ).astype(np.int64)
    light = record.signal(asked.ppg or "ppg")
    pulse = _points(light, beats, N_POINTS // 2)
    foot = pulse[:, 0]
    height = pulse.max(axis=1) - foot
    foot, height = (np.where(beats.accepted, x, np.nan) for x in (foot, height))
    rr = np.where(columns.normal, _feature(beats, "rr"), np.nan)
    found = breathing_of_beats(
        beats.time,
        np.stack([foot, height, rr]),
        _r_heights(record, beats, asked),
        window,
    )
    columns.put("respiration", {"respiration": found.rate}, found.reason, of_beat=False)
    name = record.find("resp")
    group = "respiration_channel"
    if name is None:
        columns.lack(group, "no respiration channel", of_beat=False)
        return
    chest = record.signal(name)
    if chest.sampling_rate < LEAST_CHEST_RATE:
        reason = f"sampled below {LEAST_CHEST_RATE:g} Hz"
        columns.lack(group, reason, of_beat=False)
        return
    found = breathing_of_channel(
        chest.values,
        sampling_rate=chest.sampling_rate,
        start=chest.start,
        windows=window,
    )
    columns.put(group, {group: found.rate}, found.reason, of_beat=False)


def _r_heights(record: Record, beats: Beats, asked: _Asked) -> PerBeat:
    """Height of each R peak over the lowest point within 60 ms, unit of the ECG.

    It is the heart's, not the pulse's: beats whose PPG is refused have it, too.
    """
    peaks = _feature(beats, "r_peak")
    name = asked.ecg or record.find("ecg")
    if name is None:
        return np.full(len(beats), np.nan)
    lead = record.signal(name)
    around = np.linspace(-0.06, 0.06, 31)
    near = _read(lead, _values(lead), peaks[:, None] + around)
    height: PerBeat = near.max(axis=1) - near.min(axis=1)
    return height


def _oximetry(columns: _Columns, record: Record) -> None:
    names = [record.find(kind) for kind in ("red", "infrared")]
    groups = ("perfusion", "ratio", "spo2")
    if names[1] is None:
        for group in groups:
            columns.lack(group, "no infrared channel")
        return
    beats = columns.beats
    lights = []
    for name in names:
        if name is None:
            lights.append(np.full((len(beats), N_POINTS + 1), np.nan))
            continue
        light = record.signal(name)
        if light.sampling_rate < LEAST_LIGHT_RATE:
            for group in groups:
                columns.lack(group, f"sampled below {LEAST_LIGHT_RATE:g} Hz")
            return
        lights.append(_points(light, beats, N_POINTS + 1))
    found = oximetry_of_beats(*lights)
    strength = {"perfusion_index": found.perfusion}
    columns.put("perfusion", strength, found.perfusion_reason)
    lost = "no red channel" if names[0] is None else ""
    for group, value, reason in [
        ("ratio", found.ratio, found.ratio_reason),
        ("spo2", found.spo2, found.spo2_reason),
    ]:
        columns.put(group, {group: value}, lost or reason)


def to_xarray(table: "pd.DataFrame") -> "xr.Dataset":
    """Return a table as a labelled data set.

    Args:
        table: What `feature_table` or `features_of` gave.

    Returns:
        One variable a column along the dimension ``row``; features have the attributes
        ``units``, ``long_name`` (the formula) and ``source``.
    """
    import xarray as xr

    known = {feature.name: feature for feature in FEATURES}
    variables: dict[str, object] = {}
    for name in table.columns:
        values = table[name].to_numpy()
        if values.dtype == object:
            values = values.astype(np.str_)
        attributes: dict[str, str] = {}
        if name in ("time", "duration"):
            attributes = {"units": "s"}
        if name in known:
            feature = known[name]
            attributes = {
                "units": feature.unit,
                "long_name": feature.formula,
                "source": feature.source,
            }
        variables[name] = ("row", values, attributes)
    return xr.Dataset(variables)
