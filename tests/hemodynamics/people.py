"""Textbook people and small networks for the tests."""

import numpy as np

from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.beds import Beds
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.cohort import ARM_PARAMETERS, Cohort
from capnet.hemodynamics.inflow import Ejection
from capnet.hemodynamics.network import Network
from capnet.hemodynamics.population import PARAMETERS, age_statistics, reference_pwv
from capnet.hemodynamics.wall import K1, K2


def textbook(ages=(25.0, 35.0, 45.0, 55.0, 65.0, 75.0)):
    """People who are average in everything at their age."""
    age = np.array(ages)
    parameters = {k: age_statistics(k, age)[0] for k in PARAMETERS if k != "pwv"}
    parameters["pwv"] = reference_pwv(age, parameters["mbp"], np.zeros(len(age)))
    parameters["dbp"] = age_statistics("dbp", age)[0]
    parameters |= {name: np.ones(len(age)) for name in ARM_PARAMETERS}
    return Cohort(np.arange(len(age)), age, parameters)


def inflow(subjects=1, *, hr=70.0, sv=70.0):
    """What an average heart ejects, the same in everyone."""
    values = (hr, sv, 282.0, 79.0, 0.73)
    return Ejection(*(np.full(subjects, value) for value in values)).inflow()


def network(inlet, outlet, *, length=0.1, radius=5e-3):
    n = len(inlet)
    return Network(
        name=tuple(f"artery {i + 1}" for i in range(n)),
        inlet=np.array(inlet),
        outlet=np.array(outlet),
        length=np.full(n, length),
        inlet_radius=np.full(n, radius),
        outlet_radius=np.full(n, radius),
    )


def arteries(tree, *, k3=5e4, proximal=1e8, distal=1e9, capacity=1e-9, pressure=1.2e4):
    """One subject on a network, everything even; outflow pressure 0."""
    n, terminals = len(tree), len(tree.terminals)
    beds = (np.full((1, terminals), v) for v in (proximal, distal, capacity))
    one = lambda value: np.array([value])
    return Arteries(
        network=tree,
        length=tree.length[None],
        inlet_radius=tree.inlet_radius[None],
        outlet_radius=tree.outlet_radius[None],
        k3=np.full((1, n), k3),
        viscous=np.zeros(n, dtype=np.bool_),
        reference_pressure=one(pressure),
        outflow_pressure=one(0.0),
        beds=Beds(*beds),
        k1=np.full(n, K1),
        k2=np.full(n, K2),
        blood=Blood(),
        inflow=inflow(),
    )
