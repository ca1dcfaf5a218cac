"""Cohort: virtual people. First drawn and recorded, then simulated.

Every number that chance decided is kept by name; everything else (geometry, stiffness,
vascular beds, inflow) follows from these numbers alone.
"""

import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from capnet.errors import ConfigError, RecordError, ShapeError
from capnet.files import write_atomic
from capnet.hemodynamics.arteries import (
    LEFT_ARM,
    Arteries,
    fit_stiffness,
    impedance,
    large,
)
from capnet.hemodynamics.beds import distribute
from capnet.hemodynamics.inflow import Ejection
from capnet.hemodynamics.network import load_network
from capnet.hemodynamics.population import (
    PARAMETERS,
    Population,
    age_statistics,
    reference_pwv,
)
from capnet.hemodynamics.wall import ELASTIC_LENGTH
from capnet.types import Site
from capnet.units import MMHG

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ARM_PARAMETERS", "Cohort", "Plausibility", "stream"]

PerSubject = Float[np.ndarray, " subject"]

ARM_PARAMETERS: Final = (
    "arm_stiffness",
    "arm_resistance",
    "arm_compliance",
    "arm_length",
)
"""Hidden factors of the left arm, 1 for the textbook's arm."""

_NAMES: Final = (*PARAMETERS, "dbp", *ARM_PARAMETERS)
_FORMAT: Final = "capnet cohort 1"


def stream(seed: int, *path: str) -> np.random.Generator:
    """Return a random generator of its own for each named purpose.

    Draws for one purpose do not shift when another one is added, and the first
    subjects are the same however many are drawn.

    Args:
        seed: Not negative.
        path: Words that name the purpose.
    """
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in path)])


@runtime_checkable
class Extremes(Protocol):
    """Whatever knows the pressures of simulated people, mmHg."""

    def __len__(self) -> int: ...

    def systolic(self, site: Site) -> PerSubject:
        """Return the highest pressure of the beat."""
        ...

    def diastolic(self, site: Site) -> PerSubject:
        """Return the lowest pressure of the beat."""
        ...


@dataclass(frozen=True, eq=False)
class Plausibility:
    """Which virtual people could be real, and why the others could not.

    Attributes:
        kept: Whether a subject is plausible. Shape (subject,).
        reason: Why not; empty for those kept. Shape (subject,).
    """

    kept: Bool[np.ndarray, " subject"]
    reason: Shaped[np.ndarray, " subject"]

    @property
    def dropped(self) -> dict[str, int]:
        """How many were dropped for each reason."""
        words, counts = np.unique(self.reason[~self.kept], return_counts=True)
        return dict(zip(words.tolist(), counts.tolist(), strict=True))

    def __repr__(self) -> str:
        why = "".join(f"\n  {n:>6} {word}" for word, n in self.dropped.items())
        return f"Plausibility(kept {int(self.kept.sum())} of {len(self.kept)}){why}"


