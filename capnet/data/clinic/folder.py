"""A clinic's folder: recordings that somebody brings, as records and as beats.

The layout is in docs/clinic.md: clinic.json, manifest.csv with one row a recording, the
recordings in any format that `capnet.read_record` reads, and perhaps cuffs.csv. Who the
people are stays in the folder: they get pseudonyms at the door.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from capnet.data.clinic.manifest import (
    ClinicSettings,
    ManifestRow,
    Problem,
    is_femoral,
    read_manifest,
    read_settings,
)
from capnet.data.clinic.references import (
    Change,
    Pullback,
    change_between,
    pullback,
    simultaneous_waves,
    with_references,
)
from capnet.data.privacy.pseudonyms import deidentified, pseudonym, pseudonym_key
from capnet.data.readers import read_record
from capnet.errors import CapnetError, MissingExtraError, RecordError
from capnet.files import confined
from capnet.records import COVARIATES, Beats, Record
from capnet.signal.beats import beats_of_pieces
from capnet.signal.line import cuffs_from_abp
from capnet.types import N_POINTS, BeatWaves, ReferenceType

if TYPE_CHECKING:
    from capnet.data.stores.sources import Source

__all__ = [
    "ClinicFolder",
    "clinic_beats",
    "joined",
    "monitor_beats",
    "open_clinic",
    "person_beats",
    "read_clinic",
    "sources_of",
    "with_pullback",
]

CUFF_EVERY: Final = 120.0
"""s between two readings of an arterial line that stands in for a cuff."""

_VIRTUAL: Final = re.compile(r"virtual-[a-z0-9.-]{1,40}")
_NOBODY: Final = bytes(32)
"""Key for the name of a record, which the pseudonym of the manifest replaces."""

_LONG: Final = 4
_APART: Final = (r"(?<![^\W_])", r"(?![^\W_])")
"""Letters from which on a subject is looked for inside words, too: initials are part of
many words."""

_TOLD: Final = 5
"""Errors that one message repeats."""


@dataclass(frozen=True, eq=False)
class ClinicFolder:
    """A clinic's folder whose clinic.json and manifest.csv are in order.

    Attributes:
        root: The folder.
        settings: What clinic.json says.
        rows: What manifest.csv says, one a recording.
        spoken: What the folder calls its people; to keep it out of messages.
    """

    root: Path
    settings: ClinicSettings
    rows: tuple[ManifestRow, ...]
    spoken: frozenset[str] = field(repr=False)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Pseudonyms, in the order of manifest.csv."""
        return tuple(dict.fromkeys(row.subject for row in self.rows))

    def of(self, subject: str, role: str) -> list[ManifestRow]:
        """Return the rows of a person in a role."""
        return [r for r in self.rows if (r.subject, r.role) == (subject, role)]

    def told(self, text: str) -> str:
        """Return a text without the folder's place and what it calls its people.

        A running number of up to three digits tells nobody anything, and messages have
        numbers of their own; it stays.
        """
        text = text.replace(f"{self.root}/", "").replace(str(self.root), "")
        for word in sorted(self.spoken, key=len, reverse=True):
            if len(word) < 2 or (len(word) < _LONG and word.isdigit()):
                continue
            before, after = _APART if len(word) < _LONG else ("", "")
            found = f"{before}{re.escape(word)}{after}"
            text = re.sub(found, "<subject>", text, flags=re.IGNORECASE)
        return text

    def record(self, row: ManifestRow) -> Record:
        """Read one recording.

        Channels have the names that clinic.json teaches, and ``aortic`` is the
        reference where there is one.

        Raises:
            CapnetError: As `capnet.read_record`; the message names the row.
        """
        where = f"manifest.csv, row {row.number}"
        try:
            path = confined(self.root, row.record, where=where)
            record = self._named(read_record(path, age=row.age), row)
        except MissingExtraError:
            raise
        except CapnetError as error:
            msg = self.told(f"{where}: {error}")
            raise type(error)(msg) from None
        anyone = deidentified(record, key=_NOBODY)
        made = replace(
            anyone,
            subject=row.subject,
            source=f"{self.settings.name}, row {row.number}",
            covariates={**anyone.covariates, **row.covariates},
            reference_type=self._reference_type(row),
            # what a file says against its own clock counts
            sync="untrusted" if record.sync == "untrusted" else self.settings.sync,
        )
        kind = self.settings.calibration
        own = record.cuffs if record.calibration == kind else ()
        return made.with_cuffs(row.cuffs or own, kind)

    def _named(self, record: Record, row: ManifestRow) -> Record:
        names = {k: v for k, v in self.settings.names.items() if k in record.channels}
        if row.reference_channel:
            record.signal(row.reference_channel)  # says what there is
            names[row.reference_channel] = "aortic"
        elif row.role == "reference" or self.settings.simultaneous:
            given = record.find("aortic")
            if given is not None and given not in names:
                names[given] = "aortic"
        for name in record.channels:  # who has such a name already makes room
            if name not in names and name in names.values():
                names[name] = f"{name} (other)"
        return record.renamed(names)

    def _reference_type(self, row: ManifestRow) -> ReferenceType:
        holds = row.role == "reference" or self.settings.simultaneous
        return self.settings.reference_type if holds else "none"

    def records(self) -> Iterator[tuple[ManifestRow, Record]]:
        """Read one recording after the other.

        Yields:
            Each row with its record; only one is held at a time.

        Raises:
            CapnetError: See `record`.
        """
        return ((row, self.record(row)) for row in self.rows)

    def __repr__(self) -> str:
        return (
            f"ClinicFolder({self.settings.name!r}, {len(self.rows)} recordings of "
            f"{len(self.subjects)} people, reference {self.settings.reference_type!r})"
        )


