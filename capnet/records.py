"""Record, Beats, Cuff: plain data classes, no input or output.

A `Record` is what a person's monitor gave: continuous channels, each with its own
sampling rate. `Beats` is what an estimator learns from: one row a beat.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, Self, TypeGuard, TypeVar

import numpy as np

from capnet.errors import RecordError, ShapeError, UnitError
from capnet.types import (
    N_POINTS,
    BeatWaves,
    Calibration,
    CuffSite,
    Flags,
    Labels,
    PerBeat,
    ReferenceType,
    Samples,
    Sync,
    Times,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CHANNEL_NAMES",
    "COVARIATES",
    "Annotations",
    "Beats",
    "Cuff",
    "Record",
    "Signal",
    "check_columns",
    "take_rows",
]

CHANNEL_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "ecg": (
        *("ecg", "ii", "mlii", "ecg_ii", "i", "iii", "v", "v5", "mcl", "mcl1"),
        *("avr", "avl", "avf"),
    ),
    "ppg": ("ppg", "pleth", "pl"),
    "abp": ("abp", "art", "ibp", "radial", "bp"),
    "aortic": ("aop", "aobp", "aortic", "aortic_root", "ao", "cap"),
    "femoral": ("fem", "fap", "fabp", "femoral"),
    "radial": ("radial", "rap", "art"),
    "icg": ("icg", "dzdt", "dz/dt"),
    "resp": ("resp", "respiration", "rsp", "breathing"),
    "red": ("red", "ppg_red", "red_ppg"),
    "infrared": ("infrared", "ir", "ppg_ir", "ir_ppg", "ppg_infrared"),
    "ear": ("ear", "ppg_ear", "ear_ppg", "pleth_ear"),
    "finger": ("finger", "ppg_finger", "finger_ppg", "pleth_finger", "ppg", "pleth"),
    "toe": ("toe", "ppg_toe", "toe_ppg", "pleth_toe"),
    "wrist": ("wrist", "ppg_wrist", "wrist_ppg"),
    "forehead": ("forehead", "ppg_forehead", "forehead_ppg"),
}
"""What monitors call the channels that the library looks for, best first.

Case does not matter, nor do blanks and separators around a name (``PLETH,``).
"""

COVARIATES: Final[Mapping[str, str]] = {
    "height": "m",
    "weight": "kg",
    "male": "1, or 0 for female",
}
"""What is known of a person beside the age, by name, with its unit."""

_TALLEST: Final = 2.75
_HEAVIEST: Final = 650.0
_POSSIBLE: Final[Mapping[str, tuple[float, float]]] = {
    "height": (0.3, _TALLEST),
    "weight": (1.0, _HEAVIEST),
    "male": (0.0, 1.0),
}

_OLDEST: Final = 120.0
"""Years; nobody but one has been older. Some databases write 300 for "over 89"."""


_RATE_SLACK: Final = 1e-3
"""Relative error of the rate that an index shows, with steps rounded."""


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    return _is_number(value) and math.isfinite(value)


def _samples(values: object) -> np.ndarray:
    """Return what was given as an array of floating-point numbers."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        msg = f"values are no array ({error}); wanted numbers of shape (time,)."
        raise ShapeError(msg) from error
    if array.dtype.kind in "iu":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        msg = (
            f"values are {type(values).__name__} of type {array.dtype}; wanted real "
            "numbers of shape (time,), NaN where a sample is missing."
        )
        raise ShapeError(msg)
    return array


def _column(column: "pd.Series") -> np.ndarray:
    """Return a column as floating-point numbers; pandas' own missing values are NaN."""
    if column.dtype.kind in "iuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    try:
        return _samples(column.to_numpy())
    except ShapeError as error:
        msg = f"column {column.name!r}: {error}"
        raise ShapeError(msg) from error


