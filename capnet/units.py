"""Unit conversions: the only home of 133.322.

Inside the library pressures are mmHg, times seconds and rates Hz, except in
``capnet.hemodynamics`` where the physics is in SI.
"""

from typing import Final

from capnet.errors import UnitError

__all__ = ["MMHG", "is_pressure", "pressure_factor"]

MMHG: Final = 133.322387415
"""Pascal in one millimetre of mercury (0 degrees Celsius, standard gravity)."""

_PRESSURE_IN_PA: Final = {
    "mmHg": MMHG,
    "Pa": 1.0,
    "kPa": 1e3,
    "hPa": 1e2,
    "cmH2O": 98.0665,
}


def is_pressure(unit: str) -> bool:
    """Say whether `pressure_factor` knows a unit."""
    return unit.strip().lower() in {name.lower() for name in _PRESSURE_IN_PA}


def pressure_factor(unit: str, *, where: str) -> float:
    """Return the factor that turns a pressure in ``unit`` into mmHg.

    Args:
        unit: One of mmHg, Pa, kPa, hPa, cmH2O (case and blanks do not matter).
        where: What carries the unit, for the error message, e.g.
            ``"channel 'ABP' of record 'x'"``.

    Raises:
        UnitError: If the unit is no unit of pressure that is known here.
    """
    known = {name.lower(): value for name, value in _PRESSURE_IN_PA.items()}
    pascal = known.get(unit.strip().lower())
    if pascal is None:
        msg = (
            f"{where} has unit {unit!r}; wanted a pressure in one of "
            f"{', '.join(_PRESSURE_IN_PA)}. Correct the unit in the file's header."
        )
        raise UnitError(msg)
    return pascal / MMHG
