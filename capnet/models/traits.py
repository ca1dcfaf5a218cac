"""What is known of a beat and its answer, for telling how far the answer may be off."""

from typing import Final

import numpy as np
from jaxtyping import Float

from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = ["TRAITS", "answer_errors", "answers", "traits_of"]

TRAITS: Final = (
    "cuff SBP",
    "cuff DBP",
    "age",
    "HR",
    "SBP - cuff SBP",
    "DBP - cuff DBP",
    "form factor",
    "PP / cuff PP",
    "cuff PP",
)
"""What `traits_of` gives, in its order; mmHg, years, bpm or no unit."""


def answers(prediction: Prediction) -> Float[np.ndarray, "beat 4"]:
    """Return the four numbers of a prediction: SBP, DBP, MAP, PP. Shape (beat, 4)."""
    p = prediction
    return np.stack([p.csbp, p.cdbp, p.cmap, p.cpp], axis=1)


def answer_errors(
    prediction: Prediction, true: Float[np.ndarray, "beat 4"]
) -> Float[np.ndarray, "beat 4"]:
    """Return truth - answer, mmHg, NaN where one is missing. Shape (beat, 4)."""
    return np.asarray(true - answers(prediction))


def traits_of(prediction: Prediction, beats: Beats) -> Float[np.ndarray, "beat 9"]:
    """Return `TRAITS` of beats and of what was answered, NaN where unknown.

    Args:
        prediction: Of these beats.
        beats: What was asked.

    Returns:
        Shape (beat, 9).
    """
    p, (sbp, dbp) = prediction, beats.cuff.T
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [
            *(sbp, dbp, beats.age, beats.hr, p.csbp - sbp, p.cdbp - dbp),
            (p.cmap - p.cdbp) / p.cpp,
            p.cpp / (sbp - dbp),
            sbp - dbp,
        ]
    table = np.stack(columns, axis=1)
    return np.where(np.isfinite(table), table, np.nan)
