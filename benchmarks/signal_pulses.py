"""Figures of pulses, fiducials, arrival and transit times, synchrony, heart rates.

    python benchmarks/signal_pulses.py
    python benchmarks/signal_pulses.py --quick

Virtual people of all ages, without a sensor; noise is white noise and bursts of
movement, half of the power each, together 10 dB below the pulse. Truth is the same
fiducial, after the same filter, on the wave without noise, sought at the true R peaks;
how far that is from the pulse's arrival in the unfiltered wave is a row of its own.
Thresholds were set on other virtual people (seed 41) and on no real recording.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import neurokit2 as nk
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.ndimage import uniform_filter1d

import capnet
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.episodes import Episode
from capnet.hemodynamics.motion import motion
from capnet.hemodynamics.strips import Strip
from capnet.hemodynamics.trains import Train
from capnet.records import Record, Signal
from capnet.signal.arrival import Arrival
from capnet.signal.beats import beats_of
from capnet.signal.fiducials import FIDUCIALS, find_fiducials
from capnet.signal.indices import ejection_time
from capnet.signal.pulses import find_pulses
from capnet.signal.rises import steep_rises
from capnet.signal.rpeaks import r_peaks
from capnet.signal.smoothing import smoothed
from capnet.signal.synchrony import judge_synchrony
from capnet.signal.tachogram import heart_rate
from capnet.signal.transit import pulse_arrival, pulse_transit
from capnet.signal.windows import judge_windows

SEED: Final = 71
RATE: Final = 125.0
SECONDS: Final = 300.0
NEAR: Final = 0.1
"""s within which an event is the true one."""
EDGE: Final = 1.0
"""s at each end of a record in which nothing is counted."""
SITES: Final = {"ppg": "ppg", "abp": "radial"}


def judged(figure: float, bar: float, *, least: bool = False, digits: int = 2) -> str:
    """Return a figure beside its bar."""
    good = figure >= bar if least else figure <= bar
    sign = ">=" if least else "<="
    return f"{figure:.{digits}f} ({sign} {bar:g}: {'pass' if good else 'MISSED'})"


def with_noise(wave: np.ndarray, seed: int, *, below: float = 10.0) -> np.ndarray:
    """Add white noise and movement that many dB below the pulse, half each."""
    rng = np.random.default_rng([SEED, seed])
    pulse = np.var(wave - uniform_filter1d(wave, round(2.0 * RATE)))
    power = 0.5 * pulse * 10.0 ** (-below / 10.0)
    bursts = motion(
        np.array([seed]),
        rate=np.array([3.0]),
        strength=(0.5, 3.0),
        length=(1.0, 6.0),
        band=(0.5, 6.0),
        start=0,
        count=len(wave),
        sampling_rate=RATE,
    )[0]
    moved = bursts * np.sqrt(power / max(np.var(bursts), 1e-12))
    return wave + np.sqrt(power) * rng.standard_normal(len(wave)) + moved


def inner(times: np.ndarray, *, edge: float = EDGE) -> np.ndarray:
    """Return the times that are known and not at the ends of a record."""
    return times[np.isfinite(times) & (times > edge) & (times < SECONDS - edge)]


@dataclass
class Score:
    """How found events compare with true ones."""

    hit: int = 0
    true: int = 0
    found: int = 0
    off: list[np.ndarray] | None = None

    def add(self, found: np.ndarray, true: np.ndarray) -> None:
        """Count one record; each true event takes the nearest one found."""
        found, true = np.sort(inner(found, edge=EDGE - NEAR)), inner(true)
        late = np.append(found, np.inf)[np.searchsorted(found, true)] - true
        early = np.insert(found, 0, -np.inf)[np.searchsorted(found, true)] - true
        off = np.where(np.abs(late) < np.abs(early), late, early)
        near = np.abs(off) <= NEAR
        self.hit += int(near.sum())
        self.true += len(true)
        self.found += len(found)
        self.off = [*(self.off or []), off[near]]

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        return 2.0 * self.hit / max(self.true + self.found, 1)

    @property
    def error(self) -> float:
        """Median absolute error of the events found, ms."""
        return 1e3 * float(np.median(np.abs(np.concatenate(self.off or [np.zeros(1)]))))


def peers(wave: np.ndarray) -> dict[str, np.ndarray]:
    """Return peaks and onsets as neurokit2 finds them, s."""
    clean = nk.ppg_clean(wave, sampling_rate=int(RATE))
    elgendi = nk.ppg_findpeaks(clean, sampling_rate=int(RATE))
    charlton = nk.ppg_findpeaks(clean, sampling_rate=int(RATE), method="charlton")
    return {
        "nk elgendi peaks": elgendi["PPG_Peaks"] / RATE,
        "nk charlton peaks": charlton["PPG_Peaks"] / RATE,
        "nk charlton onsets": charlton["PPG_Onsets"] / RATE,
    }


def finders(wave: np.ndarray, beats: np.ndarray) -> dict[str, np.ndarray]:
    """Return what everybody finds in a wave, s."""
    free = find_pulses(wave, sampling_rate=RATE)
    gated = find_pulses(wave, sampling_rate=RATE, r_peaks=beats)
    return {
        "capnet feet": free.foot,
        "capnet peaks": free.peak,
        "capnet feet, ECG": gated.foot,
        "capnet peaks, ECG": gated.peak,
        **peers(wave),
    }


def detection(console: Console, strips: list[Strip]) -> None:
    """Print F1 and time errors, clean and with noise, beside neurokit2's.

    An onset of neurokit2 is the lowest sample, which comes before the foot: its usual
    distance from the foot in the clean wave is allowed for, and so is a peak's.
    """
    scores: dict[tuple[str, str, str], Score] = {}
    for row, strip in enumerate(strips):
        for kind in SITES:
            wave = strip.channels[kind].values.astype(np.float64)
            truth = find_pulses(wave, sampling_rate=RATE, r_peaks=strip.beats.r_peak)
            found = finders(wave, strip.beats.r_peak)
            bias = {}
            for name, times in found.items():
                true = inner(truth.peak if "peaks" in name else truth.foot)
                gap = times[:, None] - true
                nearest = np.nanmin(np.abs(gap), axis=0)
                sign = np.take_along_axis(gap, np.nanargmin(np.abs(gap), 0)[None], 0)
                bias[name] = float(np.median(sign[0][nearest < NEAR]))
            noisy = finders(with_noise(wave, row + 1), strip.beats.r_peak)
            for what, seen in (("clean", found), ("10 dB, motion", noisy)):
                for name, times in seen.items():
                    true = truth.peak if "peaks" in name else truth.foot
                    score = scores.setdefault((kind, what, name), Score())
                    score.add(times - bias[name], true)
    table = Table(*("channel", "wave", "finder", "F1", "recall", "precision"))
    table.add_column("median |error|, ms")
    for (kind, what, name), score in scores.items():
        bar = 0.995 if what == "clean" else 0.98
        ours = name.startswith("capnet")
        f1 = judged(score.f1, bar, least=True, digits=4) if ours else f"{score.f1:.4f}"
        error = f"{score.error:.2f}"
        if ours and "feet" in name:
            error = judged(score.error, 2.0 if what == "clean" else 8.0)
        recall, precision = score.hit / score.true, score.hit / score.found
        table.add_row(kind, what, name, f1, f"{recall:.4f}", f"{precision:.4f}", error)
    console.print(table)
    for kind in SITES:
        for what in ("clean", "10 dB, motion"):
            for part, other in (
                ("peaks", "elgendi peaks"),
                ("feet", "charlton onsets"),
            ):
                theirs = scores[kind, what, f"nk {other}"]
                for ours in (f"capnet {part}", f"capnet {part}, ECG"):
                    mine = scores[kind, what, ours]
                    if mine.f1 < theirs.f1 or mine.error > theirs.error:
                        console.print(
                            f"worse than neurokit2: {ours}, {kind}, {what}: F1 "
                            f"{mine.f1:.4f} against {theirs.f1:.4f}, error "
                            f"{mine.error:.2f} against {theirs.error:.2f} ms"
                        )


def arrival(console: Console, strips: list[Strip]) -> None:
    """Print the filter's bias and the errors of PAT and PTT."""
    table = Table("channel", "foot - physical arrival: median", "5 to 95 %, ms")
    for kind, site in SITES.items():
        gaps = []
        for strip in strips:
            wave, beats = strip.channels[kind].values, strip.beats
            found = find_pulses(wave, sampling_rate=RATE, r_peaks=beats.r_peak)
            gaps.append(1e3 * (found.foot - beats.foot[beats.row(site)]))
        gap = np.concatenate(gaps)
        low, middle, high = np.nanquantile(gap, [0.05, 0.5, 0.95])
        table.add_row(kind, f"{middle:+.2f} ms", f"{low:+.2f} to {high:+.2f}")
    console.print(table)

    errors: dict[tuple[str, str], list[np.ndarray]] = {}
    for row, strip in enumerate(strips):
        beats = strip.beats
        waves = {k: strip.channels[k].values.astype(np.float64) for k in SITES}
        true = {
            kind: find_pulses(wave, sampling_rate=RATE, r_peaks=beats.r_peak).foot
            for kind, wave in waves.items()
        }
        found_r = r_peaks(strip.channels["ecg"].values, sampling_rate=250.0)
        for what in ("clean", "10 dB, motion"):
            if what != "clean":
                waves = {
                    kind: with_noise(wave, 2 * row + 100 + k)
                    for k, (kind, wave) in enumerate(waves.items())
                }
            feet = {
                k: find_pulses(w, sampling_rate=RATE, r_peaks=found_r).foot
                for k, w in waves.items()
            }
            pat = pulse_arrival(found_r, feet["ppg"]).seconds
            ptt = pulse_transit(feet["abp"], feet["ppg"]).seconds
            for name, times, values, expected in (
                ("PAT", found_r, pat, true["ppg"] - beats.r_peak),
                ("PTT", feet["abp"], ptt, true["ppg"] - true["abp"]),
            ):
                at = beats.r_peak if name == "PAT" else true["abp"]
                one, thirty = _off(times, values, at, expected)
                errors.setdefault((name, what), []).append(one)
                errors.setdefault((name, f"{what}, medians of 30 s"), []).append(thirty)
    table = Table("time", "wave", "median |error|, ms", "95 %, ms")
    for (name, what), parts in errors.items():
        off = 1e3 * np.abs(np.concatenate(parts))
        bar = 2.0 if what == "clean" else 5.0
        middle, high = np.quantile(off, [0.5, 0.95])
        asked = what == "clean" or ("10 dB" in what and "30 s" in what)
        cell = judged(middle, bar) if asked else f"{middle:.2f}"
        table.add_row(name, what, cell, f"{high:.2f}")
    console.print(table)


