"""Score predictions against the truth, blind to which model made them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.beat_scores import (
    STATISTICS,
    Columns,
    beat_columns,
    scored_beats,
    statistic,
    subject_columns,
)
from capnet.evaluation.protocol import check_protocol
from capnet.evaluation.protocols.aami import compare_with_aami
from capnet.evaluation.statistics.bootstrap import Interval, draw_subjects, interval
from capnet.evaluation.truth import Truth, truth_of
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Calibration, Flags, ReferenceType, Role

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "WITH_INTERVAL",
    "Evaluation",
    "MethodKey",
    "MethodScore",
    "Outcome",
    "Paired",
    "evaluate",
]

MethodKey = str | tuple[str, int]
"""A method by its name, or by name and k where the name appears more than once."""

Outcome = Literal["won", "lost", "tied", "undecided"]
"""What a paired interval says about the first method of the pair."""

WITH_INTERVAL: Final = (
    "wave_rmse",
    "sbp_rmse",
    "sbp_mae",
    "pp_rmse",
    "amplification_r2",
)
"""Statistics that carry a 95 % interval over subjects."""

COMPARED: Final = ("wave_rmse", "sbp_rmse")
"""Statistics on which each deep row meets the best floor."""


NEGLIGIBLE: Final = 0.05
"""mmHg (0.05 of an R2): no cuff, catheter or reader could tell such a difference."""


@dataclass(frozen=True)
class MethodScore:
    """One row of the table.

    Attributes:
        method: Name of the method.
        role: Deep, floor or control.
        k: Labelled target subjects it has seen.
        subjects: With at least one scored beat.
        beats: With both an answer and a truth.
        accepted_fraction: Share of all beats that it answered.
        values: Statistics by name (`capnet.evaluation.beat_scores.STATISTICS`), mmHg,
            ms or no unit; None where the method does not answer or the statistic is
            not defined.
        intervals: 95 % intervals over subjects of `WITH_INTERVAL`.
    """

    method: str
    role: Role
    k: int
    subjects: int
    beats: int
    accepted_fraction: float
    values: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]

    @property
    def key(self) -> tuple[str, int]:
        """Name and k: what tells this row from the others."""
        return self.method, self.k

    @property
    def aami(self) -> str | None:
        """Numerical comparison of the SBP errors with the AAMI limits."""
        bias, spread = self.values["sbp_bias"], self.values["sbp_sd"]
        return compare_with_aami(bias, spread, subjects=self.subjects)


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
        interval: 95 % interval of the difference over subjects.
        subjects: That both methods answered.
        beats: That both methods answered.
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

    @property
    def outcome(self) -> Outcome:
        """``won`` or ``lost`` by a only where the interval is clear of zero.

        A difference below `NEGLIGIBLE` is a tie however sure it is.
        """
        if self.interval is None:
            return "undecided"
        low, high = self.interval
        if low <= 0 <= high or abs(self.difference) < NEGLIGIBLE:
            return "tied"
        more_is_better = self.metric.endswith("_r2")
        return "won" if (low > 0) == more_is_better else "lost"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the methods reached on one reference type and one calibration.

    Attributes:
        reference_type: What kind of truth.
        calibration: Where the millimetres of mercury come from.
        subjects: In the reference.
        beats: In the reference, refused ones included.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
        scores: One row a method and k, in the order given.
        comparisons: Each deep row against the best floor with no more labels, and
            what else was asked for.
        predictions: What was scored.
        reference: Against what.
    """

    reference_type: ReferenceType
    calibration: Calibration
    subjects: int
    beats: int
    seed: int
    resamples: int
    scores: tuple[MethodScore, ...]
    comparisons: tuple[Paired, ...]
    predictions: tuple[Prediction, ...]
    reference: Truth

    @property
    def table(self) -> "DataFrame":
        """One row a method: who, how many, every statistic, every interval.

        Columns ``<statistic>_low`` and ``<statistic>_high`` hold the intervals; NaN
        stands where a method does not answer.
        """
        import pandas as pd

        rows = []
        for s in self.scores:
            row: dict[str, object] = {
                "method": s.method,
                "role": s.role,
                "k": s.k,
                "subjects": s.subjects,
                "beats": s.beats,
                "accepted_fraction": s.accepted_fraction,
            }
            row |= {n: np.nan if v is None else v for n, v in s.values.items()}
            for name, found in s.intervals.items():
                low, high = found or (np.nan, np.nan)
                row |= {f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
        return pd.DataFrame(rows)

    def score(self, method: MethodKey) -> MethodScore:
        """Return the row of a method.

        Raises:
            ProtocolError: If there is no such row, or several.
        """
        return self.scores[self._position(method)]

    def prediction(self, method: MethodKey) -> Prediction:
        """Return what a method said.

        Raises:
            ProtocolError: If there is no such row, or several.
        """
        return self.predictions[self._position(method)]

    def _position(self, method: MethodKey) -> int:
        found = [i for i, s in enumerate(self.scores) if method in (s.method, s.key)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{s.method!r} (k = {s.k})" for s in self.scores)
        what = "no row" if not found else f"{len(found)} rows"
        msg = (
            f"{what} for {method!r}; there are {known}. Name one of them, with k where "
            "the name appears more than once: ('ridge', 10)."
        )
        raise ProtocolError(msg)

    def best_floor(self, k: int, metric: str = "sbp_rmse") -> MethodScore:
        """Return the best floor that needs no more than k labelled subjects.

        It is chosen on the scored subjects themselves, which favours the floor.

        Args:
            k: Labelled target subjects allowed.
            metric: By which statistic; those who do not answer it do not count.

        Raises:
            ProtocolError: If no floor qualifies.
        """
        return self._best("floor", k, metric, exact=False)

    def best_deep(self, k: int, metric: str = "sbp_rmse") -> MethodScore:
        """Return the best deep row at exactly k labelled subjects.

        Args:
            k: Labelled target subjects.
            metric: By which statistic; those who do not answer it do not count.

        Raises:
            ProtocolError: If there is none.
        """
        return self._best("deep", k, metric, exact=True)

    def _best(self, role: Role, k: int, metric: str, *, exact: bool) -> MethodScore:
        _check_metric(metric)
        sign = -1 if metric.endswith("_r2") else 1
        found = [
            (sign * value, i)
            for i, s in enumerate(self.scores)
            if s.role == role
            and (s.k == k if exact else s.k <= k)
            and (value := s.values[metric]) is not None
        ]
        if not found:
            msg = (
                f"no {role} row with k {'=' if exact else '<='} {k} answers {metric!r} "
                f"at calibration {self.calibration!r}. Add one."
            )
            raise ProtocolError(msg)
        return self.scores[min(found)[1]]

    def paired(
        self, method_a: MethodKey, method_b: MethodKey, metric: str = "sbp_rmse"
    ) -> Paired:
        """Return the difference a - b with its paired bootstrap interval.

        Only beats that both methods answered count.

        Args:
            method_a: Name, or name and k.
            method_b: The other.
            metric: One of `capnet.evaluation.beat_scores.STATISTICS`.

        Raises:
            ProtocolError: If a method or the metric is not known, or the two have no
                beat in common.
        """
        _check_metric(metric)
        first, second = self.prediction(method_a), self.prediction(method_b)
        shared = _shared(first, second, self.reference)
        names, code = np.unique(self.reference.subject, return_inverse=True)
        weights = draw_subjects(len(names), resamples=self.resamples, seed=self.seed)
        draws, points = [], []
        for p in (first, second):
            columns = _subjects(p, self.reference, shared, code)
            point = _point(metric, columns, len(names))
            if point is None:
                msg = (
                    f"{p.method!r} (k = {p.k}) has no {metric!r} on the "
                    f"{int(shared.sum())} beats that both methods answer; choose a "
                    "metric that both have."
                )
                raise ProtocolError(msg)
            points.append(point)
            draws.append(statistic(metric, columns, weights))
        n = len(np.unique(code[shared]))
        difference = np.asarray(draws[0]) - np.asarray(draws[1])
        return Paired(
            method_a=(first.method, first.k),
            method_b=(second.method, second.k),
            metric=metric,
            a=points[0],
            b=points[1],
            difference=points[0] - points[1],
            interval=interval(difference, subjects=n),
            subjects=n,
            beats=int(shared.sum()),
        )

    def frame(self) -> "DataFrame":
        """Return every answer beside the truth, one row a method and beat."""
        from capnet.evaluation.frame import predictions_frame

        return predictions_frame(self.predictions, self.reference)

    def to_dict(self) -> dict[str, object]:
        """Return everything but the beats, ready for strict JSON (no NaN)."""
        return {
            "reference_type": self.reference_type,
            "calibration": self.calibration,
            "subjects": self.subjects,
            "beats": self.beats,
            "seed": self.seed,
            "resamples": self.resamples,
            "averaging": "beats within each subject first, then subjects",
            "methods": [
                {
                    "method": s.method,
                    "role": s.role,
                    "k": s.k,
                    "subjects": s.subjects,
                    "beats": s.beats,
                    "accepted_fraction": s.accepted_fraction,
                    "values": dict(s.values),
                    "intervals": {
                        name: None if found is None else list(found)
                        for name, found in s.intervals.items()
                    },
                    "aami": s.aami,
                }
                for s in self.scores
            ],
            "comparisons": [
                {
                    "method_a": list(c.method_a),
                    "method_b": list(c.method_b),
                    "metric": c.metric,
                    "a": c.a,
                    "b": c.b,
                    "difference": c.difference,
                    "interval": None if c.interval is None else list(c.interval),
                    "subjects": c.subjects,
                    "beats": c.beats,
                    "outcome": c.outcome,
                }
                for c in self.comparisons
            ],
        }

    def __repr__(self) -> str:
        return (
            f"Evaluation({len(self.scores)} rows, {self.subjects} subjects, "
            f"{self.beats} beats, reference {self.reference_type!r}, calibration "
            f"{self.calibration!r})"
        )


def _check_metric(metric: str) -> None:
    if metric not in STATISTICS:
        msg = f"metric {metric!r} is not known; wanted one of {', '.join(STATISTICS)}."
        raise ProtocolError(msg)


def _shared(first: Prediction, second: Prediction, reference: Truth) -> Flags:
    shared = scored_beats(first, reference) & scored_beats(second, reference)
    return np.asarray(shared)


def _subjects(
    prediction: Prediction, reference: Truth, scored: Flags, code: np.ndarray
) -> Columns:
    columns = beat_columns(prediction, reference, scored)
    return subject_columns(columns, code, scored, int(code.max()) + 1)


def _point(metric: str, columns: Columns, subjects: int) -> float | None:
    value = statistic(metric, columns, np.ones((1, subjects)))
    if value is None or not np.isfinite(value[0]):
        return None
    return float(value[0])


def _score(
    prediction: Prediction, reference: Truth, code: np.ndarray, weights: np.ndarray
) -> MethodScore:
    scored = scored_beats(prediction, reference)
    columns = _subjects(prediction, reference, scored, code)
    n = len(np.unique(code[scored]))
    intervals: dict[str, Interval | None] = {}
    for name in WITH_INTERVAL:
        draws = statistic(name, columns, weights)
        intervals[name] = None if draws is None else interval(draws, subjects=n)
    return MethodScore(
        method=prediction.method,
        role=prediction.role,
        k=prediction.k,
        subjects=n,
        beats=int(scored.sum()),
        accepted_fraction=float(prediction.accepted.mean()),
        values={name: _point(name, columns, weights.shape[1]) for name in STATISTICS},
        intervals=intervals,
    )


def _default_pairs(
    evaluation: Evaluation, metric: str
) -> list[tuple[MethodKey, MethodKey]]:
    pairs: list[tuple[MethodKey, MethodKey]] = []
    for s in evaluation.scores:
        floors = [
            f
            for f in evaluation.scores
            if f.role == "floor" and f.k <= s.k and f.values[metric] is not None
        ]
        if s.role == "deep" and s.values[metric] is not None and floors:
            pairs.append((s.key, evaluation.best_floor(s.k, metric).key))
    return pairs


def evaluate(
    predictions: Sequence[Prediction],
    reference: Beats | Truth,
    *,
    resamples: int = 1000,
    seed: int = 0,
    compare: Sequence[tuple[MethodKey, MethodKey]] = (),
) -> Evaluation:
    """Score what methods say against the truth, with intervals over subjects.

    Every beat is scored, the scores are averaged over the beats of a subject, then
    over subjects. A method that refuses beats is scored on those it answers, with
    the accepted fraction beside. Waves are compared after the best time shift; the
    timing error and the unaligned score stand beside.

    Args:
        predictions: Of the same beats, all in one calibration; deep rows need a floor
            with no more labels beside them.
        reference: The held-out beats with their true waves; ``truth['brachial_sbp']``
            is needed for the amplification.
        resamples: Of the subject bootstrap.
        seed: Of the subject bootstrap.
        compare: Further pairs of methods to compare; each deep row is compared with
            the best floor without being asked.

    Returns:
        The evaluation.

    Raises:
        ProtocolError: If the numbers would not mean anything; the message says why.
        ConfigError: If there are too few resamples.
    """
    reference = truth_of(reference)
    check_protocol(predictions, reference)
    names, code = np.unique(reference.subject, return_inverse=True)
    weights = draw_subjects(len(names), resamples=resamples, seed=seed)
    bare = Evaluation(
        reference_type=reference.reference_type,
        calibration=reference.calibration,
        subjects=len(names),
        beats=len(reference),
        seed=seed,
        resamples=resamples,
        scores=tuple(_score(p, reference, code, weights) for p in predictions),
        comparisons=(),
        predictions=tuple(predictions),
        reference=reference,
    )
    comparisons = [
        bare.paired(a, b, metric)
        for metric in COMPARED
        for a, b in [*_default_pairs(bare, metric), *compare]
        if all(bare.score(key).values[metric] is not None for key in (a, b))
        and _shared(bare.prediction(a), bare.prediction(b), reference).any()
    ]
    return replace(bare, comparisons=tuple(comparisons))
