"""Look at a clinic's folder before anything is learned from it.

Every recording is read, gated and cut into beats; what is wrong is told all at once,
with file, channel, time and the way out. Bounds are the named constants below.
"""

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from capnet.data.clinic.folder import (
    ClinicFolder,
    joined,
    monitor_beats,
    open_clinic,
    with_pullback,
)
from capnet.data.clinic.manifest import (
    ClinicSettings,
    Level,
    ManifestRow,
    Problem,
)
from capnet.data.clinic.references import Change, Pullback, arrival, pullback
from capnet.errors import CapnetError
from capnet.records import CHANNEL_NAMES, Beats, Record
from capnet.signal.line import abp_verdict
from capnet.signal.windows import judge_windows
from capnet.types import BeatWaves

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ChannelCheck", "Checkup", "RecordCheck", "check_clinic"]

FEW: Final = 0.5
"""Share of accepted beats below which a recording wants to be looked at."""

PP_MORE: Final = (1.1, 3.0)
"""Part, and mmHg on top, by which an aortic pulse pressure may exceed that of the arm
in the same beats; it grows towards the periphery (O'Rourke), and catheters ring."""

PP_MORE_LATER: Final = (1.25, 10.0)
"""The same where both were taken minutes apart."""

MEAN_OFF: Final = 10.0
"""mmHg that the mean pressures of two lines may lie apart in the same beats."""

DBP_OFF: Final = 12.0
"""mmHg, likewise of the diastolic pressures."""

LEAD: Final = (0.015, 0.0)
"""s by which the pulse reaches the aorta before the arm, at least: in the same beats,
and minutes apart, when the heart may take another time to open the valve. Stiff 40 cm
take 30 ms, of which a fluid-filled catheter hides half; a femoral line, whatever it is
called, comes within 25 ms of the radial artery."""

CUFF_OFF: Final = 30.0
"""mmHg by which a cuff's SBP or DBP may differ from those of an arterial line; cuffs
err with an SD of 8 to 10, and radial SBP is some 10 above that of the arm."""

_KINDS: Final = ("ecg", "ppg", "abp", "femoral", "aortic")
_DESCRIBING: Final = (".hea", ".json", ".atr")
"""Suffixes of files that hold no samples."""

_WHERE: Final = {
    "channel": re.compile(r"channel '([^']{1,60})'"),
    "sample": re.compile(r"sample (\d+)"),
    "time": re.compile(r"(?<![\d.])(\d+(?:\.\d+)?) s\b"),
}


@dataclass(frozen=True)
class ChannelCheck:
    """One channel of a recording.

    Attributes:
        name: After clinic.json's own words; unknown names are numbered.
        kind: What it is taken for; empty where it is not used.
        sampling_rate: Hz.
        unit: As it is held: pressures in mmHg.
        minutes: How long.
        present: Share of samples that are there.
        accepted: Share of windows of 8 s that the gate let through; NaN where the
            channel was not judged.
        reasons: Why not the others, and how many.
        verdict: What is wrong with the whole channel; empty if nothing.
    """

    name: str
    kind: str
    sampling_rate: float
    unit: str
    minutes: float
    present: float
    accepted: float = math.nan
    reasons: Mapping[str, int] = field(default_factory=dict)
    verdict: str = ""


@dataclass(frozen=True)
class RecordCheck:
    """One row of manifest.csv.

    Attributes:
        row: As a spreadsheet numbers it.
        subject: Pseudonym.
        role: ``monitor`` or ``reference``.
        file: Relative to the folder.
        minutes: Duration; 0 where it could not be read.
        channels: What it holds.
        cuffs: Readings.
        beats: Found; 0 in references.
        accepted: Of these.
        reasons: Why not the others, and how many.
        calibrated: Accepted beats with a cuff reading.
        referenced: Accepted beats with an aortic wave.
        pressures: SBP, DBP, MAP, mmHg, by line: ``abp``, ``aortic``, ``femoral``.
        change: Between reference and pulse, where they are minutes apart.
        unlabelled: Why no beat has a reference; empty where some have, or where the
            clinic has none.
        start_min: When it began, min on the clock of the visit.
    """

    row: int
    subject: str
    role: str
    file: str
    minutes: float = 0.0
    channels: tuple[ChannelCheck, ...] = ()
    cuffs: int = 0
    beats: int = 0
    accepted: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    calibrated: int = 0
    referenced: int = 0
    pressures: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    change: Change | None = None
    unlabelled: str = ""
    start_min: float | None = None


