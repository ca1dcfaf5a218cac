"""Errors of beats as waves, with the timing apart.

A jitter of 5 ms alone costs 0.9 mmHg of waveform RMSE, so a score of waves needs a
rule. Three are named apart:

- ``wave_rmse``: the two beats are turned on their own cycle until they fit best; only
  that time shift is free, and the timing error stands beside;
- ``wave_rmse_foot``: they are turned until their feet meet, as a reader lays one beat
  over another; a method that gets its own foot wrong pays for it;
- ``wave_rmse_unaligned``: as they came.

``shape_rmse`` is the first one without each wave's mean. The score of several beats is
the mean of the RMSE of each.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float

from capnet.metrics.pair import check_pair, check_rows

__all__ = [
    "align",
    "foot_lateness",
    "foot_positions",
    "lateness",
    "score_waves",
    "shape_rmse",
    "timing_error",
    "timing_errors",
    "waveform_rmse",
    "waveform_rmse_foot_aligned",
    "waveform_rmse_unaligned",
    "waveform_rmses",
]

Predicted = Float[np.ndarray, "predicted point"]
Reference = Float[np.ndarray, "reference point_"]
PerRow = Float[np.ndarray, "row"]

_BLOCK: Final = 1024
"""Beats handled at once, in double precision: they stay in the processor's cache."""


def _in_blocks(read: Callable[..., np.ndarray], *waves: np.ndarray) -> np.ndarray:
    """Apply a function that answers (..., row) to a block of rows at a time."""
    rows = range(0, len(waves[0]), _BLOCK) or (0,)
    found = [read(*(w[i : i + _BLOCK].astype(np.float64) for w in waves)) for i in rows]
    return np.concatenate(found, axis=-1)


def align(wave: Float[np.ndarray, "row point"], shift: PerRow) -> np.ndarray:
    """Turn beats on their own cycle, later by ``shift`` points.

    Between points the wave is a straight line: unlike a Fourier shift that does not
    ring where the end of a beat does not meet its start.

    Args:
        wave: Beats. Shape (row, point).
        shift: How much later, points (fractional, any sign). Shape (row,).

    Returns:
        The turned beats. Shape (row, point).
    """
    n = wave.shape[1]
    whole = np.floor(shift).astype(int)
    part = (shift - whole)[:, None]
    source = np.arange(n)[None, :] - whole[:, None]
    earlier = np.take_along_axis(wave, source % n, axis=1)
    later = np.take_along_axis(wave, (source - 1) % n, axis=1)
    return np.asarray((1 - part) * earlier + part * later)


def lateness(predicted: Predicted, reference: Reference) -> np.ndarray:
    r"""Return by how much each reference beat must be later to fit best.

    The reference is turned, not the prediction: between points it is interpolated,
    which smooths, and smoothing a noisy prediction would flatter it. The squared
    distance is, between the whole shifts :math:`i` and :math:`i + 1`, a parabola in
    the fraction :math:`f`,

    .. math:: J(i, f) = J_0 - 2 f (1 - f) d - 2 [(1 - f) c_i + f c_{i+1}]

    where :math:`c` is the circular cross-correlation and :math:`d` the drop of the
    reference's own correlation over one point, so the best shift is exact.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).

    Returns:
        Points in [-point / 2, point / 2), positive where the prediction is late, zero
        where no shift helps or a wave is flat. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    check_pair(predicted, reference)
    return _in_blocks(_lateness, predicted, reference)


def _lateness(predicted: np.ndarray, reference: np.ndarray) -> np.ndarray:
    n = predicted.shape[1]
    p = predicted - predicted.mean(axis=1, keepdims=True)
    r = reference - reference.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(p) * np.conj(np.fft.rfft(r))
    c = np.fft.irfft(spectrum, n)  # c[i]: p times r turned by i points
    step = np.roll(c, -1, axis=1) - c
    d = np.sum(r * (r - np.roll(r, 1, axis=1)), axis=1, keepdims=True)
    flat = d <= 1e-12
    part = np.clip(0.5 + step / (2 * np.where(flat, 1.0, d)), 0, 1)
    part = np.where(flat, 0.0, part)
    cost = -2 * part * (1 - part) * d - 2 * (c + part * step)
    rows = np.arange(len(p))
    whole = cost.argmin(axis=1)
    shift = whole + part[rows, whole]
    shift = (shift + n / 2) % n - n / 2
    unaligned = np.sum((p - r) ** 2, axis=1)
    gained = unaligned - np.sum((p - align(r, shift)) ** 2, axis=1)
    helps = (gained > 1e-9 * (1 + unaligned)) & (np.ptp(predicted, axis=1) > 0)
    return np.asarray(np.where(helps, shift, 0.0))


def foot_positions(wave: Float[np.ndarray, "row point"]) -> np.ndarray:
    """Return where each beat has its foot, on its own cycle, by intersecting tangents.

    The foot is where the tangent at the steepest rise of the half beat before the
    peak meets the horizontal through the minimum before it (Chiu et al. 1991, Am
    Heart J 121:1460). The rise is that of central differences, its place the top of
    the parabola through three of them.

    Args:
        wave: Beats, any unit. Shape (row, point).

    Returns:
        Points in [0, point), fractional; NaN for a flat wave. Shape (row,).
    """
    return _in_blocks(_feet, wave)


def _feet(wave: np.ndarray) -> np.ndarray:
    n = wave.shape[1]
    rows, place = np.arange(len(wave)), np.arange(n)
    slope = (np.roll(wave, -1, axis=1) - np.roll(wave, 1, axis=1)) / 2
    peak = wave.argmax(axis=1)
    before = (peak[:, None] - place) % n <= n // 2
    steepest = np.where(before, slope, -np.inf).argmax(axis=1)
    rise = slope[rows, steepest]
    left, right = slope[rows, steepest - 1], slope[rows, (steepest + 1) % n]
    bend = left - 2 * rise + right
    curved = bend < 0
    offset = np.where(curved, (left - right) / np.where(curved, 2 * bend, 1.0), 0.0)
    offset = np.clip(offset, -0.5, 0.5)
    rise = rise - (left - right) * offset / 4
    height = align(wave, -(steepest + offset))[:, 0]
    earlier = (steepest[:, None] - place) % n <= n // 2
    base = np.where(earlier, wave, np.inf).min(axis=1)
    rising = rise > 0
    foot = steepest + offset - (height - base) / np.where(rising, rise, 1.0)
    return np.asarray(np.where(rising, foot % n, np.nan))


def foot_lateness(predicted: Predicted, reference: Reference) -> np.ndarray:
    """Return by how much each reference beat must be later for the feet to meet.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).

    Returns:
        Points in [-point / 2, point / 2), positive where the predicted foot is late,
        zero where a wave is flat and has none. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    check_pair(predicted, reference)
    late = foot_positions(predicted) - foot_positions(reference)
    return _apart(late, predicted.shape[1])


