"""Simulate virtual people: how their arteries pulse, by age, beside real people.

``python experiments/simulate.py cohort.n=4374 solver=linear`` leaves cohort.npz,
waves.nc, waves.png, summary.csv, summary.json and, if anybody was left out, dropped.csv
in the folder of the run. ``cohort=pwdb cohort.folder=...`` and ``cohort=yaml
cohort.path=...`` take people from elsewhere.
"""

import json
import logging

import hydra
import numpy as np
import pandas as pd
from omegaconf import DictConfig

from capnet.errors import ProtocolError
from capnet.hemodynamics import Waves, simulate
from capnet.hemodynamics.simulation import prepare
from capnet.prediction import DISCLAIMER
from experiments import build
from experiments.ages import SOURCES, printed, summary, waves_by_age
from experiments.door import advance, console, door, folder, plain
from experiments.results import save_csv, save_json

_log = logging.getLogger(__name__)


def left_out(waves: Waves, *, plausible: bool) -> np.ndarray:
    """Say of everybody why they are left out; empty for those who stay.

    A protocol that stops at a given time leaves hardly anybody converged: there only
    those without finite waves are left out.
    """
    lost = ~waves.converged if waves.settles else waves.failed
    reason = np.where(lost, waves.reason, "")
    if plausible and {"aortic_root", "brachial"} <= set(waves.sites):
        reason = np.where(reason == "", waves.plausible().reason, reason)
    elif plausible:
        _log.warning(
            "nobody was held against what is plausible: that needs aortic_root and "
            "brachial, and there are %s",
            ", ".join(waves.sites),
        )
    return reason


@hydra.main(version_base="1.3", config_path="../configs", config_name="simulate")
@door
def main(cfg: DictConfig) -> None:
    """Draw or read people, simulate them, and show them by age."""
    given = plain(cfg)
    plausible = build.flag(given["plausible"], where="plausible")
    build.check_number(given["sampling_rate"], float, where="sampling_rate")
    named = given["sites"]
    if named is not None:
        build.words(named, where="sites")
    solver = build.solver(given["solver"])
    cohort = build.cohort(given["cohort"])
    _, sites = prepare(cohort, solver, named, cfg.sampling_rate)
    title = f"simulating {len(cohort)} people"
    with advance(title, show=cfg.progress) as bar:
        waves = simulate(
            cohort, solver, sites, sampling_rate=cfg.sampling_rate, progress=bar
        )
    reason = left_out(waves, plausible=plausible)
    kept = waves.take(reason == "")
    words, counts = np.unique(reason[reason != ""], return_counts=True)
    dropped = dict(zip(words.tolist(), counts.tolist(), strict=True))
    _log.info("kept %d of %d people", len(kept), len(waves))
    for word, count in dropped.items():
        _log.info("left out %d: %s", count, word)
    if not len(kept):
        msg = f"nobody is left of {len(waves)} people: {dropped}. Change the cohort."
        raise ProtocolError(msg)
    out = folder()
    kept.cohort.save(out / "cohort.npz")
    kept.save(out / "waves.nc")
    waves_by_age(kept).savefig(out / "waves.png", dpi=150)
    if dropped:
        who = {
            "index": waves.cohort.index,
            "age": waves.cohort.age,
            "reason": reason,
            "residual": waves.residual,
            "converged": waves.converged,
        }
        save_csv(pd.DataFrame(who)[reason != ""], out / "dropped.csv")
    frame = summary(kept)
    save_csv(frame, out / "summary.csv")
    said = {
        "what": f"{len(kept)} virtual people. {DISCLAIMER}",
        "solver": json.loads(kept.solver),
        "left_out": dropped,
        "converged": int(kept.converged.sum()),
        "references": SOURCES,
        "rows": json.loads(frame.to_json(orient="records")),
    }
    save_json(said, out / "summary.json")
    console.print(printed(frame))
    print(out / "waves.nc")


if __name__ == "__main__":
    main()
