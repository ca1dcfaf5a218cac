"""Figures of the beat trains, each beside its bar.

    python benchmarks/clinics_trains.py                # 1,000 people, an hour each
    python benchmarks/clinics_trains.py --people 100   # fewer; seconds

Everybody here is virtual. What is asked of a rhythm is held against what comes out of
its R peaks, waves against the linear solver that they should be superpositions of, feet
against a search in the clean wave, and joints between beats against the waves
themselves and the sensors' noise.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from capnet.hemodynamics.beds import Beds
from capnet.hemodynamics.blocks import usable_cores
from capnet.hemodynamics.catheters import Catheter
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.episodes import Episode, Vasomotion, draw_episodes
from capnet.hemodynamics.inflow import Ejection
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.rhythm import Respiration, Rhythm
from capnet.hemodynamics.sensors import Sensor
from capnet.hemodynamics.spectra import evaluate
from capnet.hemodynamics.strips import Heartbeats, Strip
from capnet.hemodynamics.trains import Train
from capnet.signal.feet import pulse_feet
from capnet.signal.rpeaks import r_peaks
from capnet.units import MMHG

HOUR: Final = 3600.0
MONITOR: Final = {"ecg": 125.0, "ppg": 125.0, "abp": 125.0}
SITES: Final = ("aortic_root", "radial")
FINE: Final = 500.0
SEED: Final = 20


class Pulse(NamedTuple):
    """What is kept of one person's hour, s and numbers an hour."""

    sdnn: float
    rmssd: float
    rsa: float
    ectopic: float
    seconds: float
    least: float
    most: float


def read(strip: Strip) -> Pulse:
    """Measure one record's rhythm from its R peaks, as anybody could."""
    beats = strip.beats
    normal = ~beats.ectopic
    both = normal[1:] & normal[:-1]
    gap = np.diff(beats.r_peak)
    inner = both[1:] & both[:-1]
    phase = 2.0 * np.pi * beats.respiration[:-1][both]
    turn = np.stack([np.sin(phase), np.cos(phase), np.ones_like(phase)], axis=1)
    swing = np.linalg.lstsq(turn, gap[both])[0]
    root = beats.row("aortic_root")
    return Pulse(
        sdnn=float(gap[both].std()),
        rmssd=float(np.sqrt(np.mean(np.diff(gap)[inner] ** 2))),
        rsa=float(np.hypot(swing[0], swing[1])),
        ectopic=float(beats.ectopic.sum() * HOUR / strip.duration),
        seconds=sum(s.duration for s in strip.channels.values()) / len(strip.channels),
        least=float(beats.diastolic[root].min()),
        most=float(beats.systolic[root].max()),
    )


def rhythms(console: Console, people: int) -> None:
    """Print asked against got, and how long it took."""
    cohort = Cohort.sample(people, seed=SEED)
    # what is compiled on first use is no part of the time
    few = Train.draw(
        cohort.take(slice(0, 2)), seed=1, sensor=Sensor.clinic(), catheter=Catheter()
    )
    list(few.each(read, duration=20.0, rates=MONITOR))
    begun, used = time.perf_counter(), time.process_time()
    train = Train.draw(cohort, seed=SEED, sensor=Sensor.clinic(), catheter=Catheter())
    drawn = time.perf_counter() - begun
    got = list(train.each(read, duration=HOUR, rates=MONITOR))
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    rhythm = train.rhythm
    sinus = rhythm.sdnn
    table = Table("rhythm", "asked", "got", "got / asked", "bar", "largest miss")
    rows = {
        "SDNN, ms": (1e3 * sinus, 1e3 * np.array([p.sdnn for p in got])),
        "RSA, ms": (1e3 * rhythm.rsa, 1e3 * np.array([p.rsa for p in got])),
        "ectopic beats / h": (
            rhythm.ectopic_rate,
            np.array([p.ectopic for p in got]),
        ),
    }
    for name, (asked, found) in rows.items():
        ratio = found.mean() / asked.mean()
        miss = "-"  # a count of an hour is a Poisson number; nobody's own is 5 % off
        if "ectopic" not in name:
            miss = f"{100.0 * np.abs(found / asked - 1.0).max():.1f} %"
        verdict = "pass" if abs(ratio - 1.0) <= 0.05 else "BELOW"
        table.add_row(
            *(name, f"{asked.mean():.2f}", f"{found.mean():.2f}", f"{ratio:.4f}"),
            *(f"within 5 %: {verdict}", miss),
        )
    rmssd = 1e3 * np.array([p.rmssd for p in got])
    table.add_row("RMSSD, ms", "-", f"{rmssd.mean():.2f}", "-", "-", "-")
    console.print(table)
    hours = sum(p.seconds for p in got) / HOUR
    console.print(
        f"{len(got)} records, {hours:.0f} h of 3 channels at 125 Hz with sensors and "
        f"truth: {wall:.1f} s on {usable_cores()} cores ({drawn:.1f} s to solve), "
        f"{cpu:.1f} s of processor.\n"
        f"{60.0 * hours / wall:.0f} h a minute of wall time; two cores that do nothing "
        f"else would make {120.0 * hours / cpu:.0f} h a minute (bar 500). Aortic "
        f"pressure {min(p.least for p in got):.0f} to {max(p.most for p in got):.0f} "
        "mmHg."
    )


