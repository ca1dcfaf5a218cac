"""The sidecar: what a table cannot say of itself, in a JSON file beside it.

``a.csv``, ``a.csv.gz``, ``a.parquet`` or ``a.npz`` stands beside ``a.json``. A row of
the table is an instant, a column a channel. The least that a sidecar says is how fast
the rows follow each other and what the columns are in::

    {"sampling_rate": 125,
     "channels": {"PLETH": {"unit": "NU"}, "II": {"unit": "mV"}}}

All that may be said is in the classes below: of the table (`Table`), of each column
(`Column`), of the person and the whole recording (`Sidecar`). Anything else is refused,
so that a word spelled wrongly is no setting that is silently lost, and no name or date
comes in.

**Several rates.** A column that has a value only in every fourth row, and blanks
between, says ``"every": 4``. Channels whose rate, start or length does not fit the rows
of the table stand in a table of their own, which the same sidecar declares::

    {"sampling_rate": 250, "channels": {"II": {"unit": "mV"}},
     "also": [{"file": "a_2.csv", "sampling_rate": 128, "start": 0.5,
               "channels": {"PLETH": {"unit": "NU"}}}]}

**Whole or not.** A hash (``sha256``) and a number of rows (``samples``) are verified
where they are given; what capnet writes has both.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from capnet.data.readers.choice import known_unit
from capnet.data.readers.plausibility import LONGEST
from capnet.errors import RecordError, ShapeError, UnitError
from capnet.files import confined
from capnet.records import Annotations, Cuff
from capnet.types import Calibration, CuffSite, ReferenceType, Sync

__all__ = [
    "LARGEST",
    "SUFFIXES",
    "Column",
    "Covariates",
    "Notes",
    "OtherTable",
    "Reading",
    "Sidecar",
    "Table",
    "parse_sidecar",
    "read_sidecar",
    "sidecar_path",
]

SUFFIXES: Final = (".csv", ".csv.gz", ".parquet", ".npz")
"""How the tables end that have a sidecar."""

LARGEST: Final = 1 << 22
"""Bytes of a sidecar; a day of annotations has half of it."""

_SHOWN: Final = 40
"""Characters of a channel's name in a message."""

