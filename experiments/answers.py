"""Answers about people whose central pressure nobody measured, as files and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from capnet.errors import ConfigError, RecordError
from capnet.evaluation.audits.trail import load_predictions, save_predictions
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import N_POINTS
from experiments.results import save_frame

__all__ = ["leave_answers", "load_answers"]

_BARE: Final = ("time", "duration", "age")
_TOLD: Final = (*_BARE, "subject", "beat", "hr", "accepted", "reason", "cuff_site")
_CUFF: Final = ("cuff_sbp", "cuff_dbp")


def leave_answers(
    answers: Mapping[str, Sequence[Prediction]], asked: Mapping[str, Beats], out: Path
) -> None:
    """Leave answers_<site>.parquet and asked_<site>.parquet.

    Args:
        answers: By where the calibrating pressure is taken to be.
        asked: The beats, likewise; their waves are not kept.
        out: Folder of the run.
    """
    for site, predictions in answers.items():
        save_predictions(predictions, out / f"answers_{site}.parquet")
        save_frame(asked[site].to_frame(), out / f"asked_{site}.parquet")


def load_answers(folder: Path, site: str | None) -> tuple[list[Prediction], Beats]:
    """Load the answers under one assumed site.

    Args:
        folder: Of the run.
        site: Where the calibrating pressure is taken to be; the first by default.

    Returns:
        Predictions, and the beats without their waves.

    Raises:
        RecordError: If the folder has no answers, or they are damaged.
        ConfigError: If it has none for this site.
    """
    sites = sorted(p.stem.removeprefix("answers_") for p in folder.glob("answers_*"))
    if not sites:
        msg = (
            f"{folder.name!r} holds neither truth.parquet nor answers_*.parquet; "
            "wanted the folder of a run of this version."
        )
        raise RecordError(msg)
    if site is not None and site not in sites:
        msg = f"site is {site!r}; the run has answers for {', '.join(sites)}."
        raise ConfigError(msg)
    chosen = site or sites[0]
    predictions = load_predictions(folder / f"answers_{chosen}.parquet")
    path = folder / f"asked_{chosen}.parquet"
    if not path.is_file():
        msg = f"there is no {path.name} in the folder; make the run again."
        raise RecordError(msg)
    return predictions, _beats(pd.read_parquet(path), predictions[0])


def _beats(frame: pd.DataFrame, answer: Prediction) -> Beats:
    kept = [n for n in frame.columns if n not in (*_TOLD, *_CUFF)]
    numbers = {n: frame[n].to_numpy(np.float64) for n in (*_BARE, *_CUFF, *kept)}
    return Beats(
        subject=frame["subject"].to_numpy(np.str_),
        beat=frame["beat"].to_numpy(),
        time=numbers["time"],
        duration=numbers["duration"],
        ppg=np.full((len(frame), N_POINTS), np.nan),
        age=numbers["age"],
        cuff=np.stack([numbers[n] for n in _CUFF], axis=1),
        cuff_site=frame["cuff_site"].to_numpy(np.str_),
        calibration=answer.calibration,
        accepted=frame["accepted"].to_numpy(np.bool_),
        reason=frame["reason"].to_numpy(np.str_),
        features={name: numbers[name] for name in kept},
    )
