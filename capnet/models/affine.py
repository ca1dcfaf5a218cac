"""The two-number correction of a wave: an offset and a gain.

The gentlest few-shot correction: two numbers cannot fit the noise of a cuff.
"""

import numpy as np
from jaxtyping import Float

from capnet.errors import ProtocolError, ShapeError
from capnet.types import BeatWaves, Labels

__all__ = ["apply_affine", "fit_affine", "mean_by_subject"]


def fit_affine(predicted: BeatWaves, true: BeatWaves) -> tuple[float, float]:
    r"""Fit an offset and a gain, shrunk towards no correction.

    With :math:`n` rows of predictions :math:`p` and truths :math:`t`, and
    :math:`\tilde p`, :math:`\tilde t` their parts about each row's own mean:

    .. math:: c = \frac{n}{n+1}\,\overline{t - p}, \qquad
        g = \frac{\sum \tilde p \tilde t + s}{\sum \tilde p^2 + s}, \quad
        s = \frac{1}{n} \sum \tilde p^2

    as if the rows held one more subject whose prediction was right.

    Args:
        predicted: One row a subject (average a subject's beats first), mmHg.
            Shape (subject, 64).
        true: Aortic pressure of the same rows, mmHg. Shape (subject, 64).

    Returns:
        Offset in mmHg, gain (1 changes nothing).

    Raises:
        ShapeError: If the rows do not agree or hold NaN.
        ProtocolError: If there is no row.
    """
    if predicted.shape != true.shape:
        msg = f"predicted has shape {predicted.shape}, true {true.shape}; wanted equal."
        raise ShapeError(msg)
    if len(predicted) == 0:
        msg = "an affine correction was asked of 0 subjects; wanted at least one."
        raise ProtocolError(msg)
    if not (np.isfinite(predicted).all() and np.isfinite(true).all()):
        msg = "the waves hold NaN; leave out refused beats before fitting."
        raise ShapeError(msg)
    n = len(predicted)
    offset = (true - predicted).mean() * n / (n + 1)
    about = predicted - predicted.mean(axis=1, keepdims=True)
    target = true - true.mean(axis=1, keepdims=True)
    power = (about**2).sum()
    extra = power / n
    if not power > 0:
        return float(offset), 1.0  # Flat predictions have nothing to stretch.
    gain = ((about * target).sum() + extra) / (power + extra)
    return float(offset), float(gain)


def apply_affine(waves: BeatWaves, offset: float, gain: float) -> BeatWaves:
    """Shift each wave by the offset and stretch it about its own mean.

    Args:
        waves: Pressure, mmHg. Shape (beat, 64).
        offset: mmHg.
        gain: Factor.

    Returns:
        Corrected pressure, mmHg. Shape (beat, 64).
    """
    mean = waves.mean(axis=1, keepdims=True)
    return np.asarray(mean + offset + gain * (waves - mean))


def mean_by_subject(
    waves: BeatWaves, subject: Labels
) -> Float[np.ndarray, "subject 64"]:
    """Average the beats of each subject, so that one row is one subject.

    Args:
        waves: Shape (beat, 64).
        subject: Whose beat it is. Shape (beat,).

    Returns:
        In the sorted order of the subjects. Shape (subject, 64).
    """
    _, which, counts = np.unique(subject, return_inverse=True, return_counts=True)
    total = np.zeros((len(counts), waves.shape[1]))
    np.add.at(total, which, waves)
    return total / counts[:, None]