def _check_index(index: "pd.Index", sampling_rate: float) -> None:
    """Hold an index of times against the sampling rate."""
    if index.dtype.kind not in "mM" or len(index) < 2:
        return
    # Whatever the resolution of the index, differences become seconds.
    step = np.diff(index.to_numpy()) / np.timedelta64(1, "s")
    wanted = 1.0 / sampling_rate
    # Times are often rounded to milliseconds; the mean step must be right all the same.
    slack = max(0.05 * wanted, 1e-3)
    mean = float(step.mean())
    uneven = not np.abs(step - mean).max() <= slack  # neither with a time missing
    if uneven or abs(mean / wanted - 1.0) > _RATE_SLACK:
        msg = (
            f"the rows are {step.min():g} to {step.max():g} s apart, {mean:g} s on "
            f"average; wanted {wanted:g} s for {sampling_rate:g} Hz. Give the rate of "
            "the recording, and a row of NaN for each sample that is missing."
        )
        raise UnitError(msg)


@dataclass(frozen=True, eq=False)
class Signal:
    """One channel: evenly sampled values.

    Attributes:
        values: Samples in ``unit``, NaN where missing; whole numbers and lists become
            an array of floating-point numbers. Shape (time,).
        sampling_rate: Hz.
        unit: For example ``mV``, ``mmHg`` or ``NU`` (no unit).
        start: Seconds between the start of the record and the first sample.

    Raises:
        UnitError: If the sampling rate is not a positive number or the unit is empty.
        ShapeError: If the values are no real numbers, empty or not one-dimensional,
            or the start is not a finite number.
    """

    values: Samples
    sampling_rate: float
    unit: str
    start: float = 0.0

    def __post_init__(self) -> None:
        if not (_is_finite(self.sampling_rate) and self.sampling_rate > 0):
            msg = (
                f"sampling rate is {self.sampling_rate!r} Hz; wanted a positive "
                "number. Correct it in the header: capnet never assumes one."
            )
            raise UnitError(msg)
        if not isinstance(self.unit, str):
            msg = (
                f"the unit is {self.unit!r}; wanted a word, e.g. 'mV', 'mmHg' or 'NU' "
                "(no unit)."
            )
            raise UnitError(msg)
        if not self.unit.strip():
            msg = "the unit is empty; wanted e.g. 'mV', 'mmHg' or 'NU' (no unit)."
            raise UnitError(msg)
        if not _is_finite(self.start):
            msg = f"the start is {self.start!r} s; wanted a finite number."
            raise ShapeError(msg)
        object.__setattr__(self, "values", _samples(self.values))
        if self.values.ndim != 1 or self.values.size == 0:
            msg = f"values have shape {self.values.shape}; wanted (time,), time >= 1."
            raise ShapeError(msg)

    @property
    def duration(self) -> float:
        """Seconds from the first sample to one step after the last."""
        return len(self.values) / self.sampling_rate

    @property
    def times(self) -> Samples:
        """Time of each sample since the start of the record, s. Shape (time,)."""
        return self.start + np.arange(len(self.values)) / self.sampling_rate


@dataclass(frozen=True, eq=False)
class Annotations:
    """What somebody noted of a record, in the order of time.

    Attributes:
        times: Seconds since the start of the record. Shape (event,).
        labels: The codes of the format, e.g. ``N`` or ``V``; free text is never kept,
            as it may hold names. Shape (event,).

    Raises:
        ShapeError: If the rows do not agree, or a time is missing or out of order.
    """

    times: Times
    labels: Labels

    def __post_init__(self) -> None:
        if self.times.ndim != 1 or self.times.shape != self.labels.shape:
            msg = (
                f"{self.times.shape} times and {self.labels.shape} labels; wanted as "
                "many of both, of shape (event,)."
            )
            raise ShapeError(msg)
        if not (np.isfinite(self.times).all() and (np.diff(self.times) >= 0.0).all()):
            msg = "times of annotations are missing or out of order; sort them."
            raise ShapeError(msg)


