"""Score predictions against the truth, blind to which model made them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.floors import check_floors
from capnet.evaluation.functionals import STATISTICS, check_metric
from capnet.evaluation.paired import (
    Outcome,
    Paired,
    correct,
    pair_of,
    paired_tables,
)
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.scores import (
    WITH_INTERVAL,
    Ground,
    MethodScore,
    Scored,
    score_method,
)
from capnet.evaluation.truth import Truth, truth_of
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Calibration, ReferenceType, Role

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

COMPARED: Final = ("wave_rmse", "sbp_rmse")
"""Statistics on which each deep row meets the best floor."""

ENOUGH: Final = 0.5
"""Share of a deep row's beats that a floor has to answer to be met; where none does,
those that answer the most (a choice)."""


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
        planned: Each deep row against the best floor with no more labels
            (`floor_of`): one family of questions (Holm).
        asked: What else was asked for: another family.
        predictions: What was scored.
        reference: Against what.
        scored: Each prediction with the scores of its beats and subjects.
    """

    reference_type: ReferenceType
    calibration: Calibration
    subjects: int
    beats: int
    seed: int
    resamples: int
    scores: tuple[MethodScore, ...]
    planned: tuple[Paired, ...]
    asked: tuple[Paired, ...]
    predictions: tuple[Prediction, ...]
    reference: Truth
    scored: tuple[Scored, ...] = field(repr=False)

    @property
    def comparisons(self) -> tuple[Paired, ...]:
        """The planned ones, then those that were asked for."""
        return self.planned + self.asked

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
        return self.scores[self.position(method)]

    def prediction(self, method: MethodKey) -> Prediction:
        """Return what a method said.

        Raises:
            ProtocolError: If there is no such row, or several.
        """
        return self.predictions[self.position(method)]

    def position(self, method: MethodKey) -> int:
        """Return which row a method is.

        Raises:
            ProtocolError: If there is no such row, or several.
        """
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

    def floor_of(self, method: MethodKey, metric: str = "sbp_rmse") -> MethodScore:
        """Return the floor that a row must beat: the one that leaves it the least.

        Only floors with no more labelled subjects count. Each is held against the row
        on the beats that both answer, so that nobody gains by refusing hard beats;
        floors that answer less than `ENOUGH` of the row's beats do not count unless
        all do. With nothing refused it is the floor with the best value. It is chosen
        on the scored subjects themselves, which favours the floor.

        Args:
            method: Name, or name and k.
            metric: By which statistic; those who do not answer it do not count.

        Raises:
            ProtocolError: If no floor qualifies.
        """
        floor, _ = self._floor_of(self.position(method), metric)
        return self.scores[floor]

    def _floor_of(self, row: int, metric: str) -> tuple[int, float]:
        """Return which floor a row must beat, and by how much it does."""
        sign = self._sign(metric)
        own = self.scored[row]
        found = []
        for i, s in enumerate(self.scores):
            if s.role != "floor" or s.k > own.prediction.k or i == row:
                continue
            tables = paired_tables(own, self.scored[i], metric)
            if tables is None:
                continue
            n, function = len(tables[0]), STATISTICS[metric].function
            a, b = (function(t.mean(axis=0)[None], n)[0] for t in tables)
            shared = int((own.beats & self.scored[i].beats).sum())
            found.append((shared, sign * float(b - a), i))
        if not found:
            raise ProtocolError(self._none("floor", f"<= {own.key[1]}", metric))
        least = min(ENOUGH * int(own.beats.sum()), max(n for n, _, _ in found))
        _, lead, floor = min((f for f in found if f[0] >= least), key=lambda f: f[1])
        return floor, lead

    def best_floor(self, k: int, metric: str = "sbp_rmse") -> MethodScore:
        """Return the best floor that needs no more than k labelled subjects.

        Where there are deep rows at this k it is the one that the best of them must
        beat (`floor_of`), else the floor with the best value of its own.

        Args:
            k: Labelled target subjects allowed.
            metric: By which statistic; those who do not answer it do not count.

        Raises:
            ProtocolError: If no floor qualifies.
        """
        sign = self._sign(metric)
        if any(s.role == "deep" and s.k == k for s in self.scores):
            try:
                return self.floor_of(self.best_deep(k, metric).key, metric)
            except ProtocolError:
                pass  # no deep row answers, or none shares a beat with a floor
        found = [
            (sign * value, i)
            for i, s in enumerate(self.scores)
            if s.role == "floor"
            and s.k <= k
            and (value := s.values[metric]) is not None
        ]
        if not found:
            raise ProtocolError(self._none("floor", f"<= {k}", metric))
        return self.scores[min(found)[1]]

    def best_deep(self, k: int, metric: str = "sbp_rmse") -> MethodScore:
        """Return the deep row at exactly k labelled subjects that beats its floor most.

        A row that refuses hard beats does not gain from it: what counts is its lead
        over `floor_of` on the beats of both. Rows without a floor come last, by their
        own values.

        Args:
            k: Labelled target subjects.
            metric: By which statistic; those who do not answer it do not count.

        Raises:
            ProtocolError: If there is none.
        """
        sign = self._sign(metric)
        found = []
        for i, s in enumerate(self.scores):
            value = s.values[metric]
            if s.role != "deep" or s.k != k or value is None:
                continue
            try:
                lead = self._floor_of(i, metric)[1]
            except ProtocolError:
                lead = -np.inf
            found.append((-lead, sign * value, i))
        if not found:
            raise ProtocolError(self._none("deep", f"= {k}", metric))
        return self.scores[min(found)[2]]

    def _none(self, role: Role, k: str, metric: str) -> str:
        return (
            f"no {role} row with k {k} answers {metric!r} at calibration "
            f"{self.calibration!r}. Add one."
        )

    def _sign(self, metric: str) -> int:
        """Return 1 where less of a statistic is better, -1 where more is."""
        check_metric(metric)
        better = STATISTICS[metric].better
        if better == "neither":
            msg = (
                f"the best {metric!r} is neither the least nor the most; choose a "
                "metric that tells better from worse, e.g. 'sbp_rmse'."
            )
            raise ProtocolError(msg)
        return -1 if better == "more" else 1

    def paired(
        self, method_a: MethodKey, method_b: MethodKey, metric: str = "sbp_rmse"
    ) -> Paired:
        """Return the difference a - b with its paired bootstrap interval.

        Only beats that both methods answered count.

        Args:
            method_a: Name, or name and k.
            method_b: The other.
            metric: One of `capnet.evaluation.functionals.STATISTICS`.

        Raises:
            ProtocolError: If a method or the metric is not known, or the two have no
                beat in common.
        """
        first, second = self.position(method_a), self.position(method_b)
        return pair_of(
            self.scored[first],
            self.scored[second],
            metric,
            resamples=self.resamples,
            seed=self.seed,
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
            "intervals": (
                "95 % over subjects: standard error over subjects times the larger of "
                "Student's t and the studentised bootstrap; differences of R2: Fieller"
            ),
            "correction": (
                "p_holm: Holm 1979 over the deep rows against their floors, and over "
                "the further pairs, each a family"
            ),
            "methods": [s.to_dict() for s in self.scores],
            "comparisons": [c.to_dict() for c in self.comparisons],
        }

    def __repr__(self) -> str:
        return (
            f"Evaluation({len(self.scores)} rows, {self.subjects} subjects, "
            f"{self.beats} beats, reference {self.reference_type!r}, calibration "
            f"{self.calibration!r})"
        )


