"""Population: what is assumed about the people before anyone is drawn.

Means and standard deviations by age are those of PWDB (Charlton 2019; tables beside
this file), or those calibrated to people: PWDB's, each times a factor that follows age,
so that virtual pressures agree with measured ones (`Population.priors`). A `Population`
says how the standard deviates are distributed: where a clinic's patients differ from
what is usual, and what no measurement tells.
"""

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final, Self

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError

__all__ = [
    "PARAMETERS",
    "Arm",
    "Deviate",
    "NormalAge",
    "Population",
    "Priors",
    "Trend",
    "UniformAge",
    "age_statistics",
    "reference_pwv",
]

PerSubject = Float[np.ndarray, " subject"]

PARAMETERS: Final = (
    "hr",
    "sv",
    "lvet",
    "pft",
    "rfv",
    "mbp",
    "pwv",
    "dia",
    "len",
    "pvc",
    "pout",
)
"""Drawn per subject: heart rate (bpm), stroke volume (ml), ejection time (ms), time to
peak flow (ms), backflow (ml), mean pressure (mmHg), carotid-femoral pulse wave velocity
(m/s), large-artery diameter, proximal aortic length and bed compliance (1 at age 25),
outflow pressure (mmHg)."""

AGES: Final = (25.0, 75.0)
"""Ages that the tables cover, years; beyond them the trend is continued."""

# Mattace-Raso 2010, table 6: PWV = a age + b age^2 + c in five classes of pressure.
_PWV_A: Final = np.array([0.0, 0.0, 0.0, 0.0, 0.044])
_PWV_B: Final = np.array([0.83e-3, 0.99e-3, 1.05e-3, 1.18e-3, 0.85e-3])
_PWV_C: Final = np.array([5.55, 5.69, 5.91, 6.17, 5.73])
_PWV_SBP: Final = np.array([115.0, 125.0, 135.0, 150.0, 170.0])
_PWV_DBP: Final = np.array([77.5, 82.5, 87.5, 95.0, 105.0])


@dataclass(frozen=True)
class UniformAge:
    """Ages spread evenly, years."""

    low: float = 25.0
    high: float = 75.0

    def __post_init__(self) -> None:
        _check_ages(self.low, self.high)

    def quantile(self, normal: PerSubject, uniform: PerSubject) -> PerSubject:
        """Turn raw draws into ages."""
        del normal
        return self.low + (self.high - self.low) * uniform


@dataclass(frozen=True)
class NormalAge:
    """Ages around a mean, cut at both ends, years."""

    mean: float
    sd: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_ages(self.low, self.high)
        _check_finite(self, at_least_0=("sd",))

    def quantile(self, normal: PerSubject, uniform: PerSubject) -> PerSubject:
        """Turn raw draws into ages."""
        del uniform
        return np.clip(self.mean + self.sd * normal, self.low, self.high)


def _check_ages(low: float, high: float) -> None:
    if not 15.0 <= low <= high <= 90.0:
        msg = (
            f"ages are {low:g} to {high:g} years; wanted 15 <= low <= high <= 90 "
            f"(the tables cover {AGES[0]:g} to {AGES[1]:g})."
        )
        raise ConfigError(msg)


def _check_finite(settings: object, *, at_least_0: Collection[str] = ()) -> None:
    """Raise if a number is not finite, or is below 0 and may not be."""
    for name, value in vars(settings).items():
        number = isinstance(value, int | float)
        if number and not (
            np.isfinite(value) and (value >= 0 or name not in at_least_0)
        ):
            least = "a number from 0 on" if name in at_least_0 else "a finite number"
            msg = f"{type(settings).__name__} has {name} {value:g}; wanted {least}."
            raise ConfigError(msg)


@dataclass(frozen=True)
class Deviate:
    """How one parameter departs from what is usual at that age.

    Attributes:
        mean: Shift, in standard deviations at that age.
        sd: Spread, in standard deviations at that age.
        follows: Another parameter that pulls it along; empty for none.
        slope: Standard deviations gained for each one the other is off its own mean.
    """

    mean: float = 0.0
    sd: float = 1.0
    follows: str = ""
    slope: float = 0.0

    def __post_init__(self) -> None:
        _check_finite(self, at_least_0=("sd",))


_LVET_WITH_HR: Final = Deviate(0.0, 0.6, "hr", -0.8)
"""0.8 SDs of ejection time for each SD of heart rate are 1.7 ms/bpm (Weissler 1961)
with PWDB's SDs, and 1.6 ms/bpm with the calibrated ones."""


@dataclass(frozen=True)
class Trend:
    """A factor that follows age: exp(at_50 + per_25_years (age - 50) / 25).

    Attributes:
        at_50: Logarithm of the factor at 50 years.
        per_25_years: What it gains in 25 years.
    """

    at_50: float
    per_25_years: float = 0.0

    def __post_init__(self) -> None:
        _check_finite(self)

    def at(self, age: PerSubject) -> PerSubject:
        """Return the factor at each age (years)."""
        factor: PerSubject = np.exp(
            self.at_50 + self.per_25_years * (age - 50.0) / 25.0
        )
        return factor


