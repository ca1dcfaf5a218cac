"""Long recordings: a day from arrays to a table of beats, streams, gaps anywhere.

    python benchmarks/signal_day.py                # a day; some minutes
    python benchmarks/signal_day.py --quick        # an hour

The day is a virtual person's (`capnet.hemodynamics.trains`), with the sensor of the
test clinic; it lies on disk as plain float32 and is read a minute at a time by a fresh
process, whose memory is that of the whole process (Linux). Speed means something on a
quiet machine only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

import capnet
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.episodes import Episode
from capnet.hemodynamics.sensors import Sensor
from capnet.hemodynamics.trains import Train
from capnet.records import Beats, Record
from capnet.signal.beats import beats_in, beats_of
from capnet.signal.pulses import find_pulses

HOUR: Final = 3600.0
RATES: Final = {"ecg": 250.0, "ppg": 125.0}
UNITS: Final = {"ecg": "mV", "ppg": "NU", "abp": "mmHg"}
CHILD: Final = Path(__file__).with_name("signal_table.py")
SOUGHT: Final = 0.47
"""s after an R peak within which its pulse is sought, and two samples."""
REACH: Final = 0.6
"""s to each side that both filters of a pressure reach: 20 Hz, then 10 Hz for feet."""
SEED: Final = 41


def _train() -> Train:
    exercise = Episode.exercise(1200.0, 600.0)
    people = Cohort.sample(n=4, seed=SEED)
    return Train.draw(
        people, seed=SEED, sensor=Sensor.clinic(), episodes=[exercise], sites=()
    )


def write_day(folder: Path, hours: float) -> None:
    """Write one virtual person's ECG and PPG as float32, piece by piece."""
    with (folder / "ecg.f32").open("wb") as ecg, (folder / "ppg.f32").open("wb") as ppg:
        for strip in _train().strips(0, duration=hours * HOUR, rates=RATES):
            ecg.write(strip.channels["ecg"].values.astype("<f4").tobytes())
            ppg.write(strip.channels["ppg"].values.astype("<f4").tobytes())


def _in_child(folder: Path, hours: float, what: str) -> dict[str, float]:
    told = subprocess.run(  # this very file
        [sys.executable, str(CHILD), str(folder), str(hours), what],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )
    answer: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return answer


def day(console: Console, *, quick: bool) -> None:
    """Print seconds and memory of recordings of several lengths."""
    lengths = (0.5, 1.0) if quick else (6.0, 12.0, 24.0)
    table = Table(title=f"PPG 125 Hz + ECG 250 Hz, one virtual person (seed {SEED})")
    for head in (
        "hours",
        "table",
        "beats",
        "accepted",
        "s",
        "CPU s",
        "peak MB",
        "own MB",
    ):
        table.add_column(head, justify="right")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_day(folder, lengths[-1])
        for what in ("beats", "features"):
            peaks = []
            for hours in lengths:
                cost = _in_child(folder, hours, what)
                peaks.append(cost["peak"])
                table.add_row(
                    f"{hours:g}",
                    what,
                    f"{cost['rows']:,.0f}",
                    f"{100 * cost['accepted']:.1f} %",
                    f"{cost['seconds']:.1f}",
                    f"{cost['cpu']:.1f}",
                    f"{cost['peak']:.0f} (imports {cost['base']:.0f})",
                    f"{cost['own']:.0f}",
                )
            slope = np.polyfit(lengths, peaks, 1)[0]
            table.add_row("", what, "", "", "", "", f"{slope:+.2f} MB/h", "")
        table.caption = (
            "bars: 24 h <= 60 s, peak <= 500 MB, slope <= 1 MB/h; features without "
            "nonlinear heart rate variability. Peak: all in memory, libraries too; "
            "own: at the end, without what files back (code of libraries)"
        )
    console.print(table)


def _virtual(seconds: float) -> Record:
    rates = {**RATES, "abp": 125.0}
    return _train().strip(1, duration=seconds, rates=rates).record()


