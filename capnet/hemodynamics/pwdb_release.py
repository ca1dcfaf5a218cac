"""The official release of the Pulse Wave Database, read strictly.

Zenodo record 3275625 (doi:10.5281/zenodo.3275625) holds, as its export script writes
them (github.com/peterhcharlton/pwdb, ``export_pwdb.m``):

- ``PWs_csv.zip`` with ``PWs_<site>_<signal>.csv``: a heading ``Subject Number, pt1,
  pt2, ...``, one line a subject, numbers of five digits, ``NaN`` (or nothing) after the
  end of the beat; 500 Hz, which no file says;
- ``pwdb_onset_times.csv``: when each wave begins, s after that of the aortic root;
- ``pwdb_haemod_params.csv`` and ``pwdb_model_configs.csv``;
- ``pwdb_data.mat`` (MATLAB 5): the same waves as cells ``data.waves.<signal>_<site>``.

Pressure is in mmHg, velocity in m/s, area in m2 (the release's "m3" is a slip), and the
PPG has no unit. Places are those of the release: its radial wave is from the wrist end
of the artery.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast, get_args

import numpy as np
from jaxtyping import Float, Int

from capnet.errors import ConfigError, RecordError
from capnet.hemodynamics.matlab import Numbers, read_mat
from capnet.hemodynamics.pwdb import (
    CONFIGS,
    PwdbWaves,
    beat_length,
    choose_subjects,
    first_sample,
)
from capnet.units import MMHG

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "RELEASE_SITES",
    "PwdbHaemodynamics",
    "ReleaseSignal",
    "read_pwdb_haemodynamics",
    "read_pwdb_release",
]

ReleaseSignal = Literal["pressure", "velocity", "area", "ppg"]
"""What the release has of each site."""

PerSubject = Float[np.ndarray, " subject"]
Subjects = Int[np.ndarray, " subject"]
Table = Float[np.ndarray, "subject time"]
Rows = Float[np.ndarray, "subject _"]
Known = Int[np.ndarray, " known"]
Found = Int[np.ndarray, " found"]

RELEASE_SITES: Final[Mapping[str, str]] = {
    "aortic_root": "AorticRoot",
    "thoracic_aorta": "ThorAorta",
    "abdominal_aorta": "AbdAorta",
    "iliac_bifurcation": "IliacBif",
    "carotid": "Carotid",
    "superficial_temporal": "SupTemporal",
    "middle_cerebral": "SupMidCerebral",
    "brachial": "Brachial",
    "radial": "Radial",
    "digital": "Digital",
    "common_iliac": "CommonIliac",
    "femoral": "Femoral",
    "anterior_tibial": "AntTibial",
}
"""Words of this library for the release's measurement sites."""

_USUAL: Final = ("aortic_root", "carotid", "brachial", "radial", "digital", "femoral")
_ROOT: Final = "AorticRoot"
_RATE: Final = 500.0
_TOLERANCE: Final = 5e-3
"""s by which a stored beat may differ from the period of its heart rate."""


class _Kind(NamedTuple):
    letter: str
    unit: str
    least: float
    most: float
    hint: str


_KINDS: Final[Mapping[str, _Kind]] = {
    "pressure": _Kind("P", "mmHg", 20.0, 400.0, f"1 mmHg is {MMHG:g} Pa"),
    "velocity": _Kind("U", "m/s", -10.0, 10.0, "1 m/s is 100 cm/s"),
    "area": _Kind("A", "m2", 1e-9, 1e-2, "1 m2 is 1e6 mm2"),
    "ppg": _Kind("PPG", "pulse heights", -10.0, 10.0, "the release's go from 0 to 1"),
}

ONSETS: Final = "pwdb_onset_times.csv"
HAEMODYNAMICS: Final = "pwdb_haemod_params.csv"
_ARCHIVE: Final = "PWs_csv.zip"
_FOLDERS: Final = ("", "PWs/csv", "csv", "PWs_csv")

