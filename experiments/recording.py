"""What is left of a recorded person: waves, annotations, tables, a picture.

Waves go to WFDB piece by piece, so that days need no more memory than minutes; true
pressure and the truth of every beat lie in a folder of their own.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from capnet.data.writers.records import RecordWriter
from capnet.errors import ConfigError
from capnet.hemodynamics import Strip, Train
from capnet.hemodynamics.cuffs import CuffDraw, apply_cuff
from capnet.hemodynamics.strips import MEASURED
from capnet.prediction import DISCLAIMER
from capnet.types import CuffSite

__all__ = [
    "INFLATED",
    "Readings",
    "beats_frame",
    "cuffs_frame",
    "picture",
    "summary",
    "variability_got",
    "write_person",
]

INFLATED: Final = 30.0
"""s that a cuff takes; it reads the mean level of the beats meanwhile, which is an
assumption, and shows it at the end."""
_PIECE: Final = 600.0
"""s of a record that are held at once, at most; pieces are equal, so that none is so
short that it has no sample."""
_SHOWN: Final = 10.0
"""s of waves in the picture."""


@dataclass(frozen=True)
class Readings:
    """Cuff readings of everybody.

    Attributes:
        site: Where the cuff is.
        times: When a reading is shown, s.
        draws: The errors of each reading, one row a person.
    """

    site: CuffSite
    times: tuple[float, ...]
    draws: tuple[CuffDraw, ...]


def beats_frame(strip: Strip, train: Train) -> pd.DataFrame:
    """Return what is true of the beats of a strip, one row a beat.

    Times in s, pressures in mmHg (of the PPG pulse heights), stroke volume in ml;
    tone, ejection and level are parts of those at rest.
    """
    beats = strip.beats
    names = np.array(train.episodes.names, dtype=object)
    begin, _, end, fall = train.episodes.times.T
    on = (beats.onset[:, None] > begin) & (beats.onset[:, None] < end + fall)
    columns: dict[str, Any] = {
        "onset": beats.onset,
        "r_peak": beats.r_peak,
        "label": beats.label,
        "state": [" + ".join(names[row]) or "rest" for row in on],
        "rr": beats.interval,
        "pep": beats.onset - beats.r_peak,
        "respiration": beats.respiration % 1.0,
        "stroke_volume": beats.volume,
        "tone": beats.tone,
        "ejection": beats.ejection,
        "level": beats.level,
    }
    for row, site in enumerate(beats.sites):
        words = _PPG if site == "ppg" else _PRESSURE
        found = beats.foot, beats.systolic, beats.diastolic, beats.mean
        columns |= {
            f"{site}_{word}": values[row]
            for word, values in zip(words, found, strict=True)
        }
    return pd.DataFrame(columns)


_PRESSURE: Final = ("foot", "sbp", "dbp", "map")
_PPG: Final = ("foot", "top", "bottom", "mean")


def write_person(
    train: Train,
    row: int,
    out: Path,
    *,
    duration: float,
    rates: Mapping[str, float],
    cuff: Readings | None,
    played: Callable[[float], None],
) -> tuple[pd.DataFrame, Strip]:
    """Write one person's record and truth, piece by piece.

    Args:
        train: Everybody.
        row: Whose.
        out: Folder of the run.
        duration: s.
        rates: Hz by channel.
        cuff: Says where its levels are wanted.
        played: Called with the duration of each piece, s.

    Returns:
        Of each beat what a summary needs, and the first piece.
    """
    name = f"virtual-{train.cohort.index[row]}"
    said = [f"virtual person, age {train.cohort.age[row]:.0f}. {DISCLAIMER}"]
    true = [channel for channel in rates if channel not in MEASURED]
    arm = [] if cuff is None else [f"{cuff.site}_{word}" for word in ("sbp", "dbp")]
    wanted = _KEPT.union(arm)
    piece = max(1.0, duration / max(math.ceil(duration / _PIECE), 1))
    kept: list[pd.DataFrame] = []
    first: Strip | None = None
    with ExitStack() as stack:
        monitor = stack.enter_context(
            RecordWriter(out / "records" / name, comments=said)
        )
        table = stack.enter_context(_table(out / "truth" / f"{name}_beats.csv"))
        if true:
            truth = stack.enter_context(
                RecordWriter(out / "truth" / name, comments=said)
            )
        for strip in train.strips(row, duration=duration, rates=rates, strip=piece):
            monitor.add(strip.record().channels)
            seen = strip.beats.r_peak >= 0.0  # the first may lie before the record
            monitor.annotate(strip.beats.r_peak[seen], strip.beats.label[seen])
            if true:
                truth.add({channel: strip.channels[channel] for channel in true})
            frame = beats_frame(strip, train)
            frame.to_csv(table, index=False, header=not kept, float_format="%.4f")
            first = strip if first is None else first
            kept.append(frame[[c for c in frame if c in wanted]].astype(_BRIEF))
            played(strip.duration)
    if first is None:
        msg = f"a record of {duration:g} s has no piece; wanted more than 0 s."
        raise ConfigError(msg)
    return pd.concat(kept, ignore_index=True).astype(_BRIEF), first


_KEPT: Final = {
    *("onset", "label", "state", "rr", "respiration"),
    *("aortic_root_sbp", "aortic_root_dbp", "aortic_root_map"),
}
"""Columns that are looked at again once they are on disk, but for the cuff's."""
_BRIEF: Final = {"label": "category", "state": "category"}


