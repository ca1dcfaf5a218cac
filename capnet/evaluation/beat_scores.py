"""Scores of single beats and their averages over subjects.

All that a table prints, and every interval, is a function of the means of a few columns
over subjects: errors, absolute and squared errors, squares of the centred reference.
Waves are read in blocks, so that a million beats need no more memory than they take.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.truth import Truth
from capnet.metrics.waveform import score_waves
from capnet.prediction import Prediction
from capnet.types import Flags, PerBeat

__all__ = [
    "INDEX_BEATS",
    "PRESSURES",
    "Columns",
    "beat_columns",
    "change_columns",
    "number_parts",
    "scored_beats",
    "subject_columns",
    "wave_columns",
]

PRESSURES: Final = ("sbp", "dbp", "map", "pp")
"""The four numbers read from a wave, in the order of `capnet.prediction.pressures`."""

INDEX_BEATS: Final = 8
"""Of each subject, evenly spread: those whose AIx, form factor and ejection time are
read. Reading them takes five times as long as all else together."""

Columns = dict[str, np.ndarray]
"""Named columns, each of shape (beat,) or (subject,)."""

_OF_WAVES: Final = (
    *("wave_rmse", "wave_rmse_unaligned", "wave_rmse_foot", "shape_rmse"),
    "timing_ms",
)
_BLOCK: Final = 1024
"""Waves handled at once: they stay in the processor's cache."""


def scored_beats(prediction: Prediction, reference: Truth) -> Flags:
    """Return which beats have both an answer and a truth. Shape (beat,)."""
    return np.asarray(prediction.accepted & reference.known)


def _name(prediction: Prediction) -> str:
    return f"{prediction.method!r} (k = {prediction.k})"


def _all_or_none(answered: int, wanted: int, what: str) -> bool:
    if 0 < answered < wanted:
        msg = (
            f"{what} on {answered} of {wanted} accepted beats; wanted all or "
            "none of them, so that every number of a row has the same n. Refuse the "
            "other beats with a reason."
        )
        raise ProtocolError(msg)
    return answered > 0


def _errors(
    name: str, predicted: PerBeat, reference: PerBeat, centre: float
) -> Columns:
    error = predicted - reference
    truth = reference - centre
    return {
        f"{name}_error": error,
        f"{name}_abs": np.abs(error),
        f"{name}_square": error**2,
        # Centred, so that the variance does not drown in the square of the mean.
        f"{name}_truth": truth,
        f"{name}_truth_square": truth**2,
    }


def number_parts(
    prediction: Prediction, reference: Truth, scored: Flags
) -> Iterator[Columns]:
    """Yield the scores of the numbers of the scored beats, one quantity at a time.

    Args:
        prediction: What one method says.
        reference: What is true.
        scored: Which beats count. Shape (beat,).

    Yields:
        Columns with one row a scored beat, in their order; those a method does not
        answer, or nobody measured, are left out.

    Raises:
        ProtocolError: If a method answers a quantity on some of its accepted beats
            only.
    """
    if not scored.any():
        return
    truth = reference.pressures[scored]
    for column, what in enumerate(PRESSURES):
        values = getattr(prediction, f"c{what}")[scored].astype(np.float64)
        answered = int(np.isfinite(values).sum())
        says = f"{_name(prediction)} answers the {what.upper()}"
        known = np.isfinite(truth[:, column]).all()
        if _all_or_none(answered, len(values), says) and known:
            centre = float(truth[:, column].mean())
            yield _errors(what, values, truth[:, column], centre)
    brachial = reference.truth.get("brachial_sbp")
    if brachial is not None and np.isfinite(brachial[scored]).all():
        arm = brachial[scored]
        amplified = arm - truth[:, 0]
        guess = arm - prediction.csbp[scored]
        yield _errors("amplification", guess, amplified, float(amplified.mean()))
    held = reference.cuff[scored, 0]
    if np.isfinite(held).all():
        yield {"sbp_held_abs": np.abs(held - truth[:, 0])}


def _blocks(rows: np.ndarray) -> Iterator[slice]:
    for start in range(0, len(rows), _BLOCK):
        yield slice(start, start + _BLOCK)