@dataclass(frozen=True)
class Cuff:
    """One reading of systolic and diastolic pressure.

    Attributes:
        time: Seconds since the start of the record.
        sbp: Systolic pressure, mmHg.
        dbp: Diastolic pressure, mmHg.
        site: Where it was taken; None when that is not known.
        map: Mean pressure, mmHg, where the device measured it as arterial lines and
            oscillometric cuffs do; None where it did not say.

    Raises:
        ShapeError: If a value is no number, or the pressures are not
            20 <= DBP < MAP < SBP <= 300 mmHg.
    """

    time: float
    sbp: float
    dbp: float
    site: CuffSite | None = "brachial"
    map: float | None = None

    def __post_init__(self) -> None:
        for name in ("time", "sbp", "dbp", "map"):
            value = getattr(self, name)
            lacking = value is None and name == "map"
            if not (_is_number(value) or lacking):
                msg = (
                    f"cuff reading has {name} {value!r}; wanted a number in "
                    f"{'s' if name == 'time' else 'mmHg'}."
                )
                raise ShapeError(msg)
        if math.isnan(self.time):
            msg = "cuff reading has time nan; wanted seconds since the record's start."
            raise ShapeError(msg)
        if self.map is not None and not self.dbp < self.map < self.sbp:
            msg = (
                f"cuff reading at {self.time:g} s has MAP {self.map:g} mmHg; wanted it "
                f"between DBP {self.dbp:g} and SBP {self.sbp:g}."
            )
            raise ShapeError(msg)
        if not 20 <= self.dbp < self.sbp <= 300:
            msg = (
                f"cuff reading at {self.time:g} s is {self.sbp:g}/{self.dbp:g} mmHg; "
                "wanted 20 <= DBP < SBP <= 300."
            )
            raise ShapeError(msg)


