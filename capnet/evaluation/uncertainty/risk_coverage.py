"""What refusing the most doubtful answers is worth: the risk-coverage curve.

Answers are refused in the order of their doubt; the risk is the RMSE of those that are
left, squares averaged within a subject first (El-Yaniv & Wiener 2010; the area under
the curve: Geifman, Uziel & El-Yaniv 2019). A doubt that knows nothing leaves the risk
where it is, whatever is refused.
"""

from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError, ProtocolError
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.statistics.bootstrap import POSITIVE, Interval, bootstrap
from capnet.evaluation.truth import Truth, truth_of
from capnet.evaluation.uncertainty.coverage import quantity_column
from capnet.evaluation.wording import number, with_interval
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Calibration, ReferenceType, Role

__all__ = ["Point", "RiskCoverage", "risk_coverage"]

_LEVELS: Final = 200
"""Doubts at which the curve is drawn; with fewer beats, at each of them."""

_NEAR: Final = 4
"""Doubts on either side of the one asked for between which a resample is read."""

Table = Float[np.ndarray, "subject level"]


class Point(NamedTuple):
    """One point of the curve.

    Attributes:
        coverage: Share of the answered beats that are kept.
        risk: RMSE of those, mmHg.
        doubt: Highest doubt among them.
        subjects: Who keeps a beat.
    """

    coverage: float
    risk: float
    doubt: float
    subjects: int


@dataclass(frozen=True)
class RiskCoverage:
    """The curve of one method, and what it reaches at one coverage.

    Attributes:
        method: Name of the method.
        role: Deep, floor or control.
        k: Labelled target subjects seen.
        quantity: ``sbp``, ``dbp``, ``map`` or ``pp``.
        calibration: Of the beats.
        reference_type: What kind of truth.
        subjects: With an answer and a truth.
        beats: Likewise.
        curve: From the least doubtful answers to all.
        full: Risk when all answers are kept, mmHg.
        at: Coverage asked for.
        kept: Coverage found there: the least that is not below ``at``; beats of the
            same doubt are kept together.
        risk: Risk there, mmHg.
        ratio: ``risk / full``.
        interval: 95 % interval of the ratio at the coverage ``kept``, over subjects,
            None with fewer than 5 (`capnet.evaluation.statistics.bootstrap`).
        aurc: Area under the curve, mmHg: mean risk over all coverages.
        aurc_best: The same if the doubt were the size of the error itself.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
    """

    method: str
    role: Role
    k: int
    quantity: str
    calibration: Calibration
    reference_type: ReferenceType
    subjects: int
    beats: int
    curve: tuple[Point, ...]
    full: float
    at: float
    kept: float
    risk: float
    ratio: float
    interval: Interval | None
    aurc: float
    aurc_best: float
    seed: int
    resamples: int

    @property
    def helps(self) -> bool:
        """Whether refusing lowers the risk beyond chance: the interval is below 1."""
        return self.interval is not None and self.interval.high < 1.0

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        points = [
            p._asdict() | {"doubt": p.doubt if np.isfinite(p.doubt) else None}
            for p in self.curve
        ]
        found = None if self.interval is None else list(self.interval)
        return asdict(self) | {
            "curve": points,
            "interval": found,
            "helps": self.helps,
        }

    def __str__(self) -> str:
        return (
            f"{self.method} (k = {self.k}), {self.quantity.upper()}: RMSE "
            f"{number(self.full)} mmHg of all answers, {number(self.risk)} of the "
            f"{self.kept:.0%} least doubtful; ratio "
            f"{with_interval(self.ratio, self.interval)}, n = {self.subjects}, "
            f"calibration {self.calibration!r}, reference {self.reference_type!r}"
        )


def risk_coverage(
    prediction: Prediction,
    truth: Beats | Truth,
    *,
    quantity: str = "sbp",
    at: float = 0.8,
    resamples: int = 1000,
    seed: int = 0,
) -> RiskCoverage:
    """Measure how the risk falls when the most doubtful answers are refused.

    Beats that the gate refused have no answer and do not count: this judges the doubt
    about answers that were given. In each resample of subjects the doubt up to which
    answers are kept is found anew, between a few of the doubts at which the curve is
    drawn.

    Args:
        prediction: With a doubt.
        truth: Of the same beats.
        quantity: ``sbp``, ``dbp``, ``map`` or ``pp``.
        at: Coverage at which the ratio is told.
        resamples: Of subjects.
        seed: Of the resamples.

    Raises:
        ProtocolError: If the prediction has no doubt, or nothing can be scored, or it
            is of other beats or another calibration.
        ConfigError: If the coverage is no share, or resamples are too few.
    """
    truth = truth_of(truth)
    if not 0.0 < at < 1.0:
        msg = f"at is {at!r}; wanted a share of the answers to keep, such as 0.8."
        raise ConfigError(msg)
    code, square, doubt = _scored(prediction, truth, quantity)
    subjects = int(code.max()) + 1
    kept, table = _kept(code, square, doubt)
    ones = np.ones((1, subjects))
    share, risk, people = (row[0] for row in _curve(ones, *table))
    here = (share >= at - 1e-12).argmax()
    interval = _interval(table, share, int(here), resamples=resamples, seed=seed)
    best = _curve(ones, *_kept(code, square, square)[1])
    full = float(risk[-1])
    return RiskCoverage(
        method=prediction.method,
        role=prediction.role,
        k=prediction.k,
        quantity=quantity,
        calibration=truth.calibration,
        reference_type=truth.reference_type,
        subjects=subjects,
        beats=len(code),
        curve=tuple(
            Point(float(c), float(r), float(d), int(n))
            for c, r, d, n in zip(share, risk, kept, people, strict=True)
        ),
        full=full,
        at=at,
        kept=float(share[here]),
        risk=float(risk[here]),
        ratio=float(risk[here]) / full if full > 0.0 else 1.0,
        interval=interval,
        aurc=_area(share, risk),
        aurc_best=_area(best[0][0], best[1][0]),
        seed=seed,
        resamples=resamples,
    )


