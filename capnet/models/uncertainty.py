"""Estimators that say how sure they are: intervals and a doubt beside each answer."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, Self, runtime_checkable

from capnet.errors import ProtocolError, ShapeError
from capnet.models.acquaintance import met_by
from capnet.models.doubt import Doubt
from capnet.models.intervals import Grouping, Intervals, Kind
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Role

__all__ = [
    "NOTHING",
    "Answering",
    "Uncertain",
    "Uncertainty",
    "calibrate_intervals",
    "learn_doubt",
]


@runtime_checkable
class Answering(Protocol):
    """Anything that answers beats under a name."""

    @property
    def name(self) -> str:
        """Name of the method."""

    @property
    def role(self) -> Role:
        """Deep, floor or control."""

    @property
    def k(self) -> int:
        """Labelled target subjects it has seen."""

    def predict(self, beats: Beats) -> Prediction:
        """Estimate central pressure of every beat."""
        ...


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What an estimator remembers to say how sure it is.

    Attributes:
        intervals: At most one set for each calibration.
        doubt: None without.
        of: Fingerprint of the estimator that the intervals were calibrated with; once
            it answers otherwise, they say nothing and are not answered. Empty where
            the estimator cannot change.

    Raises:
        ShapeError: If two sets are of one calibration, or the fingerprint is no word.
    """

    intervals: tuple[Intervals, ...] = ()
    doubt: Doubt | None = None
    of: str = ""

    def __post_init__(self) -> None:
        told = [i.calibration for i in self.intervals]
        if len(set(told)) < len(told) or not isinstance(self.of, str):
            msg = (
                f"intervals of calibrations {told} and fingerprint {self.of!r}; wanted "
                "one set a calibration, and a word."
            )
            raise ShapeError(msg)

    def __bool__(self) -> bool:
        return bool(self.intervals) or self.doubt is not None

    def found(self, beats: Beats) -> Intervals | None:
        """Return the intervals for beats of this calibration, None without."""
        same = [i for i in self.intervals if i.calibration == beats.calibration]
        return same[0] if same else None

    def said_of(
        self, prediction: Prediction, beats: Beats, *, intervals: bool = True
    ) -> Prediction:
        """Return the prediction with intervals and doubt, as far as there are any.

        Args:
            prediction: Of these beats.
            beats: What was asked.
            intervals: Whether those are still about this estimator.
        """
        changed: dict[str, object] = {}
        found = self.found(beats) if intervals else None
        if found is not None:
            low, high = found.of(prediction, beats)
            changed |= {"low": low, "high": high, "coverage": found.coverage}
        if self.doubt is not None:
            changed["doubt"] = self.doubt.of(prediction, beats)
        return prediction.replace(**changed) if changed else prediction

    def with_intervals(self, found: Intervals, *, of: str) -> Self:
        """Return a copy in which these replace those of the same calibration."""
        kept = [i for i in self.intervals if i.calibration != found.calibration]
        if of != self.of:  # the others were calibrated with another estimator
            kept = []
        return replace(self, intervals=(*kept, found), of=of)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for strict JSON."""
        return {
            "format": _FORMAT,
            "of": self.of,
            "intervals": [i.to_dict() for i in self.intervals],
            "doubt": None if self.doubt is None else self.doubt.to_dict(),
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave.

        Raises:
            ValueError: If it is of another format.
        """
        if said["format"] != _FORMAT:
            msg = f"format {said['format']!r}; wanted {_FORMAT}."
            raise ValueError(msg)
        doubt = said["doubt"]
        return cls(
            intervals=tuple(Intervals.from_dict(i) for i in said["intervals"]),
            doubt=None if doubt is None else Doubt.from_dict(doubt),
            of=said["of"],
        )


_FORMAT: Final = 1
NOTHING: Final = Uncertainty()
"""What an estimator has that never said how sure it is."""


@runtime_checkable
class _Carrier(Protocol):
    """An estimator that keeps its uncertainty itself."""

    uncertainty: Uncertainty

    def fingerprint(self) -> str: ...

    def carrying(self, uncertainty: Uncertainty) -> Answering: ...


