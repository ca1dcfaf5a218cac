"""Figures of the gate of windows: what it refuses, with which reason, what it lets go.

    python benchmarks/signal_gate.py             # 5,000 corrupted windows; minutes
    python benchmarks/signal_gate.py --quick     # a tenth of them

Thresholds were set on virtual people of seeds 100, 3001 and 4001, and looked at in the
four real recordings that are told at the end; the people here are of another seed. What
is not a recording of a person is virtual, so that what is true is known.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from capnet.data import read_record
from capnet.hemodynamics.catheters import Catheter
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.episodes import Episode
from capnet.hemodynamics.rhythm import Rhythm
from capnet.hemodynamics.sensors import Sensor
from capnet.hemodynamics.trains import Train
from capnet.records import Record, Signal
from capnet.signal.corruptions import (
    CORRUPTIONS,
    SEVERE,
    Corrupted,
    corrupt,
    draw_corruption,
)
from capnet.signal.windows import WindowVerdicts, judge_windows

SEED: Final = 777
"""Of the people; thresholds were set on those of other seeds."""
SECONDS: Final = 64.0
KINDS: Final = ("ecg", "ppg", "abp")
RATES: Final = (
    {"ecg": 250.0, "ppg": 125.0, "abp": 125.0},
    {"ecg": 500.0, "ppg": 250.0, "abp": 250.0},
    {"ecg": 125.0, "ppg": 125.0, "abp": 125.0},
    {"ecg": 200.0, "ppg": 64.0, "abp": 100.0},
)
# what moves or is clipped is no clean window
_CALM: Final = replace(Sensor.wrist(), motion=(0.0, 0.0), rail=(0.0, 0.0))
SENSORS: Final[dict[str, Sensor | None]] = {
    "none": None,
    "source": Sensor.source(),
    "randomised": Sensor.randomised(),
    "clinic": Sensor.clinic(),
    "held out": Sensor.held_out(),
    "wrist": _CALM,
}
REAL: Final = "wfdb_sample/mixedsignals"
OTHERS: Final = ("wfdb_sample/v102s", "wfdb_sample/a103l")


@dataclass(frozen=True, eq=False)
class Person:
    """A virtual person's record, and when its heart stumbled (s)."""

    record: Record
    sensor: str
    ectopic: np.ndarray


def people(
    count: int,
    *,
    seed: int,
    episodes: Sequence[Episode] = (),
    rhythm: Rhythm | None = None,
    seconds: float = SECONDS,
) -> list[Person]:
    """Draw people of all ages, each with one of the sensors and an arterial line."""
    cohort, made = Cohort.sample(count, seed=seed), []
    for k, (name, sensor) in enumerate(SENSORS.items()):
        rows = np.arange(k, count, len(SENSORS))
        if not len(rows):
            continue
        train = Train.draw(
            cohort.take(rows),
            seed=seed + 1,
            sensor=sensor,
            catheter=None if sensor is None else Catheter(),
            episodes=episodes,
            rhythm=rhythm,
        )
        for row in range(len(rows)):
            rates = RATES[(k + row) % len(RATES)]
            strip = train.strip(row, duration=seconds, rates=rates)
            odd = strip.beats.r_peak[strip.beats.ectopic]
            made.append(Person(strip.record(), name, odd))
    return made


def stumbles(person: Person, verdicts: WindowVerdicts) -> np.ndarray:
    """Tell which windows hold a beat that is ectopic, the pause or pulse of one."""
    low, high = verdicts.start - 1.5, verdicts.start + verdicts.window + 1.0
    odd = person.ectopic[:, None]
    answer: np.ndarray = ((odd > low) & (odd < high)).any(axis=0)
    return answer


def outcome(case: Corrupted) -> tuple[bool, bool, str]:
    """Judge a case: whether all that is hit is refused, rightly, and the reasons."""
    verdicts = judge_windows(case.record)
    hit = (verdicts.start > case.start - 1e-6) & (
        verdicts.start + verdicts.window < case.stop + 1e-6
    )
    refused, right, told = True, True, []
    for name in case.channels:
        row = verdicts.channels.index(name)
        reasons = verdicts.of(name)[hit]
        if hit.sum() > 1:  # a fault of the whole channel must be told of the whole
            reasons = verdicts.record_reason[row : row + 1]
        refused &= bool((reasons != "").all()) and len(reasons) > 0
        first, count = np.unique(reasons, return_counts=True)
        reason = str(first[count.argmax()]) if len(first) else ""
        right &= reason in case.reasons
        told.append(f"{name} {reason or 'accepted'}")
    return refused, right, ", ".join(told)