def joints(console: Console) -> None:
    """Print how much a wave steps where one transient begins.

    A step is how far a difference of neighbours is off the mean of the one before and
    the one after; at 2 kHz a wave itself hardly shows in it.
    """
    rate, people = 2000.0, 12
    train = Train.draw(Cohort.sample(people, seed=SEED), seed=SEED)
    noise = Sensor.clinic().noise[0]
    table = Table(
        *("channel", "largest step at a joint", "elsewhere", "noise of a sensor"),
    )
    rates = {"aortic_root": rate, "abp": rate, "ppg": rate}
    at = {name: [0.0, 0.0] for name in rates}
    for row in range(people):
        strip = train.strip(row, duration=300.0, rates=rates)
        for name, signal in strip.channels.items():
            slope = np.diff(signal.values.astype(np.float64))
            step = np.abs(slope[1:-1] - 0.5 * (slope[2:] + slope[:-2]))
            joint = np.zeros(len(step), dtype=np.bool_)
            first = np.floor((strip.beats.onset - 0.06) * rate).astype(np.int64)
            for shift in (-2, -1, 0, 1):
                joint[np.clip(first + shift, 0, len(step) - 1)] = True
            at[name][0] = max(at[name][0], float(step[joint].max()))
            at[name][1] = max(at[name][1], float(step[~joint].max()))
    for name, (here, there) in at.items():
        unit = "pulse heights" if name == "ppg" else "mmHg"
        beside = f"{noise:g} {unit}" if name == "ppg" else "-"
        table.add_row(name, f"{here:.5f} {unit}", f"{there:.5f} {unit}", beside)
    console.print(table)


def _direct(
    one: Cohort, beats: Heartbeats, factor: float, solver: LinearSolver
) -> tuple[np.ndarray, np.ndarray, float]:
    """Solve one person's steady beat in a state; return waves, period and mean."""
    body = one.arteries()
    volume, period = float(beats.volume[-1]), float(beats.interval[-1])
    part, alike = float(beats.ejection[-1]), np.ones(1)
    inflow = Ejection(
        hr=60.0 / period * alike,
        sv=volume * alike,
        lvet=one["lvet"] * part,
        pft=one["pft"] * part,
        rfv=one["rfv"] * volume / one["sv"],
    ).inflow()
    beds = body.beds
    body = replace(
        body,
        beds=Beds(beds.proximal, factor * beds.distal, beds.compliance),
        inflow=inflow,
    )
    layout = solver.layout(one.network, SITES)
    found = solver.waves(body, layout, {s: layout.tree.probes[s] for s in SITES})
    excess = found.pressure[0, 0, 0].real - body.outflow_pressure[0]
    return found.pressure[0] / MMHG, found.period, excess / inflow.output[0]


@dataclass(frozen=True)
class State:
    """One that is held: factors on heart rate, stroke volume, R2 and ejection time."""

    name: str
    hr: float = 1.0
    sv: float = 1.0
    distal: float = 1.0
    ejection: float = 1.0


STATES: Final = (
    State("rest"),
    State("fast", hr=1.3),
    State("tone up, between two of the grid", distal=1.42),
    State("tone down, between two of the grid", distal=0.86),
    State("short ejection", sv=0.8, ejection=0.9),
    State("ejection between two of the grid", ejection=0.95),
    State("exercise", hr=1.65, sv=1.2, distal=0.4, ejection=0.8),
)


