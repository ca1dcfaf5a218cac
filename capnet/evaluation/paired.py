"""Two methods on the same beats of the same subjects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.functionals import STATISTICS, check_metric, table_of, value
from capnet.evaluation.scores import Scored
from capnet.evaluation.statistics.bootstrap import (
    PLAIN,
    SURE_SUBJECTS,
    Interval,
    bootstrap,
)
from capnet.evaluation.statistics.holm import holm

__all__ = ["NEGLIGIBLE", "Outcome", "Paired", "correct", "pair_of"]

Outcome = Literal["won", "lost", "tied", "undecided"]
"""What a paired interval says about the first method of the pair."""

NEGLIGIBLE: Final = 0.05
"""mmHg (0.05 of an R2): no cuff, catheter or reader could tell such a difference."""

LEVEL: Final = 0.05
"""Below which a corrected p-value counts."""


@dataclass(frozen=True)
class Paired:
    """The difference of two methods on the same beats and the same resamples.

    Attributes:
        method_a: Name and k of the first method.
        method_b: Name and k of the second.
        metric: Which statistic.
        a: Of the first method on the shared beats.
        b: Of the second.
        difference: a - b.
        interval: 95 % interval of the difference over subjects, of this pair alone.
        subjects: That both methods answered.
        beats: That both methods answered.
        p_value: Two-sided, of no difference, of this pair alone; below 0.05 exactly
            when the interval is clear of zero. None without an interval.
        p_holm: Corrected for all pairs of its family (Holm 1979); None for a pair that
            was asked for on its own.
        family: Pairs that were corrected together; None likewise.
    """

    method_a: tuple[str, int]
    method_b: tuple[str, int]
    metric: str
    a: float
    b: float
    difference: float
    interval: Interval | None
    subjects: int
    beats: int
    p_value: float | None = None
    p_holm: float | None = None
    family: int | None = None

    @property
    def outcome(self) -> Outcome:
        """``won`` or ``lost`` by a only where the interval is clear of zero.

        In a family of pairs the corrected p-value must be below 0.05, too. A
        difference below `NEGLIGIBLE` is a tie however sure it is; one of statistics
        whose best value is not at an end (a bias, a slope) is undecided.
        """
        if self.interval is None:
            return "undecided"
        low, high = self.interval
        unsure = self.p_holm is not None and self.p_holm >= LEVEL
        if low <= 0 <= high or unsure or abs(self.difference) < NEGLIGIBLE:
            return "tied"
        better = STATISTICS[self.metric].better
        if better == "neither":
            return "undecided"
        return "won" if (low > 0) == (better == "more") else "lost"

    @property
    def few(self) -> bool:
        """Whether the interval may hold the truth less often than it says."""
        return self.subjects < SURE_SUBJECTS

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON (no NaN)."""
        return {
            "method_a": list(self.method_a),
            "method_b": list(self.method_b),
            "metric": self.metric,
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
            "p_value": self.p_value,
            "p_holm": self.p_holm,
            "family": self.family,
            "subjects": self.subjects,
            "few_subjects": self.few,
            "beats": self.beats,
            "outcome": self.outcome,
        }


def pair_of(
    first: Scored, second: Scored, metric: str, *, resamples: int, seed: int
) -> Paired:
    """Return the difference of two methods with its interval and p-value.

    Only beats that both methods answered count.

    Args:
        first: Method a.
        second: Method b, on the same ground.
        metric: One of `capnet.evaluation.functionals.STATISTICS`.
        resamples: Of subjects.
        seed: Of the resamples.

    Raises:
        ProtocolError: If the metric is not known, or a method has none of it on the
            beats that both answer.
    """
    check_metric(metric)
    shared = first.beats & second.beats
    points, tables = [], []
    for scored in (first, second):
        columns = scored.on(shared)
        point, table = value(metric, columns)[0], table_of(metric, columns)
        if point is None or table is None:
            p = scored.prediction
            msg = (
                f"{p.method!r} (k = {p.k}) has no {metric!r} on the "
                f"{int(shared.sum())} beats that both methods answer; choose a "
                "metric that both have."
            )
            raise ProtocolError(msg)
        points.append(point)
        tables.append(table)
    width, function = tables[0].shape[1], STATISTICS[metric].function

    def difference(m: np.ndarray, n: int) -> np.ndarray:
        return function(m[:, :width], n) - function(m[:, width:], n)

    found = bootstrap(
        np.concatenate(tables, axis=1),
        difference,
        PLAIN,
        resamples=resamples,
        seed=seed,
    )
    return Paired(
        method_a=(first.prediction.method, first.prediction.k),
        method_b=(second.prediction.method, second.prediction.k),
        metric=metric,
        a=points[0],
        b=points[1],
        difference=points[0] - points[1],
        interval=found.interval,
        subjects=len(np.unique(first.ground.code[shared])),
        beats=int(shared.sum()),
        p_value=found.p_value,
    )


def correct(family: Sequence[Paired]) -> tuple[Paired, ...]:
    """Correct the p-values of pairs that are read together (Holm).

    Args:
        family: Pairs; those without a p-value stay as they are and do not count.
    """
    sure = [p for p in family if p.p_value is not None]
    corrected = iter(holm([p.p_value for p in sure if p.p_value is not None]))
    return tuple(
        p if p.p_value is None else replace(p, p_holm=next(corrected), family=len(sure))
        for p in family
    )
