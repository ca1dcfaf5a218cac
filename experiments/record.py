"""Record virtual people for minutes or days: what a monitor shows, and what is true.

``python experiments/record.py people=4 duration=3600
episodes=[{name:exercise,start:600,duration:900}]`` leaves in the folder of the run

- ``records/<person>.hea`` with ``.dat`` and ``.atr``: ECG, PPG and arterial line in
  WFDB, R peaks annotated N (sinus) or V (ectopic), as far as the flow of the beat
  begins within the record; ``records/<person>_cuffs.csv``: what a cuff read meanwhile;
- ``truth/<person>.hea``: true pressure by site; ``truth/<person>_beats.csv``: one row a
  beat;
- record.png (the first person), summary.csv, cohort.npz and, if anybody was left out,
  dropped.csv.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Lock
from typing import IO, Any, Final

import hydra
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from omegaconf import DictConfig

from capnet.data.writer import RecordWriter
from capnet.errors import ConfigError, ProtocolError
from capnet.hemodynamics import (
    Clinic,
    Cohort,
    CuffModel,
    Episode,
    LinearSolver,
    Rhythm,
    Strip,
    Train,
    simulate,
)
from capnet.hemodynamics.blocks import in_blocks
from capnet.hemodynamics.cohort import stream
from capnet.hemodynamics.cuffs import CuffDraw, apply_cuff
from capnet.hemodynamics.strips import MEASURED
from capnet.prediction import DISCLAIMER
from capnet.types import CuffSite
from experiments import build
from experiments.door import advance, door, folder, plain
from experiments.results import save_csv

_log = logging.getLogger(__name__)

_EPISODES: Final[Mapping[str, Callable[[float, float], Episode]]] = {
    "exercise": Episode.exercise,
    "cold_pressor": Episode.cold_pressor,
    "vasopressor": Episode.vasopressor,
    "nitroglycerin": Episode.nitroglycerin,
    "standing": Episode.standing,
    "sleep": Episode.sleep,
}
_SITES: Final[Mapping[str, CuffSite]] = {"brachial": "brachial", "radial": "radial"}
_INFLATED: Final = 30.0
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


# From settings to objects


def rhythm(given: Any) -> Rhythm:
    """Build a rhythm from a word (usual, regular) or from its settings.

    Raises:
        ConfigError: If a word or setting is unknown or out of its range.
    """
    words = {"usual": Rhythm, "regular": Rhythm.regular}
    if isinstance(given, str) and given in words:
        return words[given]()
    known = {part.name: part.default for part in fields(Rhythm)}
    if not isinstance(given, dict) or not set(given) <= set(known):
        msg = (
            f"rhythm is {given!r}; wanted one of {', '.join(words)}, or settings among "
            f"{', '.join(known)}."
        )
        raise ConfigError(msg)
    parts: dict[str, Any] = {}
    for name, value in given.items():
        where = f"rhythm.{name}"
        if isinstance(known[name], tuple):
            if not isinstance(value, list) or len(value) != 2:
                msg = f"{where} is {value!r}; wanted [low, high]."
                raise ConfigError(msg)
            parts[name] = tuple(_number(end, where) for end in value)
        else:
            parts[name] = _number(value, where)
    return Rhythm(**parts)


def episodes(given: Any, *, duration: float) -> list[Episode]:
    """Build episodes from their names, starts and durations (s).

    Raises:
        ConfigError: If one is unknown, incomplete, or begins after the record.
    """
    wanted = {"name", "start", "duration"}
    if not isinstance(given, list):
        msg = f"episodes is {given!r}; wanted a list of mappings."
        raise ConfigError(msg)
    made = []
    for settings in given:
        if not isinstance(settings, dict) or set(settings) != wanted:
            msg = f"episode {settings!r}; wanted name, start and duration."
            raise ConfigError(msg)
        name = settings["name"]
        if str(name) not in _EPISODES:
            msg = f"episode {name!r} is unknown; there are {', '.join(_EPISODES)}."
            raise ConfigError(msg)
        start, length = (
            _number(settings[key], f"episode {name}.{key}")
            for key in ("start", "duration")
        )
        if start >= duration:
            msg = f"episode {name!r} begins at {start:g} s; the record ends before."
            raise ConfigError(msg)
        made.append(_EPISODES[name](start, length))
    return made


def rates(given: Any) -> dict[str, float]:
    """Return sampling rates by channel; those that are null are left out.

    Raises:
        ConfigError: If one is no number, or no channel of a monitor is left.
    """
    if not isinstance(given, dict):
        msg = f"rates is {given!r}; wanted a mapping of channels to Hz."
        raise ConfigError(msg)
    found = {
        name: _number(rate, f"rates.{name}")
        for name, rate in given.items()
        if rate is not None
    }
    if not set(found) & set(MEASURED):
        msg = (
            f"rates has {', '.join(found) or 'nothing'}; wanted one or more of "
            f"{', '.join(MEASURED)}."
        )
        raise ConfigError(msg)
    return found


def instruments(given: Mapping[str, Any]) -> Clinic:
    """Build sensor, catheter and cuff as those of a clinic, by word or by numbers.

    Raises:
        ConfigError: If a word or setting is unknown or out of its range.
    """
    cuff, wanted = given["cuff"], {"model", "site", "every"}
    if cuff is not None and (not isinstance(cuff, dict) or set(cuff) != wanted):
        msg = f"cuff is {cuff!r}; wanted null, or model, site and every."
        raise ConfigError(msg)
    parts = {
        "sensor": "source" if given["sensor"] is None else given["sensor"],
        "catheter": "perfect" if given["catheter"] is None else given["catheter"],
        "cuff": "exact" if cuff is None else cuff["model"],
    }
    for name, value in parts.items():
        if not isinstance(value, str | dict):
            msg = f"{name} is {value!r}; wanted a word or a mapping of settings."
            raise ConfigError(msg)
    nobody = {"name": "record", "population": "usual", "n": 1, "seed": 0}
    return build.clinic({**nobody, **parts, "pep_mean": 0.1, "pep_sd": 0.0})


def readings(
    given: Any, model: CuffModel, *, duration: float, n: int, seed: int
) -> Readings | None:
    """Draw the errors of all cuff readings; the first ones do not depend on the rest.

    Raises:
        ConfigError: If the site is unknown or readings would overlap.
    """
    if given is None:
        return None
    site, every = given["site"], _number(given["every"], "cuff.every")
    if str(site) not in _SITES:
        msg = f"cuff.site is {site!r}; wanted one of {', '.join(_SITES)}."
        raise ConfigError(msg)
    if not _INFLATED <= every <= duration - _INFLATED:
        msg = (
            f"cuff.every is {every:g} s and the record lasts {duration:g} s; a reading "
            f"takes {_INFLATED:g} s, and wanted are two or more. `cuff=null` records "
            "without."
        )
        raise ConfigError(msg)
    times = np.arange(_INFLATED, duration, every).tolist()
    draws = (
        model.draw(
            n,
            stream(seed, "record", "cuff", f"reading {k}"),
            person=stream(seed, "record", "cuff", "person"),
        )
        for k in range(len(times))
    )
    return Readings(_SITES[site], tuple(times), tuple(draws))


def _number(value: Any, where: str) -> float:
    build.check_number(value, float, where=where)
    return float(value)


# What is left of a person


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
        meanwhile = beats["onset"].between(time - _INFLATED, time, inclusive="left")
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


_TOLD: Final = [
    *("subject", "age", "beats", "sdnn_asked_ms", "sdnn_got_ms", "rsa_asked_ms"),
    *("rsa_got_ms", "hr_rest", "hr", "aortic_sbp_rest", "aortic_sbp"),
]
"""Columns of the summary that fit on a screen."""


def plausible_people(cohort: Cohort, out: Path) -> Cohort:
    """Leave out those who could not be real, and say who and why.

    Raises:
        ProtocolError: If nobody is left.
    """
    sites = ("aortic_root", "brachial")
    waves = simulate(cohort, LinearSolver(), sites=sites, sampling_rate=500.0)
    found = waves.plausible()
    if not found.kept.any():
        msg = f"nobody is left of {len(cohort)} people: {found!r}. Change the cohort."
        raise ProtocolError(msg)
    if not found.kept.all():
        _log.info("left out: %r", found)
        who = {"index": cohort.index, "age": cohort.age, "reason": found.reason}
        save_csv(pd.DataFrame(who)[~found.kept], out / "dropped.csv")
    return cohort.take(found.kept)


@hydra.main(version_base="1.3", config_path="../configs", config_name="record")
@door
def main(cfg: DictConfig) -> None:
    """Draw people, let them live, and write down what is seen and what is true."""
    given = plain(cfg)
    duration = _number(given["duration"], "duration")
    wanted, asked = rates(given["rates"]), given["people"]
    if asked is not None:
        build.whole(asked, least=1, where="people")
    hearts = rhythm(given["rhythm"])
    happens = episodes(given["episodes"], duration=duration)
    tools = instruments(given)
    drawn = build.cohort(given["cohort"]).take(slice(asked))
    n = int(drawn.index.max()) + 1
    cuff = readings(given["cuff"], tools.cuff, duration=duration, n=n, seed=cfg.seed)
    out = folder()
    sites = [name for name in wanted if name not in MEASURED]
    sites += [] if cuff is None else [cuff.site]
    cohort = plausible_people(drawn, out)
    train = Train.draw(
        cohort,
        seed=cfg.seed,
        rhythm=hearts,
        episodes=happens,
        sensor=None if given["sensor"] is None else tools.sensor,
        catheter=None if given["catheter"] is None else tools.catheter,
        sites=sites,
    )
    print(train)
    found: dict[int, dict[str, Any]] = {}
    lock, done = Lock(), 0.0
    title = f"recording {len(train)} people for {duration:g} s"
    with advance(title, show=cfg.progress) as bar:

        def played(seconds: float) -> None:
            nonlocal done
            with lock:
                done += seconds
                bar(round(done), round(len(train) * duration))

        def work(rows: slice) -> None:
            row = rows.start
            beats, begun = write_person(
                *(train, row, out),
                duration=duration,
                rates=wanted,
                cuff=cuff,
                played=played,
            )
            found[row] = summary(train, row, beats, duration=duration)
            person, cuffs = int(cohort.index[row]), None
            if cuff is not None:
                cuffs = cuffs_frame(beats, cuff, person)
                name = f"virtual-{person}_cuffs.csv"
                save_csv(
                    cuffs.drop(columns=["true_sbp", "true_dbp"]).round(1),
                    out / "records" / name,
                )
                save_csv(cuffs.round(2), out / "truth" / name)
            if row == 0:
                picture(begun, beats, cuffs).savefig(out / "record.png", dpi=120)

        for _ in in_blocks(work, len(train), size=1):
            pass
    cohort.save(out / "cohort.npz")
    frame = pd.DataFrame([found[row] for row in range(len(train))])
    save_csv(frame.round(3), out / "summary.csv")
    print(frame[_TOLD].round(1).to_string(index=False))
    path = out / "records" / f"{frame['subject'][0]}.hea"
    _log.info("to estimate: experiments/pipeline.py data=wfdb data.record=%s", path)
    print(path)


if __name__ == "__main__":
    main()