@dataclass(frozen=True)
class Priors:
    """What is usual at each age: PWDB's values, some of them times a factor.

    Attributes:
        trends: Factors by name of the parameter (one of `PARAMETERS`, or
            ``arm_stiffness``, ``arm_compliance``); parameters without one are PWDB's.

    Raises:
        ConfigError: If a name is unknown.
    """

    trends: Mapping[str, Trend] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = (*PARAMETERS, "arm_stiffness", "arm_compliance")
        unknown = sorted(set(self.trends) - set(known))
        if unknown:
            msg = f"no prior is named {unknown[0]!r}; there are {', '.join(known)}."
            raise ConfigError(msg)

    @classmethod
    def calibrated(cls) -> Self:
        """Return priors whose virtual people have the pressures of real ones.

        The factors are in the packaged table ``priors_calibrated.csv``. What they are
        fitted to, ``benchmarks/priors.py`` says, which fits them anew.
        """
        path = files("capnet.hemodynamics") / "tables" / "priors_calibrated.csv"
        rows = csv.DictReader(path.read_text("utf-8").splitlines())
        return cls(
            {
                row["parameter"]: Trend(float(row["at_50"]), float(row["per_25_years"]))
                for row in rows
            }
        )

    def factor(self, name: str, age: PerSubject) -> PerSubject:
        """Return what PWDB's usual value is multiplied with at each age (years)."""
        trend = self.trends.get(name)
        return np.ones_like(age) if trend is None else trend.at(age)


@dataclass(frozen=True)
class Arm:
    """Hidden properties of the left arm, where the finger and the cuff are.

    No measurement tells them, which is what keeps the way from arm to aorta from
    being one fixed filter. Each is a log-normal factor.

    Attributes:
        stiffness: Median factor on the wall stiffness of the arm's arteries.
        stiffness_sd, resistance_sd, compliance_sd, length_sd: Standard deviations
            of the logarithms (wall stiffness, bed resistance and compliance, length).
    """

    stiffness: float = 1.0
    stiffness_sd: float = 0.10
    resistance_sd: float = 0.15
    compliance_sd: float = 0.15
    length_sd: float = 0.05

    def __post_init__(self) -> None:
        _check_finite(self, at_least_0=tuple(vars(self)))


def _usual() -> Mapping[str, Deviate]:
    return {}


@dataclass(frozen=True)
class Population:
    """Priors of virtual people.

    Attributes:
        age: How ages are distributed.
        deviates: Parameters that do not follow the table (mean 0, SD 1 at each age);
            outflow pressure is the same in everybody unless it is named here.
        arm: Hidden properties of the left arm.
        clip: Standard deviates are held within plus and minus this.
        priors: What is usual at each age, see `usual`.

    Raises:
        ConfigError: If a deviate names an unknown parameter or follows one that
            itself follows another.
    """

    age: UniformAge | NormalAge = UniformAge()
    deviates: Mapping[str, Deviate] = field(default_factory=_usual)
    arm: Arm = Arm()
    clip: float = 2.2
    priors: Priors = Priors()

    def __post_init__(self) -> None:
        _check_finite(self, at_least_0=("clip",))
        for name, deviate in self.deviates.items():
            unknown = {name, deviate.follows or name} - set(PARAMETERS)
            if unknown:
                msg = (
                    f"deviate {name!r} concerns {sorted(unknown)}; wanted parameters "
                    f"among {', '.join(PARAMETERS)}."
                )
                raise ConfigError(msg)
            if deviate.follows and self.deviate(deviate.follows).follows:
                msg = (
                    f"{name!r} follows {deviate.follows!r}, which follows "
                    f"{self.deviate(deviate.follows).follows!r}; wanted one step only."
                )
                raise ConfigError(msg)

    def deviate(self, name: str) -> Deviate:
        """Return how a parameter departs from the table."""
        usual = Deviate(sd=0.0) if name == "pout" else Deviate()
        return self.deviates.get(name, usual)

    def usual(self, name: str, age: PerSubject) -> tuple[PerSubject, PerSubject]:
        """Return mean and standard deviation of a parameter at each age.

        Args:
            name: As in `age_statistics`, so not ``pwv``.
            age: Years.
        """
        mean, sd = age_statistics(name, age)
        factor = self.priors.factor(name, age)
        return factor * mean, factor * sd

    @classmethod
    def calibrated(cls) -> Self:
        """Return healthy people of 25 to 75 whose pressures are those of real ones.

        Ejection time falls with heart rate nearly as in people: by 1.6 ms/bpm (1.7 in
        Weissler 1961).
        A large body has a large heart and a wide aorta, so that stroke volume and
        diameter go together; how much, and that pulse wave velocity varies less among
        healthy people than the database has it, are chosen so that the spread of
        pressures comes nearer to that of healthy men (McEniery 2005).
        """
        return cls(
            priors=Priors.calibrated(),
            deviates={
                "lvet": _LVET_WITH_HR,
                "sv": Deviate(sd=0.7),
                "dia": Deviate(0.0, 0.5, "sv", 1.0),
                "pwv": Deviate(sd=0.6),
            },
        )

    @classmethod
    def older_clinic(cls) -> Self:
        """Return a clinic's patients: older, stiffer, slower, with more hidden spread.

        Mean age 64; mean pressure up by 0.7 SD, PWV up and tied to it, ejection time
        tied to heart rate; arms stiffer and more different from each other.
        """
        return cls(
            age=NormalAge(mean=64.0, sd=10.0, low=42.0, high=80.0),
            priors=Priors.calibrated(),
            deviates={
                "mbp": Deviate(0.7, 1.1),
                "pwv": Deviate(0.4, 0.9, "mbp", 0.35),
                "hr": Deviate(-0.5, 1.1),
                "lvet": Deviate(0.35, 0.7, "hr", -0.7),
                "pft": Deviate(0.5, 1.0),
                "sv": Deviate(0.0, 1.0),
                "dia": Deviate(-0.3, 0.8, "sv", 0.6),
            },
            arm=Arm(1.15, 0.25, 0.35, 0.30, 0.07),
        )

    def standardise(self, raw: Mapping[str, PerSubject]) -> dict[str, PerSubject]:
        """Turn independent normal draws into the deviates of this population.

        Args:
            raw: Independent standard normal draws of every parameter.

        Returns:
            Deviates in standard deviations at each age.
        """
        clipped = {k: np.clip(raw[k], -self.clip, self.clip) for k in PARAMETERS}
        own: dict[str, PerSubject] = {
            k: self.deviate(k).mean + self.deviate(k).sd * clipped[k]
            for k in PARAMETERS
        }
        answer = dict(own)
        for name in PARAMETERS:
            deviate = self.deviate(name)
            if deviate.follows:
                pull = own[deviate.follows] - self.deviate(deviate.follows).mean
                answer[name] = own[name] + deviate.slope * pull
        return answer


