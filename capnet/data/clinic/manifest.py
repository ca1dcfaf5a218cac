"""What a clinic's folder says of itself: clinic.json and manifest.csv.

Both are written by hand, in an editor and in a spreadsheet, so everything that is wrong
is told at once, by row and column. What a field that may identify somebody holds (the
subject, unknown columns, licence and notes) is never repeated in a message; names of
subjects become pseudonyms before anything else sees them.
"""

import codecs
import csv
import io
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from capnet.errors import ShapeError
from capnet.records import CHANNEL_NAMES, Cuff
from capnet.types import CuffSite, ReferenceType, Sync

__all__ = [
    "COLUMNS",
    "FORMAT",
    "ClinicSettings",
    "ManifestRow",
    "Problem",
    "is_femoral",
    "read_manifest",
    "read_settings",
]

FORMAT: Final = "capnet clinic 1"
"""What the key ``format`` of clinic.json says."""

_MOST_BYTES: Final = 10_000_000
"""Of a file that people fill in by hand."""

_MOST_ROWS: Final = 100_000
_LONGEST_NAME: Final = 100

Level = Literal["error", "warning"]
Role = Literal["monitor", "reference"]


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a clinic's folder.

    Attributes:
        level: An ``error`` keeps the clinic out; a ``warning`` should be looked at.
        file: Which, relative to the folder.
        what: What was found, and what was wanted.
        way_out: What to do about it.
        row: Of manifest.csv as a spreadsheet numbers it (the heads are row 1).
        column: Of manifest.csv.
        channel: Of the recording.
        time: Since the start of the recording, s.
        sample: Of the channel.
    """

    level: Level
    file: str
    what: str
    way_out: str
    row: int | None = None
    column: str = ""
    channel: str = ""
    time: float | None = None
    sample: int | None = None

    @property
    def where(self) -> str:
        """File, row, column, channel, time and sample in words."""
        parts = [self.file]
        if self.row is not None:
            parts.append(f"row {self.row}")
        parts += [f"column {self.column!r}"] if self.column else []
        parts += [f"channel {self.channel!r}"] if self.channel else []
        if self.time is not None:
            parts.append(f"{self.time:g} s")
        if self.sample is not None:
            parts.append(f"sample {self.sample}")
        return ", ".join(parts)

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.what} {self.way_out}".rstrip()


class ClinicSettings(BaseModel):
    """What clinic.json says.

    Attributes:
        format: `FORMAT`.
        name: The domain, for example ``st-mary-cathlab``; it stands in results.
        reference_type: What kind of truth the aortic pressure is.
        simultaneous: Whether it was recorded together with the pulse, in the same
            files; False for a pullback minutes before or after. None without one.
        sync: Whether the channels of a file share one clock.
        calibration: ``cuff SBP/DBP``: readings in manifest.csv or cuffs.csv;
            ``invasive SBP/DBP``: the arterial line of each recording, read as if it
            were a cuff; ``none``.
        line_site: Where that line is.
        names: What the files call channels, and what they are: ``{"P1": "abp"}``.
        virtual: Whether nobody here exists.
        licence, notes: Free text for whoever opens the file. It is not kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["capnet clinic 1"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")
    reference_type: ReferenceType
    simultaneous: bool | None = None
    sync: Sync = "unknown"
    calibration: Literal["none", "cuff SBP/DBP", "invasive SBP/DBP"]
    line_site: CuffSite | None = None
    names: Mapping[str, str] = {}
    virtual: bool = False
    licence: str = Field(default="", repr=False, exclude=True)
    notes: str = Field(default="", repr=False, exclude=True)

    @field_validator("licence", "notes", mode="before")
    @classmethod
    def _forget(cls, value: object) -> str:
        del value  # may hold names
        return ""

    @field_validator("names")
    @classmethod
    def _kinds(cls, names: Mapping[str, str]) -> Mapping[str, str]:
        for number, (given, kind) in enumerate(names.items(), start=1):
            if kind not in CHANNEL_NAMES:
                known = ", ".join(CHANNEL_NAMES)
                msg = f"channel number {number} has no known kind; kinds are {known}"
                raise ValueError(msg)
            if kind == "aortic" and is_femoral(given):
                msg = f"channel number {number} is a femoral line, which is not aortic"
                raise ValueError(msg)
        return names

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.reference_type == "none") != (self.simultaneous is None):
            msg = (
                "simultaneous is wanted (true or false) exactly where there is a "
                "reference_type other than 'none'"
            )
            raise ValueError(msg)
        if self.simultaneous and self.sync != "trusted":
            msg = (
                "a simultaneous reference wants sync 'trusted': one device recorded "
                "all channels on one clock. Where that is not so, simultaneous is false"
            )
            raise ValueError(msg)
        if self.virtual != (self.reference_type == "simulated") and not (
            self.virtual and self.reference_type == "none"
        ):
            msg = (
                "reference_type 'simulated' and virtual people belong together: "
                "nobody measured virtual people, and nobody simulates real ones"
            )
            raise ValueError(msg)
        return self


