"""How often intervals hold the truth, measured by subject.

A subject's coverage is the share of its beats whose interval holds the truth; what is
told is the mean over subjects: the probability that conformal intervals promise for a
random beat of a new subject (`capnet.models.conformal`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from capnet.errors import ProtocolError, ShapeError
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.statistics.bootstrap import Interval
from capnet.evaluation.truth import Truth, truth_of
from capnet.evaluation.wording import number, with_interval
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Calibration, Labels, ReferenceType, Role

__all__ = [
    "LEAST",
    "QUANTITIES",
    "Claim",
    "Coverage",
    "CoverageScore",
    "coverage",
    "quantity_column",
]

QUANTITIES: Final = ("sbp", "dbp", "map", "pp")
"""Columns of `capnet.prediction.Prediction.low`."""

LEAST: Final = 50
"""Subjects, calibrating and judged, below which nothing is claimed of a group: with 50
the coverage of a 90 % interval still has an SD of 4 % over calibrating people."""

Claim = Literal["as stated", "too low", "higher than stated", "too few to tell"]
"""What the interval of a coverage says of the nominal one."""


@dataclass(frozen=True)
class CoverageScore:
    """Coverage and width among some people.

    Attributes:
        group: Who.
        subjects: Judged.
        beats: Judged.
        calibrated: Subjects that the intervals of this group were calibrated on, None
            if nobody said.
        share: Mean over subjects of the share of beats whose interval holds the truth.
        interval: 95 % interval of it over subjects.
        width: Mean over subjects of the mean width, mmHg; of the finite intervals.
        infinite: Share of intervals without an end, as where too few calibrated.
        claim: What that says of the nominal coverage; with fewer than `LEAST` subjects
            it is ``too few to tell``.
    """

    group: str
    subjects: int
    beats: int
    calibrated: int | None
    share: float
    interval: Interval
    width: float | None
    infinite: float
    claim: Claim

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        return asdict(self) | {"interval": list(self.interval)}


@dataclass(frozen=True)
class Coverage:
    """Coverage of one method's intervals of one quantity.

    Attributes:
        method: Name of the method.
        role: Deep, floor or control.
        k: Labelled target subjects seen.
        quantity: ``sbp``, ``dbp``, ``map`` or ``pp``.
        nominal: Coverage that the intervals state.
        calibration: Of the beats.
        reference_type: What kind of truth.
        everybody: Of all subjects.
        groups: Of each group, in sorted order; empty when none were asked for.
    """

    method: str
    role: Role
    k: int
    quantity: str
    nominal: float
    calibration: Calibration
    reference_type: ReferenceType
    everybody: CoverageScore
    groups: tuple[CoverageScore, ...]

    @property
    def overall(self) -> float:
        """Mean over subjects of their coverage."""
        return self.everybody.share

    @property
    def interval(self) -> Interval:
        """95 % interval of `overall` over subjects."""
        return self.everybody.interval

    @property
    def width(self) -> float | None:
        """Mean width, mmHg; None where no interval is finite."""
        return self.everybody.width

    @property
    def scores(self) -> tuple[CoverageScore, ...]:
        """Everybody, then the groups."""
        return (self.everybody, *self.groups)

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        found = asdict(self)
        found["everybody"] = self.everybody.to_dict()
        found["groups"] = [score.to_dict() for score in self.groups]
        return found

    def __str__(self) -> str:
        head = (
            f"{self.method} (k = {self.k}), {self.quantity.upper()}: intervals stated "
            f"to hold {self.nominal:.0%}, calibration {self.calibration!r}, reference "
            f"{self.reference_type!r}"
        )
        lines = [
            f"  {s.group}: {with_interval(s.share, s.interval)} of n = {s.subjects}, "
            f"width {number(s.width, 1)} mmHg: {s.claim}"
            for s in self.scores
        ]
        return "\n".join([head, *lines])


def coverage(
    prediction: Prediction,
    truth: Beats | Truth,
    *,
    quantity: str = "sbp",
    groups: Labels | None = None,
    calibrated: int | Mapping[str, int] | None = None,
) -> Coverage:
    """Measure how often the intervals of a prediction hold the truth.

    Where the people are others than those calibrated on, as in another clinic, no
    coverage was promised: what is found here is all that is known. Beats count that are
    answered, with an interval, and whose truth is known.

    Args:
        prediction: With intervals.
        truth: Of the same beats.
        quantity: ``sbp``, ``dbp``, ``map`` or ``pp``.
        groups: One word a beat, for example from
            `capnet.models.intervals.group_of`; a subject may be in several.
            Shape (beat,).
        calibrated: Subjects that the intervals were calibrated on, or those of each
            group. A group with fewer than `LEAST` shows its interval, not a claim;
            so does one with fewer judged subjects.

    Raises:
        ProtocolError: If the prediction has no intervals, or none of a known truth, or
            is of other beats or another calibration.
        ShapeError: If there are not as many groups as beats.
    """
    truth = truth_of(truth)
    low, high, stated = _intervals(prediction)
    check_same_beats([prediction], truth)
    if groups is not None and len(groups) != len(truth):
        msg = f"groups has {len(groups)} rows; there are {len(truth)} beats."
        raise ShapeError(msg)
    column = quantity_column(quantity)
    true, low, high = truth.pressures[:, column], low[:, column], high[:, column]
    rows = prediction.accepted & np.isfinite(true) & ~np.isnan(low) & ~np.isnan(high)
    if not rows.any():
        msg = (
            f"{prediction.method!r} has no {quantity.upper()} interval on a beat whose "
            f"truth is known ({len(truth)} beats); nothing can be counted."
        )
        raise ProtocolError(msg)
    held = (true >= low) & (true <= high)
    _, code = np.unique(truth.subject, return_inverse=True)

    def score(group: str, among: Bool[np.ndarray, " beat"]) -> CoverageScore:
        n = calibrated if isinstance(calibrated, int) else None
        if isinstance(calibrated, Mapping):
            every = sum(calibrated.values())
            n = every if group == _EVERYBODY else calibrated.get(group, 0)
        return _score(
            group, code[among], held[among], (high - low)[among], stated, calibrated=n
        )

    words = groups if groups is not None else np.full(len(truth), "")
    names = [] if groups is None else np.unique(words[rows]).tolist()
    return Coverage(
        method=prediction.method,
        role=prediction.role,
        k=prediction.k,
        quantity=quantity,
        nominal=stated,
        calibration=truth.calibration,
        reference_type=truth.reference_type,
        everybody=score(_EVERYBODY, rows),
        groups=tuple(score(str(name), rows & (words == name)) for name in names),
    )


_EVERYBODY: Final = "everybody"


def quantity_column(quantity: str) -> int:
    """Return the column of a quantity.

    Raises:
        ProtocolError: If there is no such quantity.
    """
    if quantity not in QUANTITIES:
        msg = f"quantity is {quantity!r}; wanted one of {', '.join(QUANTITIES)}."
        raise ProtocolError(msg)
    return QUANTITIES.index(quantity)


def _intervals(prediction: Prediction) -> tuple[np.ndarray, np.ndarray, float]:
    p = prediction
    if p.low is None or p.high is None or p.coverage is None:
        msg = (
            f"{p.method!r} (k = {p.k}) answers without intervals, so their coverage "
            "cannot be measured. Calibrate some for beats of calibration "
            f"{p.calibration!r}: capnet.models.calibrate_intervals(model, beats)."
        )
        raise ProtocolError(msg)
    return p.low, p.high, p.coverage


def _score(
    group: str,
    code: Int[np.ndarray, " row"],
    held: Bool[np.ndarray, " row"],
    width: Float[np.ndarray, " row"],
    nominal: float,
    *,
    calibrated: int | None,
) -> CoverageScore:
    share = _means(held.astype(np.float64), code)
    finite = np.isfinite(width)
    wide = _means(width[finite], code[finite])
    found = _proportion(share, beats=len(held))
    n = len(share)
    return CoverageScore(
        group=group,
        subjects=n,
        beats=len(held),
        calibrated=calibrated,
        share=float(share.mean()),
        interval=found,
        width=float(wide.mean()) if len(wide) else None,
        infinite=float(1.0 - finite.mean()),
        claim=_claim(nominal, found, min(n, n if calibrated is None else calibrated)),
    )


def _claim(nominal: float, found: Interval, n: int) -> Claim:
    if n < LEAST:
        return "too few to tell"
    if found.high < nominal:
        return "too low"
    return "higher than stated" if found.low > nominal else "as stated"


def _means(
    values: Float[np.ndarray, " row"], code: Int[np.ndarray, " row"]
) -> Float[np.ndarray, " subject"]:
    """Mean of each subject that has a value."""
    count = np.bincount(code)
    total = np.bincount(code, weights=values, minlength=len(count))
    return np.asarray(total[count > 0] / count[count > 0])


def _proportion(share: Float[np.ndarray, " subject"], *, beats: int) -> Interval:
    """Return a 95 % interval of a mean share (Korn & Graubard 1998).

    That of Clopper & Pearson with the number of subjects that would give the variance
    found, so that a subject whose beats all fail counts as one failure, not as many.
    """
    from scipy.stats import beta, t

    n, p = len(share), float(share.mean())
    spread = float(share.var(ddof=1)) if n > 1 else 0.0
    effective = float(n)
    if spread > 0.0:
        # Beats of a subject that fail independently tell more than one, never more
        # than as many as there are.
        effective = min(n * p * (1.0 - p) / spread, float(beats))
        if n > 1 and effective > 1.0:
            ratio = t.ppf(0.975, max(effective - 1.0, 1.0)) / t.ppf(0.975, n - 1)
            effective = min(effective * ratio**2, float(beats))
    hits = p * effective
    misses = max(effective - hits, 0.0)
    low = 0.0 if hits <= 0.0 else float(beta.ppf(0.025, hits, misses + 1.0))
    high = 1.0 if misses <= 1e-12 else float(beta.ppf(0.975, hits + 1.0, misses))
    return Interval(low, high)
