"""Two methods on the same beats of the same subjects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.functionals import STATISTICS, check_metric, table_of
from capnet.evaluation.scores import Scored
from capnet.evaluation.statistics.bootstrap import (
    PLAIN,
    SURE_SUBJECTS,
    UNEXPLAINED,
    Estimate,
    Interval,
    bootstrap,
)
from capnet.evaluation.statistics.holm import holm
from capnet.evaluation.statistics.ratio import ratio_of_means

__all__ = ["NEGLIGIBLE", "Outcome", "Paired", "correct", "pair_of", "paired_tables"]

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
        interval: 95 % interval of the difference over subjects, of this pair alone; of
            two R2 by `capnet.evaluation.statistics.ratio`.
        subjects: Behind both numbers: a subject without one of them (a slope of one
            beat, a wave without a notch) is in neither.
        beats: That both methods answered.
        p_value: Two-sided, of no difference, of this pair alone; below 0.05 exactly
            when the interval is clear of zero. None without an interval.
        p_holm: Corrected for all pairs of its family (Holm 1979); None for a pair that
            was asked for on its own.
        family: Pairs that were corrected together; None likewise.
        share: Of the beats with a truth, those that both methods answered.
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
    share: float = 1.0

    @property
    def outcome(self) -> Outcome:
        """``won`` or ``lost`` by a only where the interval is clear of zero.

        Without an interval, and with `few` subjects, it is undecided. In a family of
        pairs the corrected p-value must be below 0.05, too. A difference below
        `NEGLIGIBLE` is a tie however sure it is; one of statistics whose best value is
        not at an end (a bias, a slope) is undecided.
        """
        if self.interval is None or self.few:
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
            "share": self.share,
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
    tables = paired_tables(first, second, metric)
    if tables is None:
        p, q = first.prediction, second.prediction
        msg = (
            f"{p.method!r} (k = {p.k}) or {q.method!r} (k = {q.k}) has no {metric!r} "
            f"on the {int(shared.sum())} beats that both methods answer; choose a "
            "metric that both have."
        )
        raise ProtocolError(msg)
    statistic, n = STATISTICS[metric], len(tables[0])
    a, b = (float(statistic.function(t.mean(axis=0)[None], n)[0]) for t in tables)
    if statistic.scale is UNEXPLAINED:
        found = _explained(*tables)
    else:
        width = tables[0].shape[1]

        def difference(m: np.ndarray, n: int) -> np.ndarray:
            return statistic.function(m[:, :width], n) - statistic.function(
                m[:, width:], n
            )

        both = np.concatenate(tables, axis=1)
        found = bootstrap(both, difference, PLAIN, resamples=resamples, seed=seed)
    return Paired(
        method_a=first.key,
        method_b=second.key,
        metric=metric,
        a=a,
        b=b,
        difference=a - b,
        interval=found.interval,
        subjects=n,
        beats=int(shared.sum()),
        p_value=found.p_value,
        share=float(shared.sum() / first.ground.known.sum()),
    )


def paired_tables(
    first: Scored, second: Scored, metric: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what a statistic of two methods is made of, on the same beats and people.

    Args:
        first: Method a.
        second: Method b, on the same ground.
        metric: One of `capnet.evaluation.functionals.STATISTICS`.

    Returns:
        Each of shape (subject, column), the same subjects in both; None where nothing
        is left, or the statistic of either is not defined on it.
    """
    shared = first.beats & second.beats
    one = table_of(metric, first.on(shared, second))
    other = table_of(metric, second.on(shared, first))
    if one is None or other is None:
        return None
    known = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    tables = one[known], other[known]
    if not known.any():
        return None
    function = STATISTICS[metric].function
    ends = (function(t.mean(axis=0)[None], len(t))[0] for t in tables)
    return tables if np.isfinite([*ends]).all() else None


def _explained(one: np.ndarray, other: np.ndarray) -> Estimate:
    """Estimate the difference of two R2 of the same truth: a ratio of two means."""
    square, truth, truth_square = one.T
    centre = truth.mean()
    spread = truth_square - 2 * centre * truth + centre**2
    return ratio_of_means(other[:, 0] - square, spread)


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
