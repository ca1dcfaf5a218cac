"""Figures of the pulse-wave solvers, each beside its bar.

    python benchmarks/hemodynamics.py                     # everything; an hour
    python benchmarks/hemodynamics.py --quick             # fewer people; minutes
    python benchmarks/hemodynamics.py --only boileau,pwdb --out figures.json

Independent references (the cases of Boileau 2015, doi:10.1002/cnm.2732; the Pulse Wave
Database, Charlton 2019, doi:10.1152/ajpheart.00218.2019) are read from a folder of data
(``--data``, ``CAPNET_SHARED_DATA``, or ``../shared/data`` beside the checkout); who
needs what is not there is skipped and says so. Under each table stands the command that
prints it again. Agreement with another simulator
shows that the numbers are right, not that people are like that: everybody here is
virtual.
"""

import argparse
import json
import logging
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from capnet.hemodynamics import (
    Arm,
    Blood,
    Cohort,
    Deviate,
    LinearSolver,
    Network,
    NonlinearSolver,
    Population,
    UniformAge,
    Waves,
    load_pwdb_waves,
    pwdb_quality,
    simulate,
)
from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.beds import Beds
from capnet.hemodynamics.inflow import Inflow
from capnet.hemodynamics.network import Location
from capnet.hemodynamics.population import PARAMETERS
from capnet.hemodynamics.pwdb import PwdbWaves
from capnet.hemodynamics.simulation import Progress, Solver
from capnet.hemodynamics.spectra import Spectra, evaluate, grid
from capnet.prediction import DISCLAIMER
from capnet.units import MMHG

ROOT: Final = Path(__file__).resolve().parents[1]
SITES: Final = ("aortic_root", "carotid", "brachial", "radial", "digital", "femoral")
RATE: Final = 500.0
THREADS: Final = 2
ORDERS: Final[tuple[Literal[1, 2], ...]] = (1, 2)
JUNCTIONS: Final[tuple[Literal["total", "static"], ...]] = ("total", "static")


class Bar(NamedTuple):
    """What a figure has to reach; at most that, or at least if ``at_least``."""

    enough: float
    stretch: float | None = None
    at_least: bool = False

    def verdict(self, figure: float) -> str:
        """Say how far a figure came; one that is no number did not."""
        sign = -1.0 if self.at_least else 1.0
        if self.stretch is not None and sign * figure <= sign * self.stretch:
            return "stretch"
        return "pass" if sign * figure <= sign * self.enough else "BELOW"

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        stretch = "" if self.stretch is None else f" / {self.stretch:g}"
        return f"{sign} {self.enough:g}{stretch}"


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        what: Of what.
        figure: NaN if it could not be had.
        unit: Of the figure.
        bar: What it is held against; None for one that stands for comparison.
        more: What stands beside it, by column.
    """

    what: str
    figure: float
    unit: str
    bar: Bar | None = None
    more: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Return how far it came; empty without a bar."""
        return "" if self.bar is None else self.bar.verdict(self.figure)


@dataclass(frozen=True)
class Bench:
    """What every section is given.

    Attributes:
        data: Folder of references.
        subjects: People of the Pulse Wave Database drawn at random.
        seed: Of all draws.
        quick: Whether to use few people where many take long.
        bar: Gives the progress bar of one piece of work.
    """

    data: Path
    subjects: int
    seed: int
    quick: bool
    bar: Callable[[str], Progress]

    def few(self, few: int, many: int) -> int:
        """Return the smaller number in a quick run."""
        return few if self.quick else many


Rows = Iterator[Row]


# --- people and small helpers --------------------------------------------------------


def textbook() -> Cohort:
    """Return people who are average in everything, one a decade from 25 to 75."""
    average = {name: Deviate(0.0, 0.0) for name in PARAMETERS}
    arm = Arm(1.0, 0.0, 0.0, 0.0, 0.0)
    ages = [UniformAge(age, age) for age in range(25, 76, 10)]
    return Cohort.concatenate(
        [
            Cohort.sample(1, seed=0, population=Population(age, average, arm))
            for age in ages
        ]
    )


def whole(body: Arteries) -> Cohort:
    """Return a cohort of bodies given whole."""
    n = len(body)
    return Cohort(np.arange(n), np.full(n, np.nan), {}, bodies=body)


def waves_of(spectra: Spectra, count: int = 512) -> np.ndarray:
    """Return one beat of pressure, mmHg. Shape (subject, site, time)."""
    sites = range(len(spectra.sites))
    pressure = [grid(spectra.pressure[:, j], count) for j in sites]
    return np.stack(pressure, axis=1) / MMHG


