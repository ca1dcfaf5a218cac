"""Annotations of a WFDB record: times and codes, never the text beside them.

The format is that of the manual page annot(5) of the WFDB Applications Guide.
"""

import re
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from capnet.errors import RecordError
from capnet.records import Annotations

__all__ = ["ANNOTATORS", "LABELS", "read_annotations"]

ANNOTATORS: Final = (
    "atr",
    "ari",
    "qrs",
    "wqrs",
    "gqrs",
    "sqrs",
    "wabp",
    "pwaves",
    "al",
)
"""Suffixes that PhysioNet's databases and programs give to annotations.

Other files may share a record's name without being any.
"""

LABELS: Final[Mapping[int, str]] = dict(
    enumerate(
        (
            *("N", "L", "R", "a", "V", "F", "J", "A", "S", "E", "j", "/", "Q", "~"),
            *("15", "|", "17", "s", "T", "*", "D", '"', "=", "p", "B", "^", "t", "+"),
            *("u", "?", "!", "[", "]", "e", "n", "@", "x", "f", "(", ")", "r"),
        ),
        start=1,
    )
)
"""Codes of ecgcodes(5) by number; those without a meaning of their own are numbers."""

_NOTE: Final = 22
_LAST_CODE: Final = 49
_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63
_LARGEST: Final = 1 << 22
"""Bytes; a day has some hundred thousand annotations of two bytes."""

_RESOLUTION: Final = re.compile(
    rb"## time resolution: ((?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?)\0*"
)


def _damaged(where: str, at: int, what: str) -> RecordError:
    msg = (
        f"{where}, byte {at}: {what}. The annotations are damaged: fetch the file "
        "again, or take it out of the folder to read the record without."
    )
    return RecordError(msg)


def read_annotations(
    path: Path, *, rate: float, duration: float, where: str
) -> Annotations:
    """Read an annotation file.

    Args:
        path: The file.
        rate: Frames a second of the record, Hz; holds where the file has no time
            resolution of its own.
        duration: Of the record, s.
        where: Names the file, for messages.

    Returns:
        Times since the start of the record and the codes of ecgcodes(5), e.g. ``N`` or
        ``V``. Text, numbers and channels beside a code are not kept.

    Raises:
        RecordError: If the file is cut, has an unknown code, goes back in time or past
            the end of the record.
    """
    size = path.stat().st_size
    if size > _LARGEST or size % 2:
        raise _damaged(
            where, size, "the file ends; wanted pairs of bytes, at most 4 MB"
        )
    raw = path.read_bytes()
    words = array("H", raw)
    if sys.byteorder == "big":
        words.byteswap()
    steps, codes = array("q"), array("B")
    now, last, at, ended = 0, 0, 0, False
    while at < len(words):
        code, low = words[at] >> 10, words[at] & 0x3FF
        at += 1
        if code == 0 and low == 0:
            ended = True
            break
        if 1 <= code <= _LAST_CODE:
            now += low
            if now < last:
                raise _damaged(where, 2 * at - 2, "the time goes back")
            last = now
            steps.append(now)
            codes.append(code)
        elif code == _SKIP and low == 0 and at + 2 <= len(words):
            jump = words[at] << 16 | words[at + 1]
            now += jump - (jump >> 31 << 32)  # signed; wfdb steps back at its notes
            at += 2
        elif code == _AUX:
            text = raw[2 * at : 2 * at + low]
            at += (low + 1) // 2
            if at > len(words):
                raise _damaged(where, len(raw), "a text is cut")
            note = len(codes) > 0 and codes[-1] == _NOTE
            if note and now == 0 and text.startswith(b"## time"):
                found = _RESOLUTION.fullmatch(text)
                if found is None or not 0.0 < float(found[1]) <= 1e9:
                    raise _damaged(where, 2 * at, "the time resolution is no number")
                rate = float(found[1])
            if note and text.startswith(b"##"):  # of the file, not of a time
                codes.pop()
                steps.pop()
        elif code == 0:  # no beat: time that passes
            now += low
        elif code not in (_NUM, _SUB, _CHN):
            raise _damaged(where, 2 * at - 2, f"there is no code {code}")
    if not ended or any(words[at:]):
        raise _damaged(where, 2 * at, "wanted the end of the file and its mark")
    times = np.array(steps, dtype=np.int64) / rate
    if len(times) and times[-1] > duration:
        what = f"a time of {times[-1]:g} s, after the record's end at {duration:g} s"
        raise _damaged(where, 2 * at, what)
    labels = np.array([LABELS.get(code, str(code)) for code in codes], dtype=np.str_)
    return Annotations(times, labels)