_SUBJECT: Final = "Subject Number"
_COLUMNS: Final[Mapping[str, str]] = {
    "age": "age [years]",
    "hr": "HR [bpm]",
    "sv": "SV [ml]",
    "co": "CO [l/min]",
    "lvet": "LVET [ms]",
    "dpdt": "dp/dt [mmHg/s]",
    "pft": "PFT [ms]",
    "rfv": "RFV [ml]",
    "aortic_sbp": "SBP_a [mmHg]",
    "aortic_dbp": "DBP_a [mmHg]",
    "aortic_map": "MAP_a [mmHg]",
    "aortic_pp": "PP_a [mmHg]",
    "brachial_sbp": "SBP_b [mmHg]",
    "brachial_dbp": "DBP_b [mmHg]",
    "brachial_map": "MBP_b [mmHg]",
    "brachial_pp": "PP_b [mmHg]",
    "pp_amplification": "PP_amp [ratio]",
    "augmentation_pressure": "AP [mmHg]",
    "augmentation_index": "AIx [%]",
    "reflection_time": "Tr [ms]",
    "aortic_pwv": "PWV_a [m/s]",
    "cf_pwv": "PWV_cf [m/s]",
    "br_pwv": "PWV_br [m/s]",
    "fa_pwv": "PWV_fa [m/s]",
    "ascending_aorta_diameter": "dia_asca [mm]",
    "descending_aorta_diameter": "dia_dta [mm]",
    "abdominal_aorta_diameter": "dia_abda [mm]",
    "carotid_diameter": "dia_car [mm]",
    "proximal_aorta_length": "Len [mm]",
    "drop_to_finger": "drop fin [mmHg]",
    "drop_to_ankle": "drop ankle [mmHg]",
    "svr": "SVR [10^6 Pa s / m3]",
}
_KNOWN: Final = (
    *("age", "hr", "sv", "co", "lvet", "aortic_sbp", "aortic_dbp", "aortic_map"),
    *("aortic_pp", "brachial_sbp", "brachial_dbp", "brachial_map", "brachial_pp"),
)
"""Columns that everybody has; a shoulder, say, is not in every wave."""

_LARGEST: Final = 1 << 28
"""Bytes of a CSV file (PWDB's have up to 20 MB)."""
_LONGEST_LINE: Final = 1 << 17
_MOST_POINTS: Final = 2000
_MOST_SUBJECTS: Final = 100_000
_MARKS: Final = b"0123456789+-.eENan"
"""What a line of numbers is written with."""


