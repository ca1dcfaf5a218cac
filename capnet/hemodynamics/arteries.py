"""Arteries: the physical body of each virtual person, ready for a solver. All SI."""

import math
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Final, Self

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.beds import Beds
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.inflow import Inflow
from capnet.hemodynamics.network import Network
from capnet.hemodynamics.wall import (
    K1,
    K2,
    exponential_stiffness,
    pulse_wave_speed,
    relative_stiffness,
)

__all__ = [
    "LEFT_ARM",
    "Arteries",
    "carotid_femoral_speed",
    "check_speed",
    "fit_stiffness",
    "impedance",
    "large",
]

PerSubject = Float[np.ndarray, " subject"]
PerSegment = Float[np.ndarray, "subject segment"]
Numbers = Int[np.ndarray, " subject"]

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
        k1, k2: Eh/R = k1 exp(k2 R) + k3, Pa and 1/m; k1 is 0 where the stiffness does
            not depend on the radius. Shape (segment,).
        blood: What flows.
        inflow: What enters at the root.
        index: Who they are, for messages (not kept); their rows by default.

    Raises:
        ShapeError: If the arrays do not fit each other.
        ConfigError: If a number means nothing (a length, radius, stiffness or bed that
            is not positive and finite, a pressure that is not finite); the message
            names the first subject and segment concerned.
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
    k1: Float[np.ndarray, " segment"]
    k2: Float[np.ndarray, " segment"]
    blood: Blood
    inflow: Inflow
    index: InitVar[Numbers | None] = None

    def __post_init__(self, index: Numbers | None) -> None:
        self._check_shapes()
        who = np.arange(len(self)) if index is None else index
        for name in ("length", "inlet_radius", "outlet_radius"):
            self._blame(name.replace("_", " "), getattr(self, name), "m", who)
        for radius in (self.inlet_radius, self.outlet_radius):
            # Eh/R lies between its values at both ends
            whole = relative_stiffness(radius, self.k1, self.k2, self.k3)
            self._blame("stiffness Eh/R", whole, "Pa", who)
        units = {"proximal": "Pa s/m3", "distal": "Pa s/m3", "compliance": "m3/Pa"}
        for name, unit in units.items():
            values = getattr(self.beds, name)
            rows = self.network.terminals
            self._blame(f"{name} of the bed", values, unit, who, rows)
        for name in ("reference_pressure", "outflow_pressure"):
            bad = np.flatnonzero(~np.isfinite(getattr(self, name)))
            if len(bad):
                msg = (
                    f"subject {who[bad[0]]} has {name.replace('_', ' ')} "
                    f"{getattr(self, name)[bad[0]]} Pa; wanted a finite number."
                )
                raise ConfigError(msg)

    def _check_shapes(self) -> None:
        n, segments = len(self.inflow), len(self.network)
        sizes: dict[tuple[int, ...], tuple[str, ...]] = {
            (n, segments): ("length", "inlet_radius", "outlet_radius", "k3"),
            (segments,): ("viscous", "k1", "k2"),
            (n,): ("reference_pressure", "outflow_pressure"),
        }
        for size, names in sizes.items():
            for name in names:
                shape = getattr(self, name).shape
                if shape != size:
                    msg = f"{name} has shape {shape}; wanted {size}."
                    raise ShapeError(msg)
        for name in ("proximal", "distal", "compliance"):
            shape = getattr(self.beds, name).shape
            if shape != (n, len(self.network.terminals)):
                msg = (
                    f"{name} of the beds has shape {shape}; wanted "
                    f"({n}, {len(self.network.terminals)})."
                )
                raise ShapeError(msg)

    def _blame(
        self,
        name: str,
        values: Float[np.ndarray, "subject some"],
        unit: str,
        who: Numbers,
        rows: Int[np.ndarray, " some"] | None = None,
    ) -> None:
        bad = np.argwhere(~(np.isfinite(values) & (values > 0)))
        if len(bad):
            i, j = (int(k) for k in bad[0])
            where = self.network.label(j if rows is None else int(rows[j]))
            msg = (
                f"subject {who[i]}, {where}: {name} is {values[i, j]:g} {unit}; wanted "
                "a positive number. Correct it, or leave the subject out."
            )
            raise ConfigError(msg)

    def __len__(self) -> int:
        return len(self.inflow)

    def take(self, rows: Shaped[np.ndarray, " row"] | slice) -> Self:
        """Return the subjects at these rows (indices, a mask or a slice)."""
        beds = self.beds
        return replace(
            self,
            length=self.length[rows],
            inlet_radius=self.inlet_radius[rows],
            outlet_radius=self.outlet_radius[rows],
            k3=self.k3[rows],
            reference_pressure=self.reference_pressure[rows],
            outflow_pressure=self.outflow_pressure[rows],
            beds=Beds(beds.proximal[rows], beds.distal[rows], beds.compliance[rows]),
            inflow=self.inflow.take(rows),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join subjects of one network.

        Raises:
            ShapeError: If there is nothing to join, or networks, blood or what else
                all subjects share differ; the message says what.
        """
        if not parts:
            msg = "no arteries to join; wanted at least one."
            raise ShapeError(msg)
        first = parts[0]
        for i, part in enumerate(parts):
            shared = {
                "network": part.network.same(first.network),
                "blood": part.blood == first.blood,
            }
            if shared["network"]:
                for name in ("k1", "k2", "viscous"):
                    ours, theirs = getattr(first, name), getattr(part, name)
                    shared[name] = np.array_equal(ours, theirs)
            unlike = [name for name, same in shared.items() if not same]
            if unlike:
                msg = (
                    f"part {i} has another {' and '.join(unlike)} than part 0; only "
                    "bodies that share them can be joined. Simulate them one by one."
                )
                raise ShapeError(msg)

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(part, name) for part in parts])

        def beds(name: str) -> np.ndarray:
            return np.concatenate([getattr(part.beds, name) for part in parts])

        return replace(
            first,
            length=joined("length"),
            inlet_radius=joined("inlet_radius"),
            outlet_radius=joined("outlet_radius"),
            k3=joined("k3"),
            reference_pressure=joined("reference_pressure"),
            outflow_pressure=joined("outflow_pressure"),
            beds=Beds(beds("proximal"), beds("distal"), beds("compliance")),
            inflow=Inflow.concatenate([part.inflow for part in parts]),
        )


def large(network: Network) -> Bool[np.ndarray, " segment"]:
    """Return which arteries widen with age."""
    answer: np.ndarray = (
        network.inlet_radius + network.outlet_radius
    ) / 2 >= LARGE_RADIUS
    return answer


def impedance(radius: PerSegment, beta: PerSegment, density: float) -> PerSegment:
    """Return the characteristic impedance rho c / A at reference pressure, Pa s/m3.

    Args:
        radius: m.
        beta: Stiffness of the tube law, Pa, see `capnet.hemodynamics.wall.stiffness`.
        density: Of the blood, kg/m3.
    """
    return density * pulse_wave_speed(beta, density) / (np.pi * radius**2)


@dataclass(frozen=True, eq=False)
class _Path:
    """The way of the pulse from carotid to femoral artery in the packaged network."""

    length: PerSegment
    shared: PerSegment
    density: float

    def speed(self, k3: PerSubject) -> PerSubject:
        """Return the pulse wave velocity for a stiffness of wide arteries."""
        c = pulse_wave_speed((self.shared + k3[:, None]) * (4.0 / 3.0), self.density)
        answer: PerSubject = self.length.sum(axis=1) / (self.length / c).sum(axis=1)
        return answer


def _carotid_femoral(
    length: PerSegment,
    inlet_radius: PerSegment,
    outlet_radius: PerSegment,
    density: float,
) -> _Path:
    mean = (inlet_radius + outlet_radius) / 2
    quarter = inlet_radius - 0.25 * (inlet_radius - outlet_radius)
    ends = [_FEMORAL, _CAROTID]
    path = np.concatenate([length[:, _PATH], length[:, ends] / 2], axis=1)
    path[:, -1] *= -1.0
    radius = np.concatenate([mean[:, _PATH], quarter[:, ends]], axis=1)
    everywhere = np.ones(radius.shape[1])
    shared = exponential_stiffness(radius, K1 * everywhere, K2 * everywhere)
    return _Path(path, shared, density)


def carotid_femoral_speed(
    *,
    length: PerSegment,
    inlet_radius: PerSegment,
    outlet_radius: PerSegment,
    k3: PerSubject,
    density: float,
) -> PerSubject:
    """Return the carotid-femoral pulse wave velocity at reference pressure, m/s.

    The speed is that of PWDB: path length over the difference of arrival times at the
    middle of the carotid and of the femoral artery, each artery at its mean radius.

    Args:
        length: Of the packaged network's arteries, m.
        inlet_radius: m.
        outlet_radius: m.
        k3: Stiffness of wide arteries, Pa.
        density: Of the blood, kg/m3.
    """
    return _carotid_femoral(length, inlet_radius, outlet_radius, density).speed(k3)


_SOFTEST, _STIFFEST = 1e3, 2e6
"""Pa: k3 between which one is looked for."""


def check_speed(
    *,
    length: PerSegment,
    inlet_radius: PerSegment,
    outlet_radius: PerSegment,
    pwv: PerSubject,
    density: float,
    index: Numbers,
) -> None:
    """Refuse a pulse wave velocity that no wall has, see `fit_stiffness`.

    Args:
        length: Of the packaged network's arteries, m.
        inlet_radius: m.
        outlet_radius: m.
        pwv: Wanted speed (see `carotid_femoral_speed`), m/s.
        density: Of the blood, kg/m3.
        index: Who they are, for messages.

    Raises:
        ConfigError: If no wall is as soft or as stiff as that.
    """
    speed = _carotid_femoral(length, inlet_radius, outlet_radius, density).speed
    low, high = (speed(np.full_like(pwv, k3)) for k3 in (_SOFTEST, _STIFFEST))
    bad = np.flatnonzero(~((low < pwv) & (pwv < high)))
    if len(bad):
        i = int(bad[0])
        msg = (
            f"subject {index[i]} has a pulse wave velocity of {pwv[i]:.2f} m/s; wanted "
            f"{low[i]:.1f} to {high[i]:.1f}. Narrow the population."
        )
        raise ConfigError(msg)


def fit_stiffness(
    *,
    length: PerSegment,
    inlet_radius: PerSegment,
    outlet_radius: PerSegment,
    pwv: PerSubject,
    density: float,
    index: Numbers,
) -> PerSubject:
    """Return the k3 (Pa) with which a pulse goes from carotid to femoral at ``pwv``.

    Args:
        length: Of the packaged network's arteries, m.
        inlet_radius: m.
        outlet_radius: m.
        pwv: Wanted speed (see `carotid_femoral_speed`), m/s.
        density: Of the blood, kg/m3.
        index: Who they are, for messages.

    Raises:
        ConfigError: If no wall is as soft or as stiff as that.
    """
    check_speed(
        length=length,
        inlet_radius=inlet_radius,
        outlet_radius=outlet_radius,
        pwv=pwv,
        density=density,
        index=index,
    )
    speed = _carotid_femoral(length, inlet_radius, outlet_radius, density).speed
    low, high = np.full_like(pwv, _SOFTEST), np.full_like(pwv, _STIFFEST)
    for _ in range(50):
        middle = np.sqrt(low * high)
        slow = speed(middle) < pwv
        low, high = np.where(slow, middle, low), np.where(slow, high, middle)
    fitted: PerSubject = np.sqrt(low * high)
    return fitted
