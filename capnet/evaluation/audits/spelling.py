"""Names that differ in their spelling only: ``p1``, ``P1 ``, ``p01``; 1 and ``1.0``."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final
from unicodedata import normalize

__all__ = ["respelt"]


def respelt(known: Collection[str], names: Collection[str]) -> Mapping[str, str]:
    """Return which names are known ones in another spelling.

    Blanks, the type of a number, case, and zeros before a number are left out, one
    after the other, as long as names of one side stay apart: who has both ``a`` and
    ``A`` tells people apart by that.

    Args:
        known: Names of one side.
        names: Of the other.

    Returns:
        The known name by the other one; those spelt alike are not among them.
    """
    mine = {name: name for name in known}
    theirs = {name: name for name in names}
    found: dict[str, str] = {}
    for simpler in _STEPS:
        mine = {name: simpler(word) for name, word in mine.items()}
        theirs = {name: simpler(word) for name, word in theirs.items()}
        if any(len({*side.values()}) < len(side) for side in (mine, theirs)):
            break
        original = {word: name for name, word in mine.items() if word}
        found |= {
            name: original[word]
            for name, word in theirs.items()
            if word in original and original[word] != name
        }
    return found


def _unblanked(name: str) -> str:
    return "".join(normalize("NFKC", name).split())


def _counted(name: str) -> str:
    """Return a number as it is counted: 1.0 is 1."""
    return re.sub(r"^(\d+)\.0+$", r"\1", name)


def _unpadded(name: str) -> str:
    return re.sub(r"(?<![\d.])0+(?=\d)", "", name)


_STEPS: Final[tuple[Callable[[str], str], ...]] = (
    _unblanked,
    _counted,
    str.casefold,
    _unpadded,
)
