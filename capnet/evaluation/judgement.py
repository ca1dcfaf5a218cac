"""All that is known about the predictions of one calibration, in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np

from capnet.evaluation.alignment import DomainAlignment
from capnet.evaluation.audits.circular import Circularity
from capnet.evaluation.beat_scores import scored_beats
from capnet.evaluation.evaluate import Evaluation, MethodKey, MethodScore
from capnet.evaluation.protocols.compare import compare_protocols
from capnet.evaluation.protocols.comparison import Comparison
from capnet.evaluation.refusals import Refusals, count_refusals
from capnet.evaluation.truth import Truth
from capnet.evaluation.uncertainty.coverage import Coverage, coverage
from capnet.evaluation.uncertainty.risk_coverage import RiskCoverage, risk_coverage
from capnet.evaluation.variation.repeats import Repeats
from capnet.evaluation.variation.shift import ShiftTable
from capnet.evaluation.variation.strata import Stratum, strata
from capnet.types import Flags, Labels, Role

if TYPE_CHECKING:  # these two bring torch with them
    from capnet.evaluation.audits.leakage import Leakage
    from capnet.evaluation.budget import ErrorBudget, NoiseLevel

__all__ = ["Judgement", "MethodJudgement", "judge_evaluation"]

METRIC: Final = "sbp_rmse"
"""What the rows that are looked at closely are chosen by."""

_AGE: Final = (40.0, 60.0)


@dataclass(frozen=True, eq=False)
class MethodJudgement:
    """One method looked at closely.

    Attributes:
        method: Name.
        k: Labelled target subjects it has seen.
        comparisons: Numerical comparisons of its central SBP with protocols.
        strata: Its SBP RMSE in groups of subjects.
        coverage: Of its intervals; None where it gives none.
        risk_coverage: Of its doubt; None where it says none.
    """

    method: str
    k: int
    comparisons: tuple[Comparison, ...]
    strata: tuple[Stratum, ...]
    coverage: Coverage | None
    risk_coverage: RiskCoverage | None

    @property
    def key(self) -> tuple[str, int]:
        """Method and k, as an evaluation finds its row."""
        return self.method, self.k

    @property
    def name(self) -> str:
        """Method and k, as tables print them."""
        return f"{self.method} (k = {self.k})"

    def to_dict(self) -> dict[str, object]:
        """Return all numbers, ready for strict JSON."""
        return {
            "method": self.method,
            "k": self.k,
            "comparisons": [c.to_dict() for c in self.comparisons],
            "strata": [s.to_dict() for s in self.strata],
            "coverage": _dict(self.coverage),
            "risk_coverage": _dict(self.risk_coverage),
        }


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a report of one calibration tells.

    Attributes:
        evaluation: Scores of all methods, and their paired differences.
        methods: Those looked at closely.
        refused: Beats without an answer, by reason.
        leakage: Between those learnt from and those tested.
        circularity: Whether the reference is a filter of what the methods saw.
        budget: Where the error comes from.
        alignment: Source and target before and after adaptation.
        repeats: The same over training seeds and draws of labels.
        shift: The same methods on other people.
        noise: The same methods under readings that err more and more.
        elsewhere: Coverage of the same intervals among other people, by who they are.
    """

    evaluation: Evaluation
    methods: tuple[MethodJudgement, ...]
    refused: Refusals
    leakage: "Leakage | None" = None
    circularity: Circularity | None = None
    budget: "ErrorBudget | None" = None
    alignment: DomainAlignment | None = None
    repeats: Repeats | None = None
    shift: ShiftTable | None = None
    noise: "tuple[NoiseLevel, ...]" = ()
    elsewhere: Mapping[str, Coverage] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return all numbers, ready for strict JSON; what was not asked is None."""
        return {
            "evaluation": self.evaluation.to_dict(),
            "methods": [m.to_dict() for m in self.methods],
            "refused": self.refused.to_dict(),
            "leakage": _dict(self.leakage),
            "circularity": _dict(self.circularity),
            "budget": _dict(self.budget),
            "alignment": _dict(self.alignment),
            "repeats": _dict(self.repeats),
            "shift": _dict(self.shift),
            "noise": [
                {
                    "sd": level.sd,
                    "bias": level.bias,
                    "methods": level.evaluation.to_dict()["methods"],
                }
                for level in self.noise
            ],
            "elsewhere": {who: c.to_dict() for who, c in self.elsewhere.items()},
        }

    def __repr__(self) -> str:
        close = ", ".join(m.name for m in self.methods)
        return f"Judgement({self.evaluation!r}, closely: {close or 'none'})"


@runtime_checkable
class _Told(Protocol):
    def to_dict(self) -> Mapping[str, object]: ...


def _dict(result: _Told | None) -> Mapping[str, object] | None:
    return None if result is None else result.to_dict()


def _best(evaluation: Evaluation, role: Role, k: int | None) -> MethodScore | None:
    """Return the best row of a role with no more than k labels, None if there is none.

    It has the lowest SBP RMSE; the first of several.
    """
    found = [
        (value, i)
        for i, s in enumerate(evaluation.scores)
        if s.role == role
        and (k is None or s.k <= k)
        and (value := s.values[METRIC]) is not None
    ]
    return evaluation.scores[min(found)[1]] if found else None


def _closely(evaluation: Evaluation) -> list[MethodScore]:
    """Return the best deep row and the floor it has to beat; without one, a floor."""
    deep = _best(evaluation, "deep", None)
    floor = _best(evaluation, "floor", None if deep is None else deep.k)
    return [s for s in (deep, floor) if s is not None]


def _age_groups(truth: Truth) -> Labels | None:
    """Return the band of age of each beat, as strata have them; None if unknown."""
    known = np.isfinite(truth.age)
    if not known.any():
        return None
    names = np.array(["under 40 years", "40 to under 60 years", "60 years and over"])
    return np.where(known, names[np.digitize(truth.age, _AGE) % 3], "age unknown")


def _says(values: np.ndarray | None, scored: Flags) -> bool:
    """Whether a method says this (of SBP) on any scored beat.

    One whose intervals were calibrated on another calibration says NaN.
    """
    if values is None:
        return False
    return not bool(np.isnan(values.reshape(len(values), -1)[scored, 0]).all())


def _judge_method(evaluation: Evaluation, score: MethodScore) -> MethodJudgement:
    prediction, truth = evaluation.prediction(score.key), evaluation.reference
    scored = scored_beats(prediction, truth)
    return MethodJudgement(
        method=score.method,
        k=score.k,
        comparisons=compare_protocols(prediction, truth),
        strata=strata(evaluation, score.key, METRIC),
        coverage=(
            coverage(prediction, truth, groups=_age_groups(truth))
            if _says(prediction.low, scored)
            else None
        ),
        risk_coverage=(
            risk_coverage(prediction, truth)
            if _says(prediction.doubt, scored)
            else None
        ),
    )


def judge_evaluation(
    evaluation: Evaluation,
    *,
    methods: Sequence[MethodKey] | None = None,
    leakage: "Leakage | None" = None,
    circularity: Circularity | None = None,
    budget: "ErrorBudget | None" = None,
    alignment: DomainAlignment | None = None,
    repeats: Repeats | None = None,
    shift: ShiftTable | None = None,
    noise: "Sequence[NoiseLevel]" = (),
    elsewhere: Mapping[str, Coverage] | None = None,
) -> Judgement:
    """Add to an evaluation what follows from predictions and truth alone.

    Args:
        evaluation: On one calibration.
        methods: Which rows to look at closely; by default the deep row with the lowest
            SBP RMSE and the floor that it has to beat, both chosen on the scored
            subjects.
        leakage: Of `capnet.evaluation.audit_leakage`; what follows here needs more
            than predictions and truth, so it is handed in or left out.
        circularity: Of `capnet.evaluation.circularity`.
        budget: Of `capnet.evaluation.error_budget`.
        alignment: Of `capnet.evaluation.domain_alignment`.
        repeats: Of `capnet.evaluation.repeats`, over training seeds and draws of
            labels.
        shift: Of `capnet.evaluation.shift_table`.
        noise: Of `capnet.evaluation.under_cuff_noise`.
        elsewhere: Of `capnet.evaluation.coverage` of the same intervals among other
            people, e.g. at home, by who they are.

    Returns:
        The judgement, for `capnet.evaluation.benchmark_report`.

    Raises:
        ProtocolError: If a method is not in the evaluation, or answered no beat with a
            truth.
    """
    rows = (
        _closely(evaluation)
        if methods is None
        else [evaluation.score(method) for method in methods]
    )
    return Judgement(
        evaluation=evaluation,
        methods=tuple(_judge_method(evaluation, s) for s in rows),
        refused=count_refusals(evaluation.predictions, evaluation.reference),
        leakage=leakage,
        circularity=circularity,
        budget=budget,
        alignment=alignment,
        repeats=repeats,
        shift=shift,
        noise=tuple(noise),
        elsewhere=dict(elsewhere or {}),
    )
