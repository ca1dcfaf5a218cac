"""Fit the priors of virtual people to pressures measured in real ones.

    python benchmarks/priors.py                # fits and prints; four minutes
    python benchmarks/priors.py --write        # and writes the packaged table

The Pulse Wave Database's usual values (Charlton 2019, doi:10.1152/ajpheart.00218.2019)
give virtual people whose pulse is too full: the mean pressure lies at 0.52 to 0.57 of
the aortic pulse, while catheters find 0.40 to 0.51. Here some of them get a factor that
follows age (`capnet.hemodynamics.population.Trend`):

- stroke volume is not fitted: its factor makes the cardiac output that of
  ``targets_by_age.json``;
- ejection time and time to peak flow, the beds' compliance, stiffness and bed
  compliance of the arm, mean pressure and pulse wave velocity are fitted, each held
  near 1 by a penalty, to the means by age of healthy men (McEniery 2005; its aortic
  values come from a tonometer's transfer function, not from a catheter), to an aortic
  form factor in the middle of what catheters find, and to the carotid-femoral velocity
  usual at that age (Mattace-Raso 2010).

Everybody is virtual, drawn anew for each age with the same deviates in every trial.
"""

import argparse
import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import least_squares

from capnet.files import write_atomic
from capnet.hemodynamics import Cohort, Population, UniformAge, Waves, simulate
from capnet.hemodynamics.population import (
    Priors,
    Trend,
    age_statistics,
    reference_pwv,
)
from capnet.hemodynamics.targets import mceniery_2005

AGES: Final = np.arange(25.0, 76.0, 10.0)
SITES: Final = ("aortic_root", "brachial", "carotid", "femoral")
FORM_FACTOR: Final = (0.40, 0.51)
"""Aortic, by catheter: the range of the means of published series."""


class Free(NamedTuple):
    """A factor to be fitted; one penalty unit is this much of its logarithm."""

    scale: float
    slope: bool


FREE: Final[Mapping[str, Free]] = {
    "lvet": Free(0.04, slope=False),
    "pft": Free(0.10, slope=False),
    "pvc": Free(0.70, slope=True),
    "arm_stiffness": Free(0.20, slope=True),
    "arm_compliance": Free(0.40, slope=True),
    "mbp": Free(0.012, slope=True),
    "pwv": Free(0.03, slope=True),
}

TOLERANCE: Final = {
    "aortic_pp": 0.8,  # mmHg
    "brachial_sbp": 0.7,
    "map": 0.7,
    "augmentation_index": 8.0,  # %; its definition differs between authors
    "form_factor": 0.04,
    "cf_pwv": 0.15,  # m/s
}
"""What counts as one unit of misfit; that of amplification is 0.3 of its SD."""


_STEP: Final = 0.02
"""Penalty units, for differences."""


def people(n: int, population: Population, *, seed: int) -> Waves:
    """Simulate n virtual people of each age, the same deviates for every prior."""
    parts = [
        Cohort.sample(
            n,
            seed=seed + int(age),
            population=replace(population, age=UniformAge(age, age)),
        )
        for age in AGES
    ]
    return simulate(
        Cohort.concatenate(parts), sites=SITES, sampling_rate=500.0, progress=_silent
    )


def means(waves: Waves, n: int) -> dict[str, np.ndarray]:
    """Return the mean of each quantity at each age."""
    aorta, arm = waves.levels("aortic_root"), waves.levels("brachial")
    values = {
        "aortic_sbp": aorta.sbp,
        "aortic_pp": aorta.pp,
        "brachial_sbp": arm.sbp,
        "brachial_dbp": arm.dbp,
        "map": arm.map,
        "pp_amplification": arm.pp / aorta.pp,
        "augmentation_index": waves.augmentation().aix,
        "form_factor": aorta.form_factor,
        "brachial_form_factor": arm.form_factor,
        "cf_pwv": waves.pulse_wave_velocity(),
    }
    return {k: np.nanmean(v.reshape(-1, n), axis=1) for k, v in values.items()}