def is_femoral(channel: str) -> bool:
    """Say whether a channel's name is that of a femoral line."""
    return channel.strip(" ,;:").lower() in CHANNEL_NAMES["femoral"]


@dataclass(frozen=True)
class ManifestRow:
    """One recording of a clinic.

    Attributes:
        number: Row of manifest.csv as a spreadsheet numbers it.
        subject: Pseudonym of the person.
        record: Path inside the folder.
        role: ``monitor`` (the pulse), or ``reference`` (the aortic pressure alone).
        age: Years; None when unknown.
        covariates: See `capnet.records.COVARIATES`.
        cuffs: Readings, times in s since the start of this recording.
        start_min: When it began, min on any clock of the visit; None when unknown.
        reference_channel: What this file calls the aortic pressure; empty where the
            usual names and clinic.json tell.
    """

    number: int
    subject: str = field(repr=False)
    record: str
    role: Role
    age: float | None = None
    covariates: Mapping[str, float] = field(default_factory=dict)
    cuffs: tuple[Cuff, ...] = ()
    start_min: float | None = None
    reference_channel: str = ""


# Reading a file that somebody wrote


def _text(path: Path) -> tuple[str, Problem | None]:
    """Read a file in UTF-8, or say why not."""
    name = path.name
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            what = f"it has {size} bytes; wanted at most {_MOST_BYTES}."
            return "", Problem("error", name, what, "Keep one row a recording.")
        content = path.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if wide else "utf-8-sig"), None
    except UnicodeDecodeError as error:
        what = f"byte {error.start} is not {error.encoding.upper()}."
        way = "Save it as 'CSV UTF-8' (spreadsheet) or in UTF-8 (editor)."
        return "", Problem("error", name, what, way)
    except FileNotFoundError:
        way = "See docs/clinic.md for the layout and an example."
        return "", Problem("error", name, "it is missing.", way)
    except OSError as error:
        what = f"it cannot be read ({error.strerror})."
        return "", Problem("error", name, what, "Check its permissions.")