@dataclass(frozen=True, eq=False)
class PwdbHaemodynamics:
    """Haemodynamic parameters of the release, read off the waves by its authors.

    Attributes:
        index: PWDB's subject numbers. Shape (subject,).
        values: By name, NaN where a landmark was not found: ``hr`` (bpm), ``sv``
            (ml), ``co`` (l/min), ``aortic_sbp`` ... (mmHg), ``cf_pwv`` (m/s), times in
            ms, lengths in mm, ``svr`` in 1e6 Pa s/m3. Each of shape (subject,).
    """

    index: Subjects
    values: Mapping[str, PerSubject]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, name: str) -> PerSubject:
        """Return a parameter.

        Raises:
            ConfigError: If there is none of that name.
        """
        if name not in self.values:
            msg = f"no parameter {name!r}; there are {', '.join(self.values)}."
            raise ConfigError(msg)
        return self.values[name]

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a subject."""
        import pandas as pd

        return pd.DataFrame({"index": self.index, **self.values})

    def __repr__(self) -> str:
        return f"PwdbHaemodynamics({len(self)} people, {len(self.values)} parameters)"


def read_pwdb_haemodynamics(
    folder: str | Path, subjects: Sequence[int] | None = None
) -> PwdbHaemodynamics:
    """Read ``pwdb_haemod_params.csv``.

    Args:
        folder: Holds the file.
        subjects: PWDB's subject numbers, in the order wanted; all by default.

    Raises:
        RecordError: If the file is missing or damaged; the message names line and
            column.
        ConfigError: If a subject is not there, or ``subjects`` are no numbers.
    """
    folder = Path(folder)
    known, values = _read_table(folder, HAEMODYNAMICS, _COLUMNS, needed=_KNOWN)
    index = choose_subjects(known, subjects, folder / HAEMODYNAMICS)
    rows = np.searchsorted(known, index)
    return PwdbHaemodynamics(index, {name: v[rows] for name, v in values.items()})


def read_pwdb_release(
    path: str | Path,
    *,
    sites: Sequence[str] = _USUAL,
    signals: Sequence[ReleaseSignal] = ("pressure",),
    subjects: Sequence[int] | None = None,
) -> PwdbWaves:
    """Read waves of the official release.

    Only what is asked for is held; flow at the aortic root, which tells when a beat
    began, is always read.

    Args:
        path: ``pwdb_data.mat``, or the folder of the CSV files: it holds
            ``pwdb_model_configs.csv``, ``pwdb_onset_times.csv`` and either
            ``PWs_csv.zip`` or what is in it (as ``PWs/csv``, ``csv`` or beside).
        sites: Keys of `RELEASE_SITES`.
        signals: ``pressure``, ``velocity``, ``area`` or ``ppg``.
        subjects: PWDB's subject numbers, in the order wanted; all by default.

    Raises:
        RecordError: If a file is missing, damaged, too large or there twice, lacks
            somebody or has somebody twice, or its numbers mean nothing; the message
            names file, line or subject, and column.
        ConfigError: If a site, signal or subject is not known.
    """
    path = Path(path)
    _check_words(sites, signals)
    kinds = [_KINDS[signal] for signal in dict.fromkeys(signals)]
    wanted = {
        (RELEASE_SITES[site], kind.letter): kind for site in sites for kind in kinds
    }
    wanted |= {(_ROOT, _KINDS[k].letter): _KINDS[k] for k in ("velocity", "area")}
    read = _read_mat if path.is_file() else _read_csv
    raw = read(path, wanted, subjects)
    _check_waves(raw, wanted)
    flow = 1e6 * raw.waves[_ROOT, "U"] * raw.waves[_ROOT, "A"]
    beat = beat_length(raw.hr)
    first = first_sample(beat, np.isfinite(flow).sum(axis=1)) * 1e-3

    def group(kind: str, scale: float = 1.0) -> dict[str, Table]:
        if kind not in signals:
            return {}
        letter = _KINDS[kind].letter
        return {
            site: scale * raw.waves[RELEASE_SITES[site], letter]
            for site in dict.fromkeys(sites)
        }

    def start(letter: str) -> dict[str, PerSubject]:
        return {
            site: first + raw.onset[RELEASE_SITES[site], letter]
            for site in dict.fromkeys(sites)
        }

    return PwdbWaves(
        index=raw.subject,
        sampling_rate=_RATE,
        period=beat * 1e-3,
        pressure=group("pressure"),
        flow=flow,
        start=start("P"),
        velocity=group("velocity"),
        area=group("area", 1e6),
        ppg=group("ppg"),
        ppg_start=start("PPG") if "ppg" in signals else {},
    )


_Place = tuple[str, str]
"""Site and signal as the release writes them."""


class _Raw(NamedTuple):
    """What was read, in the release's units.

    Attributes:
        path: Where it was read.
        subject: PWDB's numbers.
        hr: bpm.
        waves: By site and signal, all of one length.
        onset: s after that of the aortic root.
    """

    path: Path
    subject: Subjects
    hr: PerSubject
    waves: Mapping[_Place, Table]
    onset: Mapping[_Place, PerSubject]


def _check_words(sites: Sequence[str], signals: Sequence[str]) -> None:
    for name, words, known in (
        ("site", sites, tuple(RELEASE_SITES)),
        ("signal", signals, get_args(ReleaseSignal)),
    ):
        bad = [word for word in words if word not in known]
        if isinstance(words, str) or bad or not words:
            msg = (
                f"{name}s are {words!r}; wanted a sequence of some of "
                f"{', '.join(known)}."
            )
            raise ConfigError(msg)


def _check_waves(raw: _Raw, wanted: Mapping[_Place, _Kind]) -> None:
    """Raise if numbers mean nothing, or a beat does not last as its rate says."""
    bad = np.flatnonzero(~((raw.hr >= 10.0) & (raw.hr <= 600.0)))
    if len(bad):
        msg = (
            f"{raw.path}, subject {raw.subject[bad[0]]}: the heart rate is "
            f"{raw.hr[bad[0]]:g} bpm; wanted 10 to 600. Fetch the file again."
        )
        raise RecordError(msg)
    period = beat_length(raw.hr) * 1e-3
    for place, kind in wanted.items():
        values, name = raw.waves[place], "_".join(place)
        outside = (values < kind.least) | (values > kind.most)
        rows = np.flatnonzero(outside.any(axis=1))
        if len(rows):
            row = rows[0]
            column = int(np.flatnonzero(outside[row])[0])
            msg = (
                f"{raw.path}, {name}, subject {raw.subject[row]}, pt{column + 1}: "
                f"{values[row, column]:g}; wanted {kind.least:g} to {kind.most:g} "
                f"{kind.unit} ({kind.hint}). Fetch the file again."
            )
            raise RecordError(msg)
        count = np.isfinite(values).sum(axis=1)
        rows = np.flatnonzero(~(np.abs(count / _RATE - period) <= _TOLERANCE))
        if len(rows):
            row = rows[0]
            msg = (
                f"{raw.path}, {name}, subject {raw.subject[row]}: {count[row]} samples "
                f"at {_RATE:g} Hz for a beat of {period[row]:g} s (heart rate "
                f"{raw.hr[row]:g}); wanted within {_TOLERANCE * 1e3:g} ms. Fetch the "
                "file again."
            )
            raise RecordError(msg)
        onset = raw.onset[place]
        rows = np.flatnonzero(~((onset >= 0.0) & (onset <= period)))
        if len(rows):
            msg = (
                f"{raw.path}, subject {raw.subject[rows[0]]}: {name} begins "
                f"{onset[rows[0]]:g} s after the root; wanted 0 s to one beat. Fetch "
                "the file again."
            )
            raise RecordError(msg)
    velocity, area = (np.isfinite(raw.waves[_ROOT, k]).sum(axis=1) for k in "UA")
    rows = np.flatnonzero(velocity != area)
    if len(rows):
        msg = (
            f"{raw.path}, subject {raw.subject[rows[0]]}: velocity and area at the "
            f"root have {velocity[rows[0]]} and {area[rows[0]]} samples; wanted "
            "equally many. Fetch the files again."
        )
        raise RecordError(msg)


def _same_length(waves: Mapping[_Place, Rows]) -> dict[_Place, Table]:
    """Return waves as long as the longest beat, NaN after the end of each."""
    longest = max(
        int(np.isfinite(v).sum(axis=1).max(initial=1)) for v in waves.values()
    )
    answer = {}
    for place, values in waves.items():
        answer[place] = np.full((len(values), longest), np.nan)
        width = min(longest, values.shape[1])
        answer[place][:, :width] = values[:, :width]
    return answer


def _read_csv(
    folder: Path, wanted: Mapping[_Place, _Kind], subjects: Sequence[int] | None
) -> _Raw:
    known, config = _read_table(folder, CONFIGS, {"hr": "hr [bpm]"}, needed=("hr",))
    index = choose_subjects(known, subjects, folder / CONFIGS)
    rows = np.searchsorted(known, index)
    begun = {place: "_".join(place) for place in wanted}
    begun |= {(site, "P"): f"{site}_P" for site, _ in wanted}
    columns = {heading: heading for heading in begun.values()}
    timed, onset = _read_table(folder, ONSETS, columns, needed=tuple(columns))
    _check_same(known, timed, folder / ONSETS)
    waves = {
        (site, letter): _read_waves(folder, f"PWs_{site}_{letter}.csv", known, index)
        for site, letter in wanted
    }
    return _Raw(
        path=folder,
        subject=index,
        hr=config["hr"][rows],
        waves=_same_length(waves),
        onset={place: onset[heading][rows] for place, heading in begun.items()},
    )


def _read_mat(
    path: Path, wanted: Mapping[_Place, _Kind], subjects: Sequence[int] | None
) -> _Raw:
    waves: dict[_Place, Rows] = {}
    single: dict[str, Numbers] = {}
    begun = dict.fromkeys([*wanted, *((site, "P") for site, _ in wanted)])
    cells = {f"data.waves.{letter}_{site}": (site, letter) for site, letter in wanted}
    times = {f"data.waves.onset_times.{s}_{site}": (site, s) for site, s in begun}
    plain = ("data.config.hr", "data.waves.fs", *times)
    count = {}

    def receive(where: str, parts: list[Numbers]) -> None:
        if where in cells:
            count[where] = len(parts)
            chosen = range(1, len(parts) + 1) if subjects is None else subjects
            waves[cells[where]] = _stack(path, where, parts, chosen)
        else:
            single[where] = parts[0] if len(parts) == 1 else np.zeros(0)

    read_mat(path, {*cells, *plain}, receive)
    missing = [where for where in (*cells, *plain) if where not in {*count, *single}]
    if missing:
        msg = f"{path} lacks {', '.join(missing)}; wanted PWDB's pwdb_data.mat."
        raise RecordError(msg)
    people = len(single["data.config.hr"])
    sizes = count | {where: len(single[where]) for where in times}
    for where, size in sizes.items():
        if size != people or not people:
            msg = f"{path}: {where} has {size} people; data.config.hr has {people}."
            raise RecordError(msg)
    if single["data.waves.fs"].tolist() != [_RATE]:
        msg = (
            f"{path}: data.waves.fs is {single['data.waves.fs'].tolist()}; wanted "
            f"{_RATE:g} Hz."
        )
        raise RecordError(msg)
    index = choose_subjects(np.arange(1, people + 1), subjects, path)
    return _Raw(
        path=path,
        subject=index,
        hr=single["data.config.hr"][index - 1],
        waves=_same_length(waves),
        onset={place: single[where][index - 1] for where, place in times.items()},
    )


def _stack(
    path: Path, where: str, parts: list[Numbers], subjects: Sequence[int]
) -> Table:
    """Return the waves of some people as rows, NaN after their ends."""
    chosen = [int(k) for k in subjects if 1 <= int(k) <= len(parts)]
    longest = max((len(parts[k - 1]) for k in chosen), default=0)
    if longest > _MOST_POINTS:
        msg = f"{path}: {where} has {longest} samples; wanted up to {_MOST_POINTS}."
        raise RecordError(msg)
    answer = np.full((len(chosen), longest), np.nan)
    for row, k in enumerate(chosen):
        values = parts[k - 1]
        if not len(values) or not np.isfinite(values).all():
            msg = (
                f"{path}: {where}{{{k}}} has no samples or some that are no finite "
                "numbers. Fetch the file again."
            )
            raise RecordError(msg)
        answer[row, : len(values)] = values
    return answer


def _check_same(known: Known, found: Found, path: Path | str) -> None:
    """Raise unless two files are about the same people."""
    apart = np.setxor1d(known, found)
    if len(apart):
        verb = "lacks" if apart[0] in known else "has"
        msg = (
            f"{path} {verb} subject {apart[0]}, {CONFIGS} does not agree ({len(apart)} "
            "such subjects); wanted the same people in both. Fetch them again."
        )
        raise RecordError(msg)


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[tuple[str, BufferedIOBase]]:
    """Open a file of the release, wherever it lies, and say where that is."""
    try:
        with ExitStack() as stack:
            where, size, opening = _located(folder, name, stack)
            if size > _LARGEST:
                msg = f"{where} has {size} bytes; wanted up to {_LARGEST}."
                raise RecordError(msg)
            yield where, stack.enter_context(opening())
    except (
        *(OSError, EOFError, NotImplementedError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        msg = f"{name} in {folder} cannot be read ({error}). Fetch it again."
        raise RecordError(msg) from error


def _located(
    folder: Path, name: str, stack: ExitStack
) -> tuple[str, int, Callable[[], BufferedIOBase]]:
    """Return where a file lies, its size, and what opens it."""
    found: list[tuple[str, int, Callable[[], BufferedIOBase]]] = []
    for part in _FOLDERS:
        path = folder / part / name
        if path.is_file():
            found.append((str(path), path.stat().st_size, partial(_binary, path)))
    archive = folder / _ARCHIVE
    if archive.is_file():
        packed = stack.enter_context(zipfile.ZipFile(archive))
        for member in packed.infolist():
            if PurePosixPath(member.filename).name == name:
                where = f"{archive}/{member.filename}"
                found.append(
                    (where, member.file_size, partial(_member, packed, member))
                )
    if len(found) != 1:
        places = " and ".join(where for where, _, _ in found) or "nowhere"
        msg = (
            f"{name} lies {places}; wanted it once, in {folder}, "
            f"{folder / 'PWs' / 'csv'} or {archive}. Fetch it, or remove all but one."
        )
        raise RecordError(msg)
    return found[0]


def _binary(path: Path) -> BufferedIOBase:
    return path.open("rb")


def _member(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> BufferedIOBase:
    return cast("BufferedIOBase", packed.open(member))


def _lines(where: str, file: BufferedIOBase) -> Iterator[tuple[int, bytes]]:
    """Yield number and text of each line, without its end."""
    total, number = 0, 0
    while line := file.readline(_LONGEST_LINE + 1):
        total, number = total + len(line), number + 1
        if len(line) > _LONGEST_LINE or total > _LARGEST or number > _MOST_SUBJECTS:
            msg = f"{where}, line {number}: longer than any of PWDB's."
            raise RecordError(msg)
        if not line.endswith(b"\n"):
            msg = (
                f"{where}, line {number} ends without a newline, so that its last "
                "number may have been cut. Fetch the file again."
            )
            raise RecordError(msg)
        yield number, line[:-1].removesuffix(b"\r")


def _headings(where: str, lines: Iterator[tuple[int, bytes]]) -> list[str]:
    _, line = next(lines, (0, b""))
    try:
        headings = [cell.strip(" ") for cell in line.decode("ascii").split(",")]
    except UnicodeDecodeError as error:
        msg = f"{where}, line 1 is no text ({error}). Fetch the file again."
        raise RecordError(msg) from error
    if headings[0] != _SUBJECT or len(set(headings)) < len(headings):
        msg = (
            f"{where}, line 1 begins with {headings[0][:40]!r} and has "
            f"{len(headings)} columns, {len(set(headings))} different ones; wanted "
            f"{_SUBJECT!r} first and each column once. Fetch the file again."
        )
        raise RecordError(msg)
    return headings


def _subject(where: str, number: int, cells: list[bytes], columns: int) -> int:
    """Return the subject of a line, after checking how many cells it has."""
    if len(cells) != columns:
        msg = (
            f"{where}, line {number} has {len(cells)} cells; wanted {columns} as in "
            "the first line. Fetch the file again."
        )
        raise RecordError(msg)
    word = cells[0].strip(b" ")
    if not (word.isdigit() and 0 < int(word[:9]) <= _MOST_SUBJECTS and len(word) < 9):
        msg = (
            f"{where}, line {number}: {_SUBJECT} is {word[:20]!r}; wanted a whole "
            "number. Fetch the file again."
        )
        raise RecordError(msg)
    return int(word)


def _numbers(
    where: str, number: int, cells: list[bytes], headings: Sequence[str]
) -> Numbers:
    """Return cells as numbers; NaN where one is empty or says NaN."""
    words = [cell.strip(b" ") or b"NaN" for cell in cells]
    answer = None
    if not b"".join(words).translate(None, _MARKS):
        try:
            answer = np.array(words, dtype="S").astype(np.float64)
        except ValueError:
            answer = None
    if answer is None or any(words[k] != b"NaN" for k in _not_finite(answer)):
        column = next(k for k, word in enumerate(words) if not _is_number(word))
        msg = (
            f"{where}, line {number}, column {headings[column]!r}: "
            f"{words[column][:20]!r}; wanted a number. Fetch the file again."
        )
        raise RecordError(msg)
    return answer


def _not_finite(values: Numbers) -> list[int]:
    answer: list[int] = np.flatnonzero(~np.isfinite(values)).tolist()
    return answer


def _is_number(word: bytes) -> bool:
    if word == b"NaN":
        return True
    if word.translate(None, _MARKS):
        return False
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False


def _read_table(
    folder: Path,
    name: str,
    columns: Mapping[str, str],
    *,
    needed: Sequence[str],
) -> tuple[Subjects, dict[str, PerSubject]]:
    """Return subject numbers, ascending, and columns by name.

    Args:
        folder: Where the file lies.
        name: Of the file.
        columns: Headings by name.
        needed: Names of those in which nobody may be NaN.
    """
    with _opened(folder, name) as (where, file):
        lines = _lines(where, file)
        headings = _headings(where, lines)
        missing = [heading for heading in columns.values() if heading not in headings]
        if missing:
            msg = f"{where} lacks the columns {', '.join(missing)}. Fetch it again."
            raise RecordError(msg)
        places = [headings.index(heading) for heading in columns.values()]
        titles = list(columns.values())
        everyone: dict[int, Numbers] = {}
        for number, line in lines:
            cells = line.split(b",")
            subject = _subject(where, number, cells, len(headings))
            _check_once(where, number, subject, everyone)
            values = _numbers(where, number, [cells[k] for k in places], titles)
            for key, title, value in zip(columns, titles, values, strict=True):
                if key in needed and not np.isfinite(value):
                    msg = (
                        f"{where}, line {number} (subject {subject}): {title} is "
                        "missing; wanted a number. Fetch the file again."
                    )
                    raise RecordError(msg)
            everyone[subject] = values
        if not everyone:
            msg = f"{where} has no subject. Fetch it again."
            raise RecordError(msg)
    known = np.array(sorted(everyone), dtype=np.int64)
    table = np.array([everyone[int(k)] for k in known])
    return known, {name: table[:, k] for k, name in enumerate(columns)}


def _check_once(
    where: str, number: int, subject: int, seen: Mapping[int, object] | set[int]
) -> None:
    if subject in seen:
        msg = (
            f"{where}, line {number} is of subject {subject} again; wanted each once. "
            "Fetch the file again."
        )
        raise RecordError(msg)


def _read_waves(folder: Path, name: str, known: Known, index: Subjects) -> Table:
    """Return the waves of some people; the file must have exactly those known."""
    row_of = {int(k): row for row, k in enumerate(index)}
    seen: set[int] = set()
    with _opened(folder, name) as (where, file):
        lines = _lines(where, file)
        headings = _headings(where, lines)
        points = headings[1:]
        if points != [f"pt{k + 1}" for k in range(len(points))] or not points:
            msg = (
                f"{where}, line 1 has columns {', '.join(points[:3])} ...; wanted pt1, "
                "pt2 ... in order. Fetch the file again."
            )
            raise RecordError(msg)
        if len(points) > _MOST_POINTS:
            msg = f"{where} has {len(points)} samples; wanted up to {_MOST_POINTS}."
            raise RecordError(msg)
        answer = np.full((len(index), len(points)), np.nan)
        for number, line in lines:
            cells = line.split(b",")
            subject = _subject(where, number, cells, len(headings))
            _check_once(where, number, subject, seen)
            seen.add(subject)
            if subject in row_of:
                values = _numbers(where, number, cells[1:], points)
                finite = np.isfinite(values)
                count = int(finite.sum())
                if not count or not finite[:count].all():
                    gap = int(np.flatnonzero(~finite)[0])
                    msg = (
                        f"{where}, line {number} (subject {subject}): pt{gap + 1} is "
                        "missing within the beat; wanted nothing missing but at its "
                        "end. Fetch the file again."
                    )
                    raise RecordError(msg)
                answer[row_of[subject]] = values
    _check_same(known, np.array(sorted(seen), dtype=np.int64), where)
    return answer
