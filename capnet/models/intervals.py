"""Intervals about answers, learnt by split conformal prediction, one subject one score.

What is promised, and to whom, is told in `capnet.models.conformal`. Each of SBP, DBP,
MAP and PP has its own interval of the coverage asked for; that all four hold at once is
not promised. Three kinds of score (Angelopoulos & Bates 2023 compare them):

* ``absolute``: the size of the error; an interval of the same width for everybody.
* ``normalised``: the error over a spread that is expected of the beat's traits (Lei et
  al. 2018): wide where errors are usually large.
* ``quantiles``: how far the error lies outside of its conditional 5 and 95 % quantiles
  (Romano, Patterson & Candès 2019): asymmetric, too.

The last two learn from half of the subjects and calibrate on the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, Self, get_args

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError, ProtocolError, ShapeError
from capnet.models.conformal import conformal_quantile, drawn_beats, rank
from capnet.models.estimator import labelled, subject_weights
from capnet.models.inputs import true_pressures
from capnet.models.surface import Standard, Surface, check_numbers, terms_of
from capnet.models.traits import TRAITS, answer_errors, answers, traits_of
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Calibration, Ends, Labels, ReferenceType

__all__ = ["Grouping", "Intervals", "Kind", "group_of"]

Kind = Literal["absolute", "normalised", "quantiles"]
"""What is conformalised."""

Grouping = Literal["age", "cuff SBP", "cuff site", "sex"]
"""By what margins are told apart (Mondrian; Vovk, Lindsay & Fox 2003)."""

_BENT: Final = 9
_SOFT: Final = 0.5
"""mmHg added to an error before its logarithm: what no reference can tell."""
_SHRINKAGE: Final = 1e-3
"""Penalty of absolute coefficients of the quantiles (L1), of the pinball loss."""
_UNKNOWN: Final = "unknown"
_EVERYBODY: Final = "all"

_CLASSES: Final[Mapping[str, tuple[tuple[float, ...], tuple[str, ...]]]] = (
    MappingProxyType(
        {
            "age": ((40.0, 60.0), ("under 40", "40 to 59", "60 and over")),
            "cuff SBP": ((120.0, 140.0), ("under 120", "120 to 139", "140 and over")),
        }
    )
)


def group_of(beats: Beats, by: Grouping) -> Labels:
    """Return the group of each beat as it is known before an answer. Shape (beat,).

    Args:
        beats: What is asked.
        by: ``age`` (years, classes from 40 and 60), ``cuff SBP`` (mmHg, from 120 and
            140), ``cuff site``, or ``sex`` (of ``features["male"]``).

    Raises:
        ConfigError: If there is no such grouping.
    """
    if by not in get_args(Grouping):
        msg = f"by is {by!r}; wanted one of {', '.join(get_args(Grouping))}."
        raise ConfigError(msg)
    if by == "cuff site":
        return np.asarray(beats.cuff_site)
    if by == "sex":
        male = beats.features.get("male", np.full(len(beats), np.nan))
        words = np.where(male == 1, "male", "female")
        return np.where(np.isin(male, (0, 1)), words, _UNKNOWN)
    values = beats.age if by == "age" else beats.cuff[:, 0]
    edges, names = _CLASSES[by]
    words = np.array(names)[np.searchsorted(edges, np.nan_to_num(values), side="right")]
    return np.where(np.isfinite(values), words, _UNKNOWN)


@dataclass(frozen=True, eq=False)
class Intervals:
    """What an estimator remembers to answer with intervals; plain numbers.

    Attributes:
        kind: Of score.
        coverage: Share of new subjects whose random beat an interval is to hold.
        calibration: Of the beats it was calibrated on; no other beats get an interval,
            for the error of another reading is another one.
        reference_type: What kind of truth that was.
        by: Grouping, None for one margin for everybody.
        margins: Of each group: SBP, DBP, MAP and PP, infinite where too few subjects
            were there, NaN where the method does not answer. mmHg, or times the spread.
        subjects: Calibrating ones of each group.
        learnt: Subjects from whose errors spread or quantiles were learnt.
        seed: Of halves and drawn beats.
        surface: Of the logarithm of the spread, or of lower, then upper quantiles.

    Raises:
        ConfigError: If a kind, a grouping or the coverage is impossible.
        ShapeError: If the parts do not fit, or a margin is none.
    """

    kind: Kind
    coverage: float
    calibration: Calibration
    reference_type: ReferenceType
    by: Grouping | None
    margins: Mapping[str, tuple[float, ...]]
    subjects: Mapping[str, int]
    learnt: int
    seed: int
    surface: Surface | None

    def __post_init__(self) -> None:
        _check_kind(self.kind)
        rank(1, coverage=self.coverage)  # refuses what is no share
        for name, found, words in (
            ("by", self.by, (None, *get_args(Grouping))),
            ("calibration", self.calibration, get_args(Calibration)),
            ("reference_type", self.reference_type, get_args(ReferenceType)),
        ):
            if found not in words:
                msg = (
                    f"{name} is {found!r}; wanted one of {', '.join(map(str, words))}."
                )
                raise ConfigError(msg)
        self._check_margins()
        outputs = {"absolute": 0, "normalised": 4, "quantiles": 8}[self.kind]
        if (self.surface is None) != (outputs == 0):
            msg = f"intervals of kind {self.kind!r} have surface {self.surface!r}."
            raise ShapeError(msg)
        if self.surface is not None:
            terms = len(self.surface.coefficients)
            check_numbers("mean", self.surface.standard.mean, (len(TRAITS),))
            check_numbers("surface", self.surface.coefficients, (terms, outputs))

    def _check_margins(self) -> None:
        groups = set(self.margins)
        if groups != set(self.subjects) or (self.by is None and groups != {_EVERYBODY}):
            msg = (
                f"margins of {sorted(groups)}, subjects of {sorted(self.subjects)}; "
                f"wanted the same groups, {_EVERYBODY!r} alone without a grouping."
            )
            raise ShapeError(msg)
        counts = (self.learnt, self.seed, *self.subjects.values())
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in counts):
            msg = f"subjects, learnt and seed are {counts}; wanted counts."
            raise ShapeError(msg)
        least = {} if self.kind == "quantiles" else {"least": 0.0}
        for name, margin in self.margins.items():
            found = np.asarray(margin, dtype=np.float64)
            usual = np.where(np.isnan(found) | np.isposinf(found), 0.0, found)
            check_numbers(f"margins of {name!r}", usual, (4,), **least)

    @classmethod
    def learn(
        cls,
        prediction: Prediction,
        beats: Beats,
        *,
        coverage: float = 0.9,
        kind: Kind = "absolute",
        by: Grouping | None = None,
        seed: int = 0,
    ) -> Self:
        """Calibrate on people whom the estimator has not learnt from.

        Args:
            prediction: Of these beats.
            beats: With a reference; accepted beats with an answer count.
            coverage: See above.
            kind: Of score.
            by: Grouping; each group's promise is then kept in itself.
            seed: Of halves and drawn beats.

        Raises:
            ProtocolError: If no beat has a reference, or too few people are there to
                learn the spread from.
            ConfigError: If a kind, a grouping or the coverage is impossible.
        """
        rank(1, coverage=coverage)  # refuses what is no share
        _check_kind(kind)
        labelled(beats, method=prediction.method)  # refuses where nothing is known
        true = true_pressures(beats)
        rows = prediction.accepted & np.isfinite(true).all(axis=1)
        if not rows.any():
            msg = (
                f"{prediction.method!r} answers none of the {len(beats)} beats that "
                "have a reference; wanted people to calibrate on."
            )
            raise ProtocolError(msg)
        error = answer_errors(prediction, true)[rows]
        traits, beats = traits_of(prediction, beats)[rows], beats.take(rows)
        calibrating = np.ones(len(beats), dtype=np.bool_)
        surface = None
        if kind != "absolute":
            calibrating = _half(beats.subject, seed=seed)
            surface = _surface(kind, traits, error, beats, ~calibrating, coverage)
        score = _scores(kind, error, surface, traits)
        group = np.full(len(beats), _EVERYBODY) if by is None else group_of(beats, by)
        # Two observations of one beat differ in nothing but what is said of them.
        order = (beats.beat, beats.time, beats.cuff[:, 0], beats.cuff_site, *score.T)
        margins, subjects = {}, {}
        for name in np.unique(group[calibrating]).tolist():
            at = np.flatnonzero(calibrating & (group == name))
            told = (o[at] for o in order)
            of = score[at[drawn_beats(beats.subject[at], *told, seed=seed)]]
            margins[name] = tuple(_margin(column, coverage) for column in of.T)
            subjects[name] = len(of)
        return cls(
            kind=kind,
            coverage=coverage,
            calibration=beats.calibration,
            reference_type=beats.reference_type,
            by=by,
            margins=margins,
            subjects=subjects,
            learnt=len(np.unique(beats.subject[~calibrating])),
            seed=seed,
            surface=surface,
        )

    def of(self, prediction: Prediction, beats: Beats) -> tuple[Ends, Ends]:
        """Return lower and upper ends, mmHg, NaN where there is no answer.

        A group in which nobody, or too few, calibrated gets infinite ends: only they
        keep the promise.
        """
        margin = np.full((len(beats), 4), np.inf)
        names = np.full(len(beats), _EVERYBODY)
        if self.by is not None:
            names = group_of(beats, self.by)
        for name, found in self.margins.items():
            margin[names == name] = found
        below = above = margin
        if self.surface is not None:
            told = self.surface.of(traits_of(prediction, beats))
            if self.kind == "normalised":
                below = above = margin * np.exp(told)
            else:
                below, above = margin - told[:, :4], margin + told[:, 4:]
        middle = answers(prediction)
        low, high = middle - below, middle + above
        # Quantiles may cross where the margin is negative: an empty set holds nothing.
        crossed = low > high
        low[crossed] = high[crossed] = (low[crossed] + high[crossed]) / 2
        known = prediction.accepted[:, None] & np.isfinite(middle)
        return np.where(known, low, np.nan), np.where(known, high, np.nan)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for strict JSON."""
        return {
            "kind": self.kind,
            "coverage": self.coverage,
            "calibration": self.calibration,
            "reference_type": self.reference_type,
            "by": self.by,
            "margins": {n: [_told(m) for m in found] for n, found in _items(self)},
            "subjects": dict(self.subjects),
            "learnt": self.learnt,
            "seed": self.seed,
            "surface": None if self.surface is None else self.surface.to_dict(),
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave."""
        margins = {
            name: tuple(float(m) for m in found)  # "inf" and "nan" are words in JSON
            for name, found in said["margins"].items()
        }
        surface = said["surface"] and Surface.from_dict(said["surface"])
        return cls(**{**said, "margins": margins, "surface": surface})

    def __repr__(self) -> str:
        told = ", ".join(f"{n} of {name}" for name, n in self.subjects.items())
        return (
            f"Intervals({self.coverage:.0%}, {self.kind}, calibrating subjects: "
            f"{told}; calibration {self.calibration!r})"
        )


def _check_kind(kind: Kind) -> None:
    if kind not in get_args(Kind):
        msg = f"kind is {kind!r}; wanted one of {', '.join(get_args(Kind))}."
        raise ConfigError(msg)


def _items(intervals: Intervals) -> list[tuple[str, tuple[float, ...]]]:
    return list(intervals.margins.items())


def _told(margin: float) -> float | str:
    """Write a margin as JSON can hold it."""
    return margin if np.isfinite(margin) else str(margin)


def _half(subject: Labels, *, seed: int) -> np.ndarray:
    """Tell which beats are of the half of the subjects that calibrates."""
    names, code = np.unique(subject, return_inverse=True)
    drawn = np.random.default_rng([seed, 1]).permutation(len(names))
    return np.asarray(np.isin(code, drawn[len(names) // 2 :]))


def _surface(
    kind: Kind,
    traits: Float[np.ndarray, "beat 9"],
    error: Ends,
    beats: Beats,
    rows: np.ndarray,
    coverage: float,
) -> Surface:
    """Learn what error is usual of which traits."""
    found = len(np.unique(beats.subject[rows]))
    if found < _LEAST:
        msg = (
            f"intervals of kind {kind!r} learn from half of the subjects, here "
            f"{found}; wanted {_LEAST} or more. Take kind='absolute', or more people."
        )
        raise ProtocolError(msg)
    traits, error = traits[rows], error[rows]
    weight = subject_weights(beats.subject[rows])
    known = np.isfinite(error)
    error = np.where(known, error, 0.0)
    if kind == "normalised":
        size = np.log(np.abs(error) + _SOFT)
        return Surface.fit(traits, size, weight, bent=_BENT)
    return _quantiles(traits, error, weight, coverage)


_LEAST: Final = 20
"""Subjects from whom a spread can be learnt at all."""


def _quantiles(
    traits: Float[np.ndarray, "beat 9"],
    error: Ends,
    weight: np.ndarray,
    coverage: float,
) -> Surface:
    """Fit conditional quantiles of the errors, linear in the traits (Koenker 1978)."""
    from sklearn.linear_model import QuantileRegressor

    standard = Standard.learn(traits, weight)
    terms = terms_of(standard.of(traits), bent=0)[:, 1:]
    columns = []
    for share in ((1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0):
        for column in error.T:
            line = QuantileRegressor(quantile=share, alpha=_SHRINKAGE, solver="highs")
            line.fit(terms, column, sample_weight=weight)
            columns.append([line.intercept_, *line.coef_])
    return Surface(standard, 0, np.array(columns, dtype=np.float64).T)


def _scores(
    kind: Kind,
    error: Ends,
    surface: Surface | None,
    traits: Float[np.ndarray, "beat 9"],
) -> Ends:
    if surface is None:
        return np.asarray(np.abs(error))
    told = surface.of(traits)
    if kind == "normalised":
        return np.asarray(np.abs(error) / np.exp(told))
    return np.asarray(np.maximum(told[:, :4] - error, error - told[:, 4:]))


def _margin(score: Float[np.ndarray, " subject"], coverage: float) -> float:
    """Return the margin of one number; NaN where the method never answers it."""
    known = score[np.isfinite(score)]
    if not len(known):
        return float("nan")
    return conformal_quantile(known, coverage=coverage)