def read_settings(path: Path) -> tuple[ClinicSettings | None, list[Problem]]:
    """Read clinic.json.

    Args:
        path: Of the file.

    Returns:
        What it says, None if that cannot be told; everything that is wrong with it.
    """
    text, trouble = _text(path)
    if trouble is not None:
        return None, [trouble]
    way = "Correct clinic.json; docs/clinic.md has an example."
    try:
        content = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        at = (
            f" at line {error.lineno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        what = f"it is no JSON{at}, or a key stands twice."
        return None, [Problem("error", path.name, what, way)]
    try:
        return ClinicSettings.model_validate(content), []
    except ValidationError as error:
        return None, [
            Problem("error", path.name, what, way) for what in _complaints(error)
        ]


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        msg = "a key stands twice"
        raise ValueError(msg)
    return found


def _complaints(error: ValidationError) -> Iterator[str]:
    """Say what is wrong with each field, without what it holds."""
    known = set(ClinicSettings.model_fields)
    for found in error.errors(include_input=False, include_url=False):
        name = str(found["loc"][0]) if found["loc"] else ""
        if found["type"] == "extra_forbidden":
            near = get_close_matches(name, known, n=1)
            meant = f" (is {near[0]!r} meant?)" if near else ""
            yield f"a key is unknown{meant}; known are {', '.join(sorted(known))}."
        elif name and name not in known:
            yield "it holds something that is no mapping of settings."
        else:
            where = f"{name}: " if name else ""
            told = found["msg"].removeprefix("Value error, ")
            yield f"{where}{told}."


# The manifest

_Parse = Callable[[str], Any]


def _number(low: float, high: float, unit: str) -> _Parse:
    def parse(text: str) -> float:
        try:
            value = float(text.replace("_", " _"))  # 1_20 is no number
        except ValueError:
            msg = f"it is no number; wanted {low:g} to {high:g} {unit}"
            raise ValueError(msg) from None
        if not low <= value <= high:
            shown = f"{value:g}" if math.isfinite(value) else "no finite number"
            msg = f"it is {shown}; wanted {low:g} to {high:g} {unit}"
            raise ValueError(msg)
        return value

    return parse


def _word(*known: str) -> _Parse:
    def parse(text: str) -> str:
        if text.lower() not in known:
            msg = f"wanted one of {', '.join(known)}"
            raise ValueError(msg)
        return text.lower()

    return parse


def _name(text: str) -> str:
    if len(text) > _LONGEST_NAME or not text.isprintable():
        msg = f"wanted at most {_LONGEST_NAME} printable letters"
        raise ValueError(msg)
    return text


_MARKS: Final = ",;\t"
"""Between cells, as spreadsheets of different countries write them."""

_DAY: Final = 86400.0
COLUMNS: Final[Mapping[str, _Parse]] = {
    "subject": _name,
    "record": _name,
    "role": _word(*get_args(Role)),
    "age": _number(1.0, 119.0, "years"),
    "height_m": _number(0.3, 2.75, "m"),
    "weight_kg": _number(1.0, 650.0, "kg"),
    "sex": _word("f", "m"),
    "cuff_sbp": _number(20.0, 300.0, "mmHg"),
    "cuff_dbp": _number(20.0, 300.0, "mmHg"),
    "cuff_map": _number(20.0, 300.0, "mmHg"),
    "cuff_time_s": _number(-_DAY, 31 * _DAY, "s since the start of the recording"),
    "cuff_site": _word(*get_args(CuffSite)),
    "start_min": _number(-31 * 1440.0, 31 * 1440.0, "min"),
    "reference_channel": _name,
}
"""Columns of manifest.csv and what may stand in them; the first three are needed."""

_NEEDED: Final = ("subject", "record", "role")
_CUFF_COLUMNS: Final[Mapping[str, _Parse]] = {
    "record": _name,
    "time_s": COLUMNS["cuff_time_s"],
    "sbp": COLUMNS["cuff_sbp"],
    "dbp": COLUMNS["cuff_dbp"],
    "map": COLUMNS["cuff_map"],
    "site": COLUMNS["cuff_site"],
}
"""Columns of cuffs.csv: one row a reading."""

_CUFFS_NEEDED: Final = ("record", "time_s", "sbp", "dbp")


@dataclass(frozen=True, eq=False)
class _Sheet:
    """A table as text, with its row numbers and what is wrong with it."""

    rows: list[tuple[int, dict[str, Any]]]
    problems: list[Problem]


def _sheet(path: Path, columns: Mapping[str, _Parse], needed: Sequence[str]) -> _Sheet:
    """Read a table cell by cell."""
    text, trouble = _text(path)
    if trouble is not None:
        return _Sheet([], [trouble])
    head = text.partition("\n")[0]
    mark = max(_MARKS, key=head.count)
    try:
        lines = [
            *csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
        ]
    except csv.Error as error:
        what = f"it is no table of separated values ({error})."
        return _Sheet([], [Problem("error", path.name, what, _SAVE)])
    if not lines or len(lines) > _MOST_ROWS:
        what = f"it has {len(lines)} rows; wanted heads and up to {_MOST_ROWS} rows."
        return _Sheet([], [Problem("error", path.name, what, _SAVE)])
    heads = [head.strip().lower() for head in lines[0]]
    while heads and not heads[-1]:  # a spreadsheet keeps columns that were emptied
        heads.pop()
    problems = [*_bad_heads(path.name, heads, columns, needed)]
    if problems:
        return _Sheet([], problems)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in line):
            continue
        if any(cell.strip() for cell in line[len(heads) :]):
            what = f"the row has {len(line)} cells; wanted {len(heads)}."
            problems.append(Problem("error", path.name, what, _SAVE, row=number))
            continue
        found = {}
        for head, cell in zip_longest(heads, line[: len(heads)], fillvalue=""):
            value = cell.strip()
            if not value:
                if head in needed:
                    problems.append(
                        Problem(
                            *("error", path.name, "the cell is empty.", "Fill it in."),
                            row=number,
                            column=head,
                        )
                    )
                continue
            plain = value if mark == "," else value.replace(",", ".")
            words = head in ("subject", "record", "reference_channel")
            try:
                found[head] = columns[head](value if words else plain)
            except ValueError as error:
                way = "Correct the cell."
                if head not in needed:
                    way = "Correct the cell, or leave it empty where nothing is known."
                problems.append(
                    Problem(
                        *("error", path.name, f"{error}.", way), row=number, column=head
                    )
                )
        rows.append((number, found))
    return _Sheet(rows, problems)


_SAVE: Final = "Save it from a spreadsheet as 'CSV UTF-8', heads in the first row."


