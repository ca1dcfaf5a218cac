r"""The arterial wall: how the lumen follows the pressure.

.. math::
    P = P_d + \beta\left(\sqrt{A/A_d} - 1\right)
        + \frac{\Gamma}{\sqrt{A}} \frac{\partial A}{\partial t},
    \qquad \beta = \frac{4}{3}\frac{E h}{R}

with the reference area :math:`A_d` at the subject's diastolic pressure, an
empirical stiffness :math:`E h / R = k_1 e^{k_2 R} + k_3`, and a Voigt viscosity.
Form: Olufsen 1999, Alastruey 2011; the constants below are those of the packaged
network (PWDB, Charlton 2019). All SI. Everything works alike on numpy arrays and
torch tensors.
"""

import math
from typing import Final, TypeVar

import numpy as np
from torch import Tensor

__all__ = [
    "ELASTIC_LENGTH",
    "K1",
    "K2",
    "area",
    "compliance",
    "exponential_stiffness",
    "pulse_wave_speed",
    "relative_stiffness",
    "stiffness",
    "wall_viscosity",
]

K1: Final = 3.0e5
"""Pa (3e6 g/s2/cm), of the packaged network."""
K2: Final = -1350.0
"""1/m (-13.5 1/cm), of the packaged network."""
VISCOSITY_FLOOR: Final = 0.6
"""kg/s (600 g/s): wall viscosity of a wide artery."""
VISCOSITY_SLOPE: Final = 1.5e-3
"""kg m/s (150 g cm/s): what is added over the diameter."""
ELASTIC_LENGTH: Final = 0.011
"""m: arteries up to this length are elastic, as in PWDB."""

Array = TypeVar("Array", np.ndarray, Tensor)


def exponential_stiffness(radius: Array, k1: Array, k2: Array) -> Array:
    """Return k1 exp(k2 R), Pa: the part of Eh/R that all subjects share.

    Args:
        radius: Lumen radius at the reference pressure, m.
        k1: Pa.
        k2: 1/m.
    """
    whole: Array = k1 * math.e ** (k2 * radius)
    return whole


def relative_stiffness(radius: Array, k1: Array, k2: Array, k3: Array) -> Array:
    """Return Eh/R, Pa.

    Args:
        radius: Lumen radius at the reference pressure, m.
        k1: Pa.
        k2: 1/m.
        k3: Stiffness of wide arteries, Pa, fitted to the subject's pulse wave speed.
    """
    whole: Array = exponential_stiffness(radius, k1, k2) + k3
    return whole


def stiffness(radius: Array, k1: Array, k2: Array, k3: Array) -> Array:
    """Return beta = 4/3 Eh/R of the tube law, Pa; see `relative_stiffness`."""
    return relative_stiffness(radius, k1, k2, k3) * (4.0 / 3.0)


def pulse_wave_speed(beta: Array, density: float) -> Array:
    """Return the wave speed at the reference pressure, sqrt(beta / 2 rho), m/s.

    Args:
        beta: Pa, see `stiffness`.
        density: Of the blood, kg/m3.
    """
    return (beta / (2.0 * density)) ** 0.5


def area(pressure: Array, reference: Array, radius: Array, beta: Array) -> Array:
    """Return the lumen at a static pressure, m2.

    Args:
        pressure: Transmural pressure, Pa.
        reference: Pressure at which the radius is ``radius`` (diastolic), Pa.
        radius: m.
        beta: Pa, see `stiffness`.
    """
    stretch = 1.0 + (pressure - reference) / beta
    lumen: Array = math.pi * radius * radius * stretch * stretch
    return lumen


def compliance(pressure: Array, reference: Array, radius: Array, beta: Array) -> Array:
    """Return dA/dP at a static pressure, m2/Pa."""
    stretch = 1.0 + (pressure - reference) / beta
    give: Array = 2.0 * math.pi * radius * radius * stretch / beta
    return give


def wall_viscosity(radius: Array, lumen: Array) -> Array:
    """Return Gamma/sqrt(A), Pa s/m2, so that P gains this times dA/dt.

    Args:
        radius: At diastolic pressure, m.
        lumen: Area about which the wall moves, m2.
    """
    gamma = VISCOSITY_SLOPE / (2.0 * radius) + VISCOSITY_FLOOR
    answer: Array = gamma / (math.pi * radius * radius) / lumen**0.5
    return answer
