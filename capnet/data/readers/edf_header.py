"""The header of an EDF or EDF+ file, read strictly.

European Data Format: Kemp 1992 (doi:10.1016/0013-4694(92)90009-7), EDF+: Kemp and
Olivan 2003 (doi:10.1016/S1388-2457(03)00123-8). Text in fields of fixed width: 256
bytes of the file and 256 of each signal. Who was recorded, when, with what, and every
other free text is skipped unread.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from capnet.errors import RecordError, UnitError

__all__ = ["ANNOTATIONS", "EdfHeader", "EdfSignal", "parse_edf_header"]

ANNOTATIONS: Final = "EDF Annotations"
"""Label of a signal of EDF+ that holds annotations instead of samples."""

BLOCK: Final = 256
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?")
_WHOLE: Final = re.compile(r"[-+]?\d{1,8}")

_LABEL, _UNIT, _PHYSICAL, _DIGITAL, _SAMPLES = 0, 96, 104, 120, 216
"""Bytes of a signal before each field; between them lie transducer and filters."""


@dataclass(frozen=True)
class EdfSignal:
    """One signal.

    Attributes:
        label: Its name.
        unit: Physical dimension; empty when none is declared.
        low: Physical minimum, in ``unit``.
        high: Physical maximum.
        least: Digital minimum.
        most: Digital maximum.
        count: Samples in a data record.
    """

    label: str
    unit: str
    low: float
    high: float
    least: int
    most: int
    count: int


@dataclass(frozen=True)
class EdfHeader:
    """What a header declares of the samples.

    Attributes:
        kind: ``EDF``, ``EDF+C`` (continuous) or ``EDF+D`` (with gaps).
        records: Data records.
        duration: Of each, s.
        signals: In the order of the file.
    """

    kind: str
    records: int
    duration: float
    signals: tuple[EdfSignal, ...]

    @property
    def frame(self) -> int:
        """Samples of all signals in a data record."""
        return sum(signal.count for signal in self.signals)


def _text(content: bytes, what: str, *, where: str) -> str:
    text = content.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        msg = f"{where}: the {what} is no ASCII text. The header is damaged."
        raise RecordError(msg)
    return text.strip(" ")


def _whole(content: bytes, what: str, *, where: str) -> int:
    text = _text(content, what, where=where)
    if not _WHOLE.fullmatch(text):
        # What was found is not quoted: after a shift it may be from any field.
        msg = f"{where}: the {what} is no whole number. The header is damaged."
        raise RecordError(msg)
    return int(text)


def _number(content: bytes, what: str, *, where: str) -> float:
    text = _text(content, what, where=where)
    value = float(text) if _NUMBER.fullmatch(text) else float("nan")
    if not isfinite(value):
        found = "no number" if text else "missing"
        msg = f"{where}: the {what} is {found}; wanted one. Correct the header."
        raise UnitError(msg)
    return value


def parse_edf_header(content: bytes, *, size: int, where: str) -> EdfHeader:
    """Read a header and hold it against the size of the file.

    Args:
        content: The first bytes of the file; as many as the header may have.
        size: Bytes of the file.
        where: Names the file, for messages.

    Raises:
        RecordError: If it is no EDF header, or the file's size is not what it declares.
        UnitError: If a duration, or a physical or digital range, is missing or
            impossible: rate and gain follow from them.
    """
    if content[:8] != b"0       " or len(content) < BLOCK:
        kind = "a BDF file" if content[:1] == b"\xff" else "no EDF file"
        msg = f"{where} is {kind}; wanted EDF or EDF+. Convert it."
        raise RecordError(msg)
    length = _whole(content[184:192], "length of the header", where=where)
    kind = _text(content[192:236], "reserved field", where=where)[:5]
    records = _whole(content[236:244], "number of data records", where=where)
    duration = _number(content[244:252], "duration of a data record", where=where)
    count = _whole(content[252:256], "number of signals", where=where)
    if count < 1 or length != BLOCK * (count + 1):
        msg = (
            f"{where}: {count} signals in a header of {length} bytes; wanted at least "
            f"1 and {BLOCK} bytes for each and for the file."
        )
        raise RecordError(msg)
    if length > min(len(content), size):
        msg = f"{where} is cut within its header of {length} bytes. Fetch it again."
        raise RecordError(msg)
    if records < 1:
        unfinished = " (the recording was never finished)" if records == -1 else ""
        msg = f"{where} has {records} data records{unfinished}; wanted at least 1."
        raise RecordError(msg)
    if not duration > 0.0:
        msg = f"{where}: data records last {duration:g} s; wanted more than 0 s."
        raise UnitError(msg)
    kind = kind if kind in ("EDF+C", "EDF+D") else "EDF"
    table = content[BLOCK:length]
    # Before any label is read: where fields have moved, it could be any text.
    sizes = [
        _whole(_part(table, _SAMPLES, 8, n, count), f"size of signal {n}", where=where)
        for n in range(count)
    ]
    if min(sizes) < 1:
        msg = f"{where}: a signal has {min(sizes)} samples a record; wanted at least 1."
        raise RecordError(msg)
    wanted = length + 2 * records * sum(sizes)
    if size != wanted:
        msg = (
            f"{where} has {size} bytes; its header declares {wanted}. The file is cut "
            "or damaged; fetch it again."
        )
        raise RecordError(msg)
    signals = tuple(
        _signal(table, number, sizes, plus=kind != "EDF", where=where)
        for number in range(count)
    )
    if kind == "EDF" and any(s.label == ANNOTATIONS for s in signals):
        msg = (
            f"{where} has {ANNOTATIONS!r} and is not marked 'EDF+C' or 'EDF+D', so "
            "that it may have gaps. The header is damaged; fetch it again."
        )
        raise RecordError(msg)
    labels = [s.label.lower() for s in signals if s.label != ANNOTATIONS]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        msg = f"{where} has two signals called {twice!r}; wanted a name for each."
        raise RecordError(msg)
    return EdfHeader(kind, records, duration, signals)


def _part(table: bytes, start: int, width: int, number: int, count: int) -> bytes:
    """Return a field of one signal; each field stands for all signals in a row."""
    first = start * count + width * number
    return table[first : first + width]


def _signal(
    table: bytes, number: int, sizes: Sequence[int], *, plus: bool, where: str
) -> EdfSignal:
    def part(start: int, width: int) -> bytes:
        return _part(table, start, width, number, len(sizes))

    label = _text(part(_LABEL, 16), f"label of signal {number}", where=where)
    if not label:
        msg = f"{where}: signal {number} has no label. The header is damaged."
        raise RecordError(msg)
    where = f"{where}, signal {number} ({label!r})"
    if label == ANNOTATIONS and plus:
        return EdfSignal(label, "", 0.0, 1.0, 0, 1, sizes[number])
    low = _number(part(_PHYSICAL, 8), "physical minimum", where=where)
    high = _number(part(_PHYSICAL + 8, 8), "physical maximum", where=where)
    least = _whole(part(_DIGITAL, 8), "digital minimum", where=where)
    most = _whole(part(_DIGITAL + 8, 8), "digital maximum", where=where)
    # Many programs write a micro sign, which is no ASCII.
    dimension = part(_UNIT, 8).replace(b"\xb5", b"u")
    unit = _text(dimension, "physical dimension", where=where)
    # The standard lets an amplifier turn a signal round (low > high); so does a header
    # in which the two were exchanged, and nothing tells them apart.
    if not (low < high and -(1 << 15) <= least < most < 1 << 15):
        msg = (
            f"{where}: physical {low:g} to {high:g}, digital {least} to {most}; wanted "
            "each minimum below its maximum, the digital ones of 16 bits. Correct the "
            "header; of a signal that is turned round, write the values as they are."
        )
        raise UnitError(msg)
    return EdfSignal(label, unit, low, high, least, most, sizes[number])