@dataclass(frozen=True, eq=False)
class Checkup:
    """What was found in a clinic's folder.

    Attributes:
        settings: What clinic.json says; None where it cannot be read.
        records: One a row of manifest.csv.
        problems: All of them, errors first.
        beats: Everybody's, as `capnet.data.clinic_beats` has them but
            without raw windows; None where there are none.
    """

    settings: ClinicSettings | None
    records: tuple[RecordCheck, ...]
    problems: tuple[Problem, ...]
    beats: Beats | None = field(default=None, repr=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps the clinic out."""
        return tuple(p for p in self.problems if p.level == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What should be looked at."""
        return tuple(p for p in self.problems if p.level == "warning")

    @property
    def subjects(self) -> tuple[str, ...]:
        """Pseudonyms in the order of manifest.csv."""
        return tuple(dict.fromkeys(r.subject for r in self.records))

    @property
    def labelled(self) -> tuple[str, ...]:
        """Those who have an accepted beat with a reference."""
        found = dict.fromkeys(r.subject for r in self.records if r.referenced)
        return tuple(found)

    def headline(self) -> str:
        """Return who, how long and how good in one sentence."""
        if self.settings is None:
            return f"No clinic: {len(self.errors)} errors."
        beats = sum(r.beats for r in self.records)
        good = sum(r.accepted for r in self.records)
        minutes = sum(r.minutes for r in self.records)
        when = {None: "", True: ", simultaneous", False: ", not simultaneous"}
        kind = f"{self.settings.reference_type}{when[self.settings.simultaneous]}"
        people = "virtual people" if self.settings.virtual else "people"
        return (
            f"{self.settings.name}: {len(self.records)} recordings of "
            f"{len(self.subjects)} {people}, {minutes:.0f} min, {good} of {beats} "
            f"beats accepted; reference: {kind} ({len(self.labelled)} people have "
            f"one); calibration: {self.settings.calibration}; {len(self.errors)} "
            f"errors, {len(self.warnings)} warnings."
        )

    def to_json(self) -> str:
        """Return everything as JSON; what is not known is null."""
        clinic = None if self.settings is None else self.settings.model_dump()
        content = {
            "headline": self.headline(),
            "clinic": clinic,
            "records": [asdict(r) for r in self.records],
            "problems": [asdict(p) for p in self.problems],
        }
        return json.dumps(_plain(content), indent=1, allow_nan=False)

    def to_csv(self) -> str:
        """Return one row a problem."""
        heads = ["level", "file", "row", "column", "channel", "time", "sample"]
        heads += ["what", "way_out"]
        text = io.StringIO()
        writer = csv.DictWriter(text, heads, lineterminator="\n")
        writer.writeheader()
        for problem in self.problems:
            told = {k: "" if v is None else v for k, v in asdict(problem).items()}
            writer.writerow(told)
        return text.getvalue()

    def tables(self) -> "list[Table]":
        """Return people and problems as tables for the screen."""
        from rich.table import Table

        title = "recordings (minutes, channels with Hz and accepted windows)"
        people = Table(title=title)
        for head in ("row", "subject", "role", "min", "channels", "beats", "labelled"):
            people.add_column(head)
        for r in self.records:
            seen = ", ".join(
                f"{c.name} {c.sampling_rate:g}{_share(c.accepted)}" for c in r.channels
            )
            beats = f"{r.accepted} of {r.beats}" if r.role == "monitor" else "-"
            minutes = f"{r.minutes:.1f}"
            labelled = str(r.referenced) if r.role == "monitor" else "-"
            people.add_row(
                *(str(r.row), r.subject, r.role, minutes, seen, beats, labelled)
            )
        problems = Table(title=f"{len(self.problems)} problems", show_lines=True)
        for head in ("level", "where", "what", "way out"):
            problems.add_column(head)
        for p in self.problems:
            problems.add_row(p.level, p.where, p.what, p.way_out)
        return [people, problems]


def _share(value: float) -> str:
    return f" ({100 * value:.0f} %)" if math.isfinite(value) else ""


def _plain(value: Any) -> Any:
    """Return numbers that JSON has; None for those it has not."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value


# Looking


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is kept of a recording until all are seen.

    Attributes:
        arm: When the pulse reaches the arterial line, s after the R peak.
    """

    check: RecordCheck
    files: tuple[str, ...] = ()
    beats: Beats | None = None
    pullback: Pullback | None = None
    arm: float = math.nan


class _Notes:
    """Problems of one recording as they are found."""

    def __init__(self, row: ManifestRow, folder: ClinicFolder) -> None:
        self.row, self._folder = row, folder
        self.found: list[Problem] = []

    def add(
        self,
        level: Level,
        what: str,
        way_out: str,
        *,
        channel: str = "",
        time: float | None = None,
        column: str = "",
    ) -> None:
        self.found.append(
            Problem(
                level,
                self._folder.told(self.row.record),
                what,
                way_out,
                row=self.row.number,
                column=column,
                channel=channel,
                time=time,
            )
        )

    def refused(self, error: CapnetError) -> None:
        """Note what a door said, which ends with the way out."""
        text = self._folder.told(str(error))
        text = text.removeprefix(f"manifest.csv, row {self.row.number}: ")
        what, mark, way = text.rstrip(".").rpartition(". ")
        if not mark:
            what, way = way, "See docs/clinic.md"
        told = {name: found.search(text) for name, found in _WHERE.items()}
        sample, time = told["sample"], told["time"]
        self.found.append(
            Problem(
                "error",
                self._folder.told(self.row.record),
                f"{what}.",
                f"{way}.",
                row=self.row.number,
                channel=told["channel"].group(1) if told["channel"] else "",
                time=float(time.group(1)) if time else None,
                sample=int(sample.group(1)) if sample else None,
            )
        )


def check_clinic(
    clinic: ClinicFolder | str | Path,
    *,
    key: bytes | None = None,
    progress: Callable[[int, int], None] | None = None,
    look: Callable[[Record, Beats | None, ManifestRow], None] | None = None,
) -> Checkup:
    """Look at all of a clinic's folder, however much of it is wrong.

    Args:
        clinic: The folder; one that was read already, or its path.
        key: Of the pseudonyms; `capnet.data.pseudonym_key` by default.
        progress: Called with the recordings done and all.
        look: Called with each recording that could be read, its beats (None for a
            reference) and its row, for instance to draw it.

    Returns:
        Who, how long, which channels, how good, and every problem.
    """
    if isinstance(clinic, ClinicFolder):
        folder: ClinicFolder | None = clinic
        problems: list[Problem] = []
    else:
        folder, problems = open_clinic(clinic, key=key)
    if folder is None:
        return Checkup(None, (), _sorted(problems))
    lost = {p.row for p in problems if p.level == "error" and p.column == "record"}
    seen = []
    for done, row in enumerate(folder.rows, start=1):
        if row.number in lost:
            seen.append(_Seen(_unread(row)))
        else:
            notes = _Notes(row, folder)
            seen.append(_look_at(folder, row, notes, look))
            problems += notes.found
        if progress is not None:
            progress(done, len(folder.rows))
    seen, found = _with_pullbacks(folder, seen)
    problems += found
    problems += _same_files(seen)
    problems += _same_signals(folder, seen)
    problems += _whole(folder, seen)
    checks = tuple(replace(s.check, file=folder.told(s.check.file)) for s in seen)
    order = {who: at for at, who in enumerate(folder.subjects)}
    people = sorted(seen, key=lambda s: order[s.check.subject])
    tables = [s.beats for s in people if s.beats is not None]
    beats = joined(tables) if tables else None
    return Checkup(folder.settings, checks, _sorted(problems), beats)


def _sorted(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(
        sorted(dict.fromkeys(problems), key=lambda p: (p.level, p.row or 0, p.file))
    )


def _look_at(
    folder: ClinicFolder,
    row: ManifestRow,
    notes: _Notes,
    look: Callable[[Record, Beats | None, ManifestRow], None] | None,
) -> _Seen:
    """Read one recording and judge it by itself."""
    try:
        record = folder.record(row)
    except CapnetError as error:
        notes.refused(error)
        return _Seen(_unread(row))
    files = tuple(
        digest
        for name, digest in record.files.items()
        if not name.endswith(_DESCRIBING)  # alike for many recordings
    )
    longest = max(s.start + s.duration for s in record.channels.values())
    made = replace(
        _unread(row),
        minutes=longest / 60.0,
        channels=tuple(_channels(record, row, folder.settings, notes)),
        cuffs=len(row.cuffs),
    )
    beats, mean, arm = None, None, math.nan
    try:
        if row.role == "reference":
            mean = pullback(record, aortic="aortic")
            wave = mean.wave
            levels = (float(wave.max()), float(wave.min()), mean.mean)
            made = replace(made, pressures={"aortic": levels})
        else:
            beats, made = _monitor(folder.settings, record, made, notes)
            arm = _arm(record)
            if folder.settings.simultaneous and made.referenced:
                _hold_arrivals(arrival(record, "aortic"), arm, notes, at_once=True)
    except CapnetError as error:
        notes.refused(error)
    if look is not None:
        look(record, beats, row)
    return _Seen(made, files, beats, mean, arm)


def _unread(row: ManifestRow) -> RecordCheck:
    return RecordCheck(
        row.number, row.subject, row.role, row.record, start_min=row.start_min
    )


def _arm(record: Record) -> float:
    """When the pulse reaches a usable arterial line, s after the R peak."""
    name = record.find("abp")
    if name is None or abp_verdict(record, abp=name):
        return math.nan
    return arrival(record, name)


def _channels(
    record: Record, row: ManifestRow, settings: ClinicSettings, notes: _Notes
) -> Iterator[ChannelCheck]:
    """Describe every channel, and judge those that are used."""
    uses = {kind: record.find(kind) for kind in _KINDS}
    unused = row.role == "monitor" and not settings.simultaneous
    if unused and uses["aortic"] is not None:
        notes.add(
            "warning",
            "the channel sounds aortic; clinic.json does not say that monitors hold "
            "the reference, so it is not used.",
            "Correct reference_type or simultaneous, or leave it.",
            channel=uses["aortic"],
        )
        uses["aortic"] = None
    wanted = ("aortic",) if row.role == "reference" else ("ppg",)
    for kind in wanted:
        if uses[kind] is None:
            what = f"there is no channel of kind {kind!r}."
            way = 'Teach its name in clinic.json: "names": {"<name>": "' + kind + '"}.'
            notes.add("error", what, way, channel=kind)
    if row.role == "monitor" and uses["ecg"] is None:
        what = "there is no ECG; beats are cut at the pulses alone."
        notes.add("warning", what, "Add the ECG where there is one.", channel="ecg")
    judged = _judged(record, uses, row, notes)
    kinds = {name: kind for kind, name in uses.items() if name is not None}
    for name, signal in record.channels.items():
        kind = kinds.get(name, "")
        found = judged.get(name)
        yield ChannelCheck(
            name=name,
            kind=kind,
            sampling_rate=signal.sampling_rate,
            unit=signal.unit,
            minutes=signal.duration / 60.0,
            present=float(np.isfinite(signal.values).mean()),
            accepted=math.nan if found is None else found[0],
            reasons={} if found is None else found[1],
            verdict="" if found is None else found[2],
        )


def _judged(
    record: Record,
    uses: Mapping[str, str | None],
    row: ManifestRow,
    notes: _Notes,
) -> dict[str, tuple[float, dict[str, int], str]]:
    """Return for each channel the share of good windows, reasons and its verdict."""
    answer: dict[str, tuple[float, dict[str, int], str]] = {}
    given = (uses[kind] for kind in ("abp", "femoral", "aortic"))
    lines: list[str | None] = [name for name in given if name is not None]
    for line in lines or [None]:
        held = [name for name in (uses["ecg"], uses["ppg"], line) if name is not None]
        if not held:
            continue
        part = replace(record, channels={k: record.channels[k] for k in held})
        try:
            verdicts = judge_windows(part, ecg=uses["ecg"], ppg=uses["ppg"], abp=line)
        except CapnetError as error:
            notes.refused(error)
            continue
        for at, name in enumerate(verdicts.channels):
            if name in answer:
                continue
            reasons = Counter(verdicts.reason[at].tolist())
            del reasons[""]
            share = float(verdicts.accepted[at].mean())
            answer[name] = (share, dict(reasons), str(verdicts.record_reason[at]))
    for name, (_, _, verdict) in answer.items():
        _note_verdict(name, verdict, record, uses, row, notes)
    return answer


_SAYS: Final = {
    "swapped": ("it looks like another kind of channel", "Correct the names"),
    "wrong rate": ("beats run too fast or too slow", "Correct the sampling rate"),
    "unsynchronised": ("its beats do not follow the ECG", "Use one clock"),
    "implausible pressure": ("no artery has such a pressure", "Correct the unit"),
    "delayed": ("its pulses come too late after the R peaks", "Know the delay"),
}


def _note_verdict(
    name: str,
    verdict: str,
    record: Record,
    uses: Mapping[str, str | None],
    row: ManifestRow,
    notes: _Notes,
) -> None:
    """Note what is wrong with a whole channel."""
    needed = name == uses["aortic"] or name == uses["ppg"] or name == uses["ecg"]
    if name in (uses["abp"], uses["femoral"], uses["aortic"]):
        level = abp_verdict(record, abp=name)
        if level:
            way = "Correct unit and zero in the file, or take the channel out."
            serious: Level = "error" if name == uses["aortic"] else "warning"
            notes.add(serious, f"{level}.", way, channel=name)
            return
    if not verdict:
        return
    what, way = _SAYS.get(verdict, (verdict, "Look at the picture"))
    mild = verdict == "delayed" or not needed
    start = record.signal(name).start
    notes.add(
        "warning" if mild else "error",
        f"{verdict}: {what}.",
        f"{way} of the recording in row {row.number}, or take the row out.",
        channel=name,
        time=start,
    )


def _levels(waves: BeatWaves | None, rows: np.ndarray) -> tuple[float, float, float]:
    """Return median SBP, DBP, MAP of beats, mmHg; NaN where there is none."""
    if waves is None:
        return (math.nan,) * 3
    known = waves[rows & np.isfinite(waves).all(axis=1)]
    if not len(known):
        return (math.nan,) * 3
    each = (known.max(axis=1), known.min(axis=1), known.mean(axis=1))
    sbp, dbp, mean = (float(np.median(values)) for values in each)
    return sbp, dbp, mean


def _monitor(
    settings: ClinicSettings, record: Record, made: RecordCheck, notes: _Notes
) -> tuple[Beats | None, RecordCheck]:
    """Cut a monitor's recording, and hold its pressures against each other."""
    found = monitor_beats(record, settings)  # raw windows of a day are a gigabyte
    parts = [part.replace(raw=None, start=None, stop=None) for part in found]
    if not parts:
        way = "Correct the names of its channels, or take the row out."
        notes.add("error", "no heart beat was found.", way)
        return None, made
    beats = Beats.concatenate(parts)
    good = beats.accepted
    reasons = Counter(beats.reason[~good].tolist())
    lines = {
        "abp": beats.waves.get("abp"),
        "femoral": beats.waves.get("femoral"),
        "aortic": beats.reference if settings.simultaneous else None,
    }
    levels = {name: _levels(wave, good) for name, wave in lines.items()}
    levels = {name: v for name, v in levels.items() if math.isfinite(v[0])}
    known = np.zeros(len(beats), dtype=np.bool_)
    if beats.reference is not None:
        known = np.isfinite(beats.reference).all(axis=1)
    made = replace(
        made,
        beats=len(beats),
        accepted=int(good.sum()),
        reasons=dict(reasons),
        calibrated=int((good & np.isfinite(beats.cuff).all(axis=1)).sum()),
        referenced=int((good & known).sum()),
        pressures=levels,
    )
    if settings.simultaneous and not made.referenced:
        made = replace(made, unlabelled="no accepted beat has a plausible aortic wave")
    if not good.any():
        told = ", ".join(f"{n} {why}" for why, n in reasons.most_common(3))
        what = f"none of {len(beats)} beats was accepted ({told})."
        notes.add("warning", what, "Look at the picture; take a cleaner part.")
    elif good.mean() < FEW:
        what = f"{100 * good.mean():.0f} % of {len(beats)} beats were accepted."
        notes.add("warning", what, "Look at the picture; take a cleaner part.")
    if settings.simultaneous and good.any() and not made.referenced:
        what = f"{made.unlabelled}."
        notes.add("error", what, "Look at the picture.", channel="aortic")
    _hold_lines(levels, notes, at_once=True)
    _hold_cuffs(record, levels.get("abp"), settings, notes)
    return beats, made


def _hold_lines(
    levels: Mapping[str, tuple[float, float, float]], notes: _Notes, *, at_once: bool
) -> None:
    """Hold the aortic pressure against that of the arm."""
    if not {"aortic", "abp"} <= set(levels):
        return
    (sbp, dbp, mean), (arm_sbp, arm_dbp, arm_mean) = levels["aortic"], levels["abp"]
    part, more = PP_MORE if at_once else PP_MORE_LATER
    if sbp - dbp > part * (arm_sbp - arm_dbp) + more:
        what = (
            f"the aortic pulse pressure is {sbp - dbp:.0f} mmHg, that of the arm "
            f"{arm_sbp - arm_dbp:.0f}; wanted it no higher in the aorta."
        )
        way = "See whether the two channels are swapped, or one line is damped."
        notes.add("error" if at_once else "warning", what, way, channel="aortic")
    if at_once and abs(mean - arm_mean) > MEAN_OFF:
        what = (
            f"mean pressure is {mean:.0f} mmHg in the aorta and {arm_mean:.0f} at the "
            f"arm; wanted at most {MEAN_OFF:g} mmHg between them."
        )
        way = "See zero and level of both transducers."
        notes.add("warning", what, way, channel="aortic")
    elif at_once and abs(dbp - arm_dbp) > DBP_OFF:
        what = (
            f"diastolic pressure is {dbp:.0f} mmHg in the aorta and {arm_dbp:.0f} at "
            f"the arm; wanted at most {DBP_OFF:g} mmHg between them."
        )
        notes.add("warning", what, "See damping and level.", channel="aortic")


def _hold_arrivals(aorta: float, arm: float, notes: _Notes, *, at_once: bool) -> None:
    """Hold the arrival of the pulse in the aorta against that at the arm."""
    least = LEAD[0 if at_once else 1]
    if arm - aorta < least:
        what = (
            f"the pulse comes {1e3 * aorta:.0f} ms after the R peak, at the arm after "
            f"{1e3 * arm:.0f} ms; wanted it {1e3 * least:.0f} ms or more earlier in "
            "the aorta."
        )
        way = "See whether it is a femoral line, which is never a reference."
        notes.add("error" if at_once else "warning", what, way, channel="aortic")


def _hold_cuffs(
    record: Record,
    line: tuple[float, float, float] | None,
    settings: ClinicSettings,
    notes: _Notes,
) -> None:
    """Hold the cuff against the arterial line."""
    if line is None or settings.calibration != "cuff SBP/DBP":
        return
    for reading in record.cuffs:
        for name, value, beside in (
            ("cuff_sbp", reading.sbp, line[0]),
            ("cuff_dbp", reading.dbp, line[1]),
        ):
            if abs(value - beside) > CUFF_OFF:
                what = (
                    f"{name} is {value:.0f} mmHg, the arterial line shows "
                    f"{beside:.0f}; wanted at most {CUFF_OFF:g} mmHg between them."
                )
                way = "See whether reading and recording belong together."
                notes.add("warning", what, way, column=name)


def _with_pullbacks(
    folder: ClinicFolder, seen: Sequence[_Seen]
) -> tuple[list[_Seen], list[Problem]]:
    """Give beats the mean aortic beat of their person, and say what changed."""
    if folder.settings.simultaneous is not False:
        return [*seen], []
    means = {s.check.subject: s for s in seen if s.pullback is not None}
    answer, problems = [], []
    rows = {row.number: row for row in folder.rows}
    for s in seen:
        if s.beats is None:
            answer.append(s)
            continue
        mine = means.get(s.check.subject)
        mean = None if mine is None else mine.pullback
        beats, change = with_pullback(s.beats, mean, folder.settings.reference_type)
        good = int(beats.accepted.sum()) * (not change.reason)
        check = replace(s.check, referenced=good, unlabelled=change.reason)
        if mine is not None and mean is not None:
            check = replace(check, change=change)
            notes = _Notes(rows[s.check.row], folder)
            if change.reason:
                what = f"there is no reference for this pulse: {change.reason}."
                way = "Take a pulse closer to the pullback; until then no label."
                notes.add("warning", what, way)
            levels = {**s.check.pressures, **mine.check.pressures}
            _hold_lines(levels, notes, at_once=False)
            _hold_arrivals(mean.arrival, s.arm, notes, at_once=False)
            problems += notes.found
        answer.append(replace(s, check=check, beats=beats))
    return answer, problems


def _same_files(seen: Sequence[_Seen]) -> Iterator[Problem]:
    """Tell recordings with the same bytes."""
    first: dict[str, RecordCheck] = {}
    for s in seen:
        same = next((first[file] for file in s.files if file in first), None)
        for file in s.files:
            first.setdefault(file, s.check)
        if same is not None:
            who = "the same" if same.subject == s.check.subject else "another"
            what = f"it holds the bytes of row {same.row}, of {who} subject."
            way = "Take one of the two rows out."
            yield Problem("error", s.check.file, what, way, row=s.check.row)


def _same_signals(folder: ClinicFolder, seen: Sequence[_Seen]) -> Iterator[Problem]:
    """Tell people who share a recording, however it was scaled or shifted."""
    from capnet.data.duplicates import find_duplicates

    tables = [s.beats for s in seen if s.beats is not None and s.beats.accepted.any()]
    if len(tables) < 2:
        return
    first = {s.check.subject: s.check for s in reversed(seen)}
    found = find_duplicates(Beats.concatenate(tables))
    for pair in found.possible:
        rows = sorted((pair.one, pair.other), key=lambda who: first[who].row)
        early, other = (first[who] for who in rows)
        yield Problem(
            *("warning", folder.told(other.file)),
            f"it may be the person of row {early.row}: their beats are much alike.",
            "If so, give both rows one subject.",
            row=other.row,
            column="subject",
        )
    for group in found.groups:
        known, *others = sorted(group, key=lambda who: first[who].row)
        for who in others:
            what = (
                f"its signals are those of the person of row {first[known].row}, "
                "perhaps scaled or shifted: one person under two names would stand on "
                "both sides of a test."
            )
            way = "Give both rows one subject, or take one of them out."
            check = first[who]
            file = folder.told(check.file)
            yield Problem("error", file, what, way, row=check.row, column="subject")


def _whole(folder: ClinicFolder, seen: Sequence[_Seen]) -> Iterator[Problem]:
    """Tell what concerns the whole clinic."""
    settings = folder.settings
    if settings.calibration == "none":
        yield Problem(
            *("warning", "clinic.json", "calibration is 'none'."),
            "Give cuff readings or a line: no estimator answers without a pressure.",
        )
    if settings.reference_type != "none" and not any(s.check.referenced for s in seen):
        yield Problem(
            *("error", "clinic.json", "nobody has a usable reference."),
            "Correct what stands above, or say reference_type 'none'.",
        )
    words = {w.lower() for names in CHANNEL_NAMES.values() for w in names}
    unknown = {
        s.check.row
        for s in seen
        for c in s.check.channels
        if c.name.strip(" ,;:").lower() not in words
    }
    if unknown:
        n = len(unknown)
        yield Problem(
            *("warning", "clinic.json", f"{n} recordings hold channels of no use."),
            "Teach their names in clinic.json, or leave them.",
        )
