"""Figures of the table of features, each beside what it should be.

    python benchmarks/signal_features.py            # 40 virtual people
    python benchmarks/signal_features.py --quick    # 6 of them

Transit times go through `capnet.signal.transit` and `capnet.features` from the times
of fiducials that others found (``ptt_beats``, 15 people); respiration and variability
are held against what virtual people's hearts and lungs did; the table of a real record
shows what is lacking, and why.
"""

import argparse
import os
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from capnet.data.readers.wfdb import read_wfdb
from capnet.features import (
    FEATURES,
    feature_table,
    features_of,
    nonlinear,
    normal_intervals,
    pre_ejection,
    spectrum,
    variability,
)
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.sensors import Sensor
from capnet.hemodynamics.strips import Heartbeats
from capnet.hemodynamics.trains import Train
from capnet.records import Record, Signal
from capnet.signal.beats import beats_of
from capnet.signal.transit import pulse_arrival, pulse_transit

if TYPE_CHECKING:
    import pandas as pd

SEED: Final = 11
RATES: Final = {"ecg": 250.0, "ppg": 125.0}
DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data"


def report(console: Console, *, quick: bool, data: Path) -> None:
    """Print all figures.

    Args:
        console: Where to.
        quick: Fewer virtual people.
        data: Folder of reference data; sections that need it are left out without.
    """
    people = 6 if quick else 40
    fiducials = data / "ptt_beats" / "beats.csv.gz"
    if fiducials.is_file():
        transit_times(console, fiducials)
    else:
        console.print(f"No ptt_beats in {data}: transit times are left out.")
    virtual_people(console, people)
    header = data / "wfdb_sample" / "mixedsignals.hea"
    if header.is_file():
        patient = read_wfdb(header.with_suffix(""))
        breathing_of_people(console, patient, data)
        lacking(console, patient)
    else:
        console.print(f"No wfdb_sample in {data}: the real record is left out.")
    speed(console)


# Transit times from the fiducials of 15 people


def transit_times(console: Console, path: Path) -> None:
    """Reproduce arrival times, PEP and their relation with pressure."""
    import pandas as pd

    beats = pd.read_csv(path)
    parts = [_of_event(part) for _, part in beats.groupby(["subject", "event_no"])]
    rows = pd.concat(parts, ignore_index=True)
    table = Table(
        "ptt_beats: time, ms",
        *("rows", "known", "median", "mean +- SD", "facts", "reasons of the rest"),
        title=f"{beats['subject'].nunique()} people, {len(beats)} beats, finger cuff",
    )
    for name, wanted in [
        ("finger", "231 +- 26"),
        ("ear", "122"),
        ("toe", "232"),
        ("pep", "median 65"),
        ("ear to finger", "-"),
        ("ear to toe", "-"),
    ]:
        ms, why = 1e3 * rows[name], rows[f"{name} reason"]
        told = ", ".join(
            f"{reason} {count}"
            for reason, count in why[why != ""].value_counts().items()
        )
        table.add_row(
            *(name, str(len(ms)), f"{100 * ms.notna().mean():.1f} %"),
            *(f"{ms.median():.0f}", f"{ms.mean():.0f} +- {ms.std():.0f}", wanted, told),
        )
    console.print(table)
    _relation(console, rows)


def _of_event(part: "pd.DataFrame") -> "pd.DataFrame":
    """Arrival and transit times of one event of one person, one row an R peak."""
    import pandas as pd

    def seconds(column: str) -> np.ndarray:
        return np.asarray(part[column], dtype=np.float64) / 1e3

    peaks = seconds("ecg_R_ms")
    feet = {name: seconds(f"ppg_{name}_foot_ms") for name in ("finger", "ear", "toe")}
    found = {name: pulse_arrival(peaks, times) for name, times in feet.items()}
    found["pep"] = pre_ejection(peaks, seconds("icg_Bpoint_ms"))
    found["ear to finger"] = pulse_transit(feet["ear"], feet["finger"])
    found["ear to toe"] = pulse_transit(feet["ear"], feet["toe"])
    columns: dict[str, object] = {
        "subject": np.asarray(part["subject"]),
        "event": np.asarray(part["event_no"]),
        "kind": np.asarray(part["event"]),
        "sbp": np.asarray(part["sbp_mmHg"]),
    }
    for name, answer in found.items():
        columns |= {name: answer.seconds, f"{name} reason": answer.reason}
    return pd.DataFrame(columns)


EVENTS: Final = {
    "BL": "rest",
    "CP": "cold pressor",
    "MA": "mental arithmetic",
    "PE": "exercise",
    "SB": "slow breathing",
}


