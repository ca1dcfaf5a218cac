"""One statistic in groups of subjects: by whom a mean over everybody is carried.

Groups are of subjects, not of beats: what varies within a subject is averaged first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from capnet.evaluation.evaluate import Evaluation, MethodKey
from capnet.evaluation.functionals import check_metric, estimate
from capnet.evaluation.statistics.bootstrap import SURE_SUBJECTS, Interval
from capnet.evaluation.truth import Truth
from capnet.types import Calibration, ReferenceType

__all__ = ["SOURCES", "UNKNOWN", "Stratum", "strata"]

UNKNOWN: Final = "unknown"
"""Group of the subjects of whom a variable is not known, or not one value."""

SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "age": "cut at 40 and 60 years, a choice",
        "heart rate": "cut at 60 and 80 bpm, a choice",
        "central BP class": (
            "of the reference: optimal < 110/80, hypertension >= 130/90 mmHg central "
            "(Cheng et al., J Am Coll Cardiol 2013;62:1780-1787)"
        ),
        "amplification": "tertiles of the true brachial - aortic SBP of these subjects",
        "quality": "tertiles of the quality of what the methods saw, of these subjects",
    }
)
"""Where the classes of a variable come from."""

_SBP_CLASS: Final = (110.0, 130.0)
_DBP_CLASS: Final = (80.0, 90.0)
_AGE: Final = (40.0, 60.0)
_HR: Final = (60.0, 80.0)


@dataclass(frozen=True)
class Stratum:
    """One group of subjects.

    Attributes:
        variable: By what the subjects are grouped, e.g. ``age``.
        group: Which of them, in words.
        metric: Which statistic (`capnet.evaluation.functionals.STATISTICS`).
        subjects: Behind the value.
        asked: Subjects of the group with a truth; more than ``subjects`` where the
            method refuses some of them, or cannot read the statistic of them.
        beats: Of the group, scored.
        value: The statistic of the group; None where it is not defined.
        interval: 95 % over the subjects of the group; None with too few.
        reference_type: What kind of truth.
        calibration: Where the mmHg come from.
    """

    variable: str
    group: str
    metric: str
    subjects: int
    asked: int
    beats: int
    value: float | None
    interval: Interval | None
    reference_type: ReferenceType
    calibration: Calibration

    @property
    def few(self) -> bool:
        """Whether there are too few subjects for a claim."""
        return self.subjects < SURE_SUBJECTS

    @property
    def note(self) -> str:
        """What to beware of, empty where there is nothing."""
        said = []
        if self.interval is None:
            said.append(f"n = {self.subjects}: no interval")
        elif self.few:
            said.append(f"n = {self.subjects}, fewer than {SURE_SUBJECTS}: no claim")
        if self.subjects < self.asked:
            said.append(f"answered for {self.subjects} of {self.asked} subjects")
        return "; ".join(said)

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON (no NaN)."""
        return {
            "variable": self.variable,
            "group": self.group,
            "metric": self.metric,
            "subjects": self.subjects,
            "asked": self.asked,
            "beats": self.beats,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "few_subjects": self.few,
            "note": self.note,
            "reference_type": self.reference_type,
            "calibration": self.calibration,
        }

    def __str__(self) -> str:
        value = "none" if self.value is None else f"{self.value:.2f}"
        note = f" ({self.note})" if self.note else ""
        return (
            f"{self.variable}, {self.group}: {self.metric} {value}, n = "
            f"{self.subjects} subjects, reference {self.reference_type}, calibration "
            f"{self.calibration}{note}"
        )


def strata(
    evaluation: Evaluation, method: MethodKey, metric: str = "sbp_rmse"
) -> tuple[Stratum, ...]:
    """Return a statistic by age, sex, heart rate, BP class, amplification and quality.

    Words of ``truth.groups`` (e.g. the site) are further variables. Subjects of whom
    a variable is not known are a group of their own, and a group of whom the method
    answers nobody stays in the table. Each group has its own resamples.

    Args:
        evaluation: On one calibration.
        method: Name, or name and k.
        metric: One of `capnet.evaluation.functionals.STATISTICS`.

    Raises:
        ProtocolError: If the method or the metric is not known.
    """
    check_metric(metric)
    scored = evaluation.scored[evaluation.position(method)]
    code, n = scored.ground.code, len(scored.ground.names)
    beats = np.bincount(code[scored.beats], minlength=n)
    known = np.bincount(code[scored.ground.known], minlength=n) > 0
    found = []
    for variable, labels, order in _variables(scored.ground.truth, code, n):
        for group in order:
            mine = (labels == group) & known
            if not mine.any():
                continue
            columns = {
                name: np.where(mine, v, np.nan) for name, v in scored.subjects.items()
            }
            e = estimate(
                metric, columns, resamples=evaluation.resamples, seed=evaluation.seed
            )
            found.append(
                Stratum(
                    variable=variable,
                    group=group,
                    metric=metric,
                    subjects=0 if e is None else e.subjects,
                    asked=int(mine.sum()),
                    beats=int(beats[mine].sum()),
                    value=None if e is None else e.value,
                    interval=None if e is None else e.interval,
                    reference_type=evaluation.reference_type,
                    calibration=evaluation.calibration,
                )
            )
    return tuple(found)