def rms(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the root mean square of what is a number."""
    answer: np.ndarray = np.sqrt(np.nanmean(values**2, axis=axis))
    return answer


# --- Boileau 2015 --------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A case of Boileau 2015, its geometry at diastolic pressure.

    Attributes:
        pressure: Diastolic, Pa.
        shape: Radius and thickness of each artery there, m.
        points: Site, and name patterns of the finite-volume and the 3-D reference.
        nonlinear: Bar of the pressure of the nonlinear solver, %.
    """

    pressure: float
    shape: Mapping[str, Mapping[str, float]]
    points: Mapping[str, tuple[str, str]]
    nonlinear: float = 0.1


def _tube(radius: float, thickness: float) -> dict[str, float]:
    return {"R0": radius, "h0": thickness}


CASES: Final = {
    "uta": Case(
        9467.0,
        {"upper_thoracic_aorta": _tube(12e-3, 1.2e-3)},
        {"upper_thoracic_aorta@0.5": ("FV_*.dat", "B3D_*.txt")},
        0.3,
    ),
    "ibif": Case(
        9467.0,
        {
            "parent": _tube(8.6e-3, 1.032e-3),
            "d1": _tube(6e-3, 0.72e-3),
            "d2": _tube(6e-3, 0.72e-3),
        },
        {
            "parent@0.5": ("FV_aorta-bif.dat", "B3D_AortaMid.txt"),
            "parent@1": ("FV_aorta_bif-bif.dat", "B3D_Junction.txt"),
            "d1@0.5": ("FV_iliac-bif.dat", "B3D_IliacMid.txt"),
        },
    ),
    "cca": Case(
        10933.0,
        {"common_carotid_artery": _tube(3e-3, 0.3e-3)},
        {"common_carotid_artery@0.5": ("FV_*.dat", "B3D_*.txt")},
    ),
}


class Trace(NamedTuple):
    """Pressure (Pa) and flow (m3/s) at times (s)."""

    time: np.ndarray
    pressure: np.ndarray
    flow: np.ndarray


class Misfit(NamedTuple):
    """Error of a trace at the best lag: %, % and ms."""

    pressure: float
    flow: float
    lag: int


def last_cycle(folder: Path, pattern: str, period: float) -> Trace | None:
    """Read the last whole beat of a reference; None if there is no such file."""
    files = sorted(folder.glob(pattern))
    if not files:
        return None
    time, pressure, flow = np.loadtxt(files[0])[:, :3].T
    step = time[1] - time[0]
    end = int((time[-1] + step * 1.01) // period) * period
    rows = (time >= end - period - 1e-9) & (time < end - 1e-9)
    return Trace(time[rows], pressure[rows] * 1e3, flow[rows] * 1e-6)


def misfit(
    reference: Trace, ours: Callable[[np.ndarray], Trace], *, most: int
) -> Misfit:
    """Return RMS errors at the lag, in whole ms up to ``most``, that fits P best."""
    found = []
    for lag in range(-most, most + 1):
        trace = ours(reference.time + lag * 1e-3)
        error = rms((trace.pressure - reference.pressure) / reference.pressure)
        flow = rms(trace.flow - reference.flow) / np.abs(reference.flow).max()
        found.append(Misfit(100.0 * float(error), 100.0 * float(flow), lag))
    return min(found)


def _periodic(trace: Trace, period: float) -> Callable[[np.ndarray], Trace]:
    def at(time: np.ndarray) -> Trace:
        waves = (trace.pressure, trace.flow)
        return Trace(
            time, *(np.interp(time, trace.time, w, period=period) for w in waves)
        )

    return at


def _solved(spectra: Spectra, site: str) -> Callable[[np.ndarray], Trace]:
    row = spectra.row(site)

    def at(time: np.ndarray) -> Trace:
        waves = (spectra.pressure[:, row], spectra.flow[:, row])
        times = time[None]
        return Trace(
            time,
            *(evaluate(w, period=spectra.period, times=times)[0] for w in waves),
        )

    return at


def boileau(bench: Bench) -> Rows:
    """Hold the solvers against the finite-volume code of Boileau 2015."""
    home = bench.data / "boileau2015"
    settled = NonlinearSolver(tolerance=0.5, max_beats=60)
    linear = LinearSolver(order=1, harmonics=60)
    quadratic = replace(linear, order=2)
    for name, case in CASES.items():
        folder = home / "reference" / name / f"{name}_ref"
        if not folder.is_dir():
            yield Row(f"{name}: no reference at {folder}, skipped", np.nan, "")
            continue
        cohort = Cohort.from_yaml(
            home / "models" / "boileau2015" / name / f"{name}.yaml",
            overrides=case.shape,
            reference_pressure=case.pressure,
        )
        period = float(cohort.arteries().inflow.period[0])
        forked = len(case.shape) > 1
        tight, loose = (Bar(case.nonlinear), Bar(0.3)), (Bar(0.8, 0.3), Bar(1.2, 0.6))
        solvers: dict[str, tuple[Solver, tuple[Bar, Bar] | None]] = {
            "linear": (linear, loose),
            "linear, order 2": (quadratic, loose),
            "nonlinear": (settled, tight),
        }
        if forked:
            static = replace(settled, junctions="static")
            solvers["nonlinear, static junctions"] = (static, tight)
        solved = {
            title: (solver.solve(cohort, tuple(case.points)), bars)
            for title, (solver, bars) in solvers.items()
        }
        for site, (volumes, solid) in case.points.items():
            reference = last_cycle(folder, volumes, period)
            if reference is None:
                yield Row(f"{name}, {site}: no {volumes}, skipped", np.nan, "")
                continue
            for title, (spectra, bars) in solved.items():
                found = misfit(reference, _solved(spectra, site), most=6)
                yield from _both(f"{name}, {site}: {title} - FV", found, bars)
            body = last_cycle(folder, solid, period)
            if body is not None:
                found = misfit(body, _periodic(reference, period), most=6)
                yield from _both(f"{name}, {site}: FV - 3-D", found, None)


def _both(what: str, found: Misfit, bars: tuple[Bar, Bar] | None) -> Rows:
    pressure, flow = bars or (None, None)
    beside = {"lag ms": float(found.lag)}
    yield Row(f"{what}, P", found.pressure, "%", pressure, beside)
    yield Row(f"{what}, Q", found.flow, "%", flow, beside)


# --- the Pulse Wave Database ---------------------------------------------------------

LAGS: Final = np.arange(-8.0, 8.25, 0.5)
"""ms."""

SETTLED: Final = 0.25
"""mmHg of predicted start-up deficit below which there is none: a sound person may
still lie a few mmHg below where their pressure would have settled."""

MEAN_BIAS: Final = Bar(0.15)
NONLINEAR_PWDB: Final = {
    "aortic_root": Bar(0.30, 0.20),
    "carotid": Bar(0.48, 0.35),
    "brachial": Bar(1.4, 0.7),
    "femoral": Bar(1.04, 0.7),
}
LINEAR_PWDB: Final = {
    "aortic_root": Bar(0.5, 0.4),
    "carotid": Bar(0.65, 0.5),
    "brachial": Bar(1.45, 1.0),
    "femoral": Bar(1.25, 0.9),
}


def against_pwdb(
    title: str,
    waves: Waves,
    reference: PwdbWaves,
    bars: Mapping[str, Bar],
    bias: Bar | None,
) -> Rows:
    """Hold waves against those of the database, at absolute phase."""
    means = []
    for site, theirs in reference.pressure.items():
        there = np.isfinite(theirs)
        times = reference.times(site)

        def error(
            lag: float, site: str = site, times: np.ndarray = times
        ) -> np.ndarray:
            return waves.at(site, times + lag * 1e-3)

        ours = np.where(there, error(0.0), np.nan)
        difference = ours - theirs
        mean = np.nanmean(difference, axis=1)
        systolic = np.nanmax(ours, axis=1) - np.nanmax(theirs, axis=1)
        pulse = [np.nanmax(w, axis=1) - np.nanmin(w, axis=1) for w in (ours, theirs)]
        lagged = np.stack(
            [rms(np.where(there, error(lag), np.nan) - theirs) for lag in LAGS]
        )
        per_subject = rms(difference)
        means.append(mean.mean())
        yield Row(
            f"{title}: {site}",
            float(per_subject.mean()),
            "mmHg",
            bars.get(site),
            {
                "max": float(per_subject.max()),
                "MAP": _spread(mean),
                "SBP": _spread(systolic),
                "PP %": _spread(100.0 * (pulse[0] / pulse[1] - 1.0)),
                "lag ms": _spread(LAGS[lagged.argmin(axis=0)]),
                "at lag": float(lagged.min(axis=0).mean()),
            },
        )
    worst = means[int(np.abs(means).argmax())]
    yield Row(f"{title}: MAP bias, worst site", float(abs(worst)), "mmHg", bias)


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():+.2f}±{values.std():.2f}"


def artefacts(folder: Path) -> Rows:
    """Count what is an artefact in the database's waves, and check our inflow."""
    quality = pwdb_quality(folder)
    seen = np.isfinite(quality.root_mean)
    low = quality.root_mean - quality.mbp
    yield Row("people with waves", float(seen.sum()), "people")
    yield Row("root mean over 1 mmHg low", float((low[seen] < -1).sum()), "people")
    yield Row("root mean, lowest", float(low[seen].min()), "mmHg")
    left = (quality.root_mean - quality.predicted_mean)[seen]
    yield Row("SD of what the predicted deficit leaves", float(left.std()), "mmHg")
    yield Row("root and arm > 3 mmHg apart", float(quality.mismatched.sum()), "people")
    narrow = float(quality.negative_distal.sum())
    yield Row("a bed narrower than its artery", narrow, "people")
    waves = load_pwdb_waves(folder)
    body = Cohort.from_pwdb(folder, waves.index.tolist()).arteries()
    ours = body.inflow.at(waves.times("aortic_root")) * 1e6
    ours[np.isnan(waves.flow)] = np.nan
    rough = np.sqrt(np.nanmean((ours - waves.flow) ** 2))
    yield Row("aortic flow, RMS error", float(rough), "ml/s")
    # the straight line that closes the database's beats
    rows, last = np.arange(len(ours)), np.isfinite(waves.flow).sum(axis=1) - 1
    gap = ours[:, 0] - (2 * ours[rows, last] - ours[rows, last - 1])
    ours += gap[:, None] * np.arange(ours.shape[1]) / last[:, None]
    closed = np.sqrt(np.nanmean((ours - waves.flow) ** 2))
    yield Row("aortic flow, with the closing line", float(closed), "ml/s")


def pwdb(bench: Bench) -> Rows:
    """Hold the solvers against the Pulse Wave Database."""
    folder = bench.data / "pwdb"
    yield from artefacts(folder)
    known = load_pwdb_waves(folder).index
    rng = np.random.default_rng(bench.seed)
    count = min(bench.few(min(48, bench.subjects), bench.subjects), len(known))
    drawn = rng.choice(known, count, replace=False)
    # heart rates take few values: some of those who share the lowest
    rate = Cohort.from_pwdb(folder, known.tolist())["hr"]
    slow = rng.permutation(known)
    slow = slow[np.argsort(rate[np.searchsorted(known, slow)], kind="stable")]
    slow = slow[: bench.few(8, 24)]
    chosen = np.union1d(drawn, slow)
    quality = pwdb_quality(folder, chosen.tolist())
    cohort = Cohort.from_pwdb(folder, chosen.tolist())
    reference = load_pwdb_waves(folder, chosen.tolist())
    sites = tuple(reference.pressure)
    slowest = f"{len(slow)} of the slowest hearts ({cohort['hr'].min():.0f}/min)"
    yield Row(f"{count} at random, {slowest}", float(len(chosen)), "people")

    def run(title: str, people: Cohort, solver: Solver) -> Waves:
        bar = bench.bar(title)
        return simulate(people, solver, sites, sampling_rate=RATE, progress=bar)

    own = NonlinearSolver(protocol="pwdb")
    variants = {
        "nonlinear": own,
        "nonlinear, elastic walls": replace(own, viscoelastic=False),
        "nonlinear, static junctions": replace(own, junctions="static"),
    }
    for title, solver in variants.items():
        ours = solver is own
        yield from against_pwdb(
            title,
            run(title, cohort, solver),
            reference,
            NONLINEAR_PWDB if ours else {},
            MEAN_BIAS if ours else None,
        )
    sound = np.flatnonzero(quality.sound)
    settled = quality.deficit[sound] < SETTLED
    groups = {
        f"{len(sound)} sound": (np.ones_like(settled), {}),
        f"{settled.sum()} without deficit": (settled, LINEAR_PWDB),
    }
    for order in ORDERS:
        waves = run(
            f"linear, order {order}", cohort.take(sound), LinearSolver(order=order)
        )
        for who, (rows, bars) in groups.items():
            yield from against_pwdb(
                f"linear, order {order}, {who}",
                waves.take(rows),
                load_pwdb_waves(folder, chosen[sound[rows]].tolist()),
                bars,
                None,
            )


# --- linear against our own nonlinear solver -----------------------------------------

OWN: Final = {
    "aortic_root": Bar(0.25),
    "carotid": Bar(0.25),
    "brachial": Bar(0.35),
    "radial": Bar(0.8),
    "digital": Bar(1.3),
}


def linear(bench: Bench) -> Rows:
    """Hold the linear solver against the nonlinear one."""
    n = bench.few(16, 48)
    groups = {
        "textbook 25-75, worst": (textbook(), True),
        f"{n} sampled, mean": (
            Cohort.sample(n, seed=bench.seed, population=Population()),
            False,
        ),
        f"{n} calibrated, mean": (Cohort.sample(n, seed=bench.seed), False),
    }
    settled = NonlinearSolver(tolerance=1.0, max_beats=60)
    for people, (cohort, worst) in groups.items():
        for junctions in JUNCTIONS:
            title = f"{people}, {junctions} pressure at junctions"
            reference = replace(settled, junctions=junctions).solve(
                cohort, SITES, progress=bench.bar(title)
            )
            theirs = waves_of(reference)
            for order in ORDERS:
                solver = LinearSolver(order=order, junctions=junctions)
                error = waves_of(solver.solve(cohort, SITES)) - theirs
                mean = error.mean(axis=2)
                wave = rms(error - mean[:, :, None])
                for j, site in enumerate(SITES):
                    each = rms(error[:, j])
                    yield Row(
                        f"{people}, {junctions}, order {order}: {site}",
                        float(each.max() if worst else each.mean()),
                        "mmHg",
                        OWN.get(site),
                        {
                            "max": float(each.max()),
                            "mean pressure": _spread(mean[:, j]),
                            "wave": float(wave[:, j].mean()),
                        },
                    )


# --- robustness ----------------------------------------------------------------------

PART: Final = 4096
NONE: Final = Bar(0.0)


def robustness(bench: Bench) -> Rows:
    """Count who has no finite wave, and who did not converge without being told."""
    many, some = bench.few(2_000, 100_000), bench.few(32, 2_000)
    sampled = Cohort.sample(many, seed=bench.seed, population=Population())
    jobs: dict[str, tuple[Cohort, Solver]] = {
        f"{many:,} sampled, linear": (sampled, LinearSolver(order=1)),
        f"{many:,} sampled, linear order 2": (sampled, LinearSolver(order=2)),
    }
    folder = bench.data / "pwdb"
    if folder.is_dir():
        everyone = Cohort.from_pwdb(folder)
        if bench.quick:
            rng = np.random.default_rng(bench.seed)
            everyone = everyone.take(rng.choice(len(everyone), 64, replace=False))
        jobs[f"{len(everyone):,} of PWDB, nonlinear"] = (everyone, NonlinearSolver())
    jobs[f"{some:,} sampled, nonlinear"] = (
        Cohort.sample(some, seed=bench.seed, population=Population()),
        NonlinearSolver(),
    )
    for title, (cohort, solver) in jobs.items():
        yield from _survivors(title, cohort, solver, bench.bar(title))


def _onward(bar: Progress, first: int, total: int) -> Progress:
    """Report the people of one part as some of all."""
    return lambda done, _: bar(first + done, total)


def _survivors(title: str, cohort: Cohort, solver: Solver, bar: Progress) -> Rows:
    lost, open_, silent, words, seconds = 0, 0, 0, "", 0.0
    solver.solve(cohort.take(slice(8)), SITES)  # compiles
    for first in range(0, len(cohort), PART):
        begun = time.perf_counter()
        part = simulate(
            cohort.take(slice(first, first + PART)),
            solver,
            SITES,
            sampling_rate=RATE,
            progress=_onward(bar, first, len(cohort)),
        )
        seconds += time.perf_counter() - begun
        s = part.spectra
        sums = sum(np.abs(w).sum(axis=(1, 2)) for w in (s.pressure, s.flow, s.area))
        failed = ~np.isfinite(sums)
        told = ~part.converged & (part.reason != "")
        lost += int(failed.sum())
        open_ += int((~part.converged).sum())
        silent += int(((failed | ~part.converged) & ~told).sum())
        words = words or next(iter(part.reason[told].tolist()), "")
    beside = {"s": seconds, "people/s": len(cohort) / seconds}
    yield Row(f"{title}: without a finite wave", float(lost), "people", NONE, beside)
    said: dict[str, float | str] = {
        "not converged": float(open_),
        "first reason": words or "-",
    }
    yield Row(
        f"{title}: not converged and not told", float(silent), "people", NONE, said
    )


# --- order of convergence, mass, mesh ------------------------------------------------

ORDER: Final = Bar(1.0, 1.8, at_least=True)
MASS: Final = Bar(1e-7)


def coarse(solver: NonlinearSolver) -> NonlinearSolver:
    """Return the same on a mesh and with steps of twice the usual size."""
    return replace(solver, max_interval=0.02, max_step=2e-3)


def fork() -> Arteries:
    """Return a tapered artery with viscous walls that forks, as in a thigh."""
    size = np.array([[8e-3, 5.6e-3, 4.8e-3]]), np.array([[6.4e-3, 4.8e-3, 4e-3]])
    length = np.full((1, 3), 0.16)
    network = Network(
        name=("trunk", "first branch", "second branch"),
        inlet=np.array([1, 2, 2]),
        outlet=np.array([2, 3, 4]),
        length=length[0],
        inlet_radius=size[0][0],
        outlet_radius=size[1][0],
    )
    share = np.linspace(0.0, 1.0, 200, endpoint=False)
    phase = 2.0 * np.pi * share
    swing = np.sin(phase) + 0.5 * np.sin(2.0 * phase + 1.0) + 0.2 * np.cos(3.0 * phase)
    return Arteries(
        network=network,
        length=length,
        inlet_radius=size[0],
        outlet_radius=size[1],
        k3=np.full((1, 3), 5e4),
        viscous=np.ones(3, dtype=np.bool_),
        reference_pressure=np.array([1.2e4]),
        outflow_pressure=np.zeros(1),
        beds=Beds(*(np.full((1, 2), value) for value in (3e7, 3e8, 3e-9))),
        k1=np.full(3, 3e5),
        k2=np.full(3, -1350.0),
        blood=Blood(),
        inflow=Inflow(
            np.array([0.8]), 0.8 * share[None], 8e-5 * (1.0 + 0.8 * swing)[None]
        ),
    )


def observed(
    cohort: Cohort,
    sites: Sequence[str],
    levels: Sequence[tuple[float, float]],
    bar: Progress,
) -> tuple[float, list[float]]:
    """Return the order of convergence, and the changes between levels, mmHg.

    Args:
        cohort: One subject.
        sites: Where.
        levels: Interval (m) and steps a beat, each time halved and doubled.
        bar: Called after each level.
    """
    period, waves = float(cohort.arteries().inflow.period[0]), []
    for interval, steps in levels:
        solver = NonlinearSolver(
            max_interval=interval,
            max_step=period / steps,
            tolerance=1e-3,
            max_beats=99,
        )
        waves.append(waves_of(solver.solve(cohort, tuple(sites)), 256))
        bar(len(waves), len(levels))
    changes = [float(rms((b - a).ravel())) for a, b in pairwise(waves)]
    return float(np.log2(changes[-2] / changes[-1])), changes


def order(bench: Bench) -> Rows:
    """Measure order of convergence, mass balance, mesh error, and count laws kept."""
    one = textbook().take(slice(2, 3))
    jobs: dict[str, tuple[Cohort, tuple[str, ...], float, int]] = {
        "a fork": (
            whole(fork()),
            ("trunk@0", "trunk@0.5", "first branch@1", "second branch@0.5"),
            0.02,
            384,
        ),
        "116 arteries": (one, SITES, 0.02, 384),
    }
    for name, (cohort, sites, interval, steps) in jobs.items():
        halved = [(interval / 2**k, steps * 2**k) for k in range(4 - bench.quick)]
        plans = {
            "space and time": halved,
            "time": [(interval / 2, n) for _, n in halved],
            "space": [(h, 4 * steps) for h, _ in halved],
        }
        for kind, levels in plans.items():
            title = f"order in {kind}, {name}"
            slope, changes = observed(cohort, sites, levels, bench.bar(title))
            said = {"changes mmHg": " ".join(f"{c:.1e}" for c in changes)}
            yield Row(title, slope, "", ORDER, said)
    yield from _mass(whole(fork()), "a fork")
    yield from _mass(whole(one.arteries()), "116 arteries")
    yield from _mesh(bench)
    yield from _laws(bench)


def _mass(cohort: Cohort, name: str) -> Rows:
    """Compare what leaves through all beds with what the heart ejects."""
    body = cohort.arteries()
    places = {
        f"bed {row}": Location(int(row) + 1, 1.0) for row in body.network.terminals
    }
    named = whole(replace(body, network=replace(body.network, sites=places)))
    solvers: dict[str, Solver] = {
        "nonlinear": NonlinearSolver(tolerance=1e-6, max_beats=200),
        "linear": LinearSolver(order=1),
        "linear order 2": LinearSolver(order=2),
    }
    for solver_name, solver in solvers.items():
        spectra = solver.solve(named, tuple(places))
        drained = spectra.flow[0, :, 0].real.sum()
        error = abs(drained / body.inflow.output[0] - 1.0)
        said = {"residual Pa": f"{spectra.residual[0]:.0e}"}
        yield Row(f"mass, {name}, {solver_name}", float(error), "", MASS, said)


def _mesh(bench: Bench) -> Rows:
    """Compare the default mesh with one four times as fine."""
    n = bench.few(8, 16)
    cohort = Cohort.sample(n, seed=bench.seed, population=Population())
    for walls in ("viscoelastic", "elastic"):
        own = NonlinearSolver(
            tolerance=0.5, max_beats=60, viscoelastic=walls == "viscoelastic"
        )
        fine = replace(
            own, max_interval=own.max_interval / 4, max_step=own.max_step / 4
        )
        title = f"mesh error, {n} sampled, {walls}"
        reference = waves_of(fine.solve(cohort, SITES, progress=bench.bar(title)))
        settings = {"default": own, "20 mm and 2 ms": coarse(own)}
        for name, solver in settings.items():
            error = rms(waves_of(solver.solve(cohort, SITES)) - reference)
            for j, site in enumerate(SITES):
                worst = {"max": float(error[:, j].max())}
                mean = float(error[:, j].mean())
                yield Row(f"{title}, {name}: {site}", mean, "mmHg", None, worst)


def _laws(bench: Bench) -> Rows:
    """Run the tests of the laws: decay, reflection, steady flow, gradients and more."""
    tests = ["-q", "-p", "no:cacheprovider", "tests/hemodynamics"]
    for chosen in (("-m", "physics"), ("-k", "gradient")):
        title = f"tests that fail, pytest {' '.join(chosen)}"
        bench.bar(title)(0, 1)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *tests, *chosen],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        counts = {
            word: float(number)
            for number, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)
        }
        bad = counts.get("failed", 0.0) + counts.get("error", 0.0)
        ran = {"passed": counts.get("passed", 0.0)}
        yield Row(title, bad if counts else np.nan, "tests", NONE, ran)


