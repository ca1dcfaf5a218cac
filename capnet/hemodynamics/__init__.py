"""The physics: virtual people, their arteries, their waves, and who watches them.

SI inside; mmHg, ml/s and seconds at the public face. The names below are loaded on
first use, so that importing this room imports no torch.
"""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

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

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
