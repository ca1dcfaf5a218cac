"""Figures of the virtual clinics, each beside its bar.

    python benchmarks/clinics.py                       # everything; about half an hour
    python benchmarks/clinics.py --only physiology,sensors --out figures.json

Everybody is virtual; people of McEniery 2005 and Mattace-Raso 2010 stand beside them
(aortic values of McEniery come from a tonometer's transfer function, not from a
catheter). Speed means something on a quiet machine only.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from clinics_sensors import sensors
from clinics_trains import trains
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from capnet.files import write_atomic
from capnet.hemodynamics import Cohort, Population, UniformAge, Waves, simulate
from capnet.hemodynamics.population import reference_pwv
from capnet.hemodynamics.targets import MCENIERY_REFERENCE, mceniery_2005
from experiments import build

ROOT: Final = Path(__file__).resolve().parents[1]
AGES: Final = (25.0, 35.0, 45.0, 55.0, 65.0, 75.0)
console = Console(width=None if sys.stdout.isatty() else 190)


def say(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(title=title)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _silent(done: int, total: int) -> None:
    del done, total


# Physiology


def of_age(age: float, n: int, population: Population) -> Waves:
    """Simulate people of one age, at the sites that were measured in real ones."""
    there = replace(population, age=UniformAge(age, age))
    cohort = Cohort.sample(n, seed=int(age), population=there)
    sites = ("aortic_root", "brachial", "carotid", "femoral")
    return simulate(cohort, sites=sites, sampling_rate=500.0, progress=_silent)


def physiology(n: int = 1000) -> dict[str, Any]:
    """Hold people of six ages against real ones, before and after calibration."""
    found: dict[str, Any] = {}
    for title, population in (
        ("PWDB's priors", Population()),
        ("calibrated priors", Population.calibrated()),
    ):
        rows, held = [], []
        for age in AGES:
            waves = of_age(age, n, population)
            aorta, arm = waves.levels("aortic_root"), waves.levels("brachial")
            values = {
                "pp_amplification": arm.pp / aorta.pp,
                "aortic_pp": aorta.pp,
                "brachial_sbp": arm.sbp,
                "map": arm.map,
                "aortic_sbp": aorta.sbp,
                "brachial_dbp": arm.dbp,
                "augmentation_index": waves.augmentation().aix,
            }
            goal = {k: t.at(age) for k, t in mceniery_2005().items() if k in values}
            off = {k: float(np.nanmean(v)) - goal[k][0] for k, v in values.items()}
            held.append(
                abs(off["pp_amplification"]) <= goal["pp_amplification"][1]
                and abs(off["aortic_pp"]) <= 3.0
                and abs(off["brachial_sbp"]) <= 3.0
                and abs(off["map"]) <= 2.0
            )
            cells = [f"{age:.0f}"]
            for name, v in values.items():
                d = 2 if name == "pp_amplification" else 1
                m, s = float(np.nanmean(v)), float(np.nanstd(v))
                cells.append(f"{m:.{d}f} ± {s:.{d}f} ({goal[name][0]:.{d}f})")
            usual = reference_pwv(
                np.array([age]), np.array([goal["map"][0]]), np.zeros(1)
            )
            cells.append(
                f"{np.nanmean(waves.pulse_wave_velocity()):.1f} ({usual[0]:.1f})"
            )
            cells += [
                f"{aorta.form_factor.mean():.2f} ± {aorta.form_factor.std():.2f}",
                f"{arm.form_factor.mean():.2f} ± {arm.form_factor.std():.2f}",
                "yes" if held[-1] else "NO",
            ]
            rows.append(cells)
            found[f"{title}, {age:.0f}"] = {
                "off": off,
                "aortic_form_factor": float(aorta.form_factor.mean()),
                "held": bool(held[-1]),
            }
        say(
            f"{title}: mean ± SD of {n} virtual people at each age (McEniery 2005: "
            f"{MCENIERY_REFERENCE})",
            ("age", "PP amplification", "aortic PP", "brachial SBP", "MAP", "bars"),
            [row[:5] + row[-1:] for row in rows],
        )
        say(
            "beside them (cfPWV: Mattace-Raso 2010; catheters find an aortic form "
            "factor, FF, of 0.40 to 0.51)",
            ("age", "aortic SBP", "brachial DBP", "AIx", "cfPWV", "FF", "brachial FF"),
            [row[:1] + row[5:-1] for row in rows],
        )
    found["correlations"] = correlations(4 * n)
    return found


def correlations(n: int) -> dict[str, float]:
    """Print what goes with what in virtual people, beside what people show."""
    cohort = Cohort.sample(n, seed=1, population=Population.calibrated())
    sites = ("aortic_root", "brachial", "carotid", "femoral")
    waves = simulate(cohort, sites=sites, sampling_rate=500.0, progress=_silent)
    aorta, arm = waves.levels("aortic_root"), waves.levels("brachial")
    values = {
        "age": cohort.age,
        "HR": cohort["hr"],
        "LVET": cohort["lvet"],
        "MAP": arm.map,
        "cfPWV": waves.pulse_wave_velocity(),
        "aortic PP": aorta.pp,
        "amplification": arm.pp / aorta.pp,
        "AIx": waves.augmentation().aix,
    }
    known = (
        ("cfPWV", "age", "+, strong (Mattace-Raso 2010)"),
        ("cfPWV", "MAP", "+ (Mattace-Raso 2010)"),
        ("LVET", "HR", "-, -1.7 ms/bpm (Weissler 1961)"),
        ("aortic PP", "age", "+ (McEniery 2005)"),
        ("amplification", "age", "- (McEniery 2005)"),
        ("amplification", "HR", "+ (Wilkinson 2000)"),
        ("AIx", "age", "+ (McEniery 2005)"),
        ("AIx", "HR", "-, -0.39 %/bpm by pacing (Wilkinson 2000)"),
        ("aortic PP", "cfPWV", "+ (stiffer aorta, wider pulse)"),
    )
    rows, found = [], {}
    for a, b, said in known:
        ok = np.isfinite(values[a] + values[b])
        r = float(np.corrcoef(values[a][ok], values[b][ok])[0, 1])
        slope = float(np.polyfit(values[b][ok], values[a][ok], 1)[0])
        found[f"{a} with {b}"] = r
        rows.append([f"{a} with {b}", f"{r:+.2f}", f"{slope:+.3g}", said])
    say(
        f"What goes with what in {n} virtual people of 25 to 75",
        ["", "correlation", "slope", "in people"],
        rows,
    )
    return found


# The frozen benchmark


def made(home: Path, threads: int) -> tuple[float, dict[str, Any]]:
    """Make the frozen benchmark from nothing; return seconds and what it said."""
    command = [
        *(sys.executable, str(ROOT / "experiments" / "benchmark.py")),
        *(f"hydra.run.dir={home}", f"threads={threads}", "save_beats=false"),
    ]
    begun = time.monotonic()
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    seconds = time.monotonic() - begun
    console.print(done.stdout, markup=False, highlight=False)
    said: dict[str, Any] = json.loads((home / "benchmark.json").read_text("utf-8"))
    return seconds, said


def floors() -> dict[str, Any]:
    """Make the frozen benchmark on one thread and on two: floors, bars, hashes."""
    with tempfile.TemporaryDirectory() as home:
        runs = {threads: made(Path(home) / str(threads), threads) for threads in (1, 2)}
        manifests = {
            (Path(home) / str(threads) / "manifest.json").read_bytes()
            for threads in runs
        }
    seconds = {threads: round(spent) for threads, (spent, _) in runs.items()}
    rows = [
        ["from nothing, one thread", f"{seconds[1]} s", "<= 360 s"],
        ["from nothing, two threads", f"{seconds[2]} s", "<= 360 s"],
        ["manifests of both", "identical" if len(manifests) == 1 else "DIFFER", "same"],
    ]
    say("capnet-cap-v1", ["", "figure", "bar"], rows)
    return runs[1][1] | {"seconds": seconds, "identical": len(manifests) == 1}


def clinics() -> dict[str, str]:
    """Print every clinic of configs/clinic with its hash."""
    found = {}
    for path in sorted((ROOT / "configs" / "clinic").glob("*.yaml")):
        settings = OmegaConf.to_container(OmegaConf.load(path))
        if isinstance(settings, dict) and "solver" in settings:
            clinic = build.clinic(settings, opening=True)
            found[clinic.name] = clinic.hash()
    say("Clinics", ["name", "hash"], [[k, v] for k, v in found.items()])
    return found


SECTIONS: Final[dict[str, Callable[[], Any]]] = {
    "clinics": clinics,
    "physiology": physiology,
    "sensors": sensors,
    "trains": lambda: trains(console),
    "floors": floors,
}


def main() -> None:
    """Print the chosen sections."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", help=f"some of {', '.join(SECTIONS)}")
    parser.add_argument("--out", type=Path, help="also as JSON, here")
    args = parser.parse_args()
    chosen = args.only.split(",") if args.only else [*SECTIONS]
    unknown = sorted(set(chosen) - set(SECTIONS))
    if unknown:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    console.print(f"{platform.machine()}, Python {platform.python_version()}")
    figures = {}
    for name in chosen:
        figures[name] = SECTIONS[name]()
        console.print(f"[dim]python benchmarks/clinics.py --only {name}[/]")
    if args.out:
        write_atomic(args.out, json.dumps(figures, indent=1).encode())


if __name__ == "__main__":
    main()