def cut(record: Record, edges: np.ndarray) -> Iterator[Record]:
    """Hand a record over in parts that end at these fractions of it."""
    for low, high in pairwise(edges):
        channels = {}
        for name, signal in record.channels.items():
            n = len(signal.values)
            part = slice(round(low * n), round(high * n))
            start = signal.start + part.start / signal.sampling_rate
            values = signal.values[part]
            channels[name] = replace(signal, values=values, start=start)
        yield replace(record, channels=channels)


def _columns(beats: Beats) -> dict[str, np.ndarray]:
    columns = {"time": beats.time, "duration": beats.duration, "ppg": beats.ppg}
    return columns | dict(beats.features) | dict(beats.waves)


def streams(console: Console, records: dict[str, Record], *, quick: bool) -> None:
    """Print how far streamed beats are from those of the whole."""
    rng = np.random.default_rng(SEED)
    table = Table(title="beats of a stream against beats of the whole record")
    for head in ("record", "ways to cut", "largest difference", "rows, reasons"):
        table.add_column(head, justify="right")
    for name, record in records.items():
        whole = beats_of(record)
        worst, same, ways = 0.0, True, 5 if quick else 30
        for _ in range(ways):
            n = int(rng.integers(1, 200))
            edges = np.unique(np.round(rng.uniform(0.01, 0.99, n), 4))
            edges = np.concatenate([[0.0], edges, [1.0]])
            streamed = Beats.concatenate(list(beats_in(cut(record, edges))))
            same &= len(streamed) == len(whole)
            same &= np.array_equal(streamed.reason, whole.reason)
            found, wanted = _columns(streamed), _columns(whole)
            for key, values in wanted.items():
                same &= np.array_equal(np.isnan(found[key]), np.isnan(values))
                off = np.abs(found[key] - values)
                worst = max(worst, float(np.nanmax(off, initial=0.0)))
        table.add_row(name, str(ways), f"{worst:.1e}", "equal" if same else "DIFFERENT")
    table.caption = "bar: any chunk sizes, <= 1e-6"
    console.print(table)


def _torn(record: Record, rng: np.random.Generator) -> tuple[Record, float, float]:
    """Take samples away somewhere, from one channel or from all."""
    whole = record.signal("ppg")
    length = float(10.0 ** rng.uniform(-2.0, 0.9))
    begin = whole.start + float(rng.uniform(0.0, whole.duration - length))
    names = [n for n in (record.find(k) for k in ("ecg", "ppg", "abp")) if n]
    hit = names if rng.random() < 0.25 else [names[int(rng.integers(len(names)))]]
    channels = dict(record.channels)
    for name in hit:
        signal = channels[name]
        times = signal.times
        lost = (times >= begin) & (times < begin + length)
        channels[name] = replace(signal, values=np.where(lost, np.nan, signal.values))
    return replace(record, channels=channels), begin, begin + length