def _scored(
    prediction: Prediction, truth: Truth, quantity: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return subject, squared error and doubt of the beats that can be scored."""
    p = prediction
    if p.doubt is None:
        msg = (
            f"{p.method!r} (k = {p.k}) answers without a doubt, so nothing says what "
            "to refuse. Learn one: capnet.models.learn_doubt(model, beats)."
        )
        raise ProtocolError(msg)
    check_same_beats([p], truth)
    column = quantity_column(quantity)
    error = (p.csbp, p.cdbp, p.cmap, p.cpp)[column] - truth.pressures[:, column]
    rows = p.accepted & np.isfinite(error)
    if not rows.any():
        msg = (
            f"{p.method!r} has no {quantity.upper()} on a beat whose truth is known "
            f"({len(truth)} beats); nothing can be scored."
        )
        raise ProtocolError(msg)
    unknown = rows & np.isnan(p.doubt)
    if unknown.any():
        msg = (
            f"{p.method!r} answers beat {int(np.flatnonzero(unknown)[0])} without a "
            "doubt; wanted a number for each accepted beat."
        )
        raise ProtocolError(msg)
    _, code = np.unique(truth.subject[rows], return_inverse=True)
    return code, error[rows] ** 2, p.doubt[rows]


def _kept(
    code: np.ndarray, square: np.ndarray, doubt: np.ndarray
) -> tuple[np.ndarray, tuple[Table, Table]]:
    """Return thresholds, and of each subject the beats kept and their mean square."""
    levels = np.unique(doubt)
    if len(levels) > _LEVELS:
        shares = np.arange(1, _LEVELS + 1) / _LEVELS
        levels = np.unique(np.quantile(doubt, shares, method="higher"))
    place = np.searchsorted(levels, doubt) + len(levels) * code
    size = (int(code.max()) + 1, len(levels))
    count = np.bincount(place, minlength=size[0] * size[1]).reshape(size)
    total = np.bincount(place, weights=square, minlength=size[0] * size[1])
    counts = count.astype(np.float64).cumsum(axis=1)
    sums = total.reshape(size).cumsum(axis=1)
    return levels, (counts, sums / np.maximum(counts, 1.0))


def _curve(
    weights: Float[np.ndarray, "resample subject"], counts: Table, means: Table
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coverage, risk and subjects left, each of shape (resample, level)."""
    kept = weights @ counts
    people = weights @ (counts > 0.0).astype(np.float64)
    risk = np.sqrt(weights @ means / np.maximum(people, 1.0))
    return kept / kept[:, -1:], risk, people


def _interval(
    table: tuple[Table, Table],
    share: Float[np.ndarray, " level"],
    here: int,
    *,
    resamples: int,
    seed: int,
) -> Interval | None:
    """Return the interval of the ratio at the coverage of one level.

    The ratio is a function of means over subjects of what they keep at a few levels, so
    that it has a studentised interval: percentiles of resampled ratios hold the truth
    in 87 of 100 cases with 20 to 60 subjects.
    """
    last = len(share) - 1
    # Four standard deviations of a share of so many subjects: further none is read.
    spread = 4.0 * np.sqrt(share[here] * (1.0 - share[here]) / len(table[0]))
    ends = np.searchsorted(share, [share[here] - spread, share[here] + spread])
    below = np.linspace(ends[0], here, _NEAR + 1).astype(int)
    above = np.linspace(here, min(ends[1], last), _NEAR + 1).astype(int)
    levels = np.unique([*below, *above, last])
    counts, means = (part[:, levels] for part in table)

    def ratio(columns: np.ndarray, n: int) -> np.ndarray:
        del n
        kept, square, people = np.split(columns, 3, axis=1)
        shares = kept / kept[:, -1:]
        risk = square / np.maximum(people, 1e-12)
        found = _read(shares, risk, at=float(share[here]))
        return np.asarray(np.sqrt(found / risk[:, -1]))

    columns = np.hstack([counts, means, counts > 0.0])
    return bootstrap(columns, ratio, POSITIVE, resamples=resamples, seed=seed).interval


def _read(shares: np.ndarray, values: np.ndarray, *, at: float) -> np.ndarray:
    """Interpolate values at one share in each row; the ends are held."""
    upper = np.argmax(shares >= at - 1e-12, axis=1)
    lower = np.maximum(upper - 1, 0)
    rows = np.arange(len(shares))
    step = shares[rows, upper] - shares[rows, lower]
    part = (at - shares[rows, lower]) / np.where(step > 0.0, step, 1.0)
    part = part.clip(0.0, 1.0)
    return np.asarray((1.0 - part) * values[rows, lower] + part * values[rows, upper])


def _area(share: np.ndarray, risk: np.ndarray) -> float:
    """Mean risk over coverages from 0 to 1; before the first point it is its own."""
    x, y = np.concatenate([[0.0], share]), np.concatenate([risk[:1], risk])
    return float(np.trapezoid(y, x))
