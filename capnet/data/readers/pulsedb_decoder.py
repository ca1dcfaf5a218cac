"""What of a PulseDB file is read in the child process: HDF5, under limits.

MATLAB 7.3 files are HDF5. A struct array ``Subj_Wins`` is a group with a data set of
object references for each field, one reference a window; a single struct holds the
values themselves. ``Subset`` (of ``Generate_Subsets.m``) is a struct of matrices. Only
plain links, plain layouts and deflate are followed, and nothing is read before its
size has been held against the bytes that store it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import h5py
import numpy as np

from capnet.data.readers.child import Answer
from capnet.errors import RecordError

__all__ = ["WINDOW", "decode_pulsedb"]

WINDOW: Final = 1250
"""Samples of a window: 10 s at 125 Hz."""

_WINDOWS: Final = "Subj_Wins"
_SUBSET: Final = "Subset"
_SIGNALS: Final = "Signals"
_ORDER: Final = ("ECG_F", "PPG_F", "ABP_Raw")
"""Rows of ``Subset.Signals``, as ``Generate_Subsets.m`` writes them."""

_KNOWN: Final = tuple(
    f"{kind}_{form}"
    for kind in ("ECG", "PPG", "ABP")
    for form in ("Raw", "F", "Record", "Record_F")
)
_USUAL: Final[Mapping[str, str]] = {
    "ECG": "ECG_Raw",
    "PPG": "PPG_Raw",
    "ABP": "ABP_Raw",
}
_USUAL_OF_SUBSET: Final = dict(zip(("ECG", "PPG", "ABP"), _ORDER, strict=True))
"""Fields that are meant by a plain name: of one person's file, and of a subset."""