Seconds = Annotated[float, Field(ge=-LONGEST, le=LONGEST)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^\P{Cc}+$")]
Code = Annotated[str, Field(pattern=r"^[!-~]{1,4}$")]


def _unit(word: str) -> str:
    if not known_unit(word):
        msg = "no known unit; wanted mmHg, kPa, mV ..., or NU where it has none"
        raise ValueError(msg)
    return word


class _Strict(BaseModel):
    """No field but the declared ones, no value of another type, no NaN."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False
    )


class Column(_Strict):
    """One channel.

    Attributes:
        unit: ``mmHg``, ``kPa``, ``mV``, ``uV`` ...; ``NU`` where it has none.
        every: The channel has a value in rows 0, n, 2 n ... and blanks between: its
            rate is that of the table divided by n.
    """

    unit: Annotated[str, AfterValidator(_unit)]
    every: Annotated[int, Field(ge=1, le=100_000)] = 1


class Table(_Strict):
    """One file with a row an instant.

    Attributes:
        sampling_rate: Rows a second, Hz.
        channels: What the columns are, by the name in the table's header. Every
            column of the table is declared.
        start: Seconds between the start of the record and the first row.
        time_column: Name of the column that holds the time of each row in seconds, if
            there is one. It is held against the sampling rate and not kept; its first
            time may be any (a date's is never kept), but tables of one record that
            have such a column share its clock.
        missing: Number that stands for a missing value, beside blank, ``nan``, ``NA``.
        samples: Rows of the table.
        sha256: Of the file, in hexadecimal digits.
    """

    sampling_rate: float
    channels: Annotated[dict[Name, Column], Field(min_length=1, max_length=1000)]
    start: Seconds = 0.0
    time_column: Name | None = None
    missing: float | None = None
    samples: Annotated[int, Field(ge=1)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class OtherTable(Table):
    """One more table of the same recording.

    Attributes:
        file: Its name; it stands in the same folder or below.
    """

    file: Annotated[str, Field(min_length=1, max_length=200)]


class Reading(_Strict):
    """One pressure reading, see `capnet.records.Cuff`."""

    time: float
    sbp: float
    dbp: float
    site: CuffSite | None = "brachial"
    map: float | None = None


class Covariates(_Strict):
    """What is known of the person beside the age, see `capnet.records.COVARIATES`.

    Attributes:
        height: m.
        weight: kg.
        male: 1, or 0 for female.
    """

    height: float | None = None
    weight: float | None = None
    male: float | None = None


class Notes(_Strict):
    """Annotations: codes at times, never free text.

    Attributes:
        times: Seconds since the start of the record, in order.
        labels: Of at most four characters, e.g. ``N`` or ``V``.
    """

    times: list[float]
    labels: list[Code]


class Sidecar(Table):
    """All that a sidecar says: of its table, the person and the recording.

    Attributes:
        format: Version of this description.
        age: Years.
        covariates: Height, weight, sex.
        sync: Whether the channels share one clock.
        reference_type: What kind of truth the channel of aortic pressure is.
        cuffs: Pressure readings.
        calibration: What kind of reading they are.
        annotations: By their origin, e.g. ``atr``.
        also: Further tables.
    """

    format: Literal[1] = 1
    age: float | None = None
    covariates: Covariates = Covariates()
    sync: Sync = "unknown"
    reference_type: ReferenceType = "none"
    cuffs: list[Reading] = []
    calibration: Calibration = "none"
    annotations: dict[Code, Notes] = {}
    also: Annotated[list[OtherTable], Field(max_length=100)] = []

    def readings(self, *, where: str) -> tuple[Cuff, ...]:
        """Return the pressure readings in the order of time.

        Args:
            where: Names the file, for messages.

        Raises:
            RecordError: If a reading is impossible.
        """
        try:
            cuffs = [Cuff(**reading.model_dump()) for reading in self.cuffs]
        except ShapeError as error:
            msg = f"{where}: {error}"
            raise RecordError(msg) from error
        return tuple(sorted(cuffs, key=lambda cuff: cuff.time))

    def notes(self, *, where: str) -> dict[str, Annotations]:
        """Return the annotations.

        Args:
            where: Names the file, for messages.

        Raises:
            RecordError: If times are missing or out of order.
        """
        found: dict[str, Annotations] = {}
        for origin, notes in self.annotations.items():
            times = np.array(notes.times, dtype=np.float64)
            try:
                found[origin] = Annotations(times, np.array(notes.labels, dtype=str))
            except ShapeError as error:
                msg = f"{where}, annotations {origin!r}: {error}"
                raise RecordError(msg) from error
        return found


def sidecar_path(table: Path) -> Path:
    """Return where the sidecar of a table stands.

    Raises:
        RecordError: If the file is no table by its name.
    """
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if table.name.lower().endswith(suffix) and len(table.name) > len(suffix):
            return table.with_name(f"{table.name[: -len(suffix)]}.json")
    msg = f"{table.name} is no table; wanted a name that ends in {', '.join(SUFFIXES)}."
    raise RecordError(msg)


def read_sidecar(table: Path) -> Sidecar:
    """Read the sidecar that stands beside a table.

    Raises:
        RecordError: If it is missing, too long, no JSON, or says what it may not.
        UnitError: If it declares no sampling rate or not all units.
    """
    path = sidecar_path(table)
    where = path.name
    if not path.is_file():
        msg = (
            f"there is no {where} beside {table.name}; a table does not say its rate "
            'and units. Write one, at least {"sampling_rate": 125, "channels": '
            '{"PLETH": {"unit": "NU"}}}.'
        )
        raise RecordError(msg)
    path = confined(table.parent, where, where=table.name)
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    return parse_sidecar(content, where=where)


def parse_sidecar(content: bytes, *, where: str) -> Sidecar:
    """Read the text of a sidecar.

    Messages name the field, never what stands in it.

    Args:
        content: JSON in UTF-8.
        where: Names the file.

    Raises:
        RecordError: If it is no JSON, or says what it may not.
        UnitError: If it declares no sampling rate or not all units.
    """
    if len(content) > LARGEST:
        msg = f"{where} is too long; wanted a sidecar of at most {LARGEST} bytes."
        raise RecordError(msg)
    said = _json(content, where=where)
    try:
        sidecar = Sidecar.model_validate(said)
    except ValidationError as error:
        _complain(error, where=where)
    tables: list[Table] = [sidecar, *sidecar.also]
    counts = Counter(name for table in tables for name in table.channels)
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        msg = f"{where}: channel {twice[:_SHOWN]!r} is declared in two tables."
        raise RecordError(msg)
    for table in tables:
        if table.time_column in table.channels:
            msg = f"{where}: the time column is declared as a channel too. Remove one."
            raise RecordError(msg)
    return sidecar


def _json(content: bytes, *, where: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        said = dict(pairs)
        if len(said) < len(pairs):
            msg = f"{where}: a field stands twice in one object. Remove one."
            raise RecordError(msg)
        return said

    def refuse(_: str) -> NoReturn:
        msg = f"{where} holds NaN or Infinity; wanted numbers. Leave out the unknown."
        raise RecordError(msg)

    try:
        text = content.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except UnicodeDecodeError as error:
        msg = f"{where} is no text (byte {error.start}); wanted JSON in UTF-8."
        raise RecordError(msg) from None
    except json.JSONDecodeError as error:
        msg = (
            f"{where} is no JSON (line {error.lineno}, column {error.colno}); correct "
            "it there."
        )
        raise RecordError(msg) from None
    except ValueError:  # an integer with thousands of digits
        msg = f"{where} holds a number that is too long."
        raise RecordError(msg) from None
    except RecursionError:
        msg = f"{where} is nested too deeply; wanted a sidecar."
        raise RecordError(msg) from None


def _complain(error: ValidationError, *, where: str) -> NoReturn:
    """Say which field is wrong, and never what stands in it."""
    details = error.errors(
        include_url=False, include_context=False, include_input=False
    )
    # A missing unit is told before a word that is unknown: it is what matters most.
    details.sort(key=lambda detail: not _is_unit(detail["loc"]))
    detail = details[0]
    place, kind = detail["loc"], detail["type"]
    known = ", ".join(Sidecar.model_fields)
    if kind == "extra_forbidden":  # the last part is a word that nobody has declared
        said = f"{_path(place[:-1])} has a field that is unknown. Known are, at the "
        said += f"top: {known}. Correct or remove it"
    elif "[key]" in place:
        said = f"a name in {_path(place[:-2])} is empty, too long or not printable"
    elif kind == "missing":
        said = f"{_path(place)} is missing. Add it"
    else:
        words = detail["msg"].removeprefix("Value error, ")
        said = f"{_path(place)}: {words[0].lower()}{words[1:]}"
    more = f" ({len(details)} faults in all)" if len(details) > 1 else ""
    msg = f"{where}: {said}{more}."
    raise (UnitError if _is_unit(place) else RecordError)(msg) from None


def _is_unit(place: tuple[int | str, ...]) -> bool:
    return place[-1:] in {("sampling_rate",), ("unit",)}


def _path(place: tuple[int | str, ...]) -> str:
    """Return a field's place as a person would write it."""
    words = ""
    known = {*Sidecar.model_fields, *OtherTable.model_fields, *Column.model_fields}
    known |= {*Reading.model_fields, *Covariates.model_fields, *Notes.model_fields}
    for part in place:
        if isinstance(part, int):
            words += f"[{part}]"
        elif part in known:
            words += f".{part}" if words else part
        else:
            words += f"[{part[:_SHOWN]!r}]"
    return words or "the top level"
