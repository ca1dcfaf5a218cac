"""A privacy scan: are names, numbers or dates of people in what a run left behind?

Every file is searched as it is and in everything that is packed in it. What is found is
never shown: a hit says where, and which word or pattern.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from capnet.data.privacy.needles import LONGEST, PATTERNS, Found, Patterns, Words
from capnet.data.privacy.unpacking import Budget, unpacked
from capnet.errors import RecordError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Hit", "hits_frame", "read_words", "scan"]

_MOST: Final = 20
"""Hits of one kind in one layer of a file; more say nothing new."""

_LARGEST_LIST: Final = 1 << 20


@dataclass(frozen=True)
class Hit:
    """Something that should not be there.

    Attributes:
        file: The file, relative to what was scanned, found words masked.
        member: Where within it, ``a.npz!names.npy``, found words masked; empty for the
            file as it is.
        offset: Of the first byte within that layer; None where a name, or a layer as a
            whole, is meant.
        what: ``word 3`` (counted from 1), the name of a pattern, or ``not searched``.
        encoding: How it was written, or why it could not be searched.
    """

    file: str
    member: str
    offset: int | None
    what: str
    encoding: str


@dataclass(frozen=True)
class _Search:
    """All that is looked for."""

    words: Words
    patterns: Patterns

    def find(self, data: bytes) -> Iterator[Found]:
        yield from self.words.find(data)
        yield from self.patterns.find(data)

    def mask(self, text: str) -> str:
        """Return a name with every found part covered."""
        data = bytearray(text.encode("utf-8", "surrogateescape"))
        for found in self.find(bytes(data)):
            data[found.offset : found.offset + found.length] = b"*" * found.length
        return re.sub(r"\*+", "***", data.decode("utf-8", "replace"))

    def blocks(self, blocks: Iterable[bytes]) -> Iterator[Found]:
        """Search bytes that come in blocks as if they were in one piece."""
        tail, at = b"", 0  # ``at``: where the tail begins
        waiting: dict[tuple[int, str], Found] = {}
        for block in blocks:
            data = tail + block
            for found in self.find(data):
                place = at + found.offset
                waiting[place, found.what] = found._replace(offset=place)
            keep = min(LONGEST, len(data))
            tail, at = data[len(data) - keep :], at + len(data) - keep
            # What lies in the tail may be seen whole only with the next block.
            yield from (f for (p, _), f in waiting.items() if p < at)
            waiting = {}
        yield from sorted(self._last(tail, at))

    def _last(self, tail: bytes, at: int) -> Iterator[Found]:
        for found in self.find(tail):
            yield found._replace(offset=at + found.offset)


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Give every file below, links not followed, with its name relative to the path."""
    for path in paths:
        if path.is_file():
            yield path, path.name
        elif path.is_dir():
            inner = (p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
            yield from ((p, str(p.relative_to(path))) for p in sorted(inner))
        else:
            msg = f"{path} is no file and no folder; wanted what is to be scanned."
            raise RecordError(msg)


def _searched(path: Path, name: str, search: _Search, *, limit: int) -> Iterator[Hit]:
    """Search one file: its name, its bytes, and what is packed in it."""
    shown = search.mask(name)
    for found in search.find(name.encode("utf-8", "surrogateescape")):
        yield Hit(shown, "", None, found.what, "name of the file")
    try:
        with path.open("rb") as file:
            for part in unpacked(file, budget=Budget(limit)):
                member = search.mask(part.member)
                last = part.member.rsplit("!", 1)[-1].encode("utf-8", "surrogateescape")
                for found in search.find(last):
                    yield Hit(shown, member, None, found.what, "name in the archive")
                if part.problem:
                    yield Hit(shown, member, None, "not searched", part.problem)
                if part.kind:
                    yield Hit(shown, member, None, part.kind, "column of times")
                counts: dict[str, int] = {}
                for found in search.blocks(part.blocks):
                    counts[found.what] = counts.get(found.what, 0) + 1
                    if counts[found.what] <= _MOST:
                        yield Hit(
                            shown, member, found.offset, found.what, found.encoding
                        )
    except RecordError:
        yield Hit(shown, "", None, "not searched", "more is packed than the limit")
    except OSError as error:
        yield Hit(shown, "", None, "not searched", type(error).__name__)


def scan(
    paths: Sequence[str | Path],
    *,
    words: Sequence[str] = (),
    patterns: Sequence[str] = tuple(PATTERNS),
    limit: int = 4 << 30,
    exclude: Sequence[Path] = (),
    progress: Callable[[int], None] | None = None,
) -> list[Hit]:
    """Search files and all that is packed in them for what identifies people.

    Words are found in any letter case and in every usual encoding, see
    `capnet.data.privacy.needles`; patterns (dates, e-mail addresses, home folders,
    phone and social security numbers) only in readable text. Dates at the beginning of
    a line of a log, in brackets, tell when a program ran and are let through. What is
    read: `capnet.data.privacy.unpacking`. A layer that cannot be read is a hit of its
    own (``not searched``), so that an empty answer means that everything was searched.

    A scan finds what it is told to look for. It cannot know a name that nobody gave it.

    Args:
        paths: Files, and folders with all that is in them (links are not followed).
        words: Names, numbers of patients ... of 4 to 120 characters.
        patterns: Names out of `capnet.data.privacy.needles.PATTERNS`.
        limit: Bytes that may be unpacked from one file.
        exclude: Folders that are left out, such as the one of the scan itself.
        progress: Told how many files are done.

    Returns:
        What was found, at most 20 of a kind in each layer of a file. It is masked: no
        found text is in it.

    Raises:
        RecordError: If a path does not exist.
        ConfigError: If a word is too short or too long, or a pattern unknown.
    """
    search = _Search(Words(words), Patterns(patterns))
    hits: list[Hit] = []
    left_out = [folder.resolve() for folder in exclude]
    for done, (path, name) in enumerate(_files([Path(p) for p in paths]), start=1):
        if any(path.resolve().is_relative_to(folder) for folder in left_out):
            continue
        hits += _searched(path, name, search, limit=limit)
        if progress is not None:
            progress(done)
    return hits


def hits_frame(hits: Sequence[Hit]) -> "pd.DataFrame":
    """Return one row a hit."""
    import pandas as pd

    columns = ["file", "member", "offset", "what", "encoding"]
    frame = pd.DataFrame([asdict(hit) for hit in hits], columns=columns)
    return frame.astype({"offset": "Int64"})


def read_words(path: str | Path) -> list[str]:
    """Read words that must not be found: one a line, in UTF-8.

    Raises:
        RecordError: If there is no such file, or it is no list of words. The message
            does not quote it.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST_LIST:
            msg = f"{path} has {path.stat().st_size} bytes; wanted one word a line."
            raise RecordError(msg)
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); wanted one word a line."
        raise RecordError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is no text in UTF-8 (byte {error.start}); wanted a word a line."
        raise RecordError(msg) from None
    words = [line.strip() for line in text.splitlines() if line.strip()]
    if not words:
        msg = f"{path} is empty; wanted one word a line."
        raise RecordError(msg)
    return list(dict.fromkeys(words))
