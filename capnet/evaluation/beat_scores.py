"""Scores of single beats and their averages over subjects.

All that a table prints, and every bootstrap interval, is a function of the means of
a few columns over subjects: errors, absolute and squared errors, squares of the
centred reference. So a resample of subjects is one row of a matrix product.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from jaxtyping import Float

from capnet.errors import ProtocolError
from capnet.evaluation.truth import Truth
from capnet.metrics import timing_errors, waveform_rmses
from capnet.prediction import Prediction
from capnet.types import Flags, PerBeat

__all__ = [
    "PRESSURES",
    "STATISTICS",
    "Columns",
    "beat_columns",
    "scored_beats",
    "statistic",
    "subject_columns",
]

PRESSURES: Final = ("sbp", "dbp", "map", "pp")
"""The four numbers read from a wave, in the order of `capnet.prediction.pressures`."""

Columns = dict[str, np.ndarray]
"""Named columns, each of shape (beat,) or (subject,)."""

Moments = Mapping[str, np.ndarray]
Weights = Float[np.ndarray, "resample subject"]
Draws = Float[np.ndarray, "resample"]


def scored_beats(prediction: Prediction, reference: Truth) -> Flags:
    """Return which beats have both an answer and a truth. Shape (beat,)."""
    return np.asarray(prediction.accepted & reference.known)


def _all_or_none(values: np.ndarray, scored: Flags, what: str) -> bool:
    rows = np.isfinite(values[scored]).reshape(int(scored.sum()), -1).all(axis=1)
    if rows.any() and not rows.all():
        msg = (
            f"{what} on {int(rows.sum())} of {len(rows)} accepted beats; wanted all or "
            "none of them, so that every number of a row has the same n. Refuse the "
            "other beats with a reason."
        )
        raise ProtocolError(msg)
    return bool(rows.any())


def _errors(
    name: str, predicted: PerBeat, reference: PerBeat, centre: float
) -> Columns:
    error = predicted - reference
    return {
        f"{name}_error": error,
        f"{name}_abs": np.abs(error),
        f"{name}_square": error**2,
        # Centred, so that the variance does not drown in the square of the mean.
        f"{name}_truth": reference - centre,
        f"{name}_truth_square": (reference - centre) ** 2,
    }


def beat_columns(prediction: Prediction, reference: Truth, scored: Flags) -> Columns:
    """Return the scores of single beats, NaN where not scored.

    Args:
        prediction: What one method says.
        reference: What is true.
        scored: Which beats count. Shape (beat,).

    Returns:
        Columns of shape (beat,); those a method does not answer are left out.

    Raises:
        ProtocolError: If a method answers a quantity on some of its accepted beats
            only.
    """
    found: Columns = {}
    if not scored.any():
        return found
    truth = reference.pressures[scored]
    name = f"{prediction.method!r} (k = {prediction.k})"
    for column, what in enumerate(PRESSURES):
        values = getattr(prediction, f"c{what}")
        if not _all_or_none(values, scored, f"{name} answers the {what.upper()}"):
            continue
        centre = float(truth[:, column].mean())
        found |= _errors(what, values[scored], truth[:, column], centre)
    brachial = reference.truth.get("brachial_sbp")
    if brachial is not None and np.isfinite(brachial[scored]).all():
        arm = brachial[scored]
        amplified = arm - truth[:, 0]
        guess = arm - prediction.csbp[scored]
        centre = float(amplified.mean())
        found |= _errors("amplification", guess, amplified, centre)
    wave = prediction.waveform
    if (
        wave is not None
        and reference.reference is not None
        and _all_or_none(wave, scored, f"{name} answers the wave")
    ):
        wave, waves = wave[scored], reference.reference[scored]
        found |= waveform_rmses(wave, waves)
        late = timing_errors(wave, waves, reference.duration[scored])
        found["timing_ms"] = np.abs(late)
    full: Columns = {}
    for key, values in found.items():
        full[key] = np.full(len(scored), np.nan)
        full[key][scored] = values
    return full


def subject_columns(beats: Columns, code: np.ndarray, mask: Flags, n: int) -> Columns:
    """Average the columns over the beats of each subject.

    Args:
        beats: Columns of shape (beat,).
        code: Which subject, 0 to n - 1. Shape (beat,).
        mask: Which beats count. Shape (beat,).
        n: Subjects in all.

    Returns:
        Columns of shape (n,), NaN for subjects without a beat that counts, and the
        square of each mean error of a pressure (``sbp_error_square`` ...).
    """
    count = np.bincount(code[mask], minlength=n)
    means: Columns = {}
    for name, values in beats.items():
        total = np.bincount(code[mask], weights=values[mask], minlength=n)
        means[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    for name in list(means):
        if name.endswith("_error"):
            means[f"{name}_square"] = means[name] ** 2
    return means


def _mean(column: str) -> Callable[[Moments, np.ndarray], np.ndarray]:
    return lambda m, n: m[column]  # noqa: ARG005 - one signature for all statistics


def _root(column: str) -> Callable[[Moments, np.ndarray], np.ndarray]:
    return lambda m, n: np.sqrt(m[column])  # noqa: ARG005


def _sd(name: str) -> Callable[[Moments, np.ndarray], np.ndarray]:
    def spread(m: Moments, n: np.ndarray) -> np.ndarray:
        error, square = f"{name}_error", f"{name}_error_square"
        variance = np.maximum(m[square] - m[error] ** 2, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.sqrt(variance * n / (n - 1)))

    return spread


def _r2(name: str) -> Callable[[Moments, np.ndarray], np.ndarray]:
    def explained(m: Moments, n: np.ndarray) -> np.ndarray:  # noqa: ARG001
        total = m[f"{name}_truth_square"] - m[f"{name}_truth"] ** 2
        constant = total <= 1e-12
        ratio = m[f"{name}_square"] / np.where(constant, 1.0, total)
        return np.asarray(np.where(constant, np.nan, 1 - ratio))

    return explained


def _pressure_statistics(
    name: str,
) -> dict[str, tuple[str, Callable[[Moments, np.ndarray], np.ndarray]]]:
    return {
        f"{name}_bias": (f"{name}_error", _mean(f"{name}_error")),
        f"{name}_sd": (f"{name}_error", _sd(name)),
        f"{name}_mae": (f"{name}_abs", _mean(f"{name}_abs")),
        f"{name}_rmse": (f"{name}_square", _root(f"{name}_square")),
        f"{name}_r2": (f"{name}_square", _r2(name)),
    }


STATISTICS: Final[
    Mapping[str, tuple[str, Callable[[Moments, np.ndarray], np.ndarray]]]
] = {
    "wave_rmse": ("wave_rmse", _mean("wave_rmse")),
    "wave_rmse_unaligned": ("wave_rmse_unaligned", _mean("wave_rmse_unaligned")),
    "shape_rmse": ("shape_rmse", _mean("shape_rmse")),
    "timing_ms": ("timing_ms", _mean("timing_ms")),
    "amplification_r2": ("amplification_square", _r2("amplification")),
} | {
    key: value
    for name in PRESSURES
    for key, value in _pressure_statistics(name).items()
}
"""What can be printed: the column it needs, and how it follows from the means."""


def statistic(name: str, subjects: Columns, weights: Weights) -> Draws | None:
    """Compute a statistic for each weighting of the subjects.

    Args:
        name: One of `STATISTICS`.
        subjects: Columns of shape (subject,), NaN for subjects that do not count.
        weights: How often each subject was drawn. Shape (resample, subject).

    Returns:
        One number a resample, NaN where it is not defined; None when the method does
        not answer this quantity.
    """
    needed, compute = STATISTICS[name]
    if needed not in subjects:
        return None
    counted = np.isfinite(subjects[needed])
    share = weights if counted.all() else weights[:, counted]
    n = share.sum(axis=1)
    prefix = needed.split("_")[0] + "_"
    columns = [c for c in subjects if c == needed or c.startswith(prefix)]
    table = np.stack([subjects[c][counted] for c in columns], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = (share @ table) / n[:, None]
    return compute({c: means[:, i] for i, c in enumerate(columns)}, n)