@contextmanager
def _table(path: Path) -> Iterator[IO[str]]:
    """Write a text file piece by piece; it is there when all of it is."""
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def cuffs_frame(beats: pd.DataFrame, cuff: Readings, person: int) -> pd.DataFrame:
    """Return what a cuff shows and what it should have shown, mmHg.

    Args:
        beats: One row a beat.
        cuff: Of everybody.
        person: Index in the cohort.
    """
    rows = []
    for time, draw in zip(cuff.times, cuff.draws, strict=True):
        meanwhile = beats["onset"].between(time - INFLATED, time, inclusive="left")
        levels = beats.loc[meanwhile, [f"{cuff.site}_sbp", f"{cuff.site}_dbp"]]
        sbp, dbp = (np.array([level]) for level in levels.mean())
        shown = apply_cuff(sbp, dbp, draw.take(np.array([person])), site=cuff.site)[0]
        rows.append((time, shown[0], shown[1], sbp[0], dbp[0]))
    columns = ["time", "sbp", "dbp", "true_sbp", "true_dbp"]
    return pd.DataFrame(rows, columns=columns).assign(site=cuff.site)


def variability_got(beats: pd.DataFrame) -> tuple[float, float]:
    """Return SDNN and the amplitude of sinus arrhythmia at rest, ms.

    From intervals between neighbouring sinus beats; arrhythmia by least squares on the
    phase of breathing at the beat before, on which the next interval depends. NaN
    where ten such intervals are not to be had.
    """
    sinus = (beats["label"] == "N").to_numpy()
    rest = (beats["state"] == "rest").to_numpy()
    both = sinus[1:] & sinus[:-1] & rest[1:] & rest[:-1]
    found = 1e3 * beats["rr"].to_numpy()[1:][both]
    if len(found) < _LEAST:
        return math.nan, math.nan
    angle = 2.0 * np.pi * beats["respiration"].to_numpy()[:-1][both]
    table = np.stack([np.ones(len(found)), np.sin(angle), np.cos(angle)], axis=1)
    _, sine, cosine = np.linalg.lstsq(table, found)[0]
    return float(found.std(ddof=1)), float(np.hypot(sine, cosine))


_LEAST: Final = 10
"""Intervals that variability is read from."""


