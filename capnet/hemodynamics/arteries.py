"""Arteries: the physical body of each virtual person, ready for a solver. All SI."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.beds import Beds
from capnet.hemodynamics.inflow import Ejection
from capnet.hemodynamics.network import Network
from capnet.hemodynamics.wall import (
    BLOOD_DENSITY,
    exponential_stiffness,
    pulse_wave_speed,
    stiffness,
)

__all__ = ["LEFT_ARM", "Arteries", "fit_stiffness", "impedance", "large"]

PerSubject = Float[np.ndarray, " subject"]
PerSegment = Float[np.ndarray, "subject segment"]

LEFT_ARM: Final = np.array([19, 21, 22, 23, 24, 25, *range(107, 117)]) - 1
"""Rows of the arteries of the left arm, subclavian to fingers."""

LARGE_RADIUS: Final = 3.462e-3 * math.sqrt(1.5)
"""m: arteries whose diameter grows with age (PWDB)."""

_PATH: Final = np.array([14, 18, 27, 28, 35, 37, 39, 41, 42, 44]) - 1
"""Aortic arch to the end of the iliac artery, without what both pulses share."""
_CAROTID, _FEMORAL = 14, 45


@dataclass(frozen=True, eq=False)
class Arteries:
    """What a solver needs to know about n subjects.

    Attributes:
        network: Which artery joins which.
        length: m. Shape (subject, segment).
        inlet_radius, outlet_radius: At the reference pressure, m.
        k3: Stiffness of wide arteries, Pa, see `capnet.hemodynamics.wall`.
        viscous: Whether a wall is viscous; short arteries are elastic. (segment,).
        reference_pressure: Diastolic, at which the radii hold, Pa.
        outflow_pressure: Behind the beds, Pa.
        beds: Windkessels of the terminal arteries.
        ejection: What the heart does.

    Raises:
        ShapeError: If the arrays do not fit each other.
    """

    network: Network
    length: PerSegment
    inlet_radius: PerSegment
    outlet_radius: PerSegment
    k3: PerSegment
    viscous: Bool[np.ndarray, " segment"]
    reference_pressure: PerSubject
    outflow_pressure: PerSubject
    beds: Beds
    ejection: Ejection

    def __post_init__(self) -> None:
        n, segments = len(self.ejection), len(self.network)
        for name in ("length", "inlet_radius", "outlet_radius", "k3"):
            shape = getattr(self, name).shape
            if shape != (n, segments):
                msg = f"{name} has shape {shape}; wanted ({n}, {segments})."
                raise ShapeError(msg)
        beds, terminals = self.beds.proximal.shape, len(self.network.terminals)
        if beds != (n, terminals):
            msg = f"the beds have shape {beds}; wanted ({n}, {terminals})."
            raise ShapeError(msg)

    def __len__(self) -> int:
        return len(self.ejection)


def large(network: Network) -> Bool[np.ndarray, " segment"]:
    """Return which arteries widen with age."""
    answer: np.ndarray = (
        network.inlet_radius + network.outlet_radius
    ) / 2 >= LARGE_RADIUS
    return answer


def impedance(radius: PerSegment, k3: PerSegment) -> PerSegment:
    """Return the characteristic impedance rho c / A at diastolic pressure, Pa s/m3."""
    speed = pulse_wave_speed(stiffness(radius, k3))
    return BLOOD_DENSITY * speed / (np.pi * radius**2)


def fit_stiffness(
    *,
    length: PerSegment,
    inlet_radius: PerSegment,
    outlet_radius: PerSegment,
    pwv: PerSubject,
) -> PerSubject:
    """Return the k3 (Pa) with which a pulse goes from carotid to femoral at ``pwv``.

    The speed is that of PWDB: path length over the difference of arrival times at the
    middle of the carotid and of the femoral artery, each artery at its mean radius.

    Args:
        length: Of the packaged network's arteries, m.
        inlet_radius: m.
        outlet_radius: m.
        pwv: Wanted speed, m/s.

    Raises:
        ConfigError: If no wall is as soft or as stiff as that.
    """
    mean = (inlet_radius + outlet_radius) / 2
    quarter = inlet_radius - 0.25 * (inlet_radius - outlet_radius)
    ends = [_FEMORAL, _CAROTID]
    path = np.concatenate([length[:, _PATH], length[:, ends] / 2], axis=1)
    path[:, -1] *= -1.0
    shared = exponential_stiffness(
        np.concatenate([mean[:, _PATH], quarter[:, ends]], axis=1)
    )
    distance = path.sum(axis=1)

    def speed(k3: PerSubject) -> PerSubject:
        c = pulse_wave_speed((shared + k3[:, None]) * (4.0 / 3.0))
        answer: PerSubject = distance / (path / c).sum(axis=1)
        return answer

    low, high = np.full_like(pwv, 1e3), np.full_like(pwv, 2e6)
    bad = np.flatnonzero(~((speed(low) < pwv) & (pwv < speed(high))))
    if len(bad):
        i = int(bad[0])
        msg = (
            f"subject {i} has a pulse wave velocity of {pwv[i]:.2f} m/s; wanted "
            f"{speed(low)[i]:.1f} to {speed(high)[i]:.1f}. Narrow the population."
        )
        raise ConfigError(msg)
    for _ in range(50):
        middle = np.sqrt(low * high)
        slow = speed(middle) < pwv
        low, high = np.where(slow, middle, low), np.where(slow, high, middle)
    fitted: PerSubject = np.sqrt(low * high)
    return fitted
