r"""The same study over several training seeds and draws of labels.

The mean over repeats :math:`\bar f` varies with the subjects that were tested, who are
the same in all repeats, and with the seeds. Both half-widths are added as squares

.. math:: \sqrt{h^2 + t_{0.975,\,R-1}^2\, d^2 / R}

where :math:`h` is the half-width over subjects on its side
(`capnet.evaluation.statistics.bootstrap`) and :math:`d` the standard deviation of the R
repeats (Zou & Donner, Stat Med 2008;27:1693-1702). What is peculiar to one subject in
one repeat is in both, so the interval is rather too wide than too narrow.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr

from capnet.errors import ProtocolError
from capnet.evaluation.evaluate import Evaluation, MethodKey
from capnet.evaluation.functionals import STATISTICS, check_metric, table_of
from capnet.evaluation.statistics.bootstrap import (
    PLAIN,
    POSITIVE,
    SURE_SUBJECTS,
    UNEXPLAINED,
    Function,
    Interval,
    Scale,
    bootstrap,
    critical_t,
)
from capnet.evaluation.statistics.holm import holm
from capnet.types import Calibration, ReferenceType

__all__ = ["Repeated", "Repeats", "repeats"]


@dataclass(frozen=True)
class Repeated:
    """One method over all repeats, or its difference to another.

    Attributes:
        method: Name and k.
        against: Name and k of what is taken off; None for the method itself.
        metric: Which statistic.
        values: Of each repeat.
        mean: Over repeats.
        spread: Standard deviation over repeats; None with one of them.
        interval: 95 % of the mean, over subjects and repeats; over subjects alone with
            one repeat; None with too few subjects.
        subjects: Tested in every repeat.
        p_value: Two-sided, of no difference, from the same two parts; None for a
            method itself, without an interval, and with one repeat.
        p_holm: Corrected for all differences of these repeats (Holm 1979).
    """

    method: tuple[str, int]
    against: tuple[str, int] | None
    metric: str
    values: tuple[float, ...]
    mean: float
    spread: float | None
    interval: Interval | None
    subjects: int
    p_value: float | None = None
    p_holm: float | None = None

    @property
    def note(self) -> str:
        """What to beware of, empty where there is nothing."""
        said = []
        if len(self.values) == 1:
            said.append("one repeat: the interval holds subjects alone")
        if self.subjects < SURE_SUBJECTS:
            said.append(f"n = {self.subjects}, fewer than {SURE_SUBJECTS}: no claim")
        return "; ".join(said)

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON (no NaN)."""
        return {
            "method": list(self.method),
            "against": None if self.against is None else list(self.against),
            "metric": self.metric,
            "values": list(self.values),
            "mean": self.mean,
            "spread": self.spread,
            "interval": None if self.interval is None else list(self.interval),
            "subjects": self.subjects,
            "p_value": self.p_value,
            "p_holm": self.p_holm,
            "note": self.note,
        }


