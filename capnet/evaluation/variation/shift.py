r"""The same methods on people like those they learnt from, and on others.

Home and away are different people, so the difference has the interval

.. math:: d - \sqrt{(a - l_a)^2 + (u_h - h)^2},\quad
    d + \sqrt{(u_a - a)^2 + (h - l_h)^2}

of two independent estimates with intervals of their own (Zou & Donner, Stat Med
2008;27:1693-1702).
"""

from dataclasses import dataclass

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.evaluate import Evaluation
from capnet.evaluation.functionals import check_metric, estimate
from capnet.evaluation.statistics.bootstrap import SURE_SUBJECTS, Interval
from capnet.types import Calibration, ReferenceType, Role

__all__ = ["Shift", "ShiftTable", "shift_table"]


@dataclass(frozen=True)
class Shift:
    """One method at home and away.

    Attributes:
        method: Name and k.
        role: Deep, floor or control.
        home: The statistic at home; None where it is not defined.
        home_interval: 95 % over subjects.
        home_subjects: Behind it.
        away: The statistic away.
        away_interval: 95 % over subjects.
        away_subjects: Behind it.
        difference: away - home: what the shift costs.
        interval: 95 % of the difference; None where one of the two has none.
    """

    method: tuple[str, int]
    role: Role
    home: float | None
    home_interval: Interval | None
    home_subjects: int
    away: float | None
    away_interval: Interval | None
    away_subjects: int
    difference: float | None
    interval: Interval | None

    @property
    def few(self) -> bool:
        """Whether one of the two has too few subjects for a claim."""
        return min(self.home_subjects, self.away_subjects) < SURE_SUBJECTS

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON (no NaN)."""
        return {
            "method": list(self.method),
            "role": self.role,
            "home": self.home,
            "home_interval": _listed(self.home_interval),
            "home_subjects": self.home_subjects,
            "away": self.away,
            "away_interval": _listed(self.away_interval),
            "away_subjects": self.away_subjects,
            "difference": self.difference,
            "interval": _listed(self.interval),
            "few_subjects": self.few,
        }


@dataclass(frozen=True)
class ShiftTable:
    """All methods that are both at home and away.

    Attributes:
        metric: Which statistic.
        calibration: Of both.
        home_reference: What kind of truth there is at home.
        away_reference: And away; a difference between kinds of truth is in the
            difference of the scores, too.
        rows: One a method and k.
    """

    metric: str
    calibration: Calibration
    home_reference: ReferenceType
    away_reference: ReferenceType
    rows: tuple[Shift, ...]

    @property
    def note(self) -> str:
        """What to beware of, empty where there is nothing."""
        if self.home_reference == self.away_reference:
            return ""
        return (
            f"the reference is {self.home_reference} at home and "
            f"{self.away_reference} away: part of the difference is theirs"
        )

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON (no NaN)."""
        return {
            "metric": self.metric,
            "calibration": self.calibration,
            "home_reference": self.home_reference,
            "away_reference": self.away_reference,
            "note": self.note,
            "rows": [r.to_dict() for r in self.rows],
        }

    def __str__(self) -> str:
        lines = [
            f"{self.metric} at home (reference {self.home_reference}) and away "
            f"(reference {self.away_reference}), calibration {self.calibration}"
        ]
        for r in self.rows:
            home, away = ("none" if v is None else f"{v:.2f}" for v in (r.home, r.away))
            lines.append(f"{r.method[0]} (k = {r.method[1]}): {home} -> {away}")
        return "\n".join(lines)


def shift_table(
    home: Evaluation, away: Evaluation, metric: str = "sbp_rmse"
) -> ShiftTable:
    """Put the same methods at home and away beside each other.

    Args:
        home: On people like those that the methods learnt from, e.g. held-out ones of
            the source.
        away: On others: another age, clinic, simulator, sensor.
        metric: One of `capnet.evaluation.functionals.STATISTICS`.

    Raises:
        ProtocolError: If the calibrations differ, people are in both, no method is in
            both, or the metric is not known.
    """
    check_metric(metric)
    if home.calibration != away.calibration:
        msg = (
            f"home is calibrated by {home.calibration!r}, away by "
            f"{away.calibration!r}; the difference would be that of the calibrations. "
            "Compare the same calibration."
        )
        raise ProtocolError(msg)
    both = np.intersect1d(home.reference.subjects, away.reference.subjects)
    if len(both):
        msg = (
            f"{len(both)} subjects are at home and away, the first "
            f"{str(both[0])!r}; wanted different people (a record seen twice is a "
            "paired question)."
        )
        raise ProtocolError(msg)
    there = {s.key for s in home.scores}
    keys = [s.key for s in away.scores if s.key in there]
    if not keys:
        msg = "no method with the same k is both at home and away; judge them on both."
        raise ProtocolError(msg)
    return ShiftTable(
        metric=metric,
        calibration=home.calibration,
        home_reference=home.reference_type,
        away_reference=away.reference_type,
        rows=tuple(_shift(home, away, key, metric) for key in keys),
    )


def _shift(
    home: Evaluation, away: Evaluation, key: tuple[str, int], metric: str
) -> Shift:
    h, a = (
        estimate(
            metric,
            e.scored[e.position(key)].subjects,
            resamples=e.resamples,
            seed=e.seed,
        )
        for e in (home, away)
    )
    stays = None if h is None else h.value
    goes = None if a is None else a.value
    kept = None if h is None else h.interval
    went = None if a is None else a.interval
    difference = None if stays is None or goes is None else goes - stays
    return Shift(
        method=key,
        role=away.score(key).role,
        home=stays,
        home_interval=kept,
        home_subjects=0 if h is None else h.subjects,
        away=goes,
        away_interval=went,
        away_subjects=0 if a is None else a.subjects,
        difference=difference,
        interval=_apart(stays, kept, goes, went),
    )


def _apart(
    home: float | None,
    kept: Interval | None,
    away: float | None,
    went: Interval | None,
) -> Interval | None:
    if home is None or away is None or kept is None or went is None:
        return None
    d = away - home
    low = d - np.hypot(away - went.low, kept.high - home)
    high = d + np.hypot(went.high - away, home - kept.low)
    return Interval(float(low), float(high))


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