def _relation(console: Console, rows: "pd.DataFrame") -> None:
    """Finger PAT, and how it goes with the finger cuff's SBP within each person.

    The facts (231 +- 26 ms, median correlation -0.41) do not name their beats; the
    table shows what each choice of beats gives.
    """
    known = rows[rows["finger"].notna() & rows["sbp"].notna()]
    table = Table(
        *("beats", "n", "people", "finger PAT, ms", "corr with SBP: median, quartiles"),
        title="facts: 231 +- 26 ms, -0.41",
    )

    def add(name: str, chosen: "pd.DataFrame", unit: list[str]) -> None:
        groups = [one for _, one in chosen.groupby(unit) if len(one) > 9]
        if name.startswith("medians"):
            groups = [
                one.groupby("event")[["finger", "sbp"]].median()
                for _, one in chosen.groupby("subject")
            ]
        found = np.array([one["finger"].corr(one["sbp"]) for one in groups])
        low, middle, high = np.nanpercentile(found, [25, 50, 75])
        ms = 1e3 * chosen["finger"]
        table.add_row(
            *(name, str(len(ms)), str(chosen["subject"].nunique())),
            f"{ms.mean():.1f} +- {ms.std():.1f}",
            f"{middle:.2f}, {low:.2f} to {high:.2f}",
        )

    add("all", known, ["subject"])
    add("those that have a toe foot, too", known[known["toe"].notna()], ["subject"])
    for kind, name in EVENTS.items():
        add(name, known[known["kind"] == kind], ["subject"])
    add("within one event", known, ["subject", "event"])
    add("medians of events", known, ["subject"])
    console.print(table)


# Virtual people


def virtual_people(console: Console, people: int) -> None:
    """Hold respiration and variability against what virtual people did."""
    table = Table(
        "virtual people",
        *("rows", "known", "error: median", "90th centile", "worst"),
        title=f"{people} people, 10 min each, seed {SEED}",
    )
    cohort = Cohort.sample(people, seed=SEED)
    for name, sensor in [("clean PPG", None), ("finger sensor", Sensor.clinic())]:
        train = Train.draw(cohort, seed=SEED, sensor=sensor)
        breaths, rhythms = [], []
        for row in range(people):
            strip = train.strip(row, duration=600.0, rates=RATES)
            features = feature_table(strip.record())
            breaths += _breaths(features, strip.beats)
            rhythms += _rhythms(features, strip.beats)
        _errors(table, f"respiration, 1/min, {name}", np.array(breaths))
        for column, measure in enumerate(("SDNN, ms", "RMSSD, ms", "LF / HF, %")):
            _errors(table, f"{measure}, {name}", np.array(rhythms)[:, column])
    console.print(table)
    console.print(
        "Rates: breaths in each minute. Variability: the same measures of the true R "
        "peaks, no beat refused but ectopic ones and their neighbours."
    )


