"""What floors look at: a pulse and scalars, as one row of numbers a beat."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float

from capnet.errors import RecordError
from capnet.models.estimator import subject_weights
from capnet.models.pulse import source_wave
from capnet.prediction import pressures
from capnet.records import Beats
from capnet.types import Input, PerBeat

__all__ = [
    "ALONE",
    "SCALARS",
    "Inputs",
    "looks_at",
    "named",
    "standard_scale",
    "true_pressures",
    "with_pp",
]

SCALARS: Final = "scalars"
"""HR, age, cuff SBP and DBP, without any pulse: what a PPG must add to."""

ALONE: Final = "ppg alone"
"""The PPG in its own unit, pulse arrival time, HR and age, without any cuff."""

Row = Float[np.ndarray, "beat input"]


@dataclass(frozen=True)
class Inputs:
    """A choice of inputs, and what stands in for unknown ones.

    Attributes:
        source: ``ppg``: the pulse calibrated by the cuff (64 points), HR, age, cuff SBP
            and DBP. ``scalars``: the last four. ``ppg alone``: 64 points in units of
            the pulse height, pulse arrival time, HR and age. Anything else is the name
            of one of ``beats.waves``: 64 points in its own mmHg, HR and age.
        age: Years.
        pat: Pulse arrival time, s.
    """

    source: str = "ppg"
    age: float = 0.0
    pat: float = 0.0

    @classmethod
    def learn(cls, source: str, beats: Beats) -> Self:
        """Take means over the training subjects for what may be unknown later.

        Raises:
            RecordError: If the beats lack what this choice reads.
        """
        pat = _mean_known(_pat(beats), beats) if source == ALONE else 0.0
        return cls(source, _mean_known(beats.age, beats), pat)

    def of(self, beats: Beats) -> Row:
        """Return the inputs of beats, not standardised. Shape (beat, input).

        Raises:
            RecordError: If the beats lack what this choice reads.
        """
        age = np.where(np.isfinite(beats.age), beats.age, self.age)
        scalars = np.stack([beats.hr, age], axis=1)
        if self.source == SCALARS:
            return np.concatenate([scalars, beats.cuff], axis=1)
        if self.source == ALONE:
            pat = _pat(beats)
            pat = np.where(np.isfinite(pat), pat, self.pat)[:, None]
            return np.concatenate([beats.ppg, pat, scalars], axis=1)
        wave = source_wave(beats, self.source)
        known = beats.cuff if self.source == "ppg" else beats.cuff[:, :0]
        return np.concatenate([wave, scalars, known], axis=1)


def looks_at(source: str) -> tuple[Input, ...]:
    """Return what a choice of inputs looks at, see `Inputs`; `ALONE` times the ECG."""
    known: dict[str, tuple[Input, ...]] = {
        "ppg": ("cuff", "age", "hr", "ppg"),
        SCALARS: ("cuff", "age", "hr"),
        ALONE: ("age", "hr", "ppg", "ecg"),
    }
    return known.get(source, ("age", "hr", "pressure wave"))


def named(method: str, source: str) -> str:
    """Name a method by what it looks at, unless that is the usual."""
    return method if source == "ppg" else f"{method} ({source})"


def standard_scale(
    inputs: Row, weight: PerBeat
) -> tuple[Float[np.ndarray, " input"], Float[np.ndarray, " input"]]:
    """Return mean and standard deviation of each input.

    A constant input says nothing; a scale of infinity leaves it out.

    Args:
        inputs: Shape (beat, input).
        weight: Of each beat. Shape (beat,).
    """
    mean = np.average(inputs, axis=0, weights=weight)
    spread = np.average((inputs - mean) ** 2, axis=0, weights=weight)
    flat = spread <= 1e-12 * (1 + mean**2)
    return mean, np.where(flat, np.inf, np.sqrt(spread))


def true_pressures(beats: Beats) -> Float[np.ndarray, "beat 4"]:
    """Return SBP, DBP, MAP, PP of the reference."""
    return pressures(np.asarray(beats.reference, dtype=np.float64))


def with_pp(numbers: Float[np.ndarray, "beat 3"]) -> Float[np.ndarray, "beat 4"]:
    """Append PP = SBP - DBP."""
    return np.concatenate([numbers, numbers[:, :1] - numbers[:, 1:2]], axis=1)


def _pat(beats: Beats) -> PerBeat:
    if "pat" not in beats.features:
        found = ", ".join(map(repr, beats.features)) or "none"
        msg = (
            f"the beats have no feature 'pat' (features: {found}), which {ALONE!r} "
            "reads; take another source, or beats cut with their ECG."
        )
        raise RecordError(msg)
    return beats.features["pat"]


def _mean_known(values: PerBeat, beats: Beats) -> float:
    """Mean over the subjects in whom it is known, 0 if there is none."""
    known = np.isfinite(values)
    if not known.any():
        return 0.0
    weight = subject_weights(beats.subject)[known]
    return float(np.average(values[known], weights=weight))