class Uncertain:
    """A copy of any estimator, with what it needs to say how sure it is.

    Args:
        estimator: Fitted; it is copied, for intervals say nothing once it is fitted
            anew.
        uncertainty: What is said beside its answers.
    """

    def __init__(self, estimator: Answering, uncertainty: Uncertainty) -> None:
        self.estimator = deepcopy(estimator)
        self.uncertainty = uncertainty

    @property
    def name(self) -> str:
        """Name of the estimator."""
        return self.estimator.name

    @property
    def role(self) -> Role:
        """Role of the estimator."""
        return self.estimator.role

    @property
    def k(self) -> int:
        """Labelled target subjects that the estimator has seen."""
        return self.estimator.k

    @property
    def met(self) -> frozenset[str]:
        """Subjects that the estimator has learnt from, as far as it says so."""
        return getattr(self.estimator, "met", frozenset())

    def fingerprint(self) -> str:
        """Return nothing: the copy cannot change."""
        return ""

    def carrying(self, uncertainty: Uncertainty) -> "Uncertain":
        """Return the same estimator with another uncertainty."""
        return Uncertain(self.estimator, uncertainty)

    def predict(self, beats: Beats) -> Prediction:
        """Answer as the estimator does, with intervals and doubt."""
        return self.uncertainty.said_of(self.estimator.predict(beats), beats)

    def __repr__(self) -> str:
        return f"Uncertain({self.estimator!r}, {self.uncertainty!r})"


def calibrate_intervals(
    model: Answering,
    beats: Beats,
    *,
    coverage: float = 0.9,
    kind: Kind = "absolute",
    by: Grouping | None = None,
    seed: int = 0,
) -> Any:
    """Return a copy of an estimator whose answers have intervals.

    By split conformal prediction, one drawn beat a subject:
    `capnet.models.conformal` tells what that promises, `capnet.models.intervals` what
    the kinds are. The answers themselves stay as they are to the last bit.

    Args:
        model: A `CentralPressureModel`, a fitted floor, anything that answers.
        beats: Of people whom the model has not learnt from, with a reference. Their
            calibration is that for which intervals are answered; call again with beats
            of another one. Who was learnt from is looked up where it is known
            (`capnet.models.acquaintance`); elsewhere nobody but you can tell.
        coverage: Share of new subjects whose random beat the interval is to hold.
        kind: ``absolute``, ``normalised`` or ``quantiles``.
        by: Grouping within each group of which the promise holds, None for one.
        seed: Of halves and drawn beats; kept.

    Returns:
        A model of the same class where it can keep intervals, else an `Uncertain`.

    Raises:
        ProtocolError: If there is nothing to calibrate on, or the model is known to
            have met some of these people.
        ConfigError: If a setting is impossible.
    """
    _check_unseen(model, beats)
    found = Intervals.learn(
        model.predict(beats), beats, coverage=coverage, kind=kind, by=by, seed=seed
    )
    if isinstance(model, _Carrier):
        told = model.uncertainty.with_intervals(found, of=model.fingerprint())
        return model.carrying(told)
    return Uncertain(model, Uncertainty((found,)))


def learn_doubt(model: Answering, beats: Beats) -> Any:
    """Return a copy of an estimator whose answers have a doubt.

    What it is made of is told in `capnet.models.doubt`. The answers themselves stay as
    they are to the last bit.

    Args:
        model: As in `calibrate_intervals`.
        beats: Of people whom the model has not learnt from, with a reference.

    Returns:
        A model of the same class where it can keep a doubt, else an `Uncertain`.

    Raises:
        ProtocolError: If there are too few people, or the model is known to have met
            some of them.
    """
    _check_unseen(model, beats)
    found = Doubt.learn(model.predict(beats), beats)
    if isinstance(model, _Carrier):
        return model.carrying(replace(model.uncertainty, doubt=found))
    return Uncertain(model, Uncertainty(doubt=found))


def _check_unseen(model: Answering, beats: Beats) -> None:
    known = met_by(model, beats)
    if known:
        msg = (
            f"{model.name!r} (k = {model.k}) has met {len(known)} of the "
            f"{len(beats.subjects)} subjects it would be calibrated on, {known[0]!r} "
            "among them; its errors there are too small. Calibrate on other people."
        )
        raise ProtocolError(msg)
