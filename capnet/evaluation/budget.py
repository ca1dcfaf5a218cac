r"""Where an error comes from: shape, cuff, reference, person and model, in mmHg.

The same people are judged with exact arm pressures and with a reading of a cuff. With
:math:`e_{rib}` the error of training seed r on beat b of person i under exact pressures
and :math:`c_{rib}` what the reading adds,

.. math:: e_{rib} + c_{rib} = \mu + p_i + s_{ib} + d_{rib} + c_{rib},

:math:`p` stays with a person, :math:`s` changes from beat to beat, :math:`d` with the
training seed. Variances of :math:`p` and :math:`s` are those of the one-way layout with
unequal numbers of beats (Searle, Casella & McCulloch 1992, chapter 3), every subject
weighing the same; that of :math:`d` is taken off both. What the data cannot separate
is not guessed: the part is None and a note says where it went.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError, ProtocolError
from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.evaluate import Evaluation, MethodKey, evaluate
from capnet.evaluation.statistics.bootstrap import (
    MIN_SUBJECTS,
    POSITIVE,
    Interval,
    bootstrap,
)
from capnet.evaluation.wording import number
from capnet.hemodynamics.cuffs import CuffModel, apply_cuff
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = [
    "PARTS",
    "ErrorBudget",
    "NoiseLevel",
    "error_budget",
    "under_cuff_noise",
    "with_cuff_noise",
]

PARTS: Final = ("shape", "cuff", "reference", "person", "model")
"""What an error is made of, as `ErrorBudget` names it."""

_NOT_EXACT: Final = ("none", "cuff SBP/DBP", "cuff MAP/DBP")
_ESTIMATED: Final = ("shape", "person", "model", "cuff", "total")
"""Parts that are estimated from people, and so have an interval."""


@dataclass(frozen=True)
class ErrorBudget:
    """Parts of one method's error, standard deviations in mmHg; None: not separable.

    The squares of the parts and of both biases, and ``cross``, add up to the square of
    the total.

    Attributes:
        method: Name of the method.
        k: Labelled target subjects it has seen.
        quantity: ``sbp``, ``dbp``, ``map`` or ``pp``.
        reference_type: Of the truth.
        calibration: Of the reading.
        shape: What the pulse does not tell of a single beat, with an exact cuff.
        cuff: What the reading adds.
        reference: Of the catheter's own error; 0 for simulated truths.
        person: What stays with a person, with an exact cuff.
        model: What changes with the training seed or the draw of labels.
        bias: Mean error with an exact cuff.
        cuff_bias: What the reading adds to it.
        cross: What is left over: twice the covariance of the reading's effect with the
            rest of the error, and what chance leaves of estimates, mmHg^2.
        total: RMSE with the reading.
        exact: RMSE with an exact cuff.
        limit: Information limit of the cuff (`capnet.cuff_limit`): where the SD of
            linear methods ends that know the clinic. None when nobody gave it.
        subjects: That count.
        beats: That count.
        seeds: Trainings or draws of labels that were given.
        intervals: 95 % over subjects, by part; parts that were given have none.
        notes: What a part holds that is not its own, in words.
    """

    method: str
    k: int
    quantity: str
    reference_type: str
    calibration: str
    shape: float | None
    cuff: float
    reference: float | None
    person: float | None
    model: float | None
    bias: float
    cuff_bias: float
    cross: float
    total: float
    exact: float
    limit: float | None
    subjects: int
    beats: int
    seeds: int
    intervals: Mapping[str, Interval | None]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        found = asdict(self)
        found["intervals"] = {
            name: None if ends is None else [float(end) for end in ends]
            for name, ends in self.intervals.items()
        }
        return found | {"notes": list(self.notes)}

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {number(getattr(self, name))}" for name in PARTS)
        limit = "" if self.limit is None else f"; limit of the cuff {self.limit:.2f}"
        return (
            f"{self.quantity.upper()} error of {self.method!r} (k = {self.k}), mmHg: "
            f"total {self.total:.2f} = {parts}, bias {self.bias:+.2f} "
            f"{self.cuff_bias:+.2f}{limit}; {self.subjects} subjects, reference "
            f"{self.reference_type!r}, calibration {self.calibration!r}"
        )


@dataclass(frozen=True, eq=False)
class NoiseLevel:
    """What methods reach when readings err so much.

    Attributes:
        sd: Of the added error of SBP and DBP, mmHg.
        bias: Of it, mmHg.
        evaluation: Under it.
    """

    sd: float
    bias: float
    evaluation: Evaluation


def error_budget(
    exact: Evaluation | Sequence[Evaluation],
    read: Evaluation | Sequence[Evaluation],
    method: MethodKey,
    *,
    quantity: str = "sbp",
    reference_sd: float | None = None,
    limit: float | None = None,
) -> ErrorBudget:
    """Split the error of a method into its parts.

    Args:
        exact: The method with exact arm pressures (or an arterial line); several where
            it was trained several times.
        read: The same people and beats with readings of a cuff, as many. A method that
            was trained anew for readings adds the difference of the trainings to the
            cuff's part.
        method: Name, or name and k, in all of them.
        quantity: One of `capnet.evaluation.beat_scores.PRESSURES`.
        reference_sd: Standard deviation of the reference's own error, one a person,
            mmHg; by default 0 for simulated truths and not known for all others.
        limit: Information limit of the cuff, mmHg.

    Raises:
        ProtocolError: If the evaluations are not of the same people, beats and truth,
            the first is not exact, or no beat is answered in all of them.
        ConfigError: If the quantity is not known or a standard deviation is negative.
    """
    if quantity not in PRESSURES:
        msg = f"quantity is {quantity!r}; wanted one of {', '.join(PRESSURES)}."
        raise ConfigError(msg)
    for name, given in (("reference_sd", reference_sd), ("limit", limit)):
        if given is not None and not (np.isfinite(given) and given >= 0):
            msg = f"{name} is {given!r}; wanted a standard deviation in mmHg, or None."
            raise ConfigError(msg)
    firsts, seconds = _listed(exact), _listed(read)
    _check_same(firsts, seconds)
    errors = np.stack([_errors(e, method, quantity) for e in firsts])
    with_read = np.stack([_errors(e, method, quantity) for e in seconds])
    rows = np.isfinite(errors + with_read).all(axis=0)
    if not rows.any():
        msg = (
            f"{method!r} answers no beat of a known truth in all of the "
            f"{len(firsts) + len(seconds)} evaluations; wanted at least one."
        )
        raise ProtocolError(msg)
    first, said = firsts[0], firsts[0].prediction(method)
    simulated = first.reference_type == "simulated"
    known = 0.0 if reference_sd is None and simulated else reference_sd
    table = _Table(
        errors[:, rows], with_read[:, rows], first.reference.subject[rows], known or 0.0
    )
    parts = {name: table.part(name, first) for name in _ESTIMATED}
    values = {name: value for name, (value, _) in parts.items()}
    total = float(values["total"] or 0.0)
    cuff = float(values["cuff"] or 0.0)
    bias, cuff_bias = table.biases
    own = [values["shape"], cuff, known, values["person"], values["model"]]
    rest = total**2 - (bias + cuff_bias) ** 2 - sum(v**2 for v in own if v is not None)
    return ErrorBudget(
        method=said.method,
        k=said.k,
        quantity=quantity,
        reference_type=first.reference_type,
        calibration=seconds[0].calibration,
        shape=values["shape"],
        cuff=cuff,
        reference=known,
        person=values["person"],
        model=values["model"],
        bias=bias,
        cuff_bias=cuff_bias,
        cross=float(rest),
        total=total,
        exact=float(np.sqrt(table.square)),
        limit=limit,
        subjects=table.subjects,
        beats=int(rows.sum()),
        seeds=len(firsts),
        intervals={name: ends for name, (_, ends) in parts.items()},
        notes=_notes(table, known, first.reference_type),
    )


def with_cuff_noise(
    beats: Beats,
    bias: float | tuple[float, float],
    sd: float | tuple[float, float],
    *,
    correlation: float = 0.4,
    seed: int,
) -> Beats:
    """Let every reading err anew, and leave all else.

    Beats of a person that share a reading share its error. A mean that the device
    measured moves by two thirds of the error of DBP and a third of that of SBP.
    What was exact or an arterial line is calibrated by ``cuff SBP/DBP`` afterwards.

    Args:
        beats: With readings.
        bias: Mean error of SBP and DBP, mmHg, or one for both.
        sd: Standard deviation of one reading, mmHg, likewise.
        correlation: Of the errors of SBP and DBP; by default that of
            `capnet.hemodynamics.CuffModel`.
        seed: Of the draw; the order of the rows makes no difference.

    Raises:
        ProtocolError: If no beat has a reading.
        ConfigError: If a number is not finite or a standard deviation negative.
    """
    known = np.isfinite(beats.cuff).all(axis=1)
    if not known.any():
        msg = f"{beats!r} has no reading that could err; wanted beats with a cuff."
        raise ProtocolError(msg)
    biases, spreads = _two(bias), _two(sd)
    model = CuffModel(
        biases[0], spreads[0], biases[1], spreads[1], correlation=correlation
    )
    _, who = np.unique(beats.subject[known], return_inverse=True)
    readings = np.column_stack([who, beats.cuff[known]])
    each, which = np.unique(readings, axis=0, return_inverse=True)
    rng, person = np.random.default_rng(seed).spawn(2)
    drawn = model.draw(len(each), rng, person=person)
    least = min(drawn.least_pulse, float((each[:, 1] - each[:, 2]).min()))
    shown = apply_cuff(each[:, 1], each[:, 2], replace(drawn, least_pulse=least))
    added = np.zeros_like(beats.cuff)
    added[known] = (shown - each[:, 1:])[which.ravel()]
    features = dict(beats.features)
    if "cuff_map" in features:
        features["cuff_map"] = features["cuff_map"] + added @ np.array([1 / 3, 2 / 3])
    lined = beats.calibration in ("exact", "invasive SBP/DBP")
    return beats.replace(
        cuff=beats.cuff + added,
        features=features,
        calibration="cuff SBP/DBP" if lined else beats.calibration,
    )


def under_cuff_noise(
    predict: Callable[[Beats], Sequence[Prediction]],
    beats: Beats,
    *,
    sds: Sequence[float] = (0.0, 3.0, 5.0, 8.0),
    bias: float = 0.0,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[NoiseLevel, ...]:
    """Evaluate the same methods while the readings err more and more.

    Nothing is trained again: this is what happens to methods whose cuff is worse than
    they were told. The same deviates are scaled, so that levels are paired.

    Args:
        predict: All rows of a table for beats, floors among them.
        beats: With a reference and readings.
        sds: Of the added error, mmHg; without any error the beats stay as they are.
        bias: Added at every level but that one, mmHg.
        resamples: Of the bootstrap.
        seed: Of the errors and of the bootstrap.

    Raises:
        ConfigError: If no level is asked for.
    """
    if len(sds) == 0:
        msg = "sds is empty; wanted at least one standard deviation in mmHg."
        raise ConfigError(msg)
    found = []
    for sd in sds:
        moved = bias if sd else 0.0
        spoilt = with_cuff_noise(beats, moved, sd, seed=seed) if sd else beats
        rows = predict(spoilt)
        scored = evaluate(rows, spoilt, resamples=resamples, seed=seed)
        found.append(NoiseLevel(float(sd), float(moved), scored))
    return tuple(found)


class _Table:
    """Means and spreads of each subject, from which all parts follow."""

    def __init__(
        self,
        exact: Float[np.ndarray, "seed beat"],
        read: Float[np.ndarray, "seed beat"],
        subject: np.ndarray,
        reference: float,
    ) -> None:
        _, self._code, count = np.unique(
            subject, return_inverse=True, return_counts=True
        )
        self._count = count
        self.subjects, self.seeds = len(count), len(exact)
        self.repeated = int((count > 1).sum()) >= MIN_SUBJECTS
        self._reference = reference
        effect = (read - exact).mean(axis=0)
        self.square = float(self._mean((exact**2).mean(axis=0)).mean())
        self.biases = (
            float(self._mean(exact.mean(axis=0)).mean()),
            float(self._mean(effect).mean()),
        )
        self._columns = {
            "total": self._mean((read**2).mean(axis=0))[:, None],
            "cuff": np.stack([self._mean(effect), self._mean(effect**2)], axis=1),
            "exact": self._layout(exact),
            # Scaled so that their variance is that of one training, not of its
            # distance to the mean of a few.
            "seeds": self._layout(self._apart(exact)),
        }

    def _apart(self, exact: np.ndarray) -> np.ndarray:
        if self.seeds == 1:
            return np.zeros_like(exact)
        scale = np.sqrt(self.seeds / (self.seeds - 1))
        return np.asarray(scale * (exact - exact.mean(axis=0)))

    def _mean(self, values: np.ndarray) -> np.ndarray:
        total = np.bincount(self._code, weights=values, minlength=self.subjects)
        return np.asarray(total / self._count)

    def _layout(self, values: np.ndarray) -> Float[np.ndarray, "subject column"]:
        """Return means, their squares, spread within, whether there is one, 1/n."""
        means = np.stack([self._mean(v) for v in values], axis=1)
        squares = np.stack([self._mean(v**2) for v in values], axis=1)
        more = self._count > 1
        factor = np.where(more, self._count / np.maximum(self._count - 1, 1), 0.0)
        within = (squares - means**2).clip(min=0).mean(axis=1) * factor
        return np.column_stack([within, more, 1 / self._count, means, means**2])

    def _two_levels(
        self, means: np.ndarray, n: int, *, centred: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the variances within and between subjects (all in one: within 0)."""
        within = np.zeros(len(means))
        if self.repeated:
            within = means[:, 0] / np.maximum(means[:, 1], 1e-12)
        own, squares = np.split(means[:, 3:], 2, axis=1)
        spread = squares.mean(axis=1)
        if centred:
            away = (squares - own**2).mean(axis=1)
            spread = away * n / np.maximum(n - 1, 1)
        return within, spread - within * means[:, 2]

    def _split(
        self, means: np.ndarray, n: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the variances of shape, person and model."""
        middle = means.shape[1] // 2
        within, between = self._two_levels(means[:, :middle], n, centred=True)
        within_d, between_d = self._two_levels(means[:, middle:], n, centred=True)
        # About zero: a seed that is off for everybody is the model's, too.
        _, all_d = self._two_levels(means[:, middle:], n, centred=False)
        shape, person = within - within_d, between - between_d - self._reference**2
        if not self.repeated:
            shape, person = person, 0 * person
        return shape, person, within_d + all_d

    def part(
        self, name: str, evaluation: Evaluation
    ) -> tuple[float | None, Interval | None]:
        """Return a part, mmHg, with its interval over subjects."""
        if (name == "person" and not self.repeated) or (
            name == "model" and self.seeds == 1
        ):
            return None, None

        def root(means: np.ndarray, n: int) -> np.ndarray:
            if name == "total":
                variance = means[:, 0]
            elif name == "cuff":
                variance = means[:, 1] - means[:, 0] ** 2
            else:
                place = ("shape", "person", "model").index(name)
                variance = self._split(means, n)[place]
            return np.asarray(np.sqrt(variance.clip(min=0)))

        both = np.hstack([self._columns["exact"], self._columns["seeds"]])
        found = bootstrap(
            self._columns.get(name, both),
            root,
            POSITIVE,
            resamples=evaluation.resamples,
            seed=evaluation.seed,
        )
        return found.value, found.interval


def _notes(table: _Table, reference: float | None, kind: str) -> tuple[str, ...]:
    found = []
    if not table.repeated:
        found.append(
            "Fewer than five people have several beats, so that what stays with a "
            "person cannot be told from what changes: both are in the shape."
        )
    if table.seeds == 1:
        found.append(
            "One training alone: what another seed would change is in the shape and "
            "the person."
        )
    if reference is None:
        found.append(
            f"Nobody said how much the reference ({kind}) errs: its error is in the "
            f"{'person' if table.repeated else 'shape'}."
        )
    found.append(
        "Negative estimates of a variance are 0; what is left over is in the cross "
        "term."
    )
    return tuple(found)


def _errors(
    evaluation: Evaluation, method: MethodKey, quantity: str
) -> Float[np.ndarray, " beat"]:
    """Return predicted minus true, NaN where there is no answer or no truth."""
    said, truth = evaluation.prediction(method), evaluation.reference
    error = (
        getattr(said, f"c{quantity}") - truth.pressures[:, PRESSURES.index(quantity)]
    )
    return np.where(said.accepted & truth.known, error, np.nan)


def _listed(found: Evaluation | Sequence[Evaluation]) -> list[Evaluation]:
    return [found] if isinstance(found, Evaluation) else [*found]


def _check_same(exact: Sequence[Evaluation], read: Sequence[Evaluation]) -> None:
    """Refuse evaluations that cannot be held side by side."""
    if len(exact) != len(read) or not exact:
        msg = (
            f"{len(exact)} evaluations with exact pressures and {len(read)} with "
            "readings; wanted as many of either, one a training seed."
        )
        raise ProtocolError(msg)
    wrong = {e.calibration for e in exact} & {*_NOT_EXACT}
    if wrong:
        msg = (
            f"the exact side is calibrated by {wrong.pop()!r}; wanted exact pressures "
            "or an arterial line, for the cuff's part is what a reading adds to it."
        )
        raise ProtocolError(msg)
    first = exact[0].reference
    for other in (e.reference for e in [*exact[1:], *read]):
        same = (
            len(other) == len(first)
            and np.array_equal(other.subject, first.subject)
            and np.array_equal(other.beat, first.beat)
            and np.array_equal(other.pressures, first.pressures, equal_nan=True)
            and other.reference_type == first.reference_type
        )
        if not same:
            msg = (
                f"{other!r} is not of the people, beats and truth of {first!r}; a "
                "budget needs the same ones under exact pressures and under readings."
            )
            raise ProtocolError(msg)


def _two(value: float | tuple[float, float]) -> tuple[float, float]:
    if isinstance(value, tuple):
        return float(value[0]), float(value[1])
    return float(value), float(value)