def wave_columns(prediction: Prediction, reference: Truth, scored: Flags) -> Columns:
    """Return the scores of the waves of the scored beats alone.

    Args:
        prediction: What one method says.
        reference: What is true.
        scored: Which beats count. Shape (beat,).

    Returns:
        Columns with one row a scored beat, in their order (mmHg, ms); nothing when the
        method answers no waves or none are known.

    Raises:
        ProtocolError: If a method answers waves on some of its accepted beats only.
    """
    wave, waves = prediction.waveform, reference.reference
    rows = np.flatnonzero(scored)
    if wave is None or waves is None or not len(rows):
        return {}
    answered = sum(
        int(np.isfinite(wave[rows[b]]).all(axis=1).sum()) for b in _blocks(rows)
    )
    if not _all_or_none(answered, len(rows), f"{_name(prediction)} answers the wave"):
        return {}
    found = {name: np.empty(len(rows)) for name in _OF_WAVES}
    for block in _blocks(rows):
        each = score_waves(wave[rows[block]], waves[rows[block]])
        # ms a point
        length = reference.duration[rows[block]] * 1e3 / wave.shape[1]
        each["timing_ms"] = np.abs(each["lateness"]) * length
        for name in _OF_WAVES:
            found[name][block] = each[name]
    if not np.isfinite(found["timing_ms"]).all():
        del found["timing_ms"]  # nobody knows how long some of the beats last
    return found


def beat_columns(prediction: Prediction, reference: Truth, scored: Flags) -> Columns:
    """Return all scores of single beats, NaN where not scored.

    Args:
        prediction: What one method says.
        reference: What is true.
        scored: Which beats count. Shape (beat,).

    Returns:
        Columns of shape (beat,); those a method does not answer are left out.

    Raises:
        ProtocolError: As `number_parts` and `wave_columns`.
    """
    full: Columns = {}
    found = wave_columns(prediction, reference, scored)
    for part in number_parts(prediction, reference, scored):
        found |= part
    for key, values in found.items():
        full[key] = np.full(len(scored), np.nan)
        full[key][scored] = values
    return full


def subject_columns(beats: Columns, code: np.ndarray, n: int) -> Columns:
    """Average the columns over the beats of each subject.

    Args:
        beats: Columns of shape (beat,), NaN where there is nothing to count.
        code: Which subject, 0 to n - 1. Shape (beat,).
        n: Subjects in all.

    Returns:
        Columns of shape (n,), NaN for subjects without a beat that counts, and the
        square of each mean error (``sbp_error_square`` ...).
    """
    means = {name: _mean_of(values, code, n) for name, values in beats.items()}
    for name in list(means):
        if name.endswith("_error"):
            means[f"{name}_square"] = means[name] ** 2
    return means


def _mean_of(values: np.ndarray, code: np.ndarray, n: int) -> np.ndarray:
    known = np.isfinite(values)
    if not known.all():
        values, code = values[known], code[known]
    count = np.bincount(code, minlength=n)
    total = np.bincount(code, weights=values, minlength=n)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def change_columns(
    predicted: PerBeat, reference: PerBeat, code: np.ndarray, n: int
) -> Columns:
    """Return how a subject's own SBP moves, and how the prediction moves with it.

    Args:
        predicted: SBP, mmHg. Shape (beat,).
        reference: SBP, mmHg. Shape (beat,).
        code: Which subject, 0 to n - 1. Shape (beat,).
        n: Subjects in all.

    Returns:
        ``sbp_moved``, the covariance of both within the subject, and ``sbp_moves``,
        the variance of the reference, mmHg2; NaN where the reference does not move.
        Their ratio of means is the slope of `capnet.metrics.changes`. Shape (n,).
    """
    guess, truth = (v - _mean_of(v, code, n)[code] for v in (predicted, reference))
    moves = _mean_of(truth**2, code, n)
    moved = _mean_of(guess * truth, code, n)
    # Rounding of a mean leaves something where nothing changes.
    still = ~(moves > (1e-9 * (1.0 + np.abs(reference).max(initial=0.0))) ** 2)
    return {
        "sbp_moved": np.where(still, np.nan, moved),
        "sbp_moves": np.where(still, np.nan, moves),
    }
