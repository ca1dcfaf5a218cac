"""The physics: virtual people, their arteries, their waves, and who watches them.

SI inside; mmHg, ml/s and seconds at the public face. The names below are loaded on
first use, so that importing this room imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capnet.hemodynamics.clinics import Clinic
    from capnet.hemodynamics.cohort import Cohort
    from capnet.hemodynamics.cuffs import CuffModel
    from capnet.hemodynamics.linear import LinearSolver
    from capnet.hemodynamics.population import (
        Arm,
        Deviate,
        NormalAge,
        Population,
        UniformAge,
    )
    from capnet.hemodynamics.sensors import Sensor
    from capnet.hemodynamics.simulation import simulate
    from capnet.hemodynamics.waves import Waves

__all__ = [
    "Arm",
    "Clinic",
    "Cohort",
    "CuffModel",
    "Deviate",
    "LinearSolver",
    "NormalAge",
    "Population",
    "Sensor",
    "UniformAge",
    "Waves",
    "simulate",
]

_HOMES = {
    "Arm": "population",
    "Clinic": "clinics",
    "Cohort": "cohort",
    "CuffModel": "cuffs",
    "Deviate": "population",
    "LinearSolver": "linear",
    "NormalAge": "population",
    "Population": "population",
    "Sensor": "sensors",
    "UniformAge": "population",
    "Waves": "waves",
    "simulate": "simulation",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562)."""
    if name not in _HOMES:
        msg = f"module 'capnet.hemodynamics' has no attribute {name!r}"
        raise AttributeError(msg)
    module = import_module(f"capnet.hemodynamics.{_HOMES[name]}")
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