def _bad_heads(
    name: str,
    heads: Sequence[str],
    columns: Mapping[str, _Parse],
    needed: Sequence[str],
) -> Iterator[Problem]:
    known = ", ".join(columns)
    for place, head in enumerate(heads, start=1):
        if head not in columns:
            near = get_close_matches(head, columns, n=1)
            meant = f" Is {near[0]!r} meant?" if near else ""
            what = f"the head of column {place} is unknown.{meant}"
            yield Problem(
                *("error", name, what, f"Delete it or use one of {known}."), row=1
            )
        elif head in heads[: place - 1]:
            what = f"two columns are called {head!r}."
            yield Problem("error", name, what, "Delete one of them.", row=1)
    for head in needed:
        if head not in heads:
            what = f"there is no column {head!r}."
            yield Problem("error", name, what, f"Add it; columns are {known}.", row=1)


def read_manifest(
    folder: Path, settings: ClinicSettings, *, label: Callable[[str], str]
) -> tuple[list[ManifestRow], list[Problem]]:
    """Read manifest.csv, and cuffs.csv where there is one.

    Args:
        folder: Of the clinic.
        settings: What clinic.json says.
        label: Turns what stands for a person into a pseudonym.

    Returns:
        The rows that could be read; everything that is wrong with them.
    """
    sheet = _sheet(folder / "manifest.csv", COLUMNS, _NEEDED)
    problems, rows, spoken = sheet.problems, [], []
    for number, cells in sheet.rows:
        if not set(_NEEDED) <= set(cells):
            continue
        cuffs, found = _cuff_of(number, cells)
        problems += found
        spoken.append((number, cells["subject"]))
        covariates = {
            name: cells[column]
            for name, column in (("height", "height_m"), ("weight", "weight_kg"))
            if column in cells
        }
        if "sex" in cells:
            covariates["male"] = float(cells["sex"] == "m")
        rows.append(
            ManifestRow(
                number=number,
                subject=label(cells["subject"]),
                record=cells["record"],
                role=cells["role"],
                age=cells.get("age"),
                covariates=covariates,
                cuffs=cuffs,
                start_min=cells.get("start_min"),
                reference_channel=cells.get("reference_channel", ""),
            )
        )
    if not rows and not problems:
        what = "it has no row."
        problems.append(Problem("error", "manifest.csv", what, "Add a recording."))
    problems += _spelled_twice(spoken)
    if (folder / "cuffs.csv").exists():
        rows, found = _more_cuffs(folder / "cuffs.csv", rows)
        problems += found
    problems += _disagreements(rows, settings)
    return rows, problems


def _cuff_of(
    number: int, cells: Mapping[str, Any]
) -> tuple[tuple[Cuff, ...], list[Problem]]:
    """Return the reading of a row of manifest.csv."""
    given = [c for c in cells if c.startswith("cuff_")]
    if not given:
        return (), []
    lacking = [c for c in ("cuff_sbp", "cuff_dbp") if c not in cells]
    if lacking:
        what, way = "the cell is empty beside other cuff cells.", "Fill it in."
        bad = Problem(
            *("error", "manifest.csv", what, way), row=number, column=lacking[0]
        )
        return (), [bad]
    try:
        # without a time the reading holds throughout, however the recording begins
        time = cells.get("cuff_time_s", -_DAY)
        reading = Cuff(
            time,
            cells["cuff_sbp"],
            cells["cuff_dbp"],
            cells.get("cuff_site", "brachial"),
            cells.get("cuff_map"),
        )
    except ShapeError as error:
        way = "Correct cuff_sbp, cuff_dbp or cuff_map, mmHg."
        bad = Problem(
            *("error", "manifest.csv", str(error), way), row=number, column="cuff_sbp"
        )
        return (), [bad]
    return (reading,), []


def _more_cuffs(
    path: Path, rows: Sequence[ManifestRow]
) -> tuple[list[ManifestRow], list[Problem]]:
    """Add the readings of cuffs.csv to their recordings."""
    sheet = _sheet(path, _CUFF_COLUMNS, _CUFFS_NEEDED)
    problems = sheet.problems
    known = {row.record for row in rows}
    found: dict[str, list[Cuff]] = defaultdict(list)
    for number, cells in sheet.rows:
        if not set(_CUFFS_NEEDED) <= set(cells):
            continue
        if cells["record"] not in known:
            what, way = "no row of manifest.csv has this record.", "Correct the path."
            problems.append(
                Problem("error", path.name, what, way, row=number, column="record")
            )
            continue
        try:
            found[cells["record"]].append(
                Cuff(
                    *(cells["time_s"], cells["sbp"], cells["dbp"]),
                    cells.get("site", "brachial"),
                    cells.get("map"),
                )
            )
        except ShapeError as error:
            way = "Correct sbp, dbp or map, mmHg."
            problems.append(
                Problem("error", path.name, str(error), way, row=number, column="sbp")
            )
    joined = [
        replace(
            row,
            cuffs=tuple(
                sorted((*row.cuffs, *found[row.record]), key=lambda cuff: cuff.time)
            ),
        )
        for row in rows
    ]
    return joined, problems


