"""Cohort: virtual people. First drawn and recorded, then simulated.

Every number that chance decided is kept by name; everything else (geometry, stiffness,
vascular beds, inflow) follows from these numbers alone.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from capnet.errors import CapnetError, ConfigError, RecordError, ShapeError
from capnet.files import write_atomic
from capnet.hemodynamics.arteries import (
    LEFT_ARM,
    Arteries,
    check_speed,
    fit_stiffness,
    impedance,
    large,
)
from capnet.hemodynamics.beds import Beds, distribute
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.cases import read_case
from capnet.hemodynamics.inflow import Ejection, Inflow
from capnet.hemodynamics.network import Location, Network, load_network
from capnet.hemodynamics.population import (
    PARAMETERS,
    Population,
    age_statistics,
    reference_pwv,
)
from capnet.hemodynamics.pwdb import read_pwdb
from capnet.hemodynamics.wall import ELASTIC_LENGTH, K1, K2, stiffness
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

_UNITS: Final = {"age": "years", "hr": "bpm", "sv": "ml", "mbp": "mmHg", "pwv": "m/s"}
_NAMES: Final = (*PARAMETERS, "dbp", *ARM_PARAMETERS)
_CHECKED: Final = 1024
"""People whose geometry is checked at once; as many as fit into a processor cache."""
_FORMAT: Final = "capnet cohort 1"
_FORMAT_WITH_BODIES: Final = "capnet cohort with bodies 1"


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
        bodies: The arteries, if they were given whole (another simulator's people, a
            benchmark) instead of being derived from the parameters, of which some may
            then be missing.

    Raises:
        ShapeError: If a parameter is missing or does not have one value a subject, or
            there are not as many bodies as subjects.
        ConfigError: If no body can be derived from a subject's parameters; the message
            names the subject by its ``index``.
    """

    index: Int[np.ndarray, " subject"]
    age: PerSubject
    parameters: Mapping[str, PerSubject]
    provenance: tuple[str, ...] = ()
    bodies: Arteries | None = None

    def __post_init__(self) -> None:
        missing = set(_NAMES) - set(self.parameters)
        if self.bodies is not None and len(self.bodies) != len(self.age):
            msg = f"there are {len(self.bodies)} bodies; wanted {len(self.age)}."
            raise ShapeError(msg)
        if missing and self.bodies is None:
            msg = f"the cohort lacks {sorted(missing)}; wanted {', '.join(_NAMES)}."
            raise ShapeError(msg)
        for name, values in [("age", self.age), *self.parameters.items()]:
            if values.shape != self.index.shape:
                msg = f"{name} has shape {values.shape}; wanted {self.index.shape}."
                raise ShapeError(msg)
        if self.bodies is None:
            self._check_values()

    def _check_values(self) -> None:
        """Refuse what no body can be derived from, before anything is computed."""
        for name, values in self.parameters.items():
            bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
            if len(bad):
                i = int(bad[0])
                msg = (
                    f"subject {self.index[i]} has {name} {values[i]:g}; wanted a "
                    "positive number. Correct it, or leave the subject out."
                )
                raise ConfigError(msg)
        p = self.parameters
        low = np.flatnonzero(p["mbp"] <= p["pout"])
        if len(low):
            i = int(low[0])
            msg = (
                f"subject {self.index[i]} has a mean pressure (mbp) of {p['mbp'][i]:g} "
                f"mmHg; wanted more than {p['pout'][i]:g} mmHg, the pressure behind "
                "the beds."
            )
            raise ConfigError(msg)
        self._ejection()

    def _ejection(self) -> Ejection:
        p = self.parameters
        return Ejection(p["hr"], p["sv"], p["lvet"], p["pft"], p["rfv"], self.index)

    def check(self) -> None:
        """Refuse people whose walls would have to be impossibly soft or stiff.

        Everything else is checked whenever a cohort is made. `sample`, `load`,
        `concatenate` and `capnet.hemodynamics.simulation.simulate` call this, so that
        nothing fails in the middle of a long computation.

        Raises:
            ConfigError: If nobody can have somebody's pulse wave velocity; the message
                names the subject by its ``index``.
        """
        if self.bodies is not None:
            return
        for start in range(0, len(self), _CHECKED):
            rows = slice(start, start + _CHECKED)
            check_speed(
                **self._geometry(rows),
                pwv=self.parameters["pwv"][rows],
                density=Blood().density,
                index=self.index[rows],
            )

    @classmethod
    def sample(cls, n: int, *, seed: int, population: Population | None = None) -> Self:
        """Draw virtual people.

        Subject i depends on the seed and the population, not on ``n``.

        Args:
            n: How many.
            seed: Not negative; the same seed gives the same people.
            population: Priors; `Population.calibrated` by default: healthy people of 25
                to 75. ``Population()`` are those of the Pulse Wave Database.

        Raises:
            ConfigError: If ``n`` is not positive or the seed is negative, or somebody
                cannot be: then the population is too wide.
        """
        if n < 1 or seed < 0:
            msg = f"n is {n} and seed {seed}; wanted n >= 1 and seed >= 0."
            raise ConfigError(msg)
        population = population or Population.calibrated()

        def normal(name: str) -> PerSubject:
            return stream(seed, "cohort", name).standard_normal(n)

        uniform = stream(seed, "cohort", "age", "uniform").random(n)
        age = population.age.quantile(normal("age"), uniform)
        deviates = population.standardise({name: normal(name) for name in PARAMETERS})
        parameters: dict[str, PerSubject] = {}
        for name in PARAMETERS:
            if name != "pwv":
                mean, sd = population.usual(name, age)
                parameters[name] = mean + sd * deviates[name]
        parameters["rfv"] = np.maximum(parameters["rfv"], 0.02)
        speed = reference_pwv(age, parameters["mbp"], deviates["pwv"])
        parameters["pwv"] = population.priors.factor("pwv", age) * speed
        parameters["dbp"], _ = age_statistics("dbp", age)
        arm = population.arm
        spread = (arm.stiffness_sd, arm.resistance_sd, arm.compliance_sd, arm.length_sd)
        for name, log_sd in zip(ARM_PARAMETERS, spread, strict=True):
            held = np.clip(normal(name), -population.clip, population.clip)
            parameters[name] = population.priors.factor(name, age) * np.exp(
                log_sd * held
            )
        parameters["arm_stiffness"] = arm.stiffness * parameters["arm_stiffness"]
        origin = {"population": asdict(population), "n": n, "seed": seed}
        cohort = cls(np.arange(n), age, parameters, (json.dumps(origin),))
        cohort.check()
        return cohort

    @classmethod
    def from_pwdb(
        cls, folder: str | Path, subjects: Sequence[int] | None = None
    ) -> Self:
        """Take over people of the Pulse Wave Database with their exact bodies.

        ``index`` is PWDB's subject number; ``pwv``, ``len`` and ``dia`` are read off
        the geometry. See `capnet.hemodynamics.pwdb.read_pwdb`.

        Args:
            folder: Holds ``pwdb_geometry.npz``, ``pwdb_model_configs.csv`` and
                ``Q_template.csv``.
            subjects: PWDB's subject numbers, in the order wanted; all by default.

        Raises:
            RecordError: If a file is missing or damaged, or lacks a column.
            ConfigError: If a subject is not there.
        """
        people = read_pwdb(folder, subjects)
        ones = {name: np.ones(len(people.index)) for name in ARM_PARAMETERS}
        return cls(
            index=people.index,
            age=people.age,
            parameters=people.parameters | ones,
            provenance=(json.dumps({"pwdb": len(people.index)}),),
            bodies=people.bodies,
        )

    @classmethod
    def from_yaml(
        cls,
        path: str | Path,
        *,
        overrides: Mapping[str, Mapping[str, float]] | None = None,
        reference_pressure: float | None = None,
    ) -> Self:
        """Take over one network of arteries from a YAML file, such as a benchmark's.

        Its age is unknown (NaN); ``hr``, ``sv`` and ``pout`` are its only parameters.
        The format is described in `capnet.hemodynamics.cases`.

        Args:
            path: The file; its inflow lies beside it.
            overrides: Values for some arteries in place of those in the file, by
                label: ``{"aorta": {"R0": 12e-3, "h0": 1.2e-3}}``.
            reference_pressure: At which all radii hold, Pa, in place of the file's.

        Raises:
            RecordError: If a file is missing, damaged, or no such network.
            ConfigError: If a value is missing, unknown, or means nothing.
        """
        body = read_case(
            path, overrides=overrides, reference_pressure=reference_pressure
        )
        inflow = body.inflow
        return cls(
            index=np.arange(1),
            age=np.full(1, np.nan),
            parameters={
                "hr": 60.0 / inflow.period,
                "sv": inflow.output * inflow.period * 1e6,
                "pout": body.outflow_pressure / MMHG,
            },
            provenance=(json.dumps({"yaml": Path(path).name}),),
            bodies=body,
        )

    def __len__(self) -> int:
        return len(self.age)

    def __getitem__(self, name: str) -> PerSubject:
        """Return a drawn parameter, or ``age``."""
        if name != "age" and name not in self.parameters:
            msg = f"no parameter {name!r}; there are age, {', '.join(self.parameters)}."
            raise ConfigError(msg)
        return self.age if name == "age" else self.parameters[name]

    @property
    def network(self) -> Network:
        """Which artery joins which, the same in everyone."""
        return load_network() if self.bodies is None else self.bodies.network

    def arteries(self) -> Arteries:
        """Return the bodies, or derive geometry, walls, beds and inflow of everyone."""
        if self.bodies is not None:
            return self.bodies
        p, network, blood = self.parameters, load_network(), Blood()
        sizes = self._geometry(slice(None))
        outlet = sizes["outlet_radius"]
        trunk = fit_stiffness(
            **sizes, pwv=p["pwv"], density=blood.density, index=self.index
        )
        k3 = np.repeat(trunk[:, None], len(network), axis=1)
        k3[:, LEFT_ARM] *= p["arm_stiffness"][:, None]
        k1, k2 = np.full(len(network), K1), np.full(len(network), K2)
        ejection = self._ejection()
        beds = distribute(
            network,
            radius=outlet,
            impedance=impedance(outlet, stiffness(outlet, k1, k2, k3), blood.density),
            resistance=(p["mbp"] - p["pout"]) * MMHG / ejection.output,
            compliance=p["pvc"],
            arm_resistance=p["arm_resistance"],
            arm_compliance=p["arm_compliance"],
        )
        return Arteries(
            network=network,
            **sizes,
            k3=k3,
            viscous=network.length > ELASTIC_LENGTH,
            reference_pressure=p["dbp"] * MMHG,
            outflow_pressure=p["pout"] * MMHG,
            beds=beds,
            k1=k1,
            k2=k2,
            blood=blood,
            inflow=ejection.inflow(),
            index=self.index,
        )

    def _geometry(self, rows: slice) -> dict[str, Float[np.ndarray, "subject segment"]]:
        """Return length, inlet and outlet radius of some people's arteries, m."""
        network = load_network()
        longer, arm, widening = (
            self.parameters[name][rows][:, None]
            for name in ("len", "arm_length", "dia")
        )
        length = np.tile(network.length, (len(longer), 1))
        length[:, :2] *= longer
        length[:, LEFT_ARM] *= arm
        wide = large(network)
        behind = wide | np.isin(network.inlet, network.outlet[wide])
        return {
            "length": length,
            "inlet_radius": network.inlet_radius * np.where(behind, widening, 1.0),
            "outlet_radius": network.outlet_radius * np.where(wide, widening, 1.0),
        }

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
            self,
            index=self.index[rows],
            age=self.age[rows],
            parameters=parameters,
            bodies=None if self.bodies is None else self.bodies.take(rows),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join cohorts; people are numbered anew.

        Where one of them has bodies, those of the others are derived and joined.

        Raises:
            ShapeError: If there is nothing to join, or bodies of different networks.
            ConfigError: If somebody cannot be, see `check`.
        """
        if not parts:
            msg = "no cohorts to join; wanted at least one."
            raise ShapeError(msg)
        shared = [
            k for k in parts[0].parameters if all(k in p.parameters for p in parts)
        ]
        age = np.concatenate([part.age for part in parts])
        given = any(part.bodies is not None for part in parts)
        joined = cls(
            index=np.arange(len(age)),
            age=age,
            parameters={
                k: np.concatenate([part.parameters[k] for part in parts])
                for k in shared
            },
            provenance=tuple(line for part in parts for line in part.provenance),
            bodies=Arteries.concatenate([part.arteries() for part in parts])
            if given
            else None,
        )
        joined.check()
        return joined

    def save(self, path: str | Path) -> None:
        """Write everything to an .npz file (no pickle), whole or not at all.

        That is the drawn numbers and, where they were given, the bodies.
        """
        arrays: dict[str, Any] = {
            f"parameter_{name}": values for name, values in self.parameters.items()
        }
        meta: dict[str, Any] = {"format": _FORMAT, "provenance": self.provenance}
        if self.bodies is not None:
            bodies, meta["shared"] = _pack(self.bodies)
            meta["format"] = _FORMAT_WITH_BODIES
            arrays |= {f"body_{name}": values for name, values in bodies.items()}
        arrays |= {
            "index": self.index,
            "age": self.age,
            "meta": np.array(json.dumps(meta)),
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomic(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            RecordError: If the file is missing, damaged, or is no saved cohort.
        """
        path = Path(path)
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
            index, age = arrays.pop("index"), arrays.pop("age")
            found, cohort = meta.get("format"), None
            groups: dict[str, dict[str, np.ndarray]] = {"parameter": {}, "body": {}}
            for name, values in arrays.items():
                group, _, rest = name.partition("_")
                groups[group][rest] = values
            if found in (_FORMAT, _FORMAT_WITH_BODIES):
                given = found == _FORMAT_WITH_BODIES
                bodies = _unpack(groups["body"], meta["shared"]) if given else None
                provenance = tuple(meta["provenance"])
                cohort = cls(index, age, groups["parameter"], provenance, bodies)
                cohort.check()
        except (
            *(OSError, ValueError, KeyError, EOFError, TypeError, AttributeError),
            *(zipfile.BadZipFile, zlib.error, CapnetError),
        ) as error:
            msg = (
                f"{path} cannot be read as a cohort ({error}); wanted a file written "
                "by Cohort.save. Draw the cohort again from its seed and save it."
            )
            raise RecordError(msg) from error
        if cohort is None:
            msg = f"{path} has format {found!r}; wanted {_FORMAT!r}."
            raise RecordError(msg)
        return cohort

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a subject with every drawn parameter."""
        import pandas as pd

        return pd.DataFrame({"index": self.index, "age": self.age, **self.parameters})

    def __repr__(self) -> str:
        if not len(self):
            return "Cohort(no virtual people)"
        given = "" if self.bodies is None else f", bodies given: {self.network!r}"
        known = {"age": self.age, **self.parameters}
        rows = "".join(
            f"\n  {name:<5} {unit:<6} {values.mean():7.1f} +- {values.std():.1f}, "
            f"{values.min():.1f} to {values.max():.1f}"
            for name, unit in _UNITS.items()
            if np.isfinite(values := known.get(name, np.full(1, np.nan))).all()
        )
        return f"Cohort({len(self)} virtual people{given}){rows}"


_BODY_ARRAYS: Final = (
    *("length", "inlet_radius", "outlet_radius", "k3"),
    *("reference_pressure", "outflow_pressure", "viscous", "k1", "k2"),
)
_NETWORK_ARRAYS: Final = ("inlet", "outlet", "length", "inlet_radius", "outlet_radius")
_BED_ARRAYS: Final = ("proximal", "distal", "compliance")
_INFLOW_ARRAYS: Final = ("period", "time", "flow")


def _pack(bodies: Arteries) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of the bodies by name, and what is no array."""
    parts = {
        "": (bodies, _BODY_ARRAYS),
        "network.": (bodies.network, _NETWORK_ARRAYS),
        "beds.": (bodies.beds, _BED_ARRAYS),
        "inflow.": (bodies.inflow, _INFLOW_ARRAYS),
    }
    arrays: dict[str, np.ndarray] = {
        prefix + name: getattr(part, name)
        for prefix, (part, names) in parts.items()
        for name in names
    }
    return arrays, {
        "names": bodies.network.name,
        "sites": {site: list(place) for site, place in bodies.network.sites.items()},
        "blood": asdict(bodies.blood),
    }


def _unpack(arrays: Mapping[str, np.ndarray], shared: Mapping[str, Any]) -> Arteries:
    """Return the bodies that `_pack` took apart."""

    def group(prefix: str, names: Sequence[str]) -> dict[str, Any]:
        return {name: arrays[prefix + name] for name in names}

    sites = {
        site: Location(int(k), float(x)) for site, (k, x) in shared["sites"].items()
    }
    return Arteries(
        network=Network(
            name=tuple(shared["names"]),
            sites=sites,
            **group("network.", _NETWORK_ARRAYS),
        ),
        beds=Beds(**group("beds.", _BED_ARRAYS)),
        blood=Blood(**shared["blood"]),
        inflow=Inflow(**group("inflow.", _INFLOW_ARRAYS)),
        **group("", _BODY_ARRAYS),
    )