def open_clinic(
    root: str | Path, *, key: bytes | None = None
) -> tuple[ClinicFolder | None, list[Problem]]:
    """Read clinic.json and manifest.csv, and tell all that is wrong with them.

    Args:
        root: The folder.
        key: Of the pseudonyms; `capnet.data.pseudonym_key` by default.

    Returns:
        The folder with the rows that could be read, None without any; the problems.
    """
    root = Path(root)
    if not root.is_dir():
        what, way = "there is no such folder.", "Give data.root=<folder of the clinic>."
        return None, [Problem("error", root.name, what, way)]
    settings, problems = read_settings(root / "clinic.json")
    if settings is None:
        return None, problems
    spoken: set[str] = set()

    def label(subject: str) -> str:
        nonlocal key
        if settings.virtual and _VIRTUAL.fullmatch(subject):
            return subject
        spoken.add(subject)
        key = pseudonym_key() if key is None else key
        return pseudonym(subject, key=key)

    rows, found = read_manifest(root, settings, label=label)
    problems += found
    for row in rows:
        try:
            confined(root, row.record, where="manifest.csv")
        except RecordError as error:
            what, _, way = str(error).partition(": ")[2].rpartition(". ")
            problems.append(
                Problem(
                    *("error", "manifest.csv", f"{what}.", way),
                    row=row.number,
                    column="record",
                )
            )
    folder = ClinicFolder(root, settings, tuple(rows), frozenset(spoken))
    problems = [
        replace(p, what=folder.told(p.what), way_out=folder.told(p.way_out))
        for p in problems
    ]
    return (folder if rows else None), problems


def read_clinic(root: str | Path, *, key: bytes | None = None) -> ClinicFolder:
    """Read a clinic's folder; recordings are read when they are asked for.

    Args:
        root: The folder; docs/clinic.md has its layout.
        key: Of the pseudonyms; `capnet.data.pseudonym_key` by default.

    Raises:
        RecordError: If clinic.json or manifest.csv are missing or wrong; the message
            tells the first errors, `capnet.data.check_clinic` all of them.
    """
    folder, problems = open_clinic(root, key=key)
    errors = [p for p in problems if p.level == "error"]
    if errors or folder is None:
        told = " ".join(f"({i}) {p}" for i, p in enumerate(errors[:_TOLD], start=1))
        msg = (
            f"the clinic's folder has {len(errors)} errors: {told} All of them: "
            "python experiments/check_data.py data.root=<folder>."
        )
        raise RecordError(msg)
    return folder


# Beats


def calibrated(record: Record, settings: ClinicSettings) -> Record:
    """Give a record its pressure readings, where the arterial line stands in for them.

    Raises:
        RecordError: If the line cannot; see `capnet.signal.cuffs_from_abp`.
    """
    if settings.calibration != "invasive SBP/DBP":
        return record
    readings = cuffs_from_abp(record, every=CUFF_EVERY)
    placed = [replace(reading, site=settings.line_site) for reading in readings]
    return record.with_cuffs(placed, settings.calibration)


def monitor_beats(record: Record, settings: ClinicSettings) -> Iterator[Beats]:
    """Cut a monitor's recording into beats, with their simultaneous references.

    Yields:
        Beats of ten minutes at a time. ``waves["femoral"]`` is that of a femoral line,
        NaN without one; it is not aortic and never a reference.

    Raises:
        RecordError: If the pressures or the clock of the record cannot serve.
        UnitError: See `capnet.signal.beats_in`.
    """
    femoral = next((name for name in record.channels if is_femoral(name)), None)
    kind = settings.reference_type
    if settings.simultaneous and record.sync == "untrusted":
        msg = (
            "the file says that its channels do not share one clock; wanted one clock "
            "for a simultaneous reference. Correct sync in its sidecar, or take it out."
        )
        raise RecordError(msg)
    for piece, beats in beats_of_pieces(calibrated(record, settings)):
        leg = _line(piece.record, beats, femoral)
        person = {
            name: np.full(len(beats), record.covariates.get(name, np.nan))
            for name in COVARIATES
        }
        made = beats.replace(
            waves={**beats.waves, "femoral": leg},
            features={**beats.features, **person},
        )
        if kind != "none":
            aorta = np.full((len(beats), N_POINTS), np.nan)
            if settings.simultaneous:
                aorta = simultaneous_waves(piece.record, beats, aortic="aortic")
            at_once = bool(settings.simultaneous)
            made = with_references(made, aorta, kind, simultaneous=at_once)
        yield made


