"""What every estimator is: something that learns from beats and answers for beats."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Self, TypeVar

import numpy as np

from capnet.errors import ProtocolError
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import N_POINTS, Flags, Input, Labels, PerBeat, Role

__all__ = [
    "Adaptable",
    "Estimator",
    "answerable",
    "fill",
    "fitted",
    "labelled",
    "learnable",
    "seen_by",
    "subject_weights",
]

_Learnt = TypeVar("_Learnt")


class Estimator(ABC):
    """Abstract: a method that estimates central pressure.

    Attributes:
        name: Name of the method, as tables print it.
        role: What its row in a table is: ``floor`` unless a child says otherwise.
        k: Labelled target subjects the method has seen.
        seen: Fingerprint of them (`seen_by`), empty while there are none.
        met: Names of all whose labels it has learnt from.
        family: What kind of estimator it is, as `capnet.evaluation.floors` asks for it.
        looks_at: Its inputs.
    """

    name: str
    role: Role = "floor"
    k: int = 0
    seen: str = ""
    met: frozenset[str] = frozenset()
    family: str = ""
    looks_at: tuple[Input, ...] = ()

    @abstractmethod
    def fit(self, beats: Beats) -> Self:
        """Learn from the beats that `labelled` lets through.

        Returns:
            The estimator itself.

        Raises:
            ProtocolError: If no beat has a reference.
        """

    @abstractmethod
    def predict(self, beats: Beats) -> Prediction:
        """Answer for every beat; refuse those the gate refused or without a cuff.

        Raises:
            ProtocolError: If the estimator was not fitted.
        """

    def meet(self, beats: Beats) -> Beats:
        """Return the `labelled` beats, and remember whose they are.

        Raises:
            ProtocolError: If there is no such beat.
        """
        beats = labelled(beats, method=self.name)
        self.met = frozenset(beats.subjects.tolist())
        return beats

    def answer(self, beats: Beats, rows: Flags, values: np.ndarray) -> Prediction:
        """Say the values of some beats and refuse the others, signed with who says it.

        Args:
            beats: All that was asked.
            rows: Which of them are answered. Shape (beat,).
            values: Of those, aortic waves (answered, 64) or SBP, DBP, MAP and PP
                (answered, 4), mmHg.
        """
        waves = values.shape[1] == N_POINTS
        say = Prediction.from_waveform if waves else Prediction.from_pressures
        said = say(self.name, beats, fill(rows, values), role=self.role, k=self.k)
        return said.replace(family=self.family, inputs=self.looks_at, seen=self.seen)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, role {self.role!r}, k={self.k})"


class Adaptable(Estimator):
    """Abstract: an estimator that a few labelled target subjects may correct."""

    @abstractmethod
    def adapt(self, beats: Beats) -> Self:
        """Return a new estimator, corrected by the subjects of these beats.

        The estimator itself stays as it was. Its ``k`` becomes the number of
        subjects with a usable label.

        Raises:
            ProtocolError: If the estimator was not fitted, or no beat has a label.
        """


def answerable(beats: Beats) -> Flags:
    """Tell which beats were accepted and have a cuff reading. Shape (beat,)."""
    return np.asarray(beats.accepted & np.isfinite(beats.cuff).all(axis=1))


def labelled(beats: Beats, *, method: str) -> Beats:
    """Return the beats a method may learn from.

    Those are the accepted ones with a cuff reading and a complete reference.

    Args:
        beats: Beats of any kind.
        method: Who asks, for the error message.

    Raises:
        ProtocolError: If there is no such beat.
    """
    if beats.reference is None:
        msg = (
            f"{method!r} was given beats without a reference (reference_type "
            f"'none', {len(beats)} beats); wanted beats with a measured or simulated "
            "aortic pressure. Fit on a labelled set."
        )
        raise ProtocolError(msg)
    rows = learnable(beats)
    if not rows.any():
        msg = (
            f"{method!r} was given {len(beats)} beats, {int(beats.accepted.sum())} "
            f"accepted, {int(answerable(beats).sum())} of them with a cuff reading, "
            "none of those with a reference; wanted at least one to learn from."
        )
        raise ProtocolError(msg)
    return beats.take(rows)


def learnable(beats: Beats) -> Flags:
    """Tell which `answerable` beats have a complete reference. Shape (beat,)."""
    if beats.reference is None:
        return np.zeros(len(beats), dtype=np.bool_)
    known = np.isfinite(beats.reference).all(axis=1)
    return np.asarray(answerable(beats) & known)


def fitted(learnt: _Learnt | None, *, method: str) -> _Learnt:
    """Return what was learnt; refuse to answer before learning.

    Args:
        learnt: What the method keeps of its training, None before.
        method: Who asks, for the error message.

    Raises:
        ProtocolError: If the method was not fitted.
    """
    if learnt is None:
        msg = f"{method!r} was asked before it was fitted; call fit(beats) first."
        raise ProtocolError(msg)
    return learnt


def seen_by(subjects: Iterable[str]) -> str:
    """Return 12 hexadecimal digits for a set of people: to compare, not to recognise.

    Two methods with the same digits were given labels of the same people. There is no
    key: who guesses all the names can prove it.

    Args:
        subjects: Names, in any order; nobody gives an empty word.
    """
    names = sorted({str(s) for s in subjects})
    if not names:
        return ""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def subject_weights(subject: Labels) -> PerBeat:
    """Weigh beats so that every subject counts the same; the mean weight is 1.

    Args:
        subject: Whose beat it is. Shape (beat,).

    Returns:
        Weights. Shape (beat,).
    """
    _, which, counts = np.unique(subject, return_inverse=True, return_counts=True)
    return np.asarray(len(subject) / (len(counts) * counts[which]), dtype=np.float64)


def fill(rows: Flags, values: np.ndarray) -> np.ndarray:
    """Put the answers of some beats into a table of all; the others are NaN.

    Args:
        rows: Which beats were answered. Shape (beat,).
        values: Their answers. Shape (answered, column).

    Returns:
        All answers. Shape (beat, column).
    """
    table = np.full((len(rows), values.shape[1]), np.nan)
    table[rows] = values
    return table