@dataclass(frozen=True, eq=False)
class Cohort:
    """Drawn parameters of virtual people, one entry a subject.

    Attributes:
        index: Position at which each subject was drawn; stays when others are left
            out, so that a subject is the same person in every selection.
        age: Years.
        parameters: Everything else that was drawn, by name: `PARAMETERS`, ``dbp``
            (mmHg, pressure at which the geometry holds) and `ARM_PARAMETERS`.
        provenance: How each part of the cohort was drawn, as JSON.

    Raises:
        ShapeError: If a parameter is missing or does not have one value a subject.
    """

    index: Int[np.ndarray, " subject"]
    age: PerSubject
    parameters: Mapping[str, PerSubject]
    provenance: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        missing = set(_NAMES) - set(self.parameters)
        if missing:
            msg = f"the cohort lacks {sorted(missing)}; wanted {', '.join(_NAMES)}."
            raise ShapeError(msg)
        for name, values in [("age", self.age), *self.parameters.items()]:
            if values.shape != self.index.shape:
                msg = f"{name} has shape {values.shape}; wanted {self.index.shape}."
                raise ShapeError(msg)

    @classmethod
    def sample(cls, n: int, *, seed: int, population: Population | None = None) -> Self:
        """Draw virtual people.

        Subject i depends on the seed and the population, not on ``n``.

        Args:
            n: How many.
            seed: Not negative; the same seed gives the same people.
            population: Priors; PWDB's people from 25 to 75 by default.

        Raises:
            ConfigError: If ``n`` is not positive or the seed is negative.
        """
        if n < 1 or seed < 0:
            msg = f"n is {n} and seed {seed}; wanted n >= 1 and seed >= 0."
            raise ConfigError(msg)
        population = population or Population()

        def normal(name: str) -> PerSubject:
            return stream(seed, "cohort", name).standard_normal(n)

        uniform = stream(seed, "cohort", "age", "uniform").random(n)
        age = population.age.quantile(normal("age"), uniform)
        deviates = population.standardise({name: normal(name) for name in PARAMETERS})
        parameters: dict[str, PerSubject] = {}
        for name in PARAMETERS:
            if name != "pwv":
                mean, sd = age_statistics(name, age)
                parameters[name] = mean + sd * deviates[name]
        parameters["rfv"] = np.maximum(parameters["rfv"], 0.02)
        parameters["pwv"] = reference_pwv(age, parameters["mbp"], deviates["pwv"])
        parameters["dbp"], _ = age_statistics("dbp", age)
        arm = population.arm
        spread = (arm.stiffness_sd, arm.resistance_sd, arm.compliance_sd, arm.length_sd)
        for name, log_sd in zip(ARM_PARAMETERS, spread, strict=True):
            held = np.clip(normal(name), -population.clip, population.clip)
            parameters[name] = np.exp(log_sd * held)
        parameters["arm_stiffness"] = arm.stiffness * parameters["arm_stiffness"]
        origin = {"population": asdict(population), "n": n, "seed": seed}
        return cls(np.arange(n), age, parameters, (json.dumps(origin),))

    def __len__(self) -> int:
        return len(self.age)

    def __getitem__(self, name: str) -> PerSubject:
        """Return a drawn parameter, or ``age``."""
        if name != "age" and name not in self.parameters:
            msg = f"no parameter {name!r}; there are age, {', '.join(self.parameters)}."
            raise ConfigError(msg)
        return self.age if name == "age" else self.parameters[name]

    def arteries(self) -> Arteries:
        """Derive geometry, wall stiffness, vascular beds and inflow of everyone."""
        p, network = self.parameters, load_network()

        def column(values: np.ndarray) -> np.ndarray:
            return np.tile(values, (len(self), 1))

        length = column(network.length)
        length[:, :2] *= p["len"][:, None]
        length[:, LEFT_ARM] *= p["arm_length"][:, None]
        wide = large(network)
        behind = wide | np.isin(network.inlet, network.outlet[wide])
        widening = p["dia"][:, None]
        inlet = column(network.inlet_radius) * np.where(behind, widening, 1.0)
        outlet = column(network.outlet_radius) * np.where(wide, widening, 1.0)
        trunk = fit_stiffness(
            length=length, inlet_radius=inlet, outlet_radius=outlet, pwv=p["pwv"]
        )
        k3 = np.repeat(trunk[:, None], len(network), axis=1)
        k3[:, LEFT_ARM] *= p["arm_stiffness"][:, None]
        ejection = Ejection(p["hr"], p["sv"], p["lvet"], p["pft"], p["rfv"])
        beds = distribute(
            network,
            radius=outlet,
            impedance=impedance(outlet, k3),
            resistance=(p["mbp"] - p["pout"]) * MMHG / ejection.output,
            compliance=p["pvc"],
            arm_resistance=p["arm_resistance"],
            arm_compliance=p["arm_compliance"],
        )
        return Arteries(
            network=network,
            length=length,
            inlet_radius=inlet,
            outlet_radius=outlet,
            k3=k3,
            viscous=network.length > ELASTIC_LENGTH,
            reference_pressure=p["dbp"] * MMHG,
            outflow_pressure=p["pout"] * MMHG,
            beds=beds,
            ejection=ejection,
        )

    def plausible(self, waves: Extremes) -> Plausibility:
        """Tell which simulated people could be real.

        Aortic SBP below 195 mmHg, aortic pulse pressure within 15..100 mmHg and
        brachial DBP within 45..115 mmHg. This looks at true pressures, so it defines
        a cohort; it is no gate that could be used on patients.

        Args:
            waves: The simulated waves of exactly this cohort.

        Raises:
            ShapeError: If the waves are of another number of people.
        """
        if len(waves) != len(self):
            msg = f"there are waves of {len(waves)} people; wanted {len(self)}."
            raise ShapeError(msg)
        sbp = waves.systolic("aortic_root")
        pulse = sbp - waves.diastolic("aortic_root")
        dbp = waves.diastolic("brachial")
        reason = np.select(
            [
                ~np.isfinite(sbp + pulse + dbp),
                sbp >= 195,
                (pulse <= 15) | (pulse >= 100),
                (dbp <= 45) | (dbp >= 115),
            ],
            [
                "the solver gave no finite pressure",
                "aortic SBP is not below 195 mmHg",
                "aortic pulse pressure is not within 15..100 mmHg",
                "brachial DBP is not within 45..115 mmHg",
            ],
            default="",
        )
        return Plausibility(reason == "", reason)

    def take(self, rows: Shaped[np.ndarray, " row"] | slice) -> Self:
        """Return the people at these rows (indices, a mask or a slice)."""
        parameters = {name: values[rows] for name, values in self.parameters.items()}
        return replace(
            self, index=self.index[rows], age=self.age[rows], parameters=parameters
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join cohorts; people are numbered anew.

        Raises:
            ShapeError: If there is nothing to join.
        """
        if not parts:
            msg = "no cohorts to join; wanted at least one."
            raise ShapeError(msg)
        shared = [
            k for k in parts[0].parameters if all(k in p.parameters for p in parts)
        ]
        age = np.concatenate([part.age for part in parts])
        return cls(
            index=np.arange(len(age)),
            age=age,
            parameters={
                k: np.concatenate([part.parameters[k] for part in parts])
                for k in shared
            },
            provenance=tuple(line for part in parts for line in part.provenance),
        )

    def save(self, path: str | Path) -> None:
        """Write all drawn numbers to an .npz file (no pickle), whole or not at all."""
        meta = json.dumps({"format": _FORMAT, "provenance": self.provenance})
        arrays: dict[str, Any] = {
            f"parameter_{name}": values for name, values in self.parameters.items()
        }
        arrays |= {"index": self.index, "age": self.age, "meta": np.array(meta)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomic(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            RecordError: If the file is missing or is no saved cohort.
        """
        path = Path(path)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
            index, age = arrays.pop("index"), arrays.pop("age")
        except (OSError, ValueError, KeyError, EOFError) as error:
            msg = (
                f"{path} cannot be read as a cohort ({error}); wanted a file written "
                "by Cohort.save. Draw the cohort again from its seed and save it."
            )
            raise RecordError(msg) from error
        if meta.get("format") != _FORMAT:
            msg = f"{path} has format {meta.get('format')!r}; wanted {_FORMAT!r}."
            raise RecordError(msg)
        prefix = len("parameter_")
        parameters = {name[prefix:]: values for name, values in arrays.items()}
        return cls(index, age, parameters, tuple(meta["provenance"]))

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a subject with every drawn parameter."""
        import pandas as pd

        return pd.DataFrame({"index": self.index, "age": self.age, **self.parameters})

    def __repr__(self) -> str:
        if not len(self):
            return "Cohort(no virtual people)"
        rows = "".join(
            f"\n  {name:<15} {self[name].mean():9.3f} +- {self[name].std():.3f}"
            for name in ("age", "hr", "sv", "mbp", "pwv")
        )
        return f"Cohort({len(self)} virtual people){rows}"