def _fresh(record: Record, name: str, severity: int, seed: int) -> Corrupted:
    """Return a case in a window that had no fault before."""
    before = judge_windows(record)
    for again in range(20):
        draw = draw_corruption(name, severity, seed=seed + 1_000_003 * again)
        case = corrupt(record, draw)
        rows = [before.channels.index(name) for name in case.channels]
        hit = np.abs(before.start - case.start) < 1e-6
        whole = CORRUPTIONS[name].scope == "record"
        if whole or before.accepted[rows][:, hit].all():
            break
    return case


def cases(
    console: Console, records: Sequence[Record], *, each: int, seed: int
) -> list[tuple[str, int, str]]:
    """Print class by severity; return what went wrong."""
    table = Table(
        "class", "1", "2", "3", "4", "5", "right", title="refused, % (severe: 4, 5)"
    )
    begun = time.process_time()
    total, kept, wrong, count, failures = 0, 0, 0, 0, 0
    missed: list[tuple[str, int, str]] = []
    for number, name in enumerate(CORRUPTIONS):
        row, fit = [name], 0
        for severity in range(1, 6):
            hits = 0
            for k in range(each):
                key = (number * 6 + severity) * each + k
                record = records[key % len(records)]
                try:
                    case = _fresh(record, name, severity, seed * 100_003 + key)
                    refused, right, told = outcome(case)
                except Exception as error:  # noqa: BLE001  they are counted
                    failures += 1
                    refused, right, told = False, False, repr(error)
                hits += refused
                if severity >= SEVERE:
                    fit += right
                    if not (refused and right):
                        missed.append((name, severity, f"{record.subject}: {told}"))
            row.append(f"{100 * hits / each:.0f}")
            total += each
            if severity >= SEVERE:
                count, kept = count + each, kept + each - hits
        wrong += 2 * each - fit
        table.add_row(*row, f"{50 * fit / each:.0f}")
    console.print(table)
    seconds = time.process_time() - begun
    bars = Table("of all", "figure", "bar")
    bars.add_row("corrupted windows", f"{total}", "5,000")
    bars.add_row("severe refused", f"{100 * (1 - kept / count):.2f} %", ">= 99 %")
    bars.add_row("reason right", f"{100 * (1 - wrong / count):.2f} %", ">= 95 %")
    bars.add_row("exceptions", f"{failures}", "0")
    bars.add_row("seconds of a core", f"{seconds:.0f}", "")
    console.print(bars)
    return missed


def share(refused: np.ndarray) -> str:
    """Say which part of windows is refused, of how many."""
    if not refused.size:
        return "-"
    return f"{100 * refused.mean():.2f} ({refused.size})"


def clean(console: Console, groups: dict[str, list[Person]]) -> None:
    """Print what is refused of windows that have no fault."""
    table = Table(
        *("people", "ecg", "ppg", "abp", "all", "ectopic", "channels"),
        title="refused, % (of how many); bar for everybody, all: 2 %",
    )
    for name, group in groups.items():
        bad: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
        odd, whole = [], []
        for person in group:
            verdicts = judge_windows(person.record)
            off = stumbles(person, verdicts)
            for row, kind in enumerate(KINDS):
                bad[kind].append(~verdicts.accepted[row][~off])
            odd.append(~verdicts.accepted[:, off].ravel())
            whole.append(verdicts.record_reason != "")
        each = {kind: np.concatenate(parts) for kind, parts in bad.items()}
        table.add_row(
            name,
            *(share(each[kind]) for kind in KINDS),
            share(np.concatenate(list(each.values()))),
            share(np.concatenate(odd)),
            share(np.concatenate(whole)),
        )
    console.print(table)
    console.print(
        "ectopic: windows with such a beat, its pause or its pulse, no part of all; "
        "channels: those refused as a whole; the wrist is at rest and not clipped"
    )


def _declared(record: Record, factor: float, kinds: Sequence[str]) -> Record:
    changed: dict[str, Signal] = {}
    for kind in kinds:
        name = record.find(kind)
        if name is not None:
            signal = record.channels[name]
            rate = signal.sampling_rate * factor
            changed[name] = replace(signal, sampling_rate=rate)
    return replace(record, channels={**record.channels, **changed})


def _flagged(record: Record, kinds: Sequence[str], reasons: Sequence[str]) -> bool:
    """Tell whether all of these channels are refused whole, for such a reason."""
    verdicts = judge_windows(record)
    names = [record.find(kind) for kind in kinds]
    rows = [verdicts.channels.index(name) for name in names if name is not None]
    return bool(np.isin(verdicts.record_reason[rows], reasons).all())