def _planned(evaluation: Evaluation, metric: str) -> list[Paired]:
    pairs = []
    for s in evaluation.scores:
        if s.role == "deep" and s.values[metric] is not None:
            try:
                floor = evaluation.floor_of(s.key, metric)
            except ProtocolError:
                continue  # no floor answers this: the gate has seen to the SBP
            pairs.append(evaluation.paired(s.key, floor.key, metric))
    return pairs


def _asked(evaluation: Evaluation, a: MethodKey, b: MethodKey) -> list[Paired]:
    """Return a pair on each metric that both answer, which must be one at least."""
    first, second = (evaluation.scored[evaluation.position(key)] for key in (a, b))
    known = [m for m in COMPARED if paired_tables(first, second, m) is not None]
    return [evaluation.paired(a, b, m) for m in known or COMPARED[-1:]]


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
        predictions: Of the same beats, all in one calibration; deep rows need the
            floors and controls beside them that `capnet.evaluation.floors` asks for.
        reference: The held-out beats with their true waves; ``truth['brachial_sbp']``
            is needed for the amplification.
        resamples: Of the subject bootstrap.
        seed: Of the subject bootstrap.
        compare: Further pairs of methods to compare; each deep row is compared with
            the best floor with no more labels (`Evaluation.floor_of`) without being
            asked.

    Returns:
        The evaluation.

    Raises:
        ProtocolError: If the numbers would not mean anything, or two methods that
            are to be compared have nothing in common; the message says why.
        ConfigError: If there are too few resamples.
    """
    truth = truth_of(reference)
    check_same_beats(predictions, truth)
    check_floors(predictions, truth)
    ground = Ground.of(truth)
    scored = tuple(Scored(ground, p) for p in predictions)
    bare = Evaluation(
        reference_type=truth.reference_type,
        calibration=truth.calibration,
        subjects=len(ground.names),
        beats=len(truth),
        seed=seed,
        resamples=resamples,
        scores=tuple(score_method(s, resamples=resamples, seed=seed) for s in scored),
        planned=(),
        asked=(),
        predictions=tuple(predictions),
        reference=truth,
        scored=scored,
    )
    planned = [p for metric in COMPARED for p in _planned(bare, metric)]
    there = {(p.metric, p.method_a, p.method_b) for p in planned}
    asked = [
        p
        for a, b in compare
        for p in _asked(bare, a, b)
        if (p.metric, p.method_a, p.method_b) not in there  # no question twice
    ]
    return replace(bare, planned=correct(planned), asked=correct(asked))
