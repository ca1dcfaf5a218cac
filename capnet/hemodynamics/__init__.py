"""The physics: virtual people, their arteries, their waves, and who watches them.

SI inside; mmHg, ml/s and seconds at the public face. The names below are loaded on
first use, so that importing this room imports no torch.
"""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.hemodynamics.blood import Blood
    from capnet.hemodynamics.catheters import Catheter
    from capnet.hemodynamics.clinics import Clinic
    from capnet.hemodynamics.cohort import Cohort
    from capnet.hemodynamics.cuffs import CuffModel
    from capnet.hemodynamics.ecg import Ecg
    from capnet.hemodynamics.episodes import Episode, Vasomotion
    from capnet.hemodynamics.linear import LinearSolver
    from capnet.hemodynamics.network import Network, load_network
    from capnet.hemodynamics.nonlinear import NonlinearSolver
    from capnet.hemodynamics.population import (
        Arm,
        Deviate,
        NormalAge,
        Population,
        Priors,
        Trend,
        UniformAge,
    )
    from capnet.hemodynamics.pwdb import load_pwdb_waves, pwdb_quality
    from capnet.hemodynamics.pwdb_clinic import pwdb_beats
    from capnet.hemodynamics.pwdb_release import (
        read_pwdb_haemodynamics,
        read_pwdb_release,
    )
    from capnet.hemodynamics.rhythm import Respiration, Rhythm
    from capnet.hemodynamics.sensors import Sensor
    from capnet.hemodynamics.simulation import simulate
    from capnet.hemodynamics.streaming import WavesFolder, simulate_to
    from capnet.hemodynamics.strips import Heartbeats, Strip
    from capnet.hemodynamics.trains import Train
    from capnet.hemodynamics.visits import Apart, Visit
    from capnet.hemodynamics.waves import Waves

__all__ = [
    "Apart",
    "Arm",
    "Blood",
    "Catheter",
    "Clinic",
    "Cohort",
    "CuffModel",
    "Deviate",
    "Ecg",
    "Episode",
    "Heartbeats",
    "LinearSolver",
    "Network",
    "NonlinearSolver",
    "NormalAge",
    "Population",
    "Priors",
    "Respiration",
    "Rhythm",
    "Sensor",
    "Strip",
    "Train",
    "Trend",
    "UniformAge",
    "Vasomotion",
    "Visit",
    "Waves",
    "WavesFolder",
    "load_network",
    "load_pwdb_waves",
    "pwdb_beats",
    "pwdb_quality",
    "read_pwdb_haemodynamics",
    "read_pwdb_release",
    "simulate",
    "simulate_to",
]

_HOMES = {
    "Apart": "visits",
    "Arm": "population",
    "Blood": "blood",
    "Catheter": "catheters",
    "Clinic": "clinics",
    "Cohort": "cohort",
    "CuffModel": "cuffs",
    "Deviate": "population",
    "Ecg": "ecg",
    "Episode": "episodes",
    "Heartbeats": "strips",
    "LinearSolver": "linear",
    "Network": "network",
    "NonlinearSolver": "nonlinear",
    "NormalAge": "population",
    "Population": "population",
    "Priors": "population",
    "Respiration": "rhythm",
    "Rhythm": "rhythm",
    "Sensor": "sensors",
    "Strip": "strips",
    "Train": "trains",
    "Trend": "population",
    "UniformAge": "population",
    "Vasomotion": "episodes",
    "Visit": "visits",
    "Waves": "waves",
    "WavesFolder": "streaming",
    "load_network": "network",
    "load_pwdb_waves": "pwdb",
    "pwdb_beats": "pwdb_clinic",
    "pwdb_quality": "pwdb",
    "read_pwdb_haemodynamics": "pwdb_release",
    "read_pwdb_release": "pwdb_release",
    "simulate": "simulation",
    "simulate_to": "streaming",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