def gaps(console: Console, records: dict[str, Record], *, quick: bool) -> None:
    """Print what gaps change in the beats that lie further away than one beat."""
    rng = np.random.default_rng(SEED + 1)
    table = Table(title="gaps of 0.01 to 8 s anywhere, in one channel or in all")
    heads = ("record", "gaps", "beats compared", "beats lost", "changed > 1e-6")
    for head in (*heads, "largest change", "verdicts changed"):
        table.add_column(head, justify="right")
    count = (20 if quick else 1000) // len(records)
    for name, record in records.items():
        whole = beats_of(record)
        wanted = _columns(whole)
        compared = lost = changed = turned = 0
        worst = 0.0
        for _ in range(count):
            torn, begin, end = _torn(record, rng)
            found = beats_of(torn)
            # From the R peak of a beat to where the next pulse is sought last, and from
            # there one beat further.
            beat = max(np.nanmedian(whole.duration), REACH)
            peak = whole.features["r_peak"]
            low, high = peak - beat, peak + whole.features["rr"] + SOUGHT + beat
            far = (high < begin) | (low > end)
            far &= np.isfinite(whole.features["r_peak"])
            order = np.searchsorted(found.features["r_peak"], whole.features["r_peak"])
            near = np.stack(
                [np.clip(order + k, 0, len(found) - 1) for k in (-1, 0)], axis=1
            )
            off = np.abs(
                found.features["r_peak"][near] - whole.features["r_peak"][:, None]
            )
            match = near[np.arange(len(whole)), off.argmin(axis=1)]
            there = far & (off.min(axis=1) < 1e-3)
            lost += int((far & ~there).sum())
            compared += int(there.sum())
            turned += int((found.accepted[match] != whole.accepted)[there].sum())
            bad = np.zeros(len(whole), dtype=np.bool_)
            for key, values in _columns(found).items():
                change = np.abs(values[match] - wanted[key])
                one = np.isnan(values[match]) != np.isnan(wanted[key])
                change = np.where(one, np.inf, np.nan_to_num(change, nan=0.0))
                change = change.reshape(len(whole), -1).max(axis=1)
                bad |= there & (change > 1e-6)
                finite = change[there & np.isfinite(change)]
                worst = max(worst, float(finite.max(initial=0.0)))
            changed += int(bad.sum())
        table.add_row(
            *(name, str(count), f"{compared:,}", str(lost), str(changed)),
            *(f"{worst:.1e}", str(turned)),
        )
    table.caption = "bar: beyond one beat, unchanged to 1e-6, in 1,000 cases"
    console.print(table)


def free_gaps(console: Console, *, quick: bool) -> None:
    """Print what gaps change in pulses that are searched for without an ECG."""
    rng = np.random.default_rng(SEED + 2)
    train, rate, cases = _train(), RATES["ppg"], 20 if quick else 1000
    strips = [train.strip(k, duration=60.0, rates={"ppg": rate}) for k in range(4)]
    compared, changed, hit = 0, 0, 0
    for case in range(cases):
        wave = strips[case % 4].channels["ppg"].values.astype(np.float64)
        wave += wave.std() * 10**-0.5 * rng.standard_normal(len(wave))
        whole = find_pulses(wave, sampling_rate=rate).foot
        whole = whole[np.isfinite(whole)]
        length = float(10.0 ** rng.uniform(-2.0, 0.9))
        begin = float(rng.uniform(0.0, len(wave) / rate - length))
        wave[round(begin * rate) : round((begin + length) * rate) + 1] = np.nan
        found = find_pulses(wave, sampling_rate=rate).foot
        found = found[np.isfinite(found)]
        reach = float(np.median(np.diff(whole))) + REACH
        for one, other in ((whole, found), (found, whole)):
            far = one[(one < begin - reach) | (one > begin + length + reach)]
            off = np.abs(far[:, None] - other).min(axis=1, initial=np.inf) > 1e-6
            compared, changed = compared + len(far), changed + int(off.sum())
            hit += bool(off.any())
    console.print(
        f"pulses without an ECG, 10 dB white noise, {cases:,} gaps: {changed} of "
        f"{compared:,} feet changed by more than 1e-6 s, come or gone (in {hit} looks)"
    )


def report(console: Console, *, quick: bool, data: Path) -> None:
    """Print everything."""
    records = {"virtual, 120 s": _virtual(120.0)}
    sample = data / "wfdb_sample" / "mixedsignals.hea"
    if sample.exists():
        records["mixedsignals"] = capnet.read_record(sample.with_suffix(""))
    else:
        console.print(f"{sample} is not there: virtual records alone.")
    gaps(console, records, quick=quick)
    free_gaps(console, quick=quick)
    long = {"virtual, 25 min": _virtual(1500.0)}
    streams(console, long, quick=quick)
    day(console, quick=quick)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    default = os.environ.get("CAPNET_SHARED_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    given = parser.parse_args()
    report(Console(width=150), quick=given.quick, data=given.data)


if __name__ == "__main__":
    main()