def _apart(late: np.ndarray, n: int) -> np.ndarray:
    """Return a shift as the nearer way round, none for a wave without a foot."""
    return np.asarray(np.nan_to_num((late + n / 2) % n - n / 2, nan=0.0))


def _rmses(error: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.mean(error**2, axis=1)))


def score_waves(predicted: Predicted, reference: Reference) -> dict[str, PerRow]:
    """Return every score of each beat, the beats turned once for all of them.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).

    Returns:
        The scores of `waveform_rmses`, mmHg, and ``lateness``, points. Each of shape
        (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    check_pair(predicted, reference)
    return dict(zip(_SCORES, _in_blocks(_scores, predicted, reference), strict=True))


def waveform_rmses(predicted: Predicted, reference: Reference) -> dict[str, PerRow]:
    """Return four scores of each beat, mmHg.

    Beats are read in blocks, so that single precision need not be copied as a whole.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).

    Returns:
        ``wave_rmse`` after the best shift, ``wave_rmse_foot`` with the feet together,
        ``wave_rmse_unaligned`` as it came, and ``shape_rmse`` after the best shift
        and without each wave's mean. Each of shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    found = score_waves(predicted, reference)
    del found["lateness"]
    return found


_SCORES: Final = (
    *("wave_rmse", "wave_rmse_foot", "wave_rmse_unaligned", "shape_rmse"),
    "lateness",
)


def _scores(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    late = _lateness(p, r)
    error = p - align(r, late)
    from_foot = p - align(r, _apart(_feet(p) - _feet(r), p.shape[1]))
    shape = error - error.mean(axis=1, keepdims=True)
    return np.stack([*map(_rmses, (error, from_foot, p - r, shape)), late])


def timing_errors(
    predicted: Predicted, reference: Reference, duration: PerRow
) -> np.ndarray:
    """Return how late each predicted beat comes, ms.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).
        duration: Of each beat, s. Shape (beat,).

    Returns:
        Positive where the prediction is late. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    shift = lateness(predicted, reference)
    check_rows(predicted, duration, name="duration")
    check_pair(duration, duration)
    return np.asarray(shift * duration / predicted.shape[1] * 1e3)


def waveform_rmse(predicted: Predicted, reference: Reference) -> float:
    """Return the waveform RMSE after the best shift of each beat, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    return float(waveform_rmses(predicted, reference)["wave_rmse"].mean())


def waveform_rmse_foot_aligned(predicted: Predicted, reference: Reference) -> float:
    """Return the waveform RMSE of the beats with their feet together, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    return float(waveform_rmses(predicted, reference)["wave_rmse_foot"].mean())


def waveform_rmse_unaligned(predicted: Predicted, reference: Reference) -> float:
    """Return the waveform RMSE of the beats as they came, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    return float(waveform_rmses(predicted, reference)["wave_rmse_unaligned"].mean())


def shape_rmse(predicted: Predicted, reference: Reference) -> float:
    """Return the waveform RMSE without timing and without each wave's mean, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    return float(waveform_rmses(predicted, reference)["shape_rmse"].mean())


def timing_error(predicted: Predicted, reference: Reference, duration: PerRow) -> float:
    """Return the mean absolute timing error, ms.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).
        duration: Of each beat, s. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    return float(np.abs(timing_errors(predicted, reference, duration)).mean())
