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
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from threading import Lock
from typing import Any, Final

import hydra
import numpy as np
import pandas as pd
from omegaconf import DictConfig

from capnet.errors import ConfigError, ProtocolError
from capnet.hemodynamics import (
    Clinic,
    Cohort,
    CuffModel,
    Episode,
    LinearSolver,
    Rhythm,
    Train,
    simulate,
)
from capnet.hemodynamics.blocks import in_blocks
from capnet.hemodynamics.cohort import stream
from capnet.hemodynamics.strips import MEASURED
from capnet.types import CuffSite
from experiments import build
from experiments.door import advance, door, folder, plain
from experiments.recording import (
    INFLATED,
    Readings,
    cuffs_frame,
    picture,
    summary,
    write_person,
)
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
    if not (every >= INFLATED and duration > INFLATED):
        msg = (
            f"cuff.every is {every:g} s and the record lasts {duration:g} s; a reading "
            f"takes {INFLATED:g} s, so that both must be longer. `cuff=null` records "
            "without."
        )
        raise ConfigError(msg)
    times = np.arange(INFLATED, duration, every).tolist()
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
