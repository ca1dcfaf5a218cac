"""Which channels of a file become a record, and room for what is missing in them."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from capnet.data.readers.plausibility import shown_unit
from capnet.errors import RecordError, UnitError

__all__ = ["Piece", "check_room", "chosen", "known_unit", "laid_out"]

Piece = Float[np.ndarray, " _"]
"""Samples of one channel that follow each other."""

_LEAST_ROOM: Final = 10_000_000
_ROOM: Final = 20
"""Samples that a file may take with its gaps: so many, and as many times those it has.
Gaps have no bytes that would bound them."""


def known_unit(unit: str) -> bool:
    """Say whether a word is a unit, case and blanks around it aside.

    Any other was typed in by somebody and could be anything: it is neither kept nor
    quoted.
    """
    return bool(unit.strip()) and shown_unit(unit) == unit.strip()


def chosen(
    units: Mapping[str, str], channels: Sequence[str] | None, *, where: str
) -> tuple[dict[str, str], str]:
    """Choose channels; one without a unit is refused, or left out and named.

    Args:
        units: Unit of each channel of the file; empty where it declares none. A word
            that is no `known_unit` is none.
        channels: Names wanted, case does not matter; None for all with a unit.
        where: Names the file, for messages.

    Returns:
        Name in the file of each channel by the name it gets, and what is to be said of
        those left out.

    Raises:
        RecordError: If the file lacks a channel, or has none that can be used.
        UnitError: If a wanted channel has no unit.
    """
    units = {n: unit if known_unit(unit) else "" for n, unit in units.items()}
    known = ", ".join(map(repr, units)) or "none at all"
    if channels is None:
        left_out = [name for name, unit in units.items() if not unit]
        kept = {name: name for name, unit in units.items() if unit}
        if not kept:
            msg = f"{where} has no channel with a known unit; its channels are {known}."
            raise (UnitError if left_out else RecordError)(msg)
        note = f"; left out, as they name no known unit: {', '.join(left_out)}"
        return kept, note if left_out else ""
    by_lower = {name.lower(): name for name in units}
    found: dict[str, str] = {}
    for wanted in channels:
        name = wanted if wanted in units else by_lower.get(str(wanted).lower())
        if name is None:
            msg = f"{where} has no channel {wanted!r}; it has {known}. Ask for these."
            raise RecordError(msg)
        if not units[name]:
            msg = (
                f"{where}: channel {name!r} declares no unit that is known; wanted "
                "e.g. 'mmHg', 'mV', or 'NU' where it has none. Declare it in the file, "
                "or leave the channel out."
            )
            raise UnitError(msg)
        found[name] = name
    return found, ""


def check_room(wanted: int, present: int, *, where: str) -> None:
    """See that a file's gaps are not far longer than its samples, before allocation.

    Args:
        wanted: Samples of all channels with their gaps.
        present: Without.
        where: Names the file, for messages.

    Raises:
        RecordError: If they are.
    """
    if wanted > _LEAST_ROOM + _ROOM * present:
        msg = (
            f"{where}: {wanted} samples with the gaps between {present} that are "
            "there. The times are damaged; if they are right, divide the file."
        )
        raise RecordError(msg)


def laid_out(places: Sequence[int], pieces: Sequence[Piece]) -> Piece:
    """Put pieces that do not overlap on one line, NaN between them.

    Args:
        places: Sample number of the first sample of each.
        pieces: Each of shape (time,).
    """
    values = np.full(
        max(p + len(v) for p, v in zip(places, pieces, strict=True)), np.nan
    )
    for place, piece in zip(places, pieces, strict=True):
        values[place : place + len(piece)] = piece
    return values