def headers(console: Console, records: Sequence[Record]) -> None:
    """Print how often a header that lies is found out."""
    table = Table("declared", "channels", "flagged, all of them", "bar")
    for factor in (2.0, 0.5, 1.02):
        for kinds in (("ecg",), ("ppg",), ("abp",), KINDS):
            hits = [
                _flagged(_declared(r, factor, kinds), kinds, ("wrong rate",))
                for r in records
            ]
            bar = ">= 99 %" if factor != 1.02 else "cannot be told"
            table.add_row(f"rate x {factor:g}", " ".join(kinds), _part(hits), bar)
    for factor in (2.0, 0.5):
        for kind in KINDS:
            hits = []
            for record in records:
                name = record.find(kind) or kind
                alone = replace(record, channels={name: record.channels[name]})
                lying = _declared(alone, factor, (kind,))
                hits.append(_flagged(lying, (kind,), ("wrong rate",)))
            table.add_row(f"rate x {factor:g}", f"{kind}, no other", _part(hits), "")
    turns = ((1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1))
    for turn in turns:
        hits = []
        moved = [kind for k, kind in enumerate(KINDS) if turn[k] != k]
        for record in records:
            signals = [record.signal(kind) for kind in KINDS]
            names = [record.find(kind) or kind for kind in KINDS]
            changed = {
                name: replace(signals[turn[k]], unit=signals[k].unit)
                for k, name in enumerate(names)
            }
            swapped = replace(record, channels=changed)
            hits.append(_flagged(swapped, moved, ("swapped", "implausible pressure")))
        told = " ".join(f"{KINDS[k]}<-{KINDS[turn[k]]}" for k in range(3))
        table.add_row("swapped", told, _part(hits), ">= 99 %")
    for unit, factor in (("kPa", 0.133322), ("cmH2O", 1.35951)):
        hits = []
        for record in records:
            name = record.find("abp") or "abp"
            signal = record.channels[name]
            changed = {name: replace(signal, values=factor * signal.values)}
            lying = replace(record, channels={**record.channels, **changed})
            hits.append(_flagged(lying, ("abp",), ("implausible pressure",)))
        bar = "100 %" if unit == "kPa" else "cannot always be told"
        table.add_row(f"{unit} as mmHg", "abp", _part(hits), bar)
    console.print(table)


def _part(hits: Sequence[bool]) -> str:
    return f"{100 * np.mean(hits):.2f} % of {len(hits)}"


def real(console: Console, data: Path) -> None:
    """Print what is said of real recordings."""
    for name in (REAL, *OTHERS):
        record = read_record(data / name)
        console.print(name, repr(judge_windows(record)), highlight=False)
    lines = data / "bidmc_sample/bidmc_01_Signals.csv"
    table = np.genfromtxt(lines, delimiter=",", skip_header=1)
    channels = {
        "PLETH": Signal(table[:, 2], 125.0, "NU"),
        "II": Signal(table[:, 5], 125.0, "mV"),
    }
    record = Record("bidmc_01", channels)
    console.print("bidmc_01", repr(judge_windows(record)), highlight=False)


def speed(console: Console, record: Record) -> None:
    """Print how long a day of windows takes."""
    hours = 2.0
    times = int(np.ceil(hours * 3600.0 / SECONDS))
    long = {
        name: replace(signal, values=np.tile(signal.values, times))
        for name, signal in record.channels.items()
    }
    judge_windows(record)
    begun = time.process_time()
    judge_windows(replace(record, channels=long))
    spent = time.process_time() - begun
    console.print(f"a day, 3 channels: {12.0 * spent:.1f} s of a core (from 2 hours)")


def report(console: Console, *, quick: bool, data: Path) -> None:
    """Print all figures.

    Args:
        console: Where to.
        quick: A tenth of the cases.
        data: Folder of real recordings; what needs them is skipped without.
    """
    each, count = (5, 24) if quick else (50, 192)
    group = people(count, seed=SEED)
    console.print(f"{count} virtual people of seed {SEED}, {SECONDS:g} s each")
    records = [person.record for person in group]
    mixed = data / REAL
    if mixed.with_suffix(".hea").exists():
        patient = read_record(mixed)
        wide = [patient if k % 10 == 9 else r for k, r in enumerate(records)]
    else:
        console.print(f"no real recordings at {data}: virtual people alone")
        wide = records
    missed = cases(console, wide, each=each, seed=SEED)
    for name, severity, told in missed[:40]:
        console.print(f"  {name} {severity} {told}", highlight=False)
    few = max(12, count // 4)
    often = replace(Rhythm(), ectopic_rate=(120.0, 360.0))
    moving = (Episode.exercise(10.0, 180.0),)
    groups = {
        **{s: [p for p in group if p.sensor == s] for s in SENSORS},
        "everybody": group,
        "exercise": people(few, seed=SEED + 2, episodes=moving, seconds=240.0),
        "many ectopic beats": people(few, seed=SEED + 4, rhythm=often),
    }
    clean(console, groups)
    headers(console, records)
    speed(console, records[0])
    if mixed.with_suffix(".hea").exists():
        real(console, data)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases")
    default = os.environ.get("CAPNET_SHARED_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    given = parser.parse_args()
    report(Console(), quick=given.quick, data=given.data)
