"""A doubt about each answer: one number, larger where it should be trusted less.

Three things make an answer doubtful, and they multiply:

* errors are usually large for such a person and pulse: a smooth surface of the
  logarithm of the SBP error, learnt on people who were not trained on;
* the beat is unlike those: its Mahalanobis distance beyond what 99 % of them have, and
  what their principal components leave of its pulse;
* the gate of windows does not believe what is around it: ``features["window"]`` is 0.
  Where nobody judged windows (beats of virtual clinics have no such feature, others may
  have NaN) nothing is added.

The product ``s`` becomes ``s / (s + s0)``, with the median of the people it was learnt
on as ``s0``: 0.5 is usual, near 1 is hopeless. A beat without an answer has doubt 1:
the gate's refusal is the worst doubt; one that was answered without any pulse has the
largest below 1. It is a ranking, no probability, learnt under one calibration and
answered under all, and, unlike intervals, kept by adapted copies of a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from jaxtyping import Float

from capnet.errors import ProtocolError, ShapeError
from capnet.models.estimator import labelled, subject_weights
from capnet.models.inputs import true_pressures
from capnet.models.surface import Standard, Surface, check_numbers
from capnet.models.traits import TRAITS, answer_errors, traits_of
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import N_POINTS, PerBeat

__all__ = ["Doubt"]

_PARTS: Final = 8
"""Principal components of the pulse; they hold 0.999 of its variance."""
_BENT: Final = 9
_SOFT: Final = 0.5
"""mmHg added to an error before its logarithm: what no reference can tell."""
_USUAL: Final = 0.99
"""Share of the people learnt from who are not far away."""
_NOT_BELIEVED: Final = 100.0
"""Factor of a beat whose window the gate does not believe."""
_LEAST: Final = 50
"""Subjects from whom a doubt can be learnt at all."""
_LEAST_SCALE: Final = 1e-9
_MOST: Final = 1e6
"""Largest product; keeps doubts of answers below 1."""


@dataclass(frozen=True, eq=False)
class Doubt:
    """What an estimator remembers to doubt its answers; plain numbers.

    Attributes:
        mean: Pulse. Shape (64,).
        parts: Its principal components. Shape (8, 64).
        surface: Of the logarithm of the SBP error, of traits and components.
        near: Standardisation of traits and components.
        whitening: Makes their covariance the identity. Shape (number, number).
        far: Distance, and root mean square of what components leave of a pulse, that
            99 % of the people have at most.
        usual: Median product over the people.
        subjects: Learnt from.
        calibration: Of their beats.

    Raises:
        ShapeError: If the parts do not fit, or a number is none.
    """

    mean: Float[np.ndarray, " 64"]
    parts: Float[np.ndarray, "part 64"]
    surface: Surface
    near: Standard
    whitening: Float[np.ndarray, "number number"]
    far: tuple[float, float]
    usual: float
    subjects: int
    calibration: str

    def __post_init__(self) -> None:
        parts = len(self.parts)
        n = len(TRAITS) + parts
        terms = len(self.surface.coefficients)
        check_numbers("mean", self.mean, (N_POINTS,))
        check_numbers("parts", self.parts, (parts, N_POINTS))
        check_numbers("surface", self.surface.standard.mean, (n,))
        check_numbers("surface", self.surface.coefficients, (terms, 1))
        check_numbers("near", self.near.mean, (n,))
        check_numbers("whitening", self.whitening, (n, n))
        scales = np.array([*self.far, self.usual])
        check_numbers("far and usual", scales, (3,), least=_LEAST_SCALE)
        counted = isinstance(self.subjects, int) and self.subjects >= _LEAST
        if not counted or not isinstance(self.calibration, str):
            msg = (
                f"subjects is {self.subjects!r}, calibration {self.calibration!r}; "
                f"wanted {_LEAST} or more, and a word."
            )
            raise ShapeError(msg)

    @classmethod
    def learn(cls, prediction: Prediction, beats: Beats) -> Self:
        """Learn from people whom the estimator has not learnt from.

        Args:
            prediction: Of these beats.
            beats: With a reference; accepted beats with a pulse and an answer count,
                a subject once.

        Raises:
            ProtocolError: If there are fewer than 50 such people.
        """
        labelled(beats, method=prediction.method)  # refuses where nothing is known
        true = true_pressures(beats)
        rows = prediction.accepted & np.isfinite(true).all(axis=1)
        rows &= np.isfinite(beats.ppg).all(axis=1)
        found = len(np.unique(beats.subject[rows]))
        if found < _LEAST:
            msg = (
                f"a doubt about {prediction.method!r} was to be learnt from {found} "
                "subjects with a pulse, an answer and a reference; wanted "
                f"{_LEAST} or more."
            )
            raise ProtocolError(msg)
        error = answer_errors(prediction, true)[rows, :1]
        traits, beats = traits_of(prediction, beats)[rows], beats.take(rows)
        weight = subject_weights(beats.subject)
        mean, parts = _components(beats.ppg, weight)
        numbers = np.concatenate([traits, (beats.ppg - mean) @ parts.T], axis=1)
        size = np.log(np.abs(error) + _SOFT)
        surface = Surface.fit(numbers, size, weight, bent=_BENT)
        near = Standard.learn(numbers, weight)
        learnt = cls(
            mean=mean,
            parts=parts,
            surface=surface,
            near=near,
            whitening=_whitening(near.of(numbers), weight),
            far=(1.0, 1.0),
            usual=1.0,
            subjects=found,
            calibration=beats.calibration,
        )
        away, left = learnt._distances(numbers, beats.ppg)
        far = (_quantile(away, weight, _USUAL), _quantile(left, weight, _USUAL))
        found_far = (max(far[0], _LEAST_SCALE), max(far[1], _LEAST_SCALE))
        near_by = cls(**{**vars(learnt), "far": found_far})
        product = near_by._product(numbers, beats.ppg)
        return cls(**{**vars(near_by), "usual": _quantile(product, weight, 0.5)})

    def of(self, prediction: Prediction, beats: Beats) -> PerBeat:
        """Return the doubt of each beat, 0 to 1. Shape (beat,).

        Args:
            prediction: Of these beats.
            beats: What was asked; ``features["window"]``, where it is known, says
                whether the gate of windows believes what is around a beat.
        """
        rows = prediction.accepted
        answer = np.ones(len(beats))
        traits = traits_of(prediction, beats)[rows]
        ppg = beats.ppg[rows]
        parts = (ppg - self.mean) @ self.parts.T
        product = self._product(np.concatenate([traits, parts], axis=1), ppg)
        if "window" in beats.features:
            not_believed = beats.features["window"][rows] == 0
            product = np.where(not_believed, _NOT_BELIEVED * product, product)
        product = np.where(np.isfinite(ppg).all(axis=1), product, np.inf)
        product = np.minimum(product / self.usual, _MOST)
        answer[rows] = product / (1.0 + product)
        return answer

    def _product(
        self, numbers: Float[np.ndarray, "beat number"], ppg: np.ndarray
    ) -> PerBeat:
        away, left = self._distances(numbers, ppg)
        beyond = np.maximum(away / self.far[0], 1.0) * np.maximum(
            left / self.far[1], 1.0
        )
        return np.asarray(np.exp(self.surface.of(numbers)[:, 0]) * beyond)

    def _distances(
        self, numbers: Float[np.ndarray, "beat number"], ppg: np.ndarray
    ) -> tuple[PerBeat, PerBeat]:
        """Return how far beats are from the people, and what is left of their pulse."""
        white = self.near.of(numbers) @ self.whitening
        away = np.sqrt(np.mean(white**2, axis=1))
        centred = ppg - self.mean
        left = centred - (centred @ self.parts.T) @ self.parts
        return away, np.sqrt(np.mean(left**2, axis=1))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for strict JSON."""
        return {
            "mean": self.mean.tolist(),
            "parts": self.parts.tolist(),
            "surface": self.surface.to_dict(),
            "near": self.near.to_dict(),
            "whitening": self.whitening.tolist(),
            "far": list(self.far),
            "usual": self.usual,
            "subjects": self.subjects,
            "calibration": self.calibration,
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave."""
        away, left = said["far"]
        return cls(
            **{
                **said,
                "mean": np.asarray(said["mean"], float),
                "parts": np.asarray(said["parts"], float),
                "surface": Surface.from_dict(said["surface"]),
                "near": Standard.from_dict(said["near"]),
                "whitening": np.asarray(said["whitening"], float),
                "far": (float(away), float(left)),
            }
        )

    def __repr__(self) -> str:
        return f"Doubt({self.subjects} subjects, calibration {self.calibration!r})"


def _components(ppg: np.ndarray, weight: PerBeat) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean pulse and its principal components, subjects weighing alike."""
    mean = np.average(ppg, axis=0, weights=weight)
    centred = np.sqrt(weight)[:, None] * (ppg - mean)
    _, found = np.linalg.eigh(centred.T @ centred)
    parts = found[:, ::-1][:, :_PARTS].T
    side = np.sign(parts[np.arange(len(parts)), np.abs(parts).argmax(axis=1)])
    return mean, side[:, None] * parts


def _whitening(standard: np.ndarray, weight: PerBeat) -> np.ndarray:
    """Return the symmetric root of the inverse covariance, a little towards none."""
    share = weight / weight.sum()
    covariance = standard.T @ (share[:, None] * standard)
    value, axis = np.linalg.eigh(covariance)
    return np.asarray((axis / np.sqrt(np.maximum(value, 0.0) + 1e-2)) @ axis.T)


def _quantile(values: PerBeat, weight: PerBeat, share: float) -> float:
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(weight[order]) / weight.sum()
    at = int(np.searchsorted(passed, share))
    return float(values[order[min(at, len(order) - 1)]])