@dataclass(frozen=True, eq=False)
class Record:
    """One subject's continuous channels.

    Attributes:
        subject: Identifier; the unit of every split and statistic.
        channels: Channels by the name the file gives them.
        age: Years, above 0 and below 120; None when unknown.
        cuffs: Pressure readings in the order of time.
        calibration: What kind of reading ``cuffs`` are.
        source: Where the record came from, for provenance.
        covariates: What else is known of the person, see `COVARIATES`.
        annotations: Notes by their origin, e.g. ``atr``.
        reference_type: What kind of truth the channel of kind ``aortic`` is.
        sync: Whether the channels share one clock.
        files: SHA-256 of each file that was read, by its name.

    Raises:
        RecordError: If the age or a covariate is not a possible one.
    """

    subject: str
    channels: Mapping[str, Signal]
    age: float | None = None
    cuffs: tuple[Cuff, ...] = ()
    calibration: Calibration = "none"
    source: str = ""
    covariates: Mapping[str, float] = field(default_factory=dict)
    annotations: Mapping[str, Annotations] = field(default_factory=dict)
    reference_type: ReferenceType = "none"
    sync: Sync = "unknown"
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.covariates.items():
            low, high = _POSSIBLE.get(name, (math.nan, math.nan))
            if not (_is_number(value) and low <= value <= high):
                known = ", ".join(f"{k} ({unit})" for k, unit in COVARIATES.items())
                msg = (
                    f"record {self.subject!r} has covariate {name!r} = {value!r}; "
                    f"wanted a possible {known}. Leave out what is not known."
                )
                raise RecordError(msg)
        if self.age is not None and not (
            _is_finite(self.age) and 0.0 < self.age < _OLDEST
        ):
            msg = (
                f"record {self.subject!r} has age {self.age!r}; wanted years above 0 "
                f"and below {_OLDEST:g}, or None when it is not known."
            )
            raise RecordError(msg)

    def find(self, kind: str) -> str | None:
        """Return the name of the channel of a kind (``ecg``, ``ppg``, ``resp`` ...).

        The names that monitors use are listed in `CHANNEL_NAMES`; None if there is
        no such channel.
        """
        by_lower = {name.strip(" ,;:").lower(): name for name in self.channels}
        wanted = CHANNEL_NAMES.get(kind, (kind.lower(),))
        return next((by_lower[w] for w in wanted if w in by_lower), None)

    def signal(self, kind: str) -> Signal:
        """Return the channel of a kind, or with exactly that name.

        Raises:
            RecordError: If there is none; the message lists what there is.
        """
        name = kind if kind in self.channels else self.find(kind)
        if name is None:
            msg = (
                f"record {self.subject!r} has no channel {kind!r}; it has "
                f"{', '.join(map(repr, self.channels)) or 'no channel at all'}. "
                "Rename the channel or pass the name it has in the file."
            )
            raise RecordError(msg)
        return self.channels[name]

    def renamed(self, names: Mapping[str, str]) -> "Record":
        """Return the same record with other names for some channels.

        Args:
            names: New name by the present one; this is how a monitor's own word is
                taught (``{"SpO2 wave": "ppg"}``).

        Raises:
            RecordError: If a channel is not there, or two would share a name.
        """
        for old in names:
            if old not in self.channels:
                self.signal(old)  # says what there is
        new = [names.get(name, name) for name in self.channels]
        if len(set(new)) < len(new) or not set(names) <= set(self.channels):
            msg = (
                f"record {self.subject!r}: channels would be called "
                f"{', '.join(map(repr, new))}; wanted a name of its own for each."
            )
            raise RecordError(msg)
        return replace(
            self, channels=dict(zip(new, self.channels.values(), strict=True))
        )

    def with_cuff(self, sbp: float, dbp: float) -> "Record":
        """Return the same record with one arm-cuff reading that holds throughout.

        Args:
            sbp: Systolic pressure at the arm, mmHg.
            dbp: Diastolic pressure at the arm, mmHg.

        Raises:
            ShapeError: If the pressures are no numbers, or not
                20 <= DBP < SBP <= 300 mmHg.
        """
        first = min((s.start for s in self.channels.values()), default=0.0)
        return self.with_cuffs([Cuff(min(0.0, first), sbp, dbp)], "cuff SBP/DBP")

    def with_cuffs(self, cuffs: Sequence[Cuff], calibration: Calibration) -> "Record":
        """Return the same record calibrated by other readings."""
        ordered = tuple(sorted(cuffs, key=lambda cuff: cuff.time))
        return replace(self, cuffs=ordered, calibration=calibration)

    @classmethod
    def from_frame(
        cls,
        frame: "pd.DataFrame",
        *,
        sampling_rate: float,
        units: Mapping[str, str],
        subject: str,
        age: float | None = None,
        start: float = 0.0,
    ) -> Self:
        """Make a record of a table with one column a channel.

        Channels of another sampling rate come in a table of their own; join them with
        ``replace(record, channels=record.channels | other.channels)``.

        Args:
            frame: One row a sample, evenly spaced, NaN where missing. An index of times
                or time differences is held against the sampling rate; another one has
                no meaning.
            sampling_rate: Hz, of all columns.
            units: Unit of each channel; other columns are left out.
            subject: Identifier.
            age: Years; None when unknown.
            start: Seconds between the start of the record and the first row.

        Raises:
            RecordError: If there is no unit, or not one column of that name.
            UnitError: If the sampling rate or a unit is impossible, or the index has
                another rate or uneven steps.
            ShapeError: If a column holds no real numbers, or the table is empty.
        """
        names = list(frame.columns)
        if not units or any(names.count(name) != 1 for name in units):
            msg = (
                f"units are given for {', '.join(map(repr, units)) or 'no column'}; "
                f"the table has {', '.join(map(repr, names))}. Name the unit of each "
                "column that is a channel, and give columns names of their own."
            )
            raise RecordError(msg)
        channels = {
            name: Signal(_column(frame[name]), sampling_rate, unit, start)
            for name, unit in units.items()
        }
        _check_index(frame.index, sampling_rate)
        return cls(subject, channels, age=age, source="pandas")

    def __repr__(self) -> str:
        rows = "".join(
            f"\n  {name:<12} {s.sampling_rate:8.2f} Hz {s.duration:9.1f} s  {s.unit}"
            for name, s in self.channels.items()
        )
        age = "unknown" if self.age is None else f"{self.age:g}"
        head = f"{self.subject!r}, age {age}, {len(self.cuffs)} cuff readings"
        return f"Record({head}){rows}"