@cache
def _age_table() -> dict[str, np.ndarray]:
    path = files("capnet.hemodynamics") / "tables" / "age_parameters_pwdb.csv"
    rows = csv.DictReader(path.read_text("utf-8").splitlines())
    table: dict[str, np.ndarray] = {}
    for row in rows:
        for kind in ("mean", "sd"):
            cells = [row[f"{kind}_{age}"] for age in range(25, 76, 10)]
            if all(cells):
                table[f"{row['parameter'].lower()}_{kind}"] = np.array(
                    cells, dtype=float
                )
    return table


def _at_age(row: str, age: PerSubject) -> PerSubject:
    """Read a row of the table, its first and last slopes continued."""
    ages, values = np.arange(25.0, 76.0, 10.0), _age_table()[row]
    i = np.clip(np.searchsorted(ages, age) - 1, 0, len(ages) - 2)
    slope = (values[i + 1] - values[i]) / 10.0
    answer: PerSubject = values[i] + slope * (age - ages[i])
    return answer


def age_statistics(name: str, age: PerSubject) -> tuple[PerSubject, PerSubject]:
    """Return mean and standard deviation of a parameter at each age.

    Args:
        name: One of `PARAMETERS` but ``pwv`` (see `reference_pwv`), or ``dbp``, the
            pressure at which the geometry is known (mmHg).
        age: Years.
    """
    return _at_age(f"{name}_mean", age), _at_age(f"{name}_sd", age)


def reference_pwv(age: PerSubject, mbp: PerSubject, deviate: PerSubject) -> PerSubject:
    """Return carotid-femoral pulse wave velocity, m/s (Mattace-Raso 2010).

    Args:
        age: Years.
        mbp: Mean pressure, mmHg; the reference classes are interpolated at
            DBP + 0.4 PP, held at the highest and continued below the lowest.
        deviate: In standard deviations, which differ above and below the mean.
    """
    classes = _PWV_DBP + 0.4 * (_PWV_SBP - _PWV_DBP)
    values = _PWV_A * age[:, None] + _PWV_B * age[:, None] ** 2 + _PWV_C
    i = np.clip(np.searchsorted(classes, mbp) - 1, 0, len(classes) - 2)
    step = (np.minimum(mbp, classes[-1]) - classes[i]) / (classes[i + 1] - classes[i])
    rows = np.arange(len(age))
    mean = values[rows, i] + step * (values[rows, i + 1] - values[rows, i])
    above = _at_age("cfpwv_sd_upper_pct_mean", age) / 100.0
    below = _at_age("cfpwv_sd_lower_pct_mean", age) / 100.0
    answer: PerSubject = mean * (1.0 + deviate * np.where(deviate > 0, above, below))
    return answer
