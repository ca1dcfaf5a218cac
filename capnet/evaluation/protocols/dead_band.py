"""Readings for the invasive route: half a minute of a method beside that of a line."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from capnet.evaluation.truth import Truth
from capnet.types import Flags, PerBeat

__all__ = ["Readings", "readings"]

SECONDS: Final = 30.0
"""Of the reference that a reading must rest on."""

_WINDOW: Final = 35.0
"""s into which a record is cut, so that a window may miss a few beats."""

Numbers = Float[np.ndarray, "reading"]
Names = Shaped[np.ndarray, "reading"]


class Readings(NamedTuple):
    """One row a reading.

    Attributes:
        predicted: Mean of the method over the window, mmHg.
        reference: Mean of the reference over the same beats, mmHg.
        band: SD of the reference over these beats, mmHg.
        subject: Who it belongs to.
    """

    predicted: Numbers
    reference: Numbers
    band: Numbers
    subject: Names


def readings(
    predicted: PerBeat, reference: PerBeat, scored: Flags, truth: Truth
) -> Readings:
    """Cut the beats of each subject into windows that hold at least 30 s of beats.

    Windows of 35 s begin at a subject's first beat; those whose scored beats last less
    than 30 s together, or whose durations nobody knows, are left out.

    Args:
        predicted: What a method says of each beat, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        scored: Which beats count. Shape (beat,).
        truth: Where subjects, times and durations are read from.

    Returns:
        As many readings as there are such windows; none is a possible answer.
    """
    rows = np.flatnonzero(scored & np.isfinite(truth.duration + truth.time))
    _, code = np.unique(truth.subject[rows], return_inverse=True)
    time = truth.time[rows]
    first = np.full(len(rows), np.inf)
    np.minimum.at(first, code, time)
    part = np.floor((time - first[code]) / _WINDOW).astype(np.int64)
    key = code * (part.max(initial=0) + 1) + part
    _, begin, window = np.unique(key, return_index=True, return_inverse=True)
    count = np.bincount(window)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.bincount(window, weights=values) / np.maximum(count, 1))

    guess, real = predicted[rows], reference[rows]
    middle = mean(real)
    variance = mean((real - middle[window]) ** 2) * count / np.maximum(count - 1, 1)
    whole = mean(truth.duration[rows]) * count >= SECONDS
    found = (mean(guess), middle, np.sqrt(variance), truth.subject[rows][begin])
    return Readings(*(column[whole] for column in found))
