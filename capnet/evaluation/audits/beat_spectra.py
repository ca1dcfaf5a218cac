"""Beats as the real numbers of their harmonics: where filters are fitted and judged.

A beat's level is no harmonic, so a level of each beat's own is free throughout.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, Int

__all__ = ["BAND", "EXTENSIONS", "Rows", "harmonics", "lagged", "shift_of"]

Rows = Sequence[np.ndarray]
"""Beats of different lengths, each of shape (time,)."""

BAND: Final = 6
"""Harmonics that are judged: 6 to 9 Hz at rest. Above them a pressure pulse has little,
and the published transfer functions end at 9 Hz."""

EXTENSIONS: Final = ("periodic", "held", "odd", "mean", "zero", "chained")
"""What a filter may have met before and after a beat: the same beat again, its first
and last value, its reflection in its ends, its mean, nothing, or the beats that stand
beside it in the table."""


def harmonics(waves: Float[np.ndarray, "..."], count: int) -> Float[np.ndarray, "..."]:
    """Cosine and sine parts of the harmonics 1 to ``count``, of the size of their RMS.

    The sum of their squares is the variance of the wave (within those harmonics).

    Args:
        waves: One or side by side. Shape (time,) or (time, column).
        count: Harmonics.

    Returns:
        Shape (2 count,) or (2 count, column).
    """
    found = np.fft.rfft(waves, axis=0)[1 : count + 1] * (2**0.5 / len(waves))
    return np.concatenate([found.real, found.imag])


def shift_of(
    spectra: Float[np.ndarray, "beat number"],
) -> Float[np.ndarray, "beat number"]:
    """Differentiate beats by their phase: what a small shift adds is this, scaled."""
    half = spectra.shape[1] // 2
    order = np.arange(1, half + 1)
    return np.concatenate(
        [-order * spectra[:, half:], order * spectra[:, :half]], axis=1
    )


def lagged(
    rows: Rows,
    subject: Int[np.ndarray, " beat"],
    *,
    reach: int,
    extension: str,
    count: int,
) -> Float[np.ndarray, "beat number lag"]:
    """Harmonics of every beat delayed by -reach to +reach samples.

    Args:
        rows: Beats, in the order in which they were recorded.
        subject: Whose they are.
        reach: Samples.
        extension: One of `EXTENSIONS`.
        count: Harmonics.
    """
    found = np.empty((len(rows), 2 * count, 2 * reach + 1))
    for i, row in enumerate(rows):
        before = rows[i - 1] if i and subject[i - 1] == subject[i] else row
        last = i + 1 == len(rows) or subject[i + 1] != subject[i]
        after = row if last else rows[i + 1]
        wide = _extended(row, before, after, reach, extension)
        windows = np.lib.stride_tricks.sliding_window_view(wide, 2 * reach + 1)
        found[i] = harmonics(windows[:, ::-1], count)
    return found


def _extended(
    row: np.ndarray, before: np.ndarray, after: np.ndarray, reach: int, extension: str
) -> np.ndarray:
    if extension == "held":
        return np.pad(row, reach, mode="edge")
    if extension == "odd":
        return np.pad(row, reach, mode="reflect", reflect_type="odd")
    if extension in ("mean", "zero"):
        value = row.mean() if extension == "mean" else 0.0
        return np.pad(row, reach, constant_values=value)
    if extension == "periodic":
        before = after = row
    head = np.tile(before, reach // len(before) + 1)
    tail = np.tile(after, reach // len(after) + 1)
    return np.concatenate([head[len(head) - reach :], row, tail[:reach]])