def _off(
    times: np.ndarray, values: np.ndarray, at: np.ndarray, expected: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return errors of each beat, and of the medians of each 30 s."""
    known = np.isfinite(times) & np.isfinite(values)
    times, values = times[known], values[known]
    keep = np.isfinite(at) & np.isfinite(expected)
    at, expected = at[keep], expected[keep]
    nearest = np.abs(times[:, None] - at).argmin(axis=1)
    same = np.abs(times - at[nearest]) <= NEAR
    one = (values - expected[nearest])[same]
    thirty = [
        np.median(values[times // 30.0 == k]) - np.median(expected[at // 30.0 == k])
        for k in range(int(SECONDS // 30.0))
        if (times // 30.0 == k).any() and (at // 30.0 == k).any()
    ]
    return one, np.array(thirty)


def synchronies(console: Console, people: int) -> None:
    """Print how often synchrony speaks, with and without a fault."""
    rng = np.random.default_rng(SEED)
    course = [
        Episode.exercise(600.0, 600.0),
        Episode.vasopressor(1500.0, 600.0),
        Episode.nitroglycerin(2700.0, 600.0),
    ]
    cohort = Cohort.sample(people, seed=SEED)
    rows: dict[tuple[str, str], list[bool]] = {}
    for name, duration, episodes in (
        ("rest, 5 min", SECONDS, []),
        ("exercise, vasopressor, nitroglycerin, 1 h", 3600.0, course),
    ):
        train = Train.draw(cohort, seed=SEED, episodes=episodes)
        for row in range(people):
            strip = train.strip(row, duration=duration, rates={"ppg": RATE})
            clean = strip.channels["ppg"].values.astype(np.float64)
            foot = find_pulses(with_noise(clean, row + 1), sampling_rate=RATE).foot
            foot = foot[np.isfinite(foot)]
            when = duration * rng.uniform(0.3, 0.7)
            sign = rng.choice([-1.0, 1.0])
            total = sign * rng.uniform(0.1, 1.0)
            cases = {
                "no fault": foot,
                "jump of 100 ms": np.where(foot > when, foot + 0.1 * sign, foot),
                "jump of 200 ms": np.where(foot > when, foot + 0.2 * sign, foot),
                "jump of 500 ms": np.where(foot > when, foot + 0.5 * sign, foot),
                "drift by 0.1 to 1 s": foot + total * foot / duration,
                "400 ms late throughout": foot + 0.4,
            }
            for case, feet in cases.items():
                feet = np.sort(feet[(feet > 0.0) & (feet < duration)])
                found = judge_synchrony(strip.beats.r_peak, feet, duration=duration)
                rows.setdefault((name, case), []).append(found.verdict != "")
    table = Table("record", "case", "flagged")
    for (name, case), flags in rows.items():
        share = 100.0 * float(np.mean(flags))
        bar = (2.0, False) if case == "no fault" else (95.0, True)
        table.add_row(name, case, judged(share, bar[0], least=bar[1], digits=1) + " %")
    console.print(table)


def points(console: Console, strips: list[Strip]) -> None:
    """Print where fiducials are found, how noise moves them, and the indices' notch."""
    table = Table("channel", "fiducial", "defined", "after the foot, ms", "at 10 dB")
    for kind in SITES:
        late, moved, gap = [], [], []
        for row, strip in enumerate(strips):
            wave = strip.channels[kind].values.astype(np.float64)
            foot = find_pulses(wave, sampling_rate=RATE).foot
            foot = inner(foot)
            clean = find_fiducials(wave, foot[:-1], foot[1:], sampling_rate=RATE)
            noisy = find_fiducials(
                *(with_noise(wave, row + 1), foot[:-1], foot[1:]), sampling_rate=RATE
            )
            late.append(clean.time - clean.foot[:, None])
            moved.append(noisy.time - clean.time)
            if kind == "abp":
                gap.append(_notch_gap(wave, foot, clean["notch"].time))
        time_, off = 1e3 * np.concatenate(late), 1e3 * np.concatenate(moved)
        for k, name in enumerate(FIDUCIALS):
            known = time_[np.isfinite(time_[:, k]), k]
            low, middle, high = np.quantile(known, [0.05, 0.5, 0.95])
            noise = np.abs(off[np.isfinite(off[:, k]), k])
            table.add_row(
                *(kind, name, f"{100.0 * len(known) / len(time_):.1f} %"),
                f"{middle:.0f} ({low:.0f} to {high:.0f})",
                f"median |change| {np.median(noise):.1f} ms",
            )
        if gap:
            apart = 1e3 * np.abs(np.concatenate(gap))
            same = float(np.mean(apart[np.isfinite(apart)] <= 8.0))
    console.print(table)
    console.print(
        f"notch against capnet.signal.indices.ejection_time, same beats: within 8 ms "
        f"in {100.0 * same:.1f} %"
    )


def _notch_gap(wave: np.ndarray, foot: np.ndarray, notch: np.ndarray) -> np.ndarray:
    """Return how far the notch is off that of the indices, s."""
    first = np.rint(foot * RATE).astype(np.int64)
    count = np.diff(first)
    index = first[:-1, None] + np.arange(count.max())
    rows = np.where(index < first[1:, None], wave[np.minimum(index, first[-1])], np.nan)
    found = ejection_time(rows, sampling_rate=RATE)
    # their time is since their own foot, which is ours but for the rounding
    return np.asarray(found.time - (notch - foot[:-1]))


def seconds(work: Callable[[], Any], *, repeats: int = 3) -> float:
    """Return the least processor time of some runs, ms."""
    best = np.inf
    for _ in range(repeats):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return 1e3 * best


def speed(console: Console, strips: list[Strip], *, quick: bool) -> None:
    """Print processor times on the same hour of PPG, same outputs only."""
    parts = [s.channels["ppg"].values for s in strips]
    hour = np.tile(np.concatenate(parts), 12)[: int(3600 * RATE)].astype(np.float64)
    find_pulses(hour[:1000], sampling_rate=RATE)  # compile
    clean = nk.ppg_clean(hour, sampling_rate=int(RATE))
    ours = seconds(lambda: find_pulses(hour, sampling_rate=RATE), repeats=5)
    foot = find_pulses(hour, sampling_rate=RATE).foot
    cleaned = seconds(lambda: nk.ppg_clean(hour, sampling_rate=int(RATE)))
    part = len(clean) // 12

    def find(method: str, wave: np.ndarray) -> float:
        return seconds(
            lambda: nk.ppg_findpeaks(wave, sampling_rate=int(RATE), method=method),
            repeats=1 if quick else 2,
        )

    rows = {
        "nk.ppg_clean + elgendi": ("peaks", cleaned + find("elgendi", clean)),
        "nk.ppg_clean + charlton (5 min x 12)": (
            "peaks, onsets",
            cleaned + 12.0 * find("charlton", clean[:part]),
        ),
        "nk.ppg_clean + signal_findpeaks": (
            "peaks, onsets, height",
            cleaned + seconds(lambda: nk.signal_findpeaks(clean), repeats=1),
        ),
    }
    table = Table("an hour of PPG, 125 Hz", "gives", "processor, ms", "ratio")
    table.add_row(
        "capnet find_pulses", "feet, rises, peaks, heights", f"{ours:.1f}", ""
    )
    for name, (gives, cost) in rows.items():
        ratio = judged(cost / ours, 5.0, least=True, digits=1)
        table.add_row(name, gives, f"{cost:.1f}", ratio)
    known = np.isfinite(foot[:-1]) & np.isfinite(foot[1:])
    start, stop = foot[:-1][known], foot[1:][known]
    cost = seconds(lambda: find_fiducials(hour, start, stop, sampling_rate=RATE))
    table.add_row("capnet fiducials", "10 points a beat", f"{cost:.1f}", "")
    console.print(table)


def monitors(data: Path) -> dict[str, Record]:
    """Return the real records there are."""
    found = {}
    for name in ("mixedsignals", "v102s", "a103l"):
        if (data / "wfdb_sample" / f"{name}.hea").exists():
            found[name] = capnet.read_record(data / "wfdb_sample" / name)
    table = data / "bidmc_sample" / "bidmc_01_Signals.csv"
    if table.exists():
        frame = pd.read_csv(table, skipinitialspace=True)
        channels = {
            name: Signal(frame[name].to_numpy(np.float64), 125.0, "NU")
            for name in ("II", "PLETH")
        }
        found["bidmc 01"] = Record("bidmc 01", channels)
    return found


def patients(console: Console, data: Path) -> None:
    """Print whether PPG, pressure and ECG of people give the same heart rate."""
    records = monitors(data)
    if not records:
        console.print(f"no real recordings at {data}: section left out.")
        return
    table = Table(
        *("record", "pair", "10-s windows accepted", "within 1 bpm, %", "nk"),
        *("all windows, %", "nk", "PAT, ms (SD in 30 s)", "synchrony"),
    )
    for name, record in records.items():
        kinds = [k for k in ("ecg", "ppg", "abp") if record.find(k) is not None]
        duration = max(s.duration for s in record.channels.values())
        verdicts = judge_windows(record, window=10.0, step=10.0)
        rates, theirs, events = {}, {}, {}
        for kind in kinds:
            signal = record.signal(kind)
            values = signal.values.astype(np.float64)
            if kind == "ecg":
                times = r_peaks(values, sampling_rate=signal.sampling_rate)
            else:
                times = find_pulses(values, sampling_rate=signal.sampling_rate).foot
                theirs[kind] = _rates(_peer_peaks(values, signal), signal, duration)
            events[kind] = times + signal.start
            rates[kind] = _rates(times, signal, duration)
        for kind in kinds[1:]:
            channels = [verdicts.channels.index(str(record.find(k))) for k in kinds]
            rows = [channels[kinds.index(k)] for k in ("ecg", kind)]
            n = min(verdicts.reason.shape[1], len(rates[kind]))
            good = (verdicts.reason[rows][:, :n] == "").all(axis=0)
            off = np.abs(rates[kind][:n] - rates["ecg"][:n])
            peer = np.abs(theirs[kind][:n] - rates["ecg"][:n])
            cell = alike(off[good])
            if name == "mixedsignals" and good.any():
                share = 100.0 * float(np.mean(off[good] <= 1.0))
                cell = judged(share, 95.0, least=True, digits=1)
            told = judge_synchrony(events["ecg"], events[kind], duration=duration)
            table.add_row(
                *(name, f"{kind} - ecg", f"{int(good.sum())} of {n}", cell),
                *(alike(peer[good]), alike(off), alike(peer)),
                arrivals(record.signal(kind), events["ecg"]),
                told.verdict or f"fine ({1e3 * told.spread:.1f} ms)",
            )
    console.print(table)
    console.print(
        "Only mixedsignals has a bar; all four were looked at while this was written."
    )


def followed(console: Console, strips: list[Strip], data: Path) -> None:
    """Print how many beats the gate accepts where a monitor delays the pulse.

    Beside it: the search where anatomy has the pulse alone, and that without the ECG.
    """
    anatomy = patch(
        "capnet.signal.events.usual_arrival", lambda *_, **__: Arrival(0.0, "")
    )
    table = Table(
        *("record", "beats", "accepted, fixed search, %", "follows, %", "no ECG, %"),
        *("PAT known, %", "median PAT, ms"),
    )
    groups = {name: [record] for name, record in monitors(data).items()}
    people = strips[:12]
    for late in (0.0, 0.15, 0.3, 0.6, 1.0):
        groups[f"{len(people)} virtual, {1e3 * late:.0f} ms later"] = [
            _later(strip.record(), late) for strip in people
        ]
    for name, records in groups.items():
        with anatomy:
            fixed = [beats_of(record).accepted for record in records]
        found = [beats_of(record) for record in records]
        free = [beats_of(_without_ecg(record)).accepted for record in records]
        accepted = np.concatenate([beats.accepted for beats in found])
        pat = np.concatenate([beats.features["pat"] for beats in found])[accepted]
        known = np.isfinite(pat)
        table.add_row(
            *(name, f"{len(accepted)}", _percent(np.concatenate(fixed))),
            *(_percent(accepted), _percent(np.concatenate(free)), _percent(known)),
            f"{1e3 * np.median(pat[known]):.0f}" if known.any() else "-",
        )
    console.print(table)


def _percent(flags: np.ndarray) -> str:
    return f"{100.0 * float(np.mean(flags)):.1f}" if len(flags) else "-"


def _later(record: Record, late: float) -> Record:
    """Return the record as a monitor shows it that delays the PPG, s."""
    name = str(record.find("ppg"))
    light = record.signal(name)
    moved = replace(light, start=light.start + late)
    return replace(record, channels=dict(record.channels) | {name: moved})


def _without_ecg(record: Record) -> Record:
    name = str(record.find("ppg"))
    return replace(record, channels={name: record.signal(name)})


def without_ecg(console: Console, strips: list[Strip]) -> None:
    """Print what a free search finds beside steep rises, without any ECG."""
    table = Table("PPG, no ECG", "finder", "F1", "recall", "precision")
    for what in ("clean", "10 dB, motion", "5 dB, motion"):
        ours, steep = Score(), Score()
        for row, strip in enumerate(strips):
            wave = strip.channels["ppg"].values.astype(np.float64)
            at = find_pulses(wave, sampling_rate=RATE, r_peaks=strip.beats.r_peak).rise
            if what != "clean":
                below = float(what.split(" ", 1)[0])
                wave = with_noise(wave, row + 1, below=below)
            ours.add(find_pulses(wave, sampling_rate=RATE).rise, at)
            low = smoothed(wave, sampling_rate=RATE)
            steep.add(steep_rises(low, sampling_rate=RATE) / RATE, at)
        for name, score in (("find_pulses", ours), ("steep_rises", steep)):
            recall, precision = score.hit / score.true, score.hit / score.found
            table.add_row(
                *(what, name, f"{score.f1:.4f}", f"{recall:.4f}", f"{precision:.4f}")
            )
    console.print(table)


def alike(off: np.ndarray) -> str:
    """Return how many of the rates that are known lie within 1 bpm, %."""
    known = off[np.isfinite(off)]
    return f"{100.0 * np.mean(known <= 1.0):.1f}" if len(known) else "-"


def arrivals(signal: Signal, peaks: np.ndarray) -> str:
    """Return the median arrival time, and how it spreads within 30 s, ms."""
    found = find_pulses(
        signal.values, sampling_rate=signal.sampling_rate, r_peaks=peaks - signal.start
    )
    delay = pulse_arrival(peaks, found.foot + signal.start).seconds
    known = np.isfinite(delay)
    third = peaks[known] // 30.0
    parts = [delay[known][third == k] for k in np.unique(third)]
    spread = [float(np.std(part)) for part in parts if len(part) > 5]
    if not spread:
        return "-"
    return f"{1e3 * np.median(delay[known]):.0f} ({1e3 * np.median(spread):.1f})"


def _rates(times: np.ndarray, signal: Signal, duration: float) -> np.ndarray:
    return heart_rate(
        times + signal.start, window=10.0, step=10.0, duration=duration
    ).rate


def _peer_peaks(values: np.ndarray, signal: Signal) -> np.ndarray:
    filled = pd.Series(values).interpolate(limit_direction="both").to_numpy()
    rate = round(signal.sampling_rate)
    clean = nk.ppg_clean(filled, sampling_rate=rate)
    peaks = nk.ppg_findpeaks(clean, sampling_rate=rate)["PPG_Peaks"]
    return np.asarray(peaks / signal.sampling_rate)


def report(console: Console, *, quick: bool, data: Path) -> None:
    """Print everything about pulses.

    Args:
        console: Where to.
        quick: Few people, to try it out.
        data: Folder of real records.
    """
    people = 6 if quick else 48
    train = Train.draw(Cohort.sample(people, seed=SEED), seed=SEED)
    rates = {"ecg": 250.0, "ppg": RATE, "abp": RATE}
    strips = [train.strip(k, duration=SECONDS, rates=rates) for k in range(people)]
    ages = [strip.age for strip in strips]
    console.print(
        f"{people} virtual people, {min(ages):.0f} to {max(ages):.0f} years, "
        f"{SECONDS:.0f} s each, seed {SEED}; neurokit2 {nk.__version__}"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neurokit2's
        detection(console, strips)
        arrival(console, strips)
        synchronies(console, people)
        points(console, strips)
        without_ecg(console, strips)
        followed(console, strips, data)
        speed(console, strips, quick=quick)
        patients(console, data)


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="few people")
    default = os.environ.get("CAPNET_SHARED_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    given = parser.parse_args()
    report(Console(width=150), quick=given.quick, data=given.data)


if __name__ == "__main__":
    main()