_INFLATED: Final = 1032
"""Bytes that deflate can make of one."""
_LONGEST_WORD: Final = 64
_MOST_WINDOWS: Final = 1_000_000
_FILTERS: Final = frozenset(
    {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
)


def _refuse(what: str) -> RecordError:
    return RecordError(f"{what}. The file is damaged, or no PulseDB file.")


def _has(group: h5py.Group, name: str) -> bool:
    """Say whether there is a link of a name, without following it."""
    return group.get(name, getlink=True) is not None


def _linked(group: h5py.Group, name: str) -> Any:
    """Return what a plain link leads to."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        msg = f"{name} is a link to elsewhere, or not there"
        raise _refuse(msg)
    return group[name]


def _checked(found: Any, what: str, *, most: int) -> h5py.Dataset:
    """Return a data set of at most so many elements, if it is stored plainly."""
    if not isinstance(found, h5py.Dataset):
        msg = f"{what} is no data set"
        raise _refuse(msg)
    plan = found.id.get_create_plist()
    filters = {plan.get_filter(k)[0] for k in range(plan.get_nfilters())}
    plain = plan.get_layout() in (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)
    compact = plan.get_layout() == h5py.h5d.COMPACT
    if not (plain or compact) or plan.get_external_count() or filters - _FILTERS:
        msg = f"{what} is stored elsewhere or by an unknown filter"
        raise _refuse(msg)
    size = 1
    for length in (0,) if found.shape is None else found.shape:
        size *= int(length)
    wide = size * found.dtype.itemsize
    chunk = found.dtype.itemsize
    for length in found.chunks or ():
        chunk *= int(length)
    stored = found.id.get_storage_size()
    if not 0 < size <= most or (not compact and stored * _INFLATED < wide):
        msg = f"{what} declares {size} elements in {stored} bytes; wanted 1 to {most}"
        raise _refuse(msg)
    if chunk > max(1 << 26, 2 * wide):
        msg = f"{what} is stored in blocks of {chunk} bytes"
        raise _refuse(msg)
    return found


def _numbers(dataset: h5py.Dataset, what: str) -> np.ndarray:
    if dataset.dtype.kind not in "fiub" or dataset.dtype.itemsize > 8:
        msg = f"{what} holds no numbers"
        raise _refuse(msg)
    values: np.ndarray = dataset[()]
    return values.astype(np.float64).reshape(-1)


class _Field:
    """One field of a struct array: a data set for each window."""

    def __init__(self, file: h5py.File, group: h5py.Group, name: str) -> None:
        self._file, self.name = file, name
        self._own = _checked(_linked(group, name), name, most=_MOST_WINDOWS)
        self._many = h5py.check_ref_dtype(self._own.dtype) is h5py.Reference
        self._links = self._own[()].reshape(-1) if self._many else None

    def __len__(self) -> int:
        return 1 if self._links is None else len(self._links)

    def one(self, number: int, *, most: int) -> h5py.Dataset:
        """Return the data set of a window."""
        what = f"{self.name} of window {number}"
        if self._links is None:
            return _checked(self._own, what, most=most)
        link = self._links[number]
        if not link:
            msg = f"{what} leads nowhere"
            raise _refuse(msg)
        return _checked(self._file[link], what, most=most)

    def rows(self) -> np.ndarray:
        """Return the samples of every window. Shape (window, time)."""
        values = np.empty((len(self), WINDOW))
        for number in range(len(self)):
            what = f"{self.name} of window {number}"
            row = _numbers(self.one(number, most=WINDOW), what)
            if len(row) != WINDOW:
                msg = f"{what} has {len(row)} samples; wanted {WINDOW}"
                raise _refuse(msg)
            values[number] = row
        return values

    def number(self, at: int) -> float:
        """Return the number of a window."""
        what = f"{self.name} of window {at}"
        return float(_numbers(self.one(at, most=1), what)[0])

    def word(self, at: int) -> str:
        """Return the text of a window: MATLAB's characters of 16 bits, or a string."""
        what = f"{self.name} of window {at}"
        return _word(self.one(at, most=_LONGEST_WORD), what)


def _word(dataset: h5py.Dataset, what: str) -> str:
    if h5py.check_string_dtype(dataset.dtype) is not None and dataset.size == 1:
        [word] = np.reshape(dataset.asstr("utf-8", "replace")[()], -1)
    elif dataset.dtype == np.uint16:
        word = "".join(map(chr, dataset[()].reshape(-1)))
    else:
        msg = f"{what} is no text"
        raise _refuse(msg)
    return str(word).strip("\0 ")


def decode_pulsedb(
    path: str, channels: Sequence[str] | None, subject: str | None, room: int
) -> Answer:
    """Read windows of one person.

    Args:
        path: The file.
        channels: ``ECG``, ``PPG``, ``ABP`` or fields of the file; None for the three.
        subject: Who, where a file has several people; compared with what the file says.
        room: Samples that may be read.

    Returns:
        ``age``, ``sex``, ``height`` (cm), ``weight`` (kg), ``people``, ``fields`` (by
        channel); arrays by field of shape (window, time), ``case`` and
        ``time`` (s, where the file has it) of each window.

    Raises:
        RecordError: If the file is damaged, or has not what is asked for.
    """
    with h5py.File(path, "r", rdcc_nbytes=1 << 20) as file:
        if _has(file, _WINDOWS):
            group = _linked(file, _WINDOWS)
            if not isinstance(group, h5py.Group):
                msg = f"{_WINDOWS} is no struct"
                raise _refuse(msg)
            return _windows(file, group, channels, subject, room)
        if _has(file, _SUBSET):
            group = _linked(file, _SUBSET)
            if not isinstance(group, h5py.Group):
                msg = f"{_SUBSET} is no struct"
                raise _refuse(msg)
            return _subset(file, group, channels, subject, room)
    msg = f"there is neither {_WINDOWS} nor {_SUBSET}"
    raise _refuse(msg)


def _check_room(windows: int, fields: Sequence[str], room: int) -> None:
    if windows * WINDOW * len(fields) > room:
        msg = f"{windows} windows of {len(fields)} signals do not fit into the file"
        raise _refuse(msg)


def _named(
    channels: Sequence[str] | None, known: Sequence[str], usual: Mapping[str, str]
) -> dict[str, str]:
    """Return the field that each channel is, by the name that the channel gets."""
    usual = {plain: name for plain, name in usual.items() if name in known}
    if channels is None:
        channels = list(usual)
    found = {}
    for wanted in channels:
        name = usual.get(wanted) or (wanted if wanted in known else "")
        if not name:
            msg = (
                f"there is no signal {wanted!r}; there is "
                f"{', '.join(known) or 'none at all'}. Ask for these."
            )
            raise RecordError(msg)
        found[wanted] = name
    if not found:
        msg = "there is no ECG, PPG or ABP"
        raise _refuse(msg)
    return found


def _windows(
    file: h5py.File,
    group: h5py.Group,
    channels: Sequence[str] | None,
    subject: str | None,
    room: int,
) -> Answer:
    known = [name for name in _KNOWN if _has(group, name)]
    named = _named(channels, known, _USUAL)
    fields = list(dict.fromkeys(named.values()))
    signals = {name: _Field(file, group, name) for name in fields}
    count = len(next(iter(signals.values())))
    _check_room(count, fields, room)
    extra = {
        name: _Field(file, group, name)
        for name in ("SubjectID", "CaseID", "T", "Age", "Gender", "Height", "Weight")
        if _has(group, name)
    }
    if "SubjectID" not in extra and subject is None:
        msg = "the windows have no SubjectID. Say by subject= whose they are."
        raise RecordError(msg)
    for field in (*signals.values(), *extra.values()):
        if len(field) != count:
            msg = f"{field.name} has {len(field)} windows, {fields[0]} {count}"
            raise _refuse(msg)
    who = extra.get("SubjectID")
    people = {subject if who is None else who.word(k) for k in range(count)}
    arrays = {name: field.rows() for name, field in signals.items()}
    arrays["case"] = np.zeros(count)
    if "CaseID" in extra:
        words = [extra["CaseID"].word(k) for k in range(count)]
        order = list(dict.fromkeys(words))
        arrays["case"] = np.array([float(order.index(word)) for word in words])
    if "T" in extra:
        arrays["time"], arrays["step"] = _times(extra["T"])
    about = {
        "age": _first(extra.get("Age"), count),
        "height": _first(extra.get("Height"), count),
        "weight": _first(extra.get("Weight"), count),
    }
    sexes = {extra["Gender"].word(k) for k in range(count)} if "Gender" in extra else ()
    return Answer(
        {**about, "sex": _only(sexes), "people": len(people), "fields": named}, arrays
    )


def _times(field: _Field) -> tuple[np.ndarray, np.ndarray]:
    """Return when each window begins, and the least and largest step in any."""
    rows = field.rows()
    steps = np.diff(rows, axis=1)
    return rows[:, 0], np.array([steps.min(), steps.max()])


def _first(field: _Field | None, count: int) -> float | None:
    """Return what all windows say, the first where they differ by ageing."""
    if field is None:
        return None
    values = [field.number(k) for k in range(count)]
    return values[0] if np.isfinite(values[0]) else None


def _only(words: Sequence[str] | set[str]) -> str:
    found = set(words)
    word = found.pop() if len(found) == 1 else ""
    return word if word in ("M", "F") else ""


def _subset(
    file: h5py.File,
    group: h5py.Group,
    channels: Sequence[str] | None,
    subject: str | None,
    room: int,
) -> Answer:
    named = _named(channels, _ORDER, _USUAL_OF_SUBSET)
    fields = list(dict.fromkeys(named.values()))
    signals = _checked(_linked(group, _SIGNALS), _SIGNALS, most=1 << 40)
    who = _Field(file, group, "Subject")
    if signals.shape != (WINDOW, len(_ORDER), len(who)):
        msg = f"{_SIGNALS} has shape {signals.shape[:4]} for {len(who)} windows"
        raise _refuse(msg)
    if signals.dtype.kind != "f" or signals.dtype.itemsize > 8:
        msg = f"{_SIGNALS} holds no numbers"
        raise _refuse(msg)
    people = [who.word(k) for k in range(len(who))]
    several = list(dict.fromkeys(people))
    wanted = several[0] if len(several) == 1 and subject is None else subject
    rows = np.flatnonzero([name == wanted for name in people])
    if not len(rows):
        asked = "which one is not said" if subject is None else "not the one asked for"
        msg = f"there are {len(several)} people, {asked}. Choose one by subject=."
        raise RecordError(msg)
    _check_room(len(rows), fields, room)
    arrays: dict[str, np.ndarray] = {}
    for name in fields:
        at = _ORDER.index(name)
        parts = [signals[:, at, first:last].T for first, last in _runs(rows)]
        arrays[name] = np.concatenate(parts).astype(np.float64)
    arrays["case"] = np.zeros(len(rows))
    about = {
        name.lower(): _matrix(group, name, int(rows[0]), len(who))
        for name in ("Age", "Height", "Weight")
    }
    sex = ""
    if _has(group, "Gender"):
        sexes = _Field(file, group, "Gender")
        if len(sexes) == len(who):
            sex = _only({sexes.word(int(k)) for k in rows})
    return Answer({**about, "sex": sex, "people": 1, "fields": named}, arrays)


def _runs(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the stretches of numbers that follow each other, first and after last."""
    for part in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        yield int(part[0]), int(part[-1]) + 1


def _matrix(group: h5py.Group, name: str, row: int, count: int) -> float | None:
    if not _has(group, name):
        return None
    found = _checked(_linked(group, name), name, most=count)
    values = _numbers(found, name)
    return (
        float(values[row])
        if len(values) == count and np.isfinite(values[row])
        else None
    )
