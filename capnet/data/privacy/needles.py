"""What a privacy scan looks for in bytes: given words, and what looks identifying.

A word is found however a program may have written it: in any letter case, in UTF-8,
UTF-16, UTF-32 (NumPy's text) or Latin-1, escaped for JSON, HTML or a URL, as
hexadecimal digits or within base64. Patterns (dates, addresses ...) are looked for in
readable text alone, so that the numbers of a model do not look like dates.
"""

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus

import numpy as np

from capnet.errors import ConfigError

__all__ = ["LONGEST", "PATTERNS", "Found", "Patterns", "Words"]

LONGEST: Final = 4096
"""Bytes; nothing that is looked for is longer than this."""

_SHORTEST: Final = 4
"""Characters of a word; three letters are found in any large file by chance."""

_SHORTEST_BASE64: Final = 6
"""Characters; pictures in base64 hold the few digits of shorter ones by chance."""

_MOST_CHARACTERS: Final = 120

_JOINTS: Final = (" ", "_", "-", "^", ".", "")
"""How formats write the blank between names (EDF: ``_``, HL7 and DICOM: ``^``)."""

_ENCODINGS: Final = {
    "UTF-8": "utf-8",
    "Latin-1": "latin-1",
    "UTF-16": "utf-16-le",
    "UTF-16, big end first": "utf-16-be",
    "UTF-32": "utf-32-le",
    "UTF-32, big end first": "utf-32-be",
}

