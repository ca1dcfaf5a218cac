"""Scalar targets: numbers that a short computation reads off the peripheral wave."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from capnet.evaluation.audits.beat_spectra import Rows

__all__ = ["ScalarFit", "scalar_fits"]

_WINDOWS: Final = np.arange(0.02, 0.505, 0.01)
"""Of the moving average, in beats: fs/4 and fs/6 (Williams et al. 2011) lie within for
hearts of 40 to 120 bpm."""
_LEAST_BEATS: Final = 4
"""Of every subject, for a gain and an offset of its own to leave anything to test."""


class ScalarFit(NamedTuple):
    """What one formula left over.

    Attributes:
        kind: Which.
        residual: Of each beat, by a fit that has not met it, mmHg. Shape (beat,).
        own: Whether gain and offset are the subject's own.
    """

    kind: str
    residual: Float[np.ndarray, " beat"]
    own: bool


def scalar_fits(
    waves: Rows, target: Float[np.ndarray, " beat"], subject: Int[np.ndarray, " beat"]
) -> Iterator[ScalarFit]:
    """Try every formula with a common constant, a common line, and a line of each.

    Args:
        waves: Peripheral beats, mmHg.
        target: mmHg.
        subject: Position of the subject of each beat.

    Yields:
        What is left over, of subjects (of beats, for the last) that were left out.
    """
    enough = bool(np.bincount(subject).min() >= _LEAST_BEATS)
    beat = np.arange(len(target))
    for name, value in _formulas(waves):
        if np.ptp(value) == 0:
            continue
        for kind, line in (("constant", False), ("line", True)):
            left = _left_out(value, target, subject, line=line)
            yield ScalarFit(f"{name}, common {kind}", left, own=False)
        if enough:
            left = np.empty_like(target)
            for s in range(int(subject.max()) + 1):
                own = subject == s
                left[own] = _left_out(value[own], target[own], beat[own], line=True)
            yield ScalarFit(f"{name}, line of each subject", left, own=True)


def _formulas(waves: Rows) -> Iterator[tuple[str, Float[np.ndarray, " beat"]]]:
    """Yield names and values, one a beat."""
    top = np.array([w.max() for w in waves])
    low = np.array([w.min() for w in waves])
    mean = np.array([w.mean() for w in waves])
    yield "SBP", top
    yield "MAP", mean
    yield "MAP^2 / DBP", mean**2 / low
    typical = float(np.median([len(w) for w in waves]))
    tried: set[tuple[int, ...]] = set()
    for window in _WINDOWS:
        for unit in ("samples", "of the beat"):
            sizes = tuple(
                max(1, round(window * (len(w) if unit == "of the beat" else typical)))
                for w in waves
            )
            if max(sizes) > 1 and sizes not in tried:
                tried.add(sizes)
                same = len(set(sizes)) == 1
                text = f"{sizes[0]} samples" if same else f"{window:.2f} {unit}"
                name = f"max of a moving average, {text}"
                pairs = zip(waves, sizes, strict=True)
                yield name, np.array([_highest(w, size) for w, size in pairs])


def _highest(wave: np.ndarray, size: int) -> float:
    """Maximum of the moving average of a periodic beat."""
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([wave, wave[: size - 1]]))])
    return float((total[size:] - total[:-size]).max() / size)


def _left_out(
    value: np.ndarray, target: np.ndarray, group: np.ndarray, *, line: bool
) -> Float[np.ndarray, " beat"]:
    """Leave each group out of the fit that predicts it."""
    left = np.empty_like(target)
    for g in np.unique(group):
        test = group == g
        first, second = value[~test], target[~test]
        slope = 1.0
        spread = float(np.sum((first - first.mean()) ** 2))
        if line and spread > 0:
            slope = float((first - first.mean()) @ (second - second.mean())) / spread
        guess = second.mean() + slope * (value[test] - first.mean())
        left[test] = target[test] - guess
    return left