def errors(console: Console, people: int = 40) -> None:
    """Print waves of steady trains against the solver's own periodic waves."""
    cohort = Cohort.sample(people, seed=SEED)
    solver = LinearSolver(order=1, harmonics=60)
    calm = Train.draw(
        cohort,
        seed=SEED,
        rhythm=Rhythm.regular(),
        respiration=Respiration.held(),
        vasomotion=Vasomotion.none(),
    )
    table = Table("state", *(f"{s}, mmHg RMSE (worst)" for s in SITES), "mean pressure")
    for state in STATES:
        miss, mean = np.empty((people, 2)), np.empty(people)
        for row in range(people):
            one = cohort.take(np.array([row]))
            strip = next(_held(calm, row, state, solver))
            waves, period, _ = _direct(one, strip.beats, state.distal, solver)
            late = strip.channels["radial"].times - strip.beats.onset[0]
            for k, site in enumerate(SITES):
                wave = evaluate(waves[k : k + 1], period=period, times=late[None])[0]
                gap = strip.channels[site].values - wave
                miss[row, k] = np.sqrt(np.mean(gap**2))
                if k == 0:
                    mean[row] = gap.mean()
        cells = [f"{m.mean():.3f} ({m.max():.3f})" for m in miss.T]
        table.add_row(state.name, *cells, f"{mean.mean():+.3f} +- {mean.std():.3f}")
    console.print(table)


def _held(calm: Train, row: int, state: State, solver: LinearSolver) -> Iterator[Strip]:
    """Yield a person's strip in a state that has been held for ever."""
    one = calm.cohort.take(np.array([row]))
    beats = calm.strip(row, duration=2.0, rates={"radial": FINE}).beats
    rest, there = (_direct(one, beats, f, solver)[2] for f in (1.0, state.distal))
    held = Episode(
        *("held", -1e5, 2e5, 1.0, 1.0),
        hr=state.hr,
        sv=state.sv,
        tone=there / rest,
        ejection=state.ejection,
        spread=0.0,
    )
    people = draw_episodes([held], len(calm), np.random.default_rng(0))
    train = replace(calm, episodes=people)
    yield train.strip(row, duration=4.0, rates=dict.fromkeys(SITES, FINE))


def feet(console: Console, people: int = 30) -> None:
    """Print true feet and R peaks against those found in the waves."""
    train = Train.draw(Cohort.sample(people, seed=SEED), seed=SEED)
    rates = {"aortic_root": FINE, "radial": FINE, "ppg": FINE, "ecg": FINE}
    gaps: dict[str, list[np.ndarray]] = {name: [] for name in rates}
    count = {name: [0, 0] for name in rates}
    for row in range(people):
        strip = train.strip(row, duration=120.0, rates=rates)
        beats = strip.beats
        for name in rates:
            values = strip.channels[name].values
            inner = np.flatnonzero((beats.onset > 2.0) & (beats.onset < 117.0))
            if name == "ecg":
                found = r_peaks(values, sampling_rate=FINE)
                true = beats.r_peak[inner]
                gap = np.abs(found[:, None] - true).min(axis=0)
                gap[gap > 0.1] = np.nan
            else:
                true = beats.foot[beats.row(name)][inner]
                first = np.floor((beats.onset[inner] - 0.25) * FINE).astype(np.int64)
                rows = values[first[:, None] + np.arange(350)].astype(np.float64)
                found = pulse_feet(
                    *(rows, beats.onset[inner] * FINE - first),
                    sampling_rate=FINE,
                    earliest=0.0,
                    latest=0.32,
                )
                gap = np.abs((first + found) / FINE - true)
            gaps[name].append(gap[np.isfinite(gap)])
            count[name][0] += int(np.isfinite(gap).sum())
            count[name][1] += len(gap)
    table = Table("what", "found of", "median, ms", "95 %, ms", "largest, ms")
    for name, parts in gaps.items():
        gap = 1e3 * np.concatenate(parts)
        cells = [
            f"{v:.3f}" for v in (np.median(gap), np.quantile(gap, 0.95), gap.max())
        ]
        what = "R peaks" if name == "ecg" else f"feet, {name}"
        table.add_row(what, "{} of {}".format(*count[name]), *cells)
    console.print(table)


def trains(console: Console, *, people: int = 1000) -> None:
    """Print everything about beat trains.

    Args:
        console: Where to.
        people: How many have an hour's record.
    """
    torch.set_num_threads(1)
    console.rule("Beat trains: asked and got")
    rhythms(console, people)
    console.rule("Beat trains: joints")
    joints(console)
    console.rule("Beat trains: steady trains against the periodic solution")
    errors(console)
    console.rule("Beat trains: feet and R peaks, true and found in clean waves")
    feet(console)


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--people", type=int, default=1000, help="with an hour each")
    trains(Console(width=120), people=parser.parse_args().people)


if __name__ == "__main__":
    main()