_DAY: Final = rb"(?:0?[1-9]|[12]\d|3[01])"
_MONTH: Final = rb"(?:0?[1-9]|1[0-2])"
_YEAR: Final = rb"(?:18|19|20)\d\d"
_NAMED: Final = (
    rb"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|"
    rb"aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
# The folder of a run is called by when it was made: outputs/2026-01-31/12-00-00.
_NO_RUN: Final = rb"(?![\d-])(?![\\/]\d\d-\d\d-\d\d(?!\d))"
# A log line begins with the time of the run, in brackets: "[2026-01-31 12:00:00,000]".
_DATES: Final = (
    rb"(?<![\d.,\[-])" + _YEAR + rb"([-/.])" + _MONTH + rb"\1" + _DAY + _NO_RUN,
    rb"\[" + _YEAR + rb"-\d\d-\d\d(?! \d\d:\d\d:\d\d,\d{3}\])(?!\d)",
    rb"(?<![\d.,/-])" + _DAY + rb"([-/.])" + _MONTH + rb"\1" + _YEAR + rb"(?!\d)",
    rb"(?<![\d.,/-])" + _MONTH + rb"([-/.])" + _DAY + rb"\1" + _YEAR + rb"(?!\d)",
    # The eight characters of EDF's start date.
    rb"(?<![\d.])(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.\d\d(?![\d.])",
    rb"(?<![\w])" + _DAY + rb"[ .-]{1,2}" + _NAMED + rb"[ ,.-]{1,2}" + _YEAR + rb"\b",
    rb"\b" + _NAMED + rb" " + _DAY + rb",? " + _YEAR + rb"\b",
)

PATTERNS: Final = {
    "date": _DATES,
    "e-mail address": (
        # Hydra writes the place of a strategy's settings so: strategy@strategies.lora.
        rb"(?<![\w.+-])(?!strategy@strategies\.)[\w.+-]{2,64}@"
        rb"(?:[a-z0-9-]{2,63}\.)+[a-z]{2,24}\b",
    ),
    "home folder": (
        # Placeholders such as <name> and $USER, and names that are nobody's, may stay.
        rb"(?:/home/|/Users/|\b[a-z]:[\\/]{1,2}Users[\\/]{1,2})"
        rb"(?!Public\b|Shared\b|runner\b|\$|<|\{)[\w.-]{2,64}",
    ),
    "phone number": (
        rb"(?<![\w.+])\+\d{1,3}[ -]\(?\d{2,4}\)?(?:[ -]\d{2,4}){1,4}(?![\d.])",
        rb"(?<![\w.+])\+\d{10,14}(?![\d.])",
        rb"(?<![\w.-])(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}(?![\w.-])",
    ),
    "social security number": (
        rb"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w.-])",
    ),
}
"""What looks as if it could identify a person, by name: regular expressions."""

_NEAR: Final = 128
"""Characters around a hint in which a pattern is looked for."""

_HINTS: Final = (
    *(b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct"),
    *(b"nov", b"dec", b"/home/", b"/users/", b"\\users\\"),
)
"""Words of patterns, in lower case."""


class Found(NamedTuple):
    """Something at a place of a block of bytes.

    Attributes:
        offset: Of its first byte.
        length: In bytes.
        what: ``word 3``, counted from 1, or the name of a pattern.
        encoding: How it was written.
    """

    offset: int
    length: int
    what: str
    encoding: str


def _spellings(word: str) -> set[str]:
    """Return a word in other letter cases, Unicode forms and joints."""
    cased = {word, word.lower(), word.upper()}
    joined = {
        joint.join(text.split()) if joint else "".join(text.split())
        for text in cased
        for joint in _JOINTS
    }
    return {unicodedata.normalize(form, t) for t in joined for form in ("NFC", "NFD")}


def _core(content: bytes, shift: int) -> bytes:
    """Return the digits of base64 that content alone decides, after ``shift`` bytes."""
    digits = base64.b64encode(b"\0" * shift + content + b"\0" * 3)
    first = -(-8 * shift // 6)
    return digits[first : 8 * (shift + len(content)) // 6]


def _written(text: str) -> Iterator[tuple[bytes, str]]:
    """Give every way to write a text in which the case of letters does not matter."""
    for name, codec in _ENCODINGS.items():
        try:
            yield text.encode(codec), name
        except UnicodeEncodeError:
            continue  # no such letters in Latin-1
    yield json.dumps(text)[1:-1].encode(), "JSON"
    yield html.escape(text).encode(), "HTML"
    yield text.encode("ascii", "xmlcharrefreplace"), "HTML"
    yield quote(text, safe="").encode(), "URL"
    yield quote_plus(text).encode(), "URL"
    yield text.encode("ascii", "backslashreplace"), "escapes"
    yield text.encode().hex().encode(), "hexadecimal digits"


class _Table:
    """Many byte strings that are looked for at once."""

    def __init__(self) -> None:
        self._by_start: dict[bytes, list[tuple[bytes, str, str]]] = {}
        self._first = np.zeros(1 << 16, dtype=bool)
        self._second = np.zeros(1 << 16, dtype=bool)

    def add(self, needle: bytes, what: str, encoding: str) -> None:
        row = self._by_start.setdefault(needle[:4], [])
        if all(needle != known for known, _, _ in row):
            row.append((needle, what, encoding))
        self._first[int.from_bytes(needle[:2], "little")] = True
        self._second[int.from_bytes(needle[2:4], "little")] = True

    def find(self, data: bytes) -> Iterator[Found]:
        """Give what is found; a place where it may begin is seen by its four bytes."""
        if len(data) < 4 or not self._by_start:
            return
        single = np.frombuffer(data, dtype=np.uint8)
        pairs = single[:-1] | (single[1:].astype(np.uint16) << 8)
        likely = self._first[pairs[:-2]] & self._second[pairs[2:]]
        for at in np.flatnonzero(likely).tolist():
            for needle, what, encoding in self._by_start.get(data[at : at + 4], ()):
                if data.startswith(needle, at):
                    yield Found(at, len(needle), what, encoding)


class Words:
    """Words that must not be found.

    Args:
        words: Names, numbers of patients ...

    Raises:
        ConfigError: If a word is too short or too long; it is named by its number.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._folded, self._exact = _Table(), _Table()
        for number, word in enumerate(words, start=1):
            length = len("".join(word.split()))
            if not _SHORTEST <= length <= _MOST_CHARACTERS:
                msg = (
                    f"word {number} has {length} characters; wanted {_SHORTEST} to "
                    f"{_MOST_CHARACTERS}: shorter ones are found by chance."
                )
                raise ConfigError(msg)
            for text in _spellings(word):
                for needle, encoding in _written(text):
                    self._folded.add(needle.lower(), f"word {number}", encoding)
                if length >= _SHORTEST_BASE64:
                    self._add_base64(text, f"word {number}")

    def _add_base64(self, text: str, what: str) -> None:
        for spelled in (text, text.title()):
            for shift in range(3):
                core = _core(spelled.encode(), shift)
                self._exact.add(core, what, "base64")
                self._exact.add(core.translate(_URL_SAFE), what, "base64")

    def find(self, data: bytes) -> Iterator[Found]:
        """Give each word at each place, once."""
        seen: set[tuple[int, str]] = set()
        for found in (*self._folded.find(data.lower()), *self._exact.find(data)):
            if (found.offset, found.what) not in seen:
                seen.add((found.offset, found.what))
                yield found


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Patterns:
    """What looks identifying, in the text within bytes.

    Args:
        names: Of `PATTERNS`.

    Raises:
        ConfigError: If one is unknown.
    """

    def __init__(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in PATTERNS]
        if unknown:
            msg = f"pattern {unknown[0]!r}; wanted one of {', '.join(PATTERNS)}."
            raise ConfigError(msg)
        self._all = [
            (name, re.compile(pattern, re.IGNORECASE))
            for name in names
            for pattern in PATTERNS[name]
        ]

    def find(self, data: bytes) -> Iterator[Found]:
        """Give each pattern at each place, once."""
        seen: set[tuple[int, str]] = set()
        for step, encoding in ((1, "UTF-8"), (2, "UTF-16"), (4, "UTF-32")):
            for phase in range(step):
                text = data[phase::step]
                for match, name in self._matches(text):
                    at = phase + step * match.start()
                    length = step * (match.end() - match.start())
                    # A character of ASCII leaves all but one of its bytes empty.
                    empty = data.count(0, at, at + length)
                    wide = empty >= (step - 1) * (match.end() - match.start() - 1)
                    if wide and (at, name) not in seen:
                        seen.add((at, name))
                        yield Found(at, length, name, encoding)

    def _matches(self, text: bytes) -> Iterator[tuple[re.Match[bytes], str]]:
        for start, stop in _windows(text):
            for name, pattern in self._all:
                for match in pattern.finditer(text, start, stop):
                    yield match, name


def _hints(text: bytes) -> np.ndarray:
    """Return places near which a pattern may be: seen cheaply, in ascending order."""
    single = np.frombuffer(text, dtype=np.uint8)
    if len(single) < 6:
        return np.arange(min(len(single), 1))
    digit = (single >= 48) & (single <= 57)
    joint = (single == 45) | (single == 46) | (single == 47)
    between = np.zeros(len(single) + 4, dtype=bool)  # a joint between two digits
    between[1 : len(single) - 1] = joint[1:-1] & digit[:-2] & digit[2:]
    pair = between[2:-2] | between[3:-1] | between[4:]  # and another one soon after
    likely = between[:-4] & pair
    likely[:-3] |= (single[:-3] == 43) & digit[1:-2] & (digit[2:-1] | digit[3:])
    likely[:-3] |= (single[:-3] == 40) & digit[1:-2] & digit[2:-1] & digit[3:]
    letter = digit | ((single | 32) - 97 < 26) | (single == 95) | (single == 45)
    at = (single[2:-2] == 64) & letter[1:-3] & letter[3:-1] & letter[4:]
    likely[2:-2] |= at & (letter[:-4] | (single[:-4] == 46))
    lower = text.lower()
    words = [at for hint in _HINTS for at in _places(hint, lower)]
    return np.union1d(np.flatnonzero(likely), np.array(words, dtype=np.int64))


def _places(word: bytes, text: bytes) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _windows(text: bytes) -> Iterator[tuple[int, int]]:
    """Give pieces of text around hints that do not overlap."""
    hints = _hints(text)
    if not len(hints):
        return
    cuts = np.flatnonzero(np.diff(hints) > 2 * _NEAR)
    starts = hints[np.concatenate([[0], cuts + 1])]
    stops = hints[np.concatenate([cuts, [len(hints) - 1]])]
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        yield max(0, start - _NEAR), stop + _NEAR