_Table = TypeVar("_Table")


def take_rows(table: _Table, rows: np.ndarray) -> _Table:
    """Return the rows of a table whose fields are columns, or columns by name.

    Args:
        table: A dataclass; arrays and mappings of arrays have a row a beat.
        rows: Indices or a mask; the rows come in that order.
    """
    changed: dict[str, object] = {}
    for f in fields(table):  # type: ignore[arg-type]
        value = getattr(table, f.name)
        if isinstance(value, np.ndarray):
            changed[f.name] = value[rows]
        elif isinstance(value, Mapping):
            changed[f.name] = {k: v[rows] for k, v in value.items()}
    return replace(table, **changed)  # type: ignore[type-var]


def check_columns(table: Any) -> None:
    """Refuse a table whose columns do not have one row for each subject.

    Args:
        table: As for `take_rows`, with a column ``subject``.

    Raises:
        ShapeError: If a column has more or fewer.
    """
    n = len(table.subject)
    values = {f.name: getattr(table, f.name) for f in fields(table)}
    columns = {k: v for k, v in values.items() if isinstance(v, np.ndarray)}
    for group, found in values.items():
        if isinstance(found, Mapping):
            columns |= {f"{group}[{key!r}]": v for key, v in found.items()}
    for name, column in columns.items():
        if len(column) != n:
            msg = f"{name} has {len(column)} rows; subject has {n}."
            raise ShapeError(msg)