@dataclass(frozen=True)
class Repeats:
    """A study that was done several times.

    Attributes:
        metric: Which statistic.
        count: Repeats.
        rows: Methods that are in every repeat, then differences.
        reference_type: What kind of truth, in every repeat.
        calibration: Where the mmHg come from, in every repeat.
    """

    metric: str
    count: int
    rows: tuple[Repeated, ...]
    reference_type: ReferenceType
    calibration: Calibration

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON (no NaN)."""
        return {
            "metric": self.metric,
            "count": self.count,
            "reference_type": self.reference_type,
            "calibration": self.calibration,
            "rows": [r.to_dict() for r in self.rows],
        }

    def __str__(self) -> str:
        lines = [
            f"{self.metric}, {self.count} repeats, reference {self.reference_type}, "
            f"calibration {self.calibration}"
        ]
        for r in self.rows:
            against = "" if r.against is None else f" - {r.against[0]}"
            spread = "" if r.spread is None else f", SD over repeats {r.spread:.2f}"
            between = (
                "no interval"
                if r.interval is None
                else f"[{r.interval.low:.2f}, {r.interval.high:.2f}]"
            )
            name = f"{r.method[0]}{against} (k = {r.method[1]})"
            lines.append(f"{name}: {r.mean:.2f} {between}{spread}")
        return "\n".join(lines)


def repeats(
    evaluations: Sequence[Evaluation],
    metric: str = "sbp_rmse",
    *,
    pairs: Sequence[tuple[MethodKey, MethodKey]] = (),
) -> Repeats:
    """Average a study over its training seeds and draws of labels.

    Args:
        evaluations: One a repeat, of the same beats under the same calibration.
        metric: One of `capnet.evaluation.functionals.STATISTICS`.
        pairs: Methods whose difference is wanted; by default each deep row against
            the floor that it must beat (`Evaluation.floor_of`) in most repeats.

    Raises:
        ProtocolError: If there is none, they are not of the same beats, or a method
            of a pair is not in every repeat.
    """
    check_metric(metric)
    _check_same(evaluations)
    first = evaluations[0]
    keys = [
        s.key
        for s in first.scores
        if all(_value(e, s.key, metric) is not None for e in evaluations)
    ]
    rows = {key: _repeated(evaluations, key, None, metric) for key in keys}
    named = [(first.score(a).key, first.score(b).key) for a, b in pairs]
    for a, b in named:
        for key in (a, b):
            if key not in rows:
                msg = (
                    f"{key[0]!r} (k = {key[1]}) does not answer {metric!r} in every "
                    "repeat; wanted the same rows in all of them."
                )
                raise ProtocolError(msg)
    asked = named or _default_pairs(evaluations, rows, metric)
    differences = [_repeated(evaluations, a, b, metric) for a, b in asked]
    sure = [d.p_value for d in differences if d.p_value is not None]
    corrected = iter(holm(sure))
    differences = [
        d if d.p_value is None else replace(d, p_holm=next(corrected))
        for d in differences
    ]
    return Repeats(
        metric=metric,
        count=len(evaluations),
        rows=(*rows.values(), *differences),
        reference_type=evaluations[0].reference_type,
        calibration=evaluations[0].calibration,
    )


def _check_same(evaluations: Sequence[Evaluation]) -> None:
    if not evaluations:
        msg = "no evaluations to average; wanted one for each seed or draw of labels."
        raise ProtocolError(msg)
    first = evaluations[0]
    for i, e in enumerate(evaluations):
        same = (
            e.calibration == first.calibration
            and e.reference_type == first.reference_type
            and np.array_equal(e.reference.subject, first.reference.subject)
            and np.array_equal(e.reference.beat, first.reference.beat)
        )
        if not same:
            msg = (
                f"repeat {i} is of other beats, another reference type or another "
                "calibration than repeat 0; wanted the same test set in every repeat."
            )
            raise ProtocolError(msg)


def _value(evaluation: Evaluation, key: tuple[str, int], metric: str) -> float | None:
    found = [s.values[metric] for s in evaluation.scores if s.key == key]
    return found[0] if found else None


def _default_pairs(
    evaluations: Sequence[Evaluation],
    rows: Mapping[tuple[str, int], Repeated],
    metric: str,
) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """Return each deep row with the floor that it must beat in most repeats."""
    if STATISTICS[metric].better == "neither":
        return []
    pairs = []
    for s in evaluations[0].scores:
        if s.role != "deep" or s.key not in rows:
            continue
        try:
            met = Counter(e.floor_of(s.key, metric).key for e in evaluations)
        except ProtocolError:
            continue  # a repeat has no floor for it
        floors = [key for key, _ in met.most_common() if key in rows]
        if floors:
            pairs.append((s.key, floors[0]))
    return pairs


def _repeated(
    evaluations: Sequence[Evaluation],
    key: tuple[str, int],
    against: tuple[str, int] | None,
    metric: str,
) -> Repeated:
    statistic = STATISTICS[metric]
    scale = statistic.scale if against is None else PLAIN
    tables, width = [], len(statistic.columns)
    for e in evaluations:
        rows = [e.scored[e.position(k)] for k in (key, against) if k is not None]
        shared = np.logical_and.reduce([r.beats for r in rows])
        made = [
            table_of(metric, r.on(shared, rows[-1 - i])) for i, r in enumerate(rows)
        ]
        if any(t is None for t in made):
            msg = (
                f"{' and '.join(repr(r.key[0]) for r in rows)} share no beat with "
                f"{metric!r} in one of the repeats; compare methods that answer the "
                "same beats."
            )
            raise ProtocolError(msg)
        tables += [t for t in made if t is not None]
    table = np.concatenate(tables, axis=1)
    parts = 1 if against is None else 2
    function = _mean_of(statistic.function, width, len(evaluations), parts)
    kept = table[np.isfinite(table).all(axis=1)]
    if not len(kept):
        msg = (
            f"{key[0]!r} (k = {key[1]}) has no subject that is answered in every "
            f"repeat; {metric!r} has no mean over repeats."
        )
        raise ProtocolError(msg)
    single = _mean_of(statistic.function, width, 1, parts)
    step = width * parts
    values = tuple(
        float(single(kept[:, i : i + step].mean(axis=0)[None], len(kept))[0])
        for i in range(0, table.shape[1], step)
    )
    found = bootstrap(
        table,
        function,
        scale,
        resamples=evaluations[0].resamples,
        seed=evaluations[0].seed,
    )
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    mean = float(np.mean(values))
    interval = _wider(found.interval, mean, spread, len(values), scale)
    p_value = None
    if against is not None and found.interval is not None and spread is not None:
        p_value = _p_value(found.interval, mean, spread, len(values), len(kept))
    return Repeated(
        method=key,
        against=against,
        metric=metric,
        values=values,
        mean=mean,
        spread=spread,
        interval=interval,
        subjects=len(kept),
        p_value=p_value,
    )


def _mean_of(one: Function, width: int, count: int, parts: int) -> Function:
    """Return the mean over repeats of a statistic, or of a difference of two."""

    def mean(m: np.ndarray, n: int) -> np.ndarray:
        values = one(m.reshape(-1, width), n).reshape(len(m), count, parts)
        away = values[..., 0] if parts == 1 else values[..., 0] - values[..., 1]
        return np.asarray(away.mean(axis=1))

    return mean


def _wider(
    subjects: Interval | None,
    mean: float,
    spread: float | None,
    count: int,
    scale: Scale,
) -> Interval | None:
    if subjects is None or spread is None:
        return subjects
    seeds = critical_t(count - 1) * spread / np.sqrt(count)
    low = mean - np.hypot(mean - subjects.low, seeds)
    high = mean + np.hypot(subjects.high - mean, seeds)
    if scale is POSITIVE:
        low = max(low, 0.0)
    if scale is UNEXPLAINED:
        high = min(high, 1.0)
    return Interval(float(low), float(high))


def _p_value(
    subjects: Interval, mean: float, spread: float, count: int, n: int
) -> float:
    """Return the p-value that is 0.05 where an end of the interval is 0.

    The degrees of freedom are those of a sum of two variances (Satterthwaite 1946).
    """
    half = subjects.high - mean if mean < 0 else mean - subjects.low
    t_subjects, t_seeds = critical_t(n - 1), critical_t(count - 1)
    parts = np.array([half / t_subjects, spread / np.sqrt(count)]) ** 2
    if not parts.sum() > 0:
        return 1.0 if mean == 0 else 0.0
    freedom = float(parts.sum() ** 2 / (parts**2 / [n - 1, count - 1]).sum())
    both = float(np.hypot(half, t_seeds * spread / np.sqrt(count)))
    return 2 * float(stdtr(freedom, -abs(mean) / both * critical_t(freedom)))
