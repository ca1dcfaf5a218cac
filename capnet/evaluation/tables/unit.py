"""mmHg, said or seen: nothing is converted here."""

from typing import Final

import numpy as np

from capnet.errors import UnitError
from capnet.evaluation.tables.sheet import Sheet
from capnet.units import MMHG

__all__ = ["LOWEST", "check_unit", "in_mmhg"]

LOWEST: Final = {"csbp": 60.0, "cdbp": 30.0, "cmap": 40.0}
"""mmHg below which no median of people lies."""
_USUAL: Final = {"csbp": (75.0, 150.0), "cdbp": (45.0, 110.0), "cmap": (60.0, 125.0)}
"""mmHg between which a guess of the unit puts a median."""
_UNITS: Final = {
    "kPa": 1e3 / MMHG,
    "Pa": 1.0 / MMHG,
    "cmH2O": 98.0665 / MMHG,
    "cmHg": 10.0,
}
"""mmHg in one of each."""


def check_unit(sheet: Sheet, what: str) -> bool:
    """Read the column ``unit``, if there is one.

    Args:
        sheet: The table.
        what: Holds the numbers, for messages.

    Returns:
        Whether the table declares its pressures to be in mmHg.

    Raises:
        UnitError: If it says anything but mmHg.
    """
    said = [name for name in ("unit", "units") if name in sheet]
    for name in said:
        words, code = sheet.codes(name, blank=True)
        wrong = np.array([w.casefold() != "mmhg" for w in words], dtype=bool)
        if wrong[code].any():
            row = int(wrong[code].argmax())
            found = str(words[code[row]]) or "blank"
            msg = (
                f"{sheet.at(row, name)}: the unit is {found!r}; wanted mmHg in every "
                f"row. Convert the {what} and write mmHg: nothing is converted here."
            )
            raise UnitError(msg)
    return bool(said)


def in_mmhg(median: float, key: str) -> str:
    """Say in which unit a median would be a usual pressure."""
    low, high = _USUAL[key]
    for unit, factor in _UNITS.items():
        if low <= median * factor <= high:
            return f"read as {unit} it is {median * factor:.0f} mmHg"
    return "no unit makes a usual pressure of it"