_Variable = tuple[str, np.ndarray, tuple[str, ...]]


def _variables(truth: Truth, code: np.ndarray, n: int) -> Iterator[_Variable]:
    """Yield each variable with the group of each subject and the order of groups."""
    yield _banded("age", _means(truth.age, code, n), _AGE, "years")
    yield _words("sex", truth.sex, code, n)
    yield _banded("heart rate", _means(truth.hr, code, n), _HR, "bpm")
    yield _bp_class(truth, code, n)
    arm = truth.truth.get("brachial_sbp", np.full(len(truth), np.nan))
    grows = _means(arm - truth.pressures[:, 0], code, n)
    yield _tertiles("amplification", grows, "mmHg")
    quality = truth.features.get("quality", np.full(len(truth), np.nan))
    yield _tertiles("quality", _means(quality, code, n), "")
    for name, labels in truth.groups.items():
        yield _words(name, labels, code, n)


def _means(values: np.ndarray, code: np.ndarray, n: int) -> np.ndarray:
    known = np.isfinite(values)
    count = np.bincount(code[known], minlength=n)
    total = np.bincount(code[known], weights=values[known], minlength=n)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _banded(
    variable: str, values: np.ndarray, edges: tuple[float, float], unit: str
) -> _Variable:
    low, high = edges
    names = (
        f"under {low:g} {unit}",
        f"{low:g} to under {high:g} {unit}",
        f"{high:g} {unit} and over",
    )
    place = np.digitize(values, edges)  # at an edge: the upper group
    labels = np.where(np.isfinite(values), np.array(names)[place % 3], UNKNOWN)
    return variable, labels, (*names, UNKNOWN)


def _tertiles(variable: str, values: np.ndarray, unit: str) -> _Variable:
    """Group by the rank; equal values stay together, at the middle of their ranks."""
    known = np.isfinite(values)
    some = np.sort(values[known])
    labels = np.full(len(values), UNKNOWN, dtype="U64")
    if len(some) < 3 or np.ptp(some) == 0:
        whole = "all alike" if len(some) > 1 and np.ptp(some) == 0 else "too few to cut"
        labels[known] = whole
        return variable, labels, (whole, UNKNOWN)
    ends = (np.searchsorted(some, values, side=side) for side in ("left", "right"))
    place = 3 * sum(ends) // (2 * len(some))
    order = []
    for third, name in enumerate(("lowest", "middle", "highest")):
        mine = known & (place == third)
        if mine.any():
            low, high = (f(values[mine]) for f in (np.min, np.max))
            order.append(f"{name} third ({low:.3g} to {high:.3g} {unit}".rstrip() + ")")
            labels[mine] = order[-1]
    return variable, labels, (*order, UNKNOWN)


def _words(variable: str, labels: np.ndarray, code: np.ndarray, n: int) -> _Variable:
    """Group by a word; subjects with none, or with more than one, are unknown."""
    words, place = np.unique(labels, return_inverse=True)
    first = np.full(n, -1)
    first[code] = place  # of some beat of each subject
    same = np.ones(n, dtype=bool)
    same[code[place != first[code]]] = False
    known = same & (words[first] != "")
    group = np.where(known, words[first], UNKNOWN)
    order = tuple(str(w) for w in words if w not in ("", UNKNOWN))
    return variable, group, (*order, UNKNOWN)


def _bp_class(truth: Truth, code: np.ndarray, n: int) -> _Variable:
    sbp = _means(truth.pressures[:, 0], code, n)
    dbp = _means(truth.pressures[:, 1], code, n)
    # Without a diastolic pressure the systolic one decides alone.
    place = np.maximum(np.digitize(sbp, _SBP_CLASS), _place(dbp, _DBP_CLASS))
    names = ("optimal", "between", "hypertension")
    labels = np.where(np.isfinite(sbp), np.array(names)[place % 3], UNKNOWN)
    return "central BP class", labels, (*names, UNKNOWN)


def _place(values: np.ndarray, edges: tuple[float, float]) -> np.ndarray:
    return np.where(np.isfinite(values), np.digitize(values, edges), 0)
