"""What all tables share: which columns they have, and how much they may unfold to."""

from collections.abc import Mapping, Sequence
from typing import Final

from capnet.errors import RecordError

__all__ = ["check_growth", "columns_by_place"]

_FREE: Final = 1 << 26
"""Bytes that the smallest file may unfold to."""
_GROWTH: Final = 100
"""Times its own size that a file may unfold to. Recordings are packed to a third or a
tenth, and gaps to nothing."""


def check_growth(wanted: int, size: int, *, where: str) -> None:
    """Refuse what would take far more memory than the file has bytes.

    Args:
        wanted: Bytes of what is declared.
        size: Bytes of the file.
        where: Names the file, for messages.

    Raises:
        RecordError: If the file is a bomb.
    """
    most = _FREE + _GROWTH * size
    if wanted > most:
        msg = (
            f"{where} has {size} bytes and unfolds to {wanted} or more; wanted at most "
            f"{most}. It is damaged; a gap of days is better left out of a table."
        )
        raise RecordError(msg)


def columns_by_place(
    found: Sequence[str], declared: Sequence[str], *, where: str
) -> Mapping[str, int]:
    """Return at which place each declared column stands.

    Names are compared without blanks around them. A column without a name is left to
    the caller.

    Args:
        found: Names of the table's columns.
        declared: Names that the sidecar gives.
        where: Names the file, for messages.

    Raises:
        RecordError: If a column is missing, stands twice, or is not declared.
    """
    wanted = {name.strip(): name for name in declared}
    if len(wanted) < len(declared):
        msg = f"{where}: names in the sidecar differ in blanks only; wanted distinct."
        raise RecordError(msg)
    places: dict[str, int] = {}
    for place, name in enumerate(name.strip() for name in found):
        if not name:
            continue
        if name not in wanted:  # its name may be a person's
            msg = (
                f"{where}: the sidecar does not declare column {place + 1} of the "
                f"table. Add it to channels with its unit, or remove it; declared are "
                f"{', '.join(map(repr, declared))}."
            )
            raise RecordError(msg)
        if wanted[name] in places:
            msg = f"{where}: column {name!r} stands twice. Rename or remove one."
            raise RecordError(msg)
        places[wanted[name]] = place
    lacking = [name for name in declared if name not in places]
    if lacking:
        msg = (
            f"{where} has no column {lacking[0]!r}, which the sidecar declares. "
            "Correct the name, or remove it from the sidecar."
        )
        raise RecordError(msg)
    return places
