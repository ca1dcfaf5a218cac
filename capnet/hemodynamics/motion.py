"""Motion: bursts in which a sensor sees more of its own movement than of the pulse.

A burst has an onset, a length, a strength and a band, all drawn: four sinusoids around
one frequency under a Hann window. Bursts begin at most once in each `SLOT` seconds, and
what begins in a slot follows from the sensor's seed and the slot's number alone, so
that a record made in pieces has the bursts of the whole one. No real movement was
looked at: strengths and bands are declared, not measured.
"""

from typing import Final, no_type_check

import numpy as np
from jaxtyping import Float, Int

from capnet.compiled import compiled
from capnet.hemodynamics.electronics import uniform

__all__ = ["SLOT", "add_motion", "motion"]

PerRow = Float[np.ndarray, " row"]
Range = tuple[float, float]

SLOT: Final = 5.0
"""Seconds in which at most one burst begins."""

_SINES: Final = 4
_SPREAD: Final = 0.3
"""The sinusoids lie within this part of the burst's frequency around it."""
_DRAWS: Final = 5 + 2 * _SINES
"""Numbers drawn a slot."""
_HEIGHT: Final = np.sqrt(2.0 / _SINES)
"""Of each sinusoid, so that together they have an SD of 1."""


def motion(
    seed: Int[np.ndarray, " row"],
    *,
    rate: PerRow,
    strength: Range,
    length: Range,
    band: Range,
    start: int,
    count: int,
    sampling_rate: float,
) -> Float[np.ndarray, "row time"]:
    """Return what motion adds, in the unit of the strength; 0 between bursts.

    Args:
        seed: Shape (row,).
        rate: Bursts a minute, at most 60 / `SLOT`. Shape (row,).
        strength: Range of a burst's SD in its middle.
        length: Range of its duration, s.
        band: Range of its frequency, Hz.
        start: Number of the first sample.
        count: How many.
        sampling_rate: Hz.
    """
    answer = np.zeros((len(seed), count))
    ranges = np.array([strength, length, band], dtype=np.float64)
    _motion_rows(seed, rate, ranges, start, float(sampling_rate), answer)
    return answer


@compiled()
@no_type_check
def add_motion(
    samples: np.ndarray,
    count: int,
    start: int,
    sampling_rate: float,
    seed: int,
    rate: float,
    ranges: np.ndarray,
) -> None:
    """Add the bursts of one sensor to samples ``start`` and following.

    The rows of ``ranges`` are those of strength, length (s) and band (Hz).
    """
    first = int(np.floor((start / sampling_rate - ranges[1, 1]) / SLOT))
    last = int(np.floor((start + count - 1) / sampling_rate / SLOT))
    for slot in range(first, last + 1):
        draw = slot * _DRAWS
        if uniform(seed, draw) >= rate * SLOT / 60.0:
            continue
        onset = (slot + uniform(seed, draw + 1)) * SLOT
        size = _between(ranges[0], uniform(seed, draw + 2)) * _HEIGHT
        length = _between(ranges[1], uniform(seed, draw + 3))
        centre = _between(ranges[2], uniform(seed, draw + 4))
        begin = max(int(np.ceil(onset * sampling_rate)) - start, 0)
        end = min(int(np.floor((onset + length) * sampling_rate)) - start + 1, count)
        for i in range(begin, end):
            time = (start + i) / sampling_rate - onset
            total = 0.0
            for k in range(_SINES):
                aside = 2.0 * uniform(seed, draw + 5 + 2 * k) - 1.0
                turns = centre * (1.0 + _SPREAD * aside) * time
                turns += uniform(seed, draw + 6 + 2 * k)
                total += np.cos(2.0 * np.pi * turns)
            hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * time / length)
            samples[i] += size * hann * total


@compiled()
@no_type_check
def _between(limits: np.ndarray, part: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * part


@compiled()
@no_type_check
def _motion_rows(
    seed: np.ndarray,
    rate: np.ndarray,
    ranges: np.ndarray,
    start: int,
    sampling_rate: float,
    answer: np.ndarray,
) -> None:
    for row in range(answer.shape[0]):
        if rate[row] > 0.0:
            add_motion(
                *(answer[row], answer.shape[1], start, sampling_rate),
                *(seed[row], rate[row], ranges),
            )