def _breaths(features: "pd.DataFrame", truth: Heartbeats) -> list[float]:
    """Estimated minus true breaths of each minute."""
    phase = np.unwrap(2.0 * np.pi * truth.respiration) / (2.0 * np.pi)
    errors = []
    for minute in range(10):
        ends = np.interp([60.0 * minute, 60.0 * (minute + 1)], truth.r_peak, phase)
        rows = features["respiration"][features["time"] // 60.0 == minute]
        errors.append(
            float(rows.iloc[0] - (ends[1] - ends[0])) if len(rows) else np.nan
        )
    return errors


def _rhythms(features: "pd.DataFrame", truth: Heartbeats) -> list[list[float]]:
    """Errors of SDNN, RMSSD (ms) and LF / HF (%) of both segments."""
    rr = np.diff(truth.r_peak)
    odd = truth.ectopic[1:] | truth.ectopic[:-1]
    errors = []
    for segment in range(2):
        inside = truth.r_peak[:-1] // 300.0 == segment
        rows = features[features["time"] // 300.0 == segment]
        if not len(rows):
            continue
        domain = variability(rr[inside], ~odd[inside])
        lines = spectrum(rr[inside], ~odd[inside])
        found = rows.iloc[0]
        ratio = 100.0 * (found["lf_hf"] / lines.lf_hf - 1.0)
        errors.append(
            [found["sdnn"] - domain.sdnn, found["rmssd"] - domain.rmssd, ratio]
        )
    return errors


def _errors(table: Table, name: str, errors: np.ndarray) -> None:
    size = np.abs(errors[np.isfinite(errors)])
    share = f"{100.0 * np.isfinite(errors).mean():.0f} %"
    if not len(size):
        table.add_row(name, str(len(errors)), share, "-", "-", "-")
        return
    table.add_row(
        *(name, str(len(errors)), share, f"{np.median(size):.2f}"),
        *(f"{np.percentile(size, 90):.2f}", f"{size.max():.2f}"),
    )


# Real records


def breathing_of_people(console: Console, patient: Record, data: Path) -> None:
    """Hold respiration from PPG and ECG against the breaths counted in a channel."""
    import pandas as pd

    records = [patient]
    for path in sorted((data / "bidmc_sample").glob("*_Signals.csv")):
        frame = pd.read_csv(path, skipinitialspace=True)
        units = {"II": "mV", "PLETH": "NU", "RESP": "NU"}
        subject = path.stem.removesuffix("_Signals")
        records.append(
            Record.from_frame(frame, sampling_rate=125.0, units=units, subject=subject)
        )
    table = Table(
        *("minute", "channel, 1/min", "PPG and ECG, 1/min", "why not"),
        title="respiration of patients",
    )
    for record in records:
        features = feature_table(record)
        for minute, rows in features.groupby(features["time"] // 60.0):
            row = rows.iloc[0]
            table.add_row(
                f"{record.subject} {minute:.0f}",
                f"{row['respiration_channel']:.1f}",
                f"{row['respiration']:.1f}",
                f"{row['respiration_channel_reason']}{row['respiration_reason']}",
            )
    console.print(table)


def lacking(console: Console, record: Record) -> None:
    """Print the median of every feature, how much of it is lacking, and why."""
    features = feature_table(record)
    refused = ~features["accepted"]
    table = Table(
        *("feature", "unit", "median", "NaN", "reasons of accepted beats"),
        title=f"{record.subject}: {len(features)} beats, {int(refused.sum())} refused",
    )
    for feature in FEATURES:
        values = features[feature.name]
        why = features[f"{feature.group}_reason"][~refused]
        told = ", ".join(
            f"{reason} {count}"
            for reason, count in why[why != ""].value_counts().head(2).items()
        )
        median = f"{values.median():.4g}" if values.notna().any() else "-"
        share = f"{100.0 * values.isna().mean():.0f} %"
        table.add_row(feature.name, feature.unit, median, share, told)
    console.print(table)


# Speed


def _hour() -> Record:
    """An hour of a virtual person with every channel that features want."""
    train = Train.draw(Cohort.sample(2, seed=SEED), seed=SEED)
    record = train.record(0, duration=3600.0, rates=RATES | {"abp": 125.0})
    channels = dict(record.channels)
    volume = channels["ppg"].values.astype(np.float64)
    light = np.exp(-0.02 * (volume - volume.min()))
    second = np.arange(0.0, 3600.0, 0.04)
    channels |= {
        "red": Signal(light**0.6, 125.0, "NU"),
        "ir": Signal(light, 125.0, "NU"),
        "icg": Signal(volume, 125.0, "Ohm/s"),
        "resp": Signal(np.sin(2.0 * np.pi * 0.25 * second), 25.0, "NU"),
    }
    return Record(record.subject, channels)


def speed(console: Console) -> None:
    """Print processor time of each part, s per hour of record."""
    record = _hour()
    feature_table(record, near="abp", far="ppg")  # what is compiled and loaded first

    def timed(part: Record, **asked: str) -> float:
        begun = time.process_time()
        feature_table(part, **asked)
        return time.process_time() - begun

    def of(*names: str) -> Record:
        return Record(record.subject, {name: record.channels[name] for name in names})

    base = ("ecg", "ppg")
    begun = time.process_time()
    beats = beats_of(of(*base))
    cut = time.process_time() - begun
    begun = time.process_time()
    features_of(beats)
    of_beats = time.process_time() - begun
    rr = beats.features["rr"]
    half = (beats.time < 1800.0) & (beats.time >= 1500.0)
    accepted = normal_intervals(rr) & half
    table = Table("processor time for an hour of record", "s", "24 h, s")
    whole = timed(of(*base))
    rows = {
        "beats_of: ECG 250 Hz, PPG 125 Hz": cut,
        "features of beats (hr, pat, widths, variability)": of_beats,
    }
    for measure in (variability, spectrum, nonlinear):
        begun = time.process_time()
        for _ in range(12):
            measure(rr[half], accepted[half])
        rows[f"  of that {measure.__name__}"] = time.process_time() - begun
    rows["  (neurokit2.hrv_nonlinear, all of its numbers)"] = _peer(rr[half])
    rows["shape, respiration and the rest of ECG and PPG"] = whole - cut - of_beats
    rows["arterial pressure (its beats included)"] = timed(of(*base, "abp")) - whole
    rows["transit time ABP to PPG"] = timed(
        of(*base, "abp"), near="abp", far="ppg"
    ) - timed(of(*base, "abp"))
    rows["impedance cardiogram, PEP"] = timed(of(*base, "icg")) - whole
    rows["respiration channel"] = timed(of(*base, "resp")) - whole
    rows["red and infrared"] = timed(of(*base, "red", "ir")) - whole
    rows["all of the above"] = timed(record, near="abp", far="ppg")
    for name, value in rows.items():
        table.add_row(name, f"{value:.2f}", f"{24.0 * value:.1f}")
    console.print(table)
    console.print("Differences of two runs are as good as the machine is quiet.")


def _peer(rr: np.ndarray) -> float:
    """Return the time that neurokit2 takes for all nonlinear measures, 12 segments."""
    import neurokit2 as nk

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        begun = time.process_time()
        for _ in range(3):
            nk.hrv_nonlinear({"RRI": 1e3 * rr, "RRI_Time": np.cumsum(rr)})
        return 4.0 * (time.process_time() - begun)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer virtual people")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("CAPNET_SHARED_DATA", DATA)),
        help="folder of reference data",
    )
    asked = parser.parse_args()
    report(Console(width=150), quick=asked.quick, data=asked.data)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    _main()