def _spelled_twice(spoken: Sequence[tuple[int, str]]) -> Iterator[Problem]:
    """Tell subjects that differ only in how they are written."""
    seen: dict[str, dict[str, int]] = defaultdict(dict)
    for number, subject in spoken:
        plain = re.sub(r"(?<=\d)[\W_]+(?=\d)", " ", subject.casefold())  # 1-11, 11-1
        core = re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[^\w ]|_", "", plain))
        core = re.sub(r"(?<!\d) | (?!\d)", "", core) or subject
        seen[core].setdefault(subject, number)
    for spellings in seen.values():
        first, *others = spellings.values()
        for number in others:
            what = (
                f"the subject differs from that of row {first} only in capitals, "
                "blanks, marks or leading zeros: one person in two spellings would be "
                "split over both sides of a test."
            )
            way = "Write every subject the same way throughout."
            yield Problem(
                *("error", "manifest.csv", what, way), row=number, column="subject"
            )


def _disagreements(
    rows: Sequence[ManifestRow], settings: ClinicSettings
) -> Iterator[Problem]:
    """Tell what rows say against each other and against clinic.json."""

    def bad(row: ManifestRow, column: str, what: str, way: str) -> Problem:
        return Problem(
            *("error", "manifest.csv", what, way), row=row.number, column=column
        )

    at_once, none = settings.simultaneous, settings.reference_type == "none"
    first: dict[str, ManifestRow] = {}
    people: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        same = first.setdefault(row.record, row)
        if same is not row:
            what = f"row {same.number} has the same record."
            yield bad(row, "record", what, "List each recording once.")
        people[row.subject].append(row)
        if row.role == "reference" and (none or at_once):
            what = (
                "clinic.json says that there is no reference."
                if none
                else "clinic.json says that the reference is in the monitor's files."
            )
            yield bad(row, "role", what, "Correct the role, or clinic.json.")
        if row.reference_channel and none:
            what = "clinic.json says that there is no reference."
            way = "Empty the cell, or correct reference_type."
            yield bad(row, "reference_channel", what, way)
        if is_femoral(row.reference_channel):
            what = "a femoral line is not aortic and never a reference."
            way = "Name the aortic channel, or say reference_type 'none'."
            yield bad(row, "reference_channel", what, way)
    for mine in people.values():
        yield from _of_person(mine, settings, bad)


def _of_person(
    mine: Sequence[ManifestRow],
    settings: ClinicSettings,
    bad: Callable[[ManifestRow, str, str, str], Problem],
) -> Iterator[Problem]:
    """Tell what the rows of one person say against each other."""
    for row in mine[1:]:
        if row.age != mine[0].age and None not in (row.age, mine[0].age):
            what = f"the age is another one than in row {mine[0].number}."
            yield bad(row, "age", what, "One visit, one age: correct it.")
        for name, column in _OF_PERSON.items():
            values = [r.covariates.get(name) for r in (mine[0], row)]
            if None not in values and values[0] != values[1]:
                what = f"{column} is another one than in row {mine[0].number}."
                yield bad(row, column, what, "Correct it.")
    monitors = [row for row in mine if row.role == "monitor"]
    references = [row for row in mine if row.role == "reference"]
    if not monitors:
        what = "this person has a reference and no recording of a monitor."
        yield bad(mine[0], "role", what, "Add a row of role 'monitor'.")
    if len(references) > 1:
        what = f"this person has a reference in row {references[0].number} already."
        way = "Keep the one taken closest to the pulse."
        yield bad(references[1], "role", what, way)
    if settings.simultaneous is False and not references:
        yield Problem(
            *("warning", "manifest.csv", "this person has no reference recording."),
            "Add a row of role 'reference', or the person serves without a label.",
            row=mine[0].number,
        )
    if settings.calibration == "cuff SBP/DBP":
        for row in monitors:
            if not row.cuffs:
                yield Problem(
                    *("warning", "manifest.csv", "there is no cuff reading."),
                    "Fill in cuff_sbp and cuff_dbp; no estimate is made without.",
                    row=row.number,
                    column="cuff_sbp",
                )


_OF_PERSON: Final = {"height": "height_m", "weight": "weight_kg", "male": "sex"}