def _line(record: Record, beats: Beats, name: str | None) -> BeatWaves:
    """Cut another arterial line for each beat, whatever it is called."""
    if name is None:
        return np.full((len(beats), N_POINTS), np.nan)
    return simultaneous_waves(record, beats, aortic=name)


def person_beats(folder: ClinicFolder, subject: str) -> Beats:
    """Read one person's recordings and cut them into beats.

    Args:
        folder: The clinic.
        subject: Pseudonym.

    Returns:
        With references where the clinic has them, NaN where there is none. Each
        recording of a pulse is held against the reference by itself.

    Raises:
        CapnetError: If a recording is refused; the message names the row.
    """
    settings = folder.settings
    mean = _pullback(folder, subject) if settings.simultaneous is False else None
    parts: list[Beats] = []
    for row in folder.of(subject, "monitor"):
        record = folder.record(row)
        try:
            found = [*monitor_beats(record, settings)]
        except CapnetError as error:
            msg = folder.told(f"manifest.csv, row {row.number}: {error}")
            raise type(error)(msg) from error
        if not found:
            msg = (
                f"manifest.csv, row {row.number}: no heart beat was found. Take out "
                "the row, or correct the names of its channels."
            )
            raise RecordError(msg)
        beats = Beats.concatenate(found)
        if settings.simultaneous is False:
            beats, _ = with_pullback(beats, mean, settings.reference_type)
        parts.append(beats)
    return _numbered(Beats.concatenate(parts))


def _pullback(folder: ClinicFolder, subject: str) -> Pullback | None:
    rows = folder.of(subject, "reference")
    if not rows:
        return None
    record = folder.record(rows[0])
    try:
        return pullback(record, aortic="aortic")
    except CapnetError as error:
        msg = folder.told(f"manifest.csv, row {rows[0].number}: {error}")
        raise type(error)(msg) from error


def with_pullback(
    beats: Beats, mean: Pullback | None, kind: ReferenceType
) -> tuple[Beats, Change]:
    """Give beats the mean aortic beat of a pullback, if it is near enough.

    Args:
        beats: Of one recording.
        mean: Of the same person's pullback; None without.
        kind: What kind of truth it is.

    Returns:
        The beats, and what changed between reference and pulse.
    """
    waves: BeatWaves = np.full((len(beats), N_POINTS), np.nan)
    change = Change(math.nan, math.nan, math.nan, "there is no reference recording")
    if mean is not None:
        change = change_between(mean, beats)
        if not change.reason:
            waves = np.tile(mean.wave, (len(beats), 1))
    return with_references(beats, waves, kind, simultaneous=False), change


def clinic_beats(folder: ClinicFolder) -> Beats:
    """Return the beats of everybody, with references where the clinic has them.

    Args:
        folder: The clinic.

    Raises:
        CapnetError: If a recording is refused; the message names the row.
    """
    return joined([person_beats(folder, subject) for subject in folder.subjects])


def joined(parts: Sequence[Beats]) -> Beats:
    """Put tables of beats together, and leave out waves that nobody has."""
    beats = _numbered(Beats.concatenate(parts))
    known = {k: v for k, v in beats.waves.items() if np.isfinite(v).any()}
    return beats.replace(waves=known)


def _numbered(beats: Beats) -> Beats:
    """Count the beats of each person through all of their recordings."""
    number = np.empty(len(beats), dtype=np.int64)
    for subject in beats.subjects:
        mine = np.flatnonzero(beats.subject == subject)
        number[mine] = np.arange(len(mine))
    return beats.replace(beat=number)


def sources_of(folder: ClinicFolder) -> "list[Source]":
    """Return one source of beats a person, for a store.

    The digest follows the files' content and what clinic.json and manifest.csv say of
    the person; so files are read once for it and once for the beats.

    Args:
        folder: The clinic.

    Raises:
        CapnetError: If a recording is refused.
    """
    from capnet.data.stores.sources import Source

    def beats_of_person(subject: str) -> Callable[[], Iterator[Beats]]:
        def made() -> Iterator[Beats]:
            yield person_beats(folder, subject)

        return made

    return [
        Source(
            name=subject,
            domain=folder.settings.name,
            digest=_digest(folder, subject),
            beats=beats_of_person(subject),
            windows=None,
        )
        for subject in folder.subjects
    ]


def _digest(folder: ClinicFolder, subject: str) -> str:
    """Hash all that one person's beats follow from."""
    said: list[object] = []
    for row in folder.rows:
        if row.subject == subject:
            files = sorted(folder.record(row).files.values())
            person = [row.role, row.age, dict(row.covariates), row.reference_channel]
            said.append([person, [asdict(cuff) for cuff in row.cuffs], files])
    content = folder.settings.model_dump(mode="json")
    text = json.dumps([subject, content, said], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