# --- speed and memory ----------------------------------------------------------------

FUSED: Final = Bar(2500, 6000, at_least=True)
TORCH: Final = Bar(200, 500, at_least=True)
ELASTIC: Final = Bar(20, 60, at_least=True)
VISCOUS: Final = Bar(5, 20, at_least=True)
SAME: Final = Bar(0.01)

COMPILE: Final = """
import sys, time
from capnet.hemodynamics import Cohort, LinearSolver, NonlinearSolver, simulate
cohort, sites = Cohort.sample(8, seed=0), tuple(sys.argv[1].split(","))
solvers = {
    "linear": LinearSolver(harmonics=24, order=1),
    "linear order 2": LinearSolver(harmonics=24, order=2),
    "nonlinear": NonlinearSolver(),
}
for name, solver in solvers.items():
    spent = []
    for _ in range(2):
        begun = time.perf_counter()
        simulate(cohort, solver, sites, sampling_rate=500.0).pressure(sites[0])
        spent.append(time.perf_counter() - begun)
    print(name, spent[0] - spent[1], sep="=")
print("cpu", time.process_time(), sep="=")
"""

STREAM: Final = """
import sys, time
from pathlib import Path
from capnet.hemodynamics import Cohort, LinearSolver, Population, simulate_to
folder, n, seed, sites = sys.argv[1:]
begun = time.perf_counter()
people = Cohort.sample(int(n), seed=int(seed), population=Population())
simulate_to(folder, people, LinearSolver(), sites.split(","), sampling_rate=500.0)
spent = time.perf_counter() - begun
status = Path("/proc/self/status").read_text().splitlines()
# not ru_maxrss: that one counts the process that started this one
peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
size = sum(file.stat().st_size for file in Path(folder).iterdir())
print(peak * 1024, size, spent)
"""


