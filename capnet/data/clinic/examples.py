"""Example clinics: the folder of a clinic, filled with virtual people.

``catheter_lab``: a pullback through the aorta with a fluid-filled catheter, minutes
before finger, ECG and radial line, and a cuff read in between; pressure and heart rate
wander meanwhile. ``vitaldb_art_fem``: finger, ECG, radial and femoral line together, as
in VitalDB; nobody measured the aorta, and a femoral line is not aortic.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from capnet.data.clinic.manifest import FORMAT
from capnet.data.writers.records import write_record
from capnet.errors import ConfigError
from capnet.files import write_atomic
from capnet.hemodynamics import (
    Catheter,
    Cohort,
    CuffModel,
    LinearSolver,
    Population,
    Sensor,
    Strip,
    Train,
    simulate,
)
from capnet.hemodynamics.catheters import apply_catheter_record
from capnet.hemodynamics.cohort import stream
from capnet.hemodynamics.cuffs import apply_cuff
from capnet.hemodynamics.visits import Apart
from capnet.records import Record, Signal

__all__ = ["EXAMPLES", "write_example_clinic"]

_RATES: Final = {"ecg": 250.0, "ppg": 125.0, "abp": 125.0}
"""Hz, as bedside monitors give them."""

_PULLBACK: Final = 30.0
"""s in the ascending aorta."""

_MONITOR: Final = 120.0
"""s of the pulse."""

_REFERENCE: Final = "csv"
"""Suffix of the pullbacks."""

_LATER: Final = 8.0
"""min from the pullback to the recording of the pulse; the cuff lies in between."""

_CUFF_BEFORE: Final = 180.0
"""s from the cuff reading to the recording of the pulse."""

_APART: Final = Apart(mbp_sd=3.0, hr_sd=0.03)
"""How far people wander between two moments: an assumption."""

_SPARE: Final = 6
"""Further people drawn for those whose pressures nobody could have."""


def _people(n: int, seed: int) -> Cohort:
    """Draw older people and leave out those who could not be real."""
    drawn = Cohort.sample(
        2 * n + _SPARE, seed=seed, population=Population.older_clinic()
    )
    sites = ("aortic_root", "brachial")
    waves = simulate(drawn, LinearSolver(), sites=sites, sampling_rate=250.0)
    kept = np.flatnonzero(waves.plausible().kept)[:n]
    if len(kept) < n:
        msg = (
            f"{len(kept)} of {len(drawn)} virtual people with seed {seed} are "
            f"plausible; wanted {n}. Take another seed."
        )
        raise ConfigError(msg)
    return drawn.take(kept)


def _train(cohort: Cohort, seed: int, sites: Sequence[str]) -> Train:
    return Train.draw(
        cohort,
        seed=seed,
        sensor=Sensor.clinic(),
        catheter=Catheter(),
        sites=tuple(sites),
    )


def _through_catheter(strip: Strip, site: str, seed: int, person: int) -> Signal:
    """Return true pressure as a fluid-filled catheter of this person shows it."""
    true = strip.channels[site]
    drawn = Catheter().draw(person + 1, stream(seed, "clinic", site))
    shown = apply_catheter_record(
        true.values[None].astype(np.float64),
        sampling_rate=true.sampling_rate,
        draw=drawn.take(np.array([person])),
    )
    return replace(true, values=shown[0])


def _write(strip: Strip, channels: Mapping[str, Signal], path: Path) -> None:
    write_record(Record(strip.subject, channels, age=strip.age), path)


def _catheter_lab(root: Path, cohort: Cohort, seed: int) -> list[Mapping[str, Any]]:
    """Write pullback and pulse of everybody; return the rows of manifest.csv."""
    n = int(cohort.index.max()) + 1
    pulse = _train(cohort, seed, ["aortic_root"])
    before = _APART.at(cohort, "reference", seed=seed, n=n)
    aorta = _train(before, seed + 1, ["aortic_root"])
    between = _train(_APART.at(cohort, "cuff", seed=seed, n=n), seed + 2, ["brachial"])
    errors = CuffModel.clinic().draw(
        n,
        stream(seed, "clinic", "cuff"),
        person=stream(seed, "clinic", "cuff person"),
    )
    rows: list[Mapping[str, Any]] = []
    for i, person in enumerate(cohort.index.tolist()):
        rates = {"ecg": 250.0, "aortic_root": 250.0}
        back = aorta.strip(i, duration=_PULLBACK, rates=rates)
        shown = {"II": back.channels["ecg"]}
        shown["AOP"] = _through_catheter(back, "aortic_root", seed, person)
        who = f"virtual-{i + 1:02d}"
        place = f"records/{who}-pullback.{_REFERENCE}"
        _write(back, shown, root / place)
        seen = pulse.strip(i, duration=_MONITOR, rates=_RATES)
        named = dict(zip(("II", "PLETH", "ART"), seen.channels.values(), strict=True))
        _write(seen, named, root / f"records/{who}-pulse.hea")
        arm = between.strip(i, duration=_PULLBACK, rates={"ecg": 250.0}).beats
        site = arm.row("brachial")
        high, low = (np.array([x[site].mean()]) for x in (arm.systolic, arm.diastolic))
        reading = errors.take(np.array([person]))
        sbp, dbp = apply_cuff(high, low, reading)[0]
        base = {"subject": who, "age": round(float(cohort.age[i]))}
        rows.append({**base, "record": place, "role": "reference", "start_min": 0})
        rows.append(
            {
                **base,
                "record": f"records/{who}-pulse.hea",
                "role": "monitor",
                "cuff_sbp": round(float(sbp)),
                "cuff_dbp": round(float(dbp)),
                "cuff_time_s": -_CUFF_BEFORE,
                "cuff_site": "brachial",
                "start_min": _LATER,
            }
        )
    return rows


def _art_fem(root: Path, cohort: Cohort, seed: int) -> list[Mapping[str, Any]]:
    """Write one recording of everybody; return the rows of manifest.csv."""
    train = _train(cohort, seed, ["femoral"])
    rows: list[Mapping[str, Any]] = []
    for i, person in enumerate(cohort.index.tolist()):
        seen = train.strip(i, duration=_MONITOR, rates={**_RATES, "femoral": 125.0})
        shown = {name: seen.channels[name] for name in _RATES}
        named = dict(zip(("ECG_II", "PLETH", "ART"), shown.values(), strict=True))
        named["FEM"] = _through_catheter(seen, "femoral", seed, person)
        who = f"virtual-{i + 1:02d}"
        _write(seen, named, root / f"records/{who}.parquet")
        rows.append(
            {
                "subject": who,
                "record": f"records/{who}.parquet",
                "role": "monitor",
                "age": round(float(cohort.age[i])),
            }
        )
    return rows


_Write = Callable[[Path, Cohort, int], list[Mapping[str, Any]]]

_COMMON: Final = {
    "format": FORMAT,
    "virtual": True,
    "sync": "trusted",
    "licence": "generated; nobody here exists",
}
EXAMPLES: Final[Mapping[str, tuple[_Write, Mapping[str, Any]]]] = {
    "catheter_lab": (
        _catheter_lab,
        {
            **_COMMON,
            "name": "catheter_lab",
            "reference_type": "simulated",
            "simultaneous": False,
            "calibration": "cuff SBP/DBP",
            "names": {"AOP": "aortic"},
        },
    ),
    "vitaldb_art_fem": (
        _art_fem,
        {
            **_COMMON,
            "name": "vitaldb_art_fem",
            "reference_type": "none",
            "calibration": "invasive SBP/DBP",
            "line_site": "radial",
        },
    ),
}
"""How each example is written, and what its clinic.json says."""


def write_example_clinic(
    kind: str, root: str | Path, *, people: int, seed: int
) -> Path:
    """Write a clinic's folder of virtual people, as docs/clinic.md has it.

    Args:
        kind: One of `EXAMPLES`.
        root: The folder; it must not hold a clinic yet.
        people: How many.
        seed: Of everything.

    Returns:
        The folder.

    Raises:
        ConfigError: If the kind is unknown, there is nobody, or the folder is taken.
    """
    root = Path(root)
    if kind not in EXAMPLES or people < 1 or seed < 0:
        msg = (
            f"example {kind!r} of {people} people with seed {seed}; wanted one of "
            f"{', '.join(EXAMPLES)}, people >= 1 and seed >= 0."
        )
        raise ConfigError(msg)
    if (root / "clinic.json").exists() or (root / "manifest.csv").exists():
        msg = f"{root} holds a clinic already; give another folder."
        raise ConfigError(msg)
    write, settings = EXAMPLES[kind]
    rows = write(root, _people(people, seed), seed)
    heads = [*dict.fromkeys(head for row in rows for head in row)]
    table = io.StringIO()
    writer = csv.DictWriter(table, heads, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(root / "manifest.csv", table.getvalue().encode())
    write_atomic(root / "clinic.json", json.dumps(settings, indent=2).encode())
    return root