def targets() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what the means should be, and the SD of amplification, at each age."""
    table = mceniery_2005()
    found = {k: np.interp(AGES, t.age, t.mean) for k, t in table.items()}
    found["form_factor"] = np.full(len(AGES), np.mean(FORM_FACTOR))
    found["cf_pwv"] = reference_pwv(AGES, found["map"], np.zeros(len(AGES)))
    amplification = table["pp_amplification"]
    return found, np.interp(AGES, amplification.age, amplification.sd)


def stroke_volume() -> Trend:
    """Return the factor that makes the cardiac output by age the measured one."""
    text = files("capnet.hemodynamics") / "tables" / "targets_by_age.json"
    output = json.loads(text.read_text("utf-8"))["CO"]  # l/min
    age = np.array(output["age"], dtype=np.float64)
    usual = age_statistics("sv", age)[0] * age_statistics("hr", age)[0] / 1e3
    gain = np.log(np.array(output["mean"]) / usual)
    slope, level = np.polyfit((age - 50.0) / 25.0, gain, 1)
    return Trend(float(level), float(slope))


def priors_of(x: np.ndarray, fixed: Mapping[str, Trend]) -> Priors:
    """Return the priors that a vector of penalty units stands for."""
    rest = iter(x)
    fitted = {
        name: Trend(
            free.scale * next(rest),
            free.scale * next(rest) if free.slope else 0.0,
        )
        for name, free in FREE.items()
    }
    return Priors({**fixed, **fitted})


def fit(n: int, *, seed: int) -> Priors:
    """Fit all factors to the targets."""
    wanted, spread = targets()
    fixed = {"sv": stroke_volume()}
    scale = {k: np.full(len(AGES), v) for k, v in TOLERANCE.items()}
    scale["pp_amplification"] = 0.3 * spread

    def residuals(x: np.ndarray) -> np.ndarray:
        trial = replace(Population.calibrated(), priors=priors_of(x, fixed))
        found = means(people(n, trial, seed=seed), n)
        misfit = [(found[k] - wanted[k]) / scale[k] for k in scale]
        return np.concatenate([*misfit, x])

    def slopes(x: np.ndarray) -> np.ndarray:
        here = residuals(x)
        steps = _STEP * np.eye(len(x))
        return np.stack([(residuals(x + d) - here) / _STEP for d in steps], axis=1)

    start = np.zeros(sum(1 + free.slope for free in FREE.values()))
    answer = least_squares(residuals, start, jac=slopes, ftol=1e-3, max_nfev=12)
    return priors_of(answer.x, fixed)


def printed(n: int, population: Population, title: str) -> None:
    """Print the means beside their targets."""
    found, (wanted, spread) = means(people(n, population, seed=1000), n), targets()
    print(f"\n{title}: means of {n} virtual people at each age (target)")
    print(f"{'age':>22}" + "".join(f"{age:>16.0f}" for age in AGES))
    for name, values in found.items():
        digits = 2 if values.max() < 3 else 1
        cells = []
        for i, value in enumerate(values):
            goal = f" ({wanted[name][i]:.{digits}f})" if name in wanted else ""
            cells.append(f"{value:.{digits}f}{goal}".rjust(16))
        print(f"{name:>22}" + "".join(cells))
    print(f"{'SD of amplification':>22}" + "".join(f"{sd:>16.2f}" for sd in spread))


def table(priors: Priors) -> str:
    """Return the packaged table."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["parameter", "at_50", "per_25_years"])
    for name, trend in priors.trends.items():
        rows.writerow([name, f"{trend.at_50:.4f}", f"{trend.per_25_years:.4f}"])
    return text.getvalue()


def _silent(done: int, total: int) -> None:
    del done, total


def main() -> None:
    """Fit, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=400, help="people at each age")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="the packaged table")
    args = parser.parse_args()
    priors = fit(args.n, seed=args.seed)
    printed(2000, Population(), "before (PWDB's priors)")
    after = replace(Population.calibrated(), priors=priors)
    printed(2000, after, "after (fitted priors)")
    print("\nfactors at each age")
    for name, trend in priors.trends.items():
        print(f"{name:>22}" + "".join(f"{f:>16.3f}" for f in trend.at(AGES)))
    print("\n" + table(priors))
    if args.write:
        place = Path(
            str(files("capnet.hemodynamics") / "tables" / "priors_calibrated.csv")
        )
        print(write_atomic(place, table(priors).encode()))


if __name__ == "__main__":
    main()