def summary(
    train: Train, row: int, beats: pd.DataFrame, *, duration: float
) -> dict[str, Any]:
    """Return one person's row of the summary: what was asked for and what came."""
    drawn, rest = train.rhythm, beats[beats["state"] == "rest"]
    sdnn, rsa = variability_got(beats)
    odd = (beats["label"] == "V").sum()
    said: dict[str, Any] = {
        "subject": f"virtual-{train.cohort.index[row]}",
        "age": train.cohort.age[row],
        "duration_s": duration,
        "beats": len(beats),
        "rest_beats": len(rest),
        "sdnn_asked_ms": 1e3 * drawn.sdnn[row],
        "sdnn_got_ms": sdnn,
        "rsa_asked_ms": 1e3 * drawn.rsa[row],
        "rsa_got_ms": rsa,
        "ectopic_asked_per_h": drawn.ectopic_rate[row],
        "ectopic_got_per_h": 3600.0 * odd / duration,
        "hr_rest": 60.0 / rest["rr"].mean(),
        "hr": 60.0 / beats["rr"].mean(),
    }
    for word in ("sbp", "dbp", "map"):
        said[f"aortic_{word}_rest"] = rest[f"aortic_root_{word}"].mean()
        said[f"aortic_{word}"] = beats[f"aortic_root_{word}"].mean()
    if train.sensor is not None:
        said["sensor_contact"] = train.sensor.contact[row]
    if train.catheter is not None:
        said["line_natural_hz"] = train.catheter.natural[row]
        said["line_damping"] = train.catheter.damping[row]
        said["line_offset_mmhg"] = train.catheter.offset[row]
    return said


def picture(strip: Strip, beats: pd.DataFrame, cuffs: pd.DataFrame | None) -> Figure:
    """Draw a person's first seconds, and central pressure and heart rate throughout."""
    names = [*strip.channels]
    figure = Figure(figsize=(10.0, 1.5 * len(names) + 4.5), layout="constrained")
    heights = [1.0] * len(names) + [1.6, 1.0]
    panels = figure.subplots(len(heights), 1, height_ratios=heights)
    for ax, (name, signal) in zip(panels, strip.channels.items(), strict=False):
        shown = signal.times < _SHOWN
        ax.plot(signal.times[shown], signal.values[shown], linewidth=0.8)
        ax.set_ylabel(f"{name.replace('_', ' ')}\n({signal.unit})")
        ax.sharex(panels[0])
    pressure, rate = panels[-2:]
    rate.sharex(pressure)
    for word, colour in (("sbp", "#b2182b"), ("map", "#666666"), ("dbp", "#2166ac")):
        values = beats[f"aortic_root_{word}"]
        pressure.plot(
            *(beats["onset"], values), linewidth=0.6, color=colour, label=f"true {word}"
        )
    if cuffs is not None:
        for word, mark in (("sbp", "v"), ("dbp", "^")):
            label = f"{cuffs['site'][0]} cuff {word}"
            pressure.plot(cuffs["time"], cuffs[word], f"k{mark}", ms=4, label=label)
    pressure.set_ylabel("aorta (mmHg)")
    pressure.legend(fontsize=7, ncols=5, frameon=False)
    odd = beats["label"] == "V"
    rate.plot(beats["onset"], 60.0 / beats["rr"], linewidth=0.6)
    rate.plot(beats["onset"][odd], 60.0 / beats["rr"][odd], "x", ms=4, label="ectopic")
    rate.set_ylabel("heart rate\n(/min)")
    rate.legend(fontsize=7, frameon=False)
    for ax in (pressure, rate):
        for state, rows in beats[beats["state"] != "rest"].groupby(
            "state", observed=True
        ):
            begin, end = rows["onset"].min(), rows["onset"].max()
            ax.axvspan(begin, end, color="#cccccc", alpha=0.4, linewidth=0)
            if ax is rate:
                ax.text(begin, ax.get_ylim()[1], f" {state}", va="top", fontsize=8)
    figure.suptitle(f"{strip.subject}, age {strip.age:.0f} (simulated)", fontsize=10)
    figure.supxlabel(f"time, s. {DISCLAIMER}", fontsize=8)
    return figure


# The door