@dataclass(frozen=True, eq=False)
class Beats:
    """A table of beats: the unit of learning, of splits by subject, of scores.

    Every array has one row a beat. A refused beat stays in the table, with its
    reason; its waves may be NaN.

    Attributes:
        subject: Identifier of the person (or virtual person).
        beat: Position of the beat within its subject, from 0.
        time: Pulse foot of the beat since the start of its record, s.
        duration: Pulse foot to the next pulse foot, s.
        ppg: Photoplethysmogram after the front end (`capnet.signal.frontend`),
            foot to foot, in units of its own pulse height: 0 at the foot, 1 at
            the peak.
        age: Years, NaN when unknown.
        cuff: Systolic and diastolic pressure that calibrate the beat, mmHg, NaN
            without a reading. Shape (beat, 2).
        cuff_site: ``brachial`` or ``radial``.
        calibration: What kind of reading ``cuff`` is, one word for the table.
        accepted: Whether the gate let the beat through.
        reason: Why not; empty for accepted beats.
        waves: Other waves of the same beat by name, each foot to foot in mmHg
            (for example ``abp`` or ``radial``).
        features: Further numbers by name: ``pat`` (s), ``hr`` (bpm), HRV ...
        raw: Raw PPG samples around each beat as the front end eats them, with
            ``start`` and ``stop`` (in samples) of the beat in them; None when
            they were not kept. Shape (beat, time).
        start: Pulse foot within ``raw``, samples (fractional).
        stop: Next pulse foot within ``raw``, samples (fractional).
        reference: True aortic pressure from its own foot to the next, mmHg; None
            where nobody measured it.
        reference_type: What kind of truth that is.
        truth: Further true numbers by name, e.g. ``brachial_sbp`` (mmHg).

    Raises:
        ShapeError: If the rows do not agree, or a beat is refused without a reason.
    """

    subject: Labels
    beat: Labels
    time: PerBeat
    duration: PerBeat
    ppg: BeatWaves
    age: PerBeat
    cuff: np.ndarray
    cuff_site: Labels
    calibration: Calibration
    accepted: Flags
    reason: Labels
    waves: Mapping[str, BeatWaves] = field(default_factory=dict)
    features: Mapping[str, PerBeat] = field(default_factory=dict)
    raw: np.ndarray | None = None
    start: PerBeat | None = None
    stop: PerBeat | None = None
    reference: BeatWaves | None = None
    reference_type: ReferenceType = "none"
    truth: Mapping[str, PerBeat] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_columns(self)
        n = len(self.subject)
        for name, wave in [("ppg", self.ppg), ("reference", self.reference)]:
            if wave is not None and wave.shape[1:] != (N_POINTS,):
                msg = f"{name} has shape {wave.shape}; wanted (beat, {N_POINTS})."
                raise ShapeError(msg)
        if self.cuff.shape != (n, 2):
            msg = f"cuff has shape {self.cuff.shape}; wanted ({n}, 2): SBP, DBP."
            raise ShapeError(msg)
        if (self.accepted == (self.reason != "")).any():
            row = int(np.flatnonzero(self.accepted == (self.reason != ""))[0])
            msg = (
                f"beat {row} is accepted={bool(self.accepted[row])} with reason "
                f"{str(self.reason[row])!r}; exactly the refused beats have a reason."
            )
            raise ShapeError(msg)
        if (self.reference is None) != (self.reference_type == "none"):
            msg = (
                f"reference_type is {self.reference_type!r} but reference is "
                f"{'absent' if self.reference is None else 'present'}."
            )
            raise ShapeError(msg)

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def subjects(self) -> Labels:
        """Distinct subjects, in the order of their first beat. Shape (subject,)."""
        _, first = np.unique(self.subject, return_index=True)
        return self.subject[np.sort(first)]

    @property
    def hr(self) -> PerBeat:
        """Heart rate of each beat, 60 / duration, bpm. Shape (beat,)."""
        return 60.0 / self.duration

    def take(self, rows: np.ndarray) -> Self:
        """Return the beats at these rows (indices or a mask), in that order."""
        return take_rows(self, rows)

    def of(self, subjects: Sequence[str] | Labels) -> Self:
        """Return all beats of these subjects."""
        return self.take(np.isin(self.subject, np.asarray(subjects)))

    def usable(self) -> Self:
        """Return the accepted beats alone."""
        return self.take(self.accepted)

    def replace(self, **changes: object) -> Self:
        """Return a copy with some fields exchanged."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join tables of the same calibration and reference type.

        Named waves, features and truths that not every part has are left out.

        Raises:
            ShapeError: If there is no part, or the parts may not be pooled.
        """
        if not parts:
            msg = "no tables of beats to join; wanted at least one."
            raise ShapeError(msg)
        first = parts[0]
        for name in ("calibration", "reference_type"):
            found = sorted({str(getattr(part, name)) for part in parts})
            if len(found) > 1:
                msg = f"tables of {name} {found} may not be pooled; keep them apart."
                raise ShapeError(msg)
        changed: dict[str, object] = {}
        for f in fields(first):
            values = [getattr(part, f.name) for part in parts]
            if isinstance(values[0], Mapping):
                shared = set(values[0]).intersection(*values[1:])
                names = [name for name in values[0] if name in shared]
                changed[f.name] = {
                    name: np.concatenate([v[name] for v in values]) for name in names
                }
            elif all(isinstance(v, np.ndarray) for v in values):
                same = len({v.shape[1:] for v in values}) == 1
                changed[f.name] = np.concatenate(values) if same else None
            elif f.name in ("raw", "start", "stop", "reference"):
                changed[f.name] = None
        if changed.get("raw") is None:
            changed |= {"raw": None, "start": None, "stop": None}
        return replace(first, **changed)  # type: ignore[arg-type]

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a beat: everything but the waves."""
        import pandas as pd

        columns: dict[str, object] = {
            "subject": self.subject,
            "beat": self.beat,
            "time": self.time,
            "duration": self.duration,
            "hr": self.hr,
            "age": self.age,
            "cuff_sbp": self.cuff[:, 0],
            "cuff_dbp": self.cuff[:, 1],
            "cuff_site": self.cuff_site,
            "accepted": self.accepted,
            "reason": self.reason,
        }
        return pd.DataFrame(columns | dict(self.features) | dict(self.truth))

    def __repr__(self) -> str:
        return (
            f"Beats({len(self)} beats of {len(self.subjects)} subjects, "
            f"{int(self.accepted.sum())} accepted, calibration {self.calibration!r}, "
            f"reference {self.reference_type!r})"
        )