def child(code: str, *arguments: str, cache: str | None = None) -> list[str]:
    """Run code in a process of its own; return the lines it printed."""
    settings = {} if cache is None else {"NUMBA_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.splitlines()


class Timing(NamedTuple):
    """Of the fastest of several runs: wall and CPU time, s, and the load before."""

    wall: float
    cpu: float
    load: float


def fastest(work: Callable[[], object], *, repeats: int) -> Timing:
    """Time some work."""
    found = []
    for _ in range(repeats):
        load = os.getloadavg()[0]
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        found.append(Timing(wall, cpu, load))
    return min(found)


def end_to_end(cohort: Cohort, solver: Solver) -> None:
    """Derive bodies, solve, and sample pressure at six sites."""
    waves = simulate(
        cohort, solver, SITES, sampling_rate=RATE, progress=lambda *_: None
    )
    for site in SITES:
        waves.pressure(site)


def speed(bench: Bench) -> Rows:
    """Time the solvers on two threads, compiled beforehand."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    n = bench.few(1024, 4096)
    cohort = Cohort.sample(n, seed=bench.seed, population=Population())
    part, warm = cohort.take(slice(n // 8)), cohort.take(slice(16))
    small = cohort.take(slice(bench.few(64, 256)))

    def rate(
        what: str,
        people: Cohort,
        solver: Solver,
        bar: Bar | None = None,
        *,
        beats: int = 1,
    ) -> Row:
        bench.bar(what)(0, 1)
        end_to_end(warm, solver)
        timing = fastest(lambda: end_to_end(people, solver), repeats=bench.few(2, 3))
        done = beats * len(people)
        beside = {
            "people": float(len(people)),
            "per CPU-s": done / timing.cpu,
            "load": timing.load,
        }
        unit = "people/s" if beats == 1 else "beats/s"
        return Row(what, done / timing.wall, unit, bar, beside)

    fused = LinearSolver(harmonics=24, order=1, threads=THREADS)
    quadratic = replace(fused, order=2)
    by_torch, quadratic_torch = (
        replace(solver, engine="torch") for solver in (fused, quadratic)
    )
    first = rate("fused", cohort, fused, FUSED)
    second = rate("torch", part, by_torch, TORCH)
    yield first
    yield second
    yield Row("fused over torch", first.figure / second.figure, "times")
    yield rate("fused, order 2", cohort, quadratic, FUSED)
    yield rate("torch, order 2", part, quadratic_torch)
    for order, one, other in (
        (1, fused, by_torch),
        (2, quadratic, quadratic_torch),
    ):
        apart = waves_of(one.solve(warm, SITES)) - waves_of(other.solve(warm, SITES))
        title = f"fused - torch, largest, order {order}"
        yield Row(title, float(np.abs(apart).max()), "mmHg", SAME)
    if torch.cuda.is_available():
        gpu = replace(by_torch, device="cuda", batch_size=1024)
        yield rate(f"torch on {torch.cuda.get_device_name()}", cohort, gpu)
    viscous = NonlinearSolver(threads=THREADS)
    elastic = replace(viscous, viscoelastic=False)
    kinds = {"elastic": (elastic, ELASTIC), "viscoelastic": (viscous, VISCOUS)}
    for name, (solver, bar) in kinds.items():
        title, rough = f"nonlinear {name}", coarse(solver)
        yield rate(f"{title}, until beats repeat", small, solver, bar)
        two = replace(solver, max_beats=2)
        yield rate(f"{title}, a warm beat", small, two, bar, beats=2)
        yield rate(f"{title}, 20 mm and 2 ms", small, rough)
        off = waves_of(rough.solve(warm, SITES)) - waves_of(solver.solve(warm, SITES))
        each = rms(off).mean(axis=0)
        worst = SITES[int(each.argmax())]
        yield Row(f"{title}, its error at worst: {worst}", float(each.max()), "mmHg")
    torch.set_num_threads(before)
    yield from _compilation(bench)


def _compilation(bench: Bench) -> Rows:
    """Time the first calls in new processes, without compiled code and with it."""
    limits = {"cold cache": Bar(30.0), "kept cache": None}
    with tempfile.TemporaryDirectory() as cache:
        for kind, limit in limits.items():
            title = f"compilation, {kind}"
            bench.bar(title)(0, 1)
            load = os.getloadavg()[0]
            lines = child(COMPILE, ",".join(SITES), cache=cache)
            spent = {name: float(s) for name, s in (line.split("=") for line in lines)}
            cpu = spent.pop("cpu")
            words = ", ".join(f"{name} {s:.1f}" for name, s in spent.items())
            beside = {"load": load, "CPU s": cpu}
            yield Row(f"{title} ({words})", sum(spent.values()), "s", limit, beside)


def memory(bench: Bench) -> Rows:
    """Measure the memory of a large cohort that is streamed to disk."""
    n = bench.few(10_000, 100_000)
    bench.bar(f"{n:,} people to disk")(0, 1)
    with tempfile.TemporaryDirectory() as folder:
        line = child(STREAM, folder, str(n), str(bench.seed), ",".join(SITES))[-1]
    peak, size, seconds = map(float, line.split())
    title = f"{n:,} people, {len(SITES)} sites"
    beside = {"s": seconds, "people/s": n / seconds}
    yield Row(f"{title}: peak memory", peak / 2**30, "GiB", Bar(2.0), beside)
    yield Row(f"{title}: on disk", size / 2**30, "GiB")


# --- the shell -----------------------------------------------------------------------


class Section(NamedTuple):
    """One part of the figures, and the folder of data without which it is none."""

    title: str
    rows: Callable[[Bench], Rows]
    needs: str = ""


SECTIONS: Final = {
    "boileau": Section("Boileau 2015: finite volumes, 3-D", boileau, "boileau2015"),
    "pwdb": Section("Pulse Wave Database, RMSE at absolute phase", pwdb, "pwdb"),
    "linear": Section("Linear against our own nonlinear solver, RMSE", linear),
    "robustness": Section("Robustness", robustness),
    "order": Section("Order of convergence, mass, mesh", order),
    "speed": Section("Speed, end to end, two threads", speed),
    "memory": Section("Memory", memory),
}


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def table(title: str, rows: Sequence[Row], command: str) -> Table:
    """Lay out one section."""
    columns = list(dict.fromkeys(name for row in rows for name in row.more))
    answer = Table(title=title, caption=command, title_justify="left")
    answer.add_column("", overflow="fold")
    for name in ("figure", "unit", "bar / stretch", "", *columns):
        answer.add_column(name, justify="right", overflow="fold")
    colours = {"BELOW": "red", "pass": "green", "stretch": "bold green"}
    for row in rows:
        colour = colours.get(row.verdict, "default")
        answer.add_row(
            row.what,
            "" if np.isnan(row.figure) and row.bar is None else f"{row.figure:.3g}",
            row.unit,
            "" if row.bar is None else str(row.bar),
            f"[{colour}]{row.verdict}[/]",
            *(_shown(row.more.get(name, "")) for name in columns),
        )
    return answer


def said(row: Row) -> dict[str, object]:
    """Return a figure as it stands in the file."""
    bar = row.bar
    return {
        "what": row.what,
        "figure": None if np.isnan(row.figure) else row.figure,
        "unit": row.unit,
        "pass": None if bar is None else bar.enough,
        "stretch": None if bar is None else bar.stretch,
        "at_least": None if bar is None else bar.at_least,
        "verdict": row.verdict,
        "more": dict(row.more),
    }


def default_data() -> Path:
    """Return where references are by default."""
    return Path(os.environ.get("CAPNET_SHARED_DATA", ROOT.parent / "shared" / "data"))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        type=lambda words: words.split(","),
        default=list(SECTIONS),
        metavar=",".join(SECTIONS),
        help="sections to print, all by default",
    )
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--subjects", type=int, default=200, help="of PWDB, at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="fewer people")
    parser.add_argument("--out", type=Path, help="JSON file of all figures")
    given = parser.parse_args()
    unknown = [name for name in given.only if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {unknown[0]!r}; wanted {', '.join(SECTIONS)}")
    if given.subjects < 1 or given.seed < 0:
        parser.error("wanted --subjects >= 1 and --seed >= 0")
    return given


def command(name: str, given: argparse.Namespace) -> str:
    """Return what prints a section again."""
    words = ["python benchmarks/hemodynamics.py --only", name]
    if given.data != default_data():
        words += ["--data", str(given.data)]
    for option, usual in (("subjects", 200), ("seed", 0)):
        if getattr(given, option) != usual:
            words += [f"--{option}", str(getattr(given, option))]
    return " ".join([*words, *(["--quick"] if given.quick else [])])


def measure(section: Section, given: argparse.Namespace) -> list[Row]:
    """Return the figures of one section, with a bar while they are computed."""
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=2,
    )
    with bars:
        task = bars.add_task(section.title, total=None)

        def bar(title: str) -> Progress:
            bars.update(task, description=title, completed=0, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        bench = Bench(given.data, given.subjects, given.seed, given.quick, bar)
        return list(section.rows(bench))


def main() -> None:
    """Print the figures that were asked for."""
    given = parse()
    # who did not converge is counted here
    logging.getLogger("capnet").setLevel(logging.ERROR)
    console = Console(width=None if sys.stdout.isatty() else 190)
    console.print(f"Virtual people throughout. {DISCLAIMER}")
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; load {os.getloadavg()[0]:.1f}\n"
    )
    below, report = [], []
    for name in given.only:
        section, again = SECTIONS[name], command(name, given)
        if section.needs and not (given.data / section.needs).is_dir():
            console.print(f"{name}: no data at {given.data / section.needs}; skipped\n")
            continue
        begun = time.perf_counter()
        rows = measure(section, given)
        spent = time.perf_counter() - begun
        console.print(table(f"{section.title} ({spent:.0f} s)", rows, again), "")
        below += [(row, again) for row in rows if row.verdict == "BELOW"]
        report += [{"section": name, "command": again, **said(row)} for row in rows]
        if given.out is not None:
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(json.dumps(report, indent=1))
    console.print(f"{len(below)} figures below their bar")
    for row, again in below:
        figure = f"{row.figure:.3g} {row.unit}, wanted {row.bar}"
        console.print(f"  {row.what}: {figure}   [{again}]", markup=False)


if __name__ == "__main__":
    main()
