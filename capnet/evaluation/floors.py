"""Which cheap rows must stand beside a deep one before its numbers mean anything.

A deep row is a claim. It is refused without what somebody could have had for nothing
from the same inputs, on the same beats, with the same labels and the same calibration.

The gate reads what rows say of themselves. It finds what is missing, contradictory or
silent; it cannot find a lie. A row that calls itself ``ridge`` counts as ridge, however
badly it was fitted; one that calls itself a floor is not judged as a claim; one that
looks at the pulse and does not say so is asked for floors of the cuff alone. What every
deep row says it looks at therefore stands in the report.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, get_args

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.truth import Truth, truth_of
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Flags, Input, Role

__all__ = [
    "CONTROLS",
    "REQUIRED",
    "WITH_LABELS",
    "Demand",
    "allowed_inputs",
    "check_floors",
    "demanded_floors",
    "missing_floors",
    "serving_floors",
]

Ways = tuple[frozenset[Input], ...]
"""Sets of inputs, each of which is enough to make a row."""

_CUFF: Final[frozenset[Input]] = frozenset({"cuff"})
_PULSE: Final[frozenset[Input]] = frozenset({"cuff", "ppg"})
_LINE: Final[frozenset[Input]] = frozenset({"pressure wave"})

CONTROLS: Final[Mapping[str, Ways]] = MappingProxyType(
    {
        "mean": (frozenset(),),
        "shuffled labels": (frozenset(),),
        "last cuff": (_CUFF,),
        "cuff posterior": (_CUFF,),
    }
)
"""Families that stand beside every deep row; those of the cuff where there is one.

A deep row cannot decline them by saying that it does not look at the cuff: where a
reading was taken, somebody else can look at it.
"""

REQUIRED: Final[Mapping[str, Ways]] = MappingProxyType(
    {
        **CONTROLS,
        "peripheral - constant": (_CUFF,),
        "OLS": (frozenset({"cuff", "hr"}),),
        "GTF": (_PULSE, _LINE),
        "moving average": (_PULSE, _LINE),
        "ridge": (_PULSE, _LINE),
        "SVR": (_PULSE, _LINE),
    }
)
"""Families of floors, and the inputs they need.

Where there are several ways (a transfer function of the PPG scaled by a cuff, or of a
pressure wave in its own mmHg), each that a deep row's inputs allow is demanded.
"""

WITH_LABELS: Final[Mapping[str, Ways]] = MappingProxyType(
    {"peripheral - constant": (_CUFF,), "ridge": (_PULSE, _LINE)}
)
"""Families that must have learnt from the same k labelled subjects as a deep row.

Where inputs allow none of them it is ``mean``: the mean of those subjects.
"""

_MAKERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mean": "Mean()",
        "shuffled labels": "ShuffledLabels(Ridge())",
        "last cuff": "LastCuff()",
        "cuff posterior": "CuffPosterior()",
        "peripheral - constant": "PeripheralMinusConstant()",
        "OLS": "OLS()",
        "GTF": "FittedGTF()",
        "moving average": "MovingAverage()",
        "ridge": "Ridge()",
        "SVR": "SVR()",
    }
)


_SHOWN: Final = 2
"""Rows of the right family and the wrong kind that a message tells of."""


@dataclass(frozen=True)
class Demand:
    """One row that must be there.

    Attributes:
        family: Of the row, as `Prediction.family` says it.
        inputs: What it must at least look at; empty when anything will do.
        k: Labelled target subjects it must have seen.
        seen: Fingerprint of them; empty when the deep row does not say.
        method: Name of the deep row that demands it.
    """

    family: str
    inputs: frozenset[Input]
    k: int
    seen: str
    method: str

    @property
    def text(self) -> str:
        """What is wanted, in words."""
        what = f"{self.family!r}"
        if self.inputs - {"cuff", "hr"}:
            what += f" of {' and '.join(sorted(self.inputs))}"
        if self.k:
            what += f" fitted on the same {self.k} labelled subjects"
            what += f" ({self.seen})" if self.seen else ""
        return f"{what} at k = {self.k}"


def allowed_inputs(prediction: Prediction, truth: Beats | Truth) -> frozenset[Input]:
    """Return what floors beside a row may look at.

    That is what the row says it looks at, and the rate of its pulse. When it says
    nothing, it may have looked at all that the truth knows: the reading, the heart
    rate, the age. Without any reading nothing sets a scale in mmHg, and nothing is
    allowed.

    Args:
        prediction: The row.
        truth: Of its beats.
    """
    truth = truth_of(truth)
    if not _any_reading(prediction, truth):
        return frozenset()
    scored = prediction.accepted & truth.known
    known: dict[Input, np.ndarray] = {"hr": truth.hr, "age": truth.age}
    there = {name for name, v in known.items() if np.isfinite(v[scored]).any()}
    if not prediction.inputs:
        return frozenset({"cuff", *there})
    said = set(prediction.inputs)
    if said & {"ppg", "ecg", "pressure wave"}:
        said.add("hr")
    return frozenset(name for name in said if name not in known or name in there)


def demanded_floors(
    predictions: Sequence[Prediction], truth: Beats | Truth
) -> tuple[Demand, ...]:
    """Return the rows that the deep ones among these demand, each once.

    Args:
        predictions: All rows of a table.
        truth: Of their beats.

    Raises:
        ProtocolError: If a row says of itself what nobody can: an unknown role or
            input, labels without a k, a negative k.
    """
    truth = truth_of(truth)
    for p in predictions:
        _check_said(p)
    found: dict[tuple[str, frozenset[Input], int, str], Demand] = {}
    for p in predictions:
        if p.role != "deep" or not (p.accepted & truth.known).any():
            continue
        for demand in _demands(p, truth):
            key = demand.family, demand.inputs, demand.k, demand.seen
            found.setdefault(key, demand)
    return tuple(found.values())


def _check_said(row: Prediction) -> None:
    """Refuse a row that says of itself what would let it slip past the gate."""
    name, known = f"{row.method!r} (k = {row.k})", get_args(Input)
    # A single word is a sequence of letters, none of which is an input.
    odd = [row.inputs] if isinstance(row.inputs, str) else row.inputs
    if row.role not in get_args(Role):
        wrong = f"role {row.role!r}; wanted one of {', '.join(get_args(Role))}"
    elif isinstance(row.inputs, str) or not set(row.inputs) <= set(known):
        unknown = [word for word in odd if word not in known] or odd
        wrong = (
            f"inputs {', '.join(map(repr, unknown))}; wanted a tuple of words among "
            f"{', '.join(map(repr, known))}"
        )
    elif row.k < 0:
        wrong = f"k = {row.k}; wanted the number of labelled target subjects, or 0"
    elif row.k == 0 and row.seen:
        wrong = (
            f"labels of {row.seen!r} at k = 0; wanted the number of labelled target "
            "subjects that it has seen as k"
        )
    else:
        return
    msg = f"{name} says {wrong}. Say it with Prediction.replace."
    raise ProtocolError(msg)


def _demands(deep: Prediction, truth: Truth) -> Iterator[Demand]:
    allowed = allowed_inputs(deep, truth)
    # Controls of the cuff stand wherever there is a reading, used by the row or not.
    there: frozenset[Input] = _CUFF if _any_reading(deep, truth) else frozenset()
    for family, ways in REQUIRED.items():
        may = allowed | there if family in CONTROLS else allowed
        yield from (
            Demand(family, inputs, 0, "", deep.method)
            for inputs in ways
            if inputs <= may
        )
    if deep.k == 0:
        return
    labelled = [
        Demand(family, inputs, deep.k, deep.seen, deep.method)
        for family, ways in WITH_LABELS.items()
        for inputs in ways
        if inputs <= allowed
    ]
    yield from labelled or [Demand("mean", frozenset(), deep.k, deep.seen, deep.method)]


def missing_floors(
    predictions: Sequence[Prediction], truth: Beats | Truth
) -> tuple[Demand, ...]:
    """Return the demanded rows that are not there.

    A row counts when it is a floor of the family (those of `CONTROLS` may be controls),
    looks at what is demanded, has the same labels, and answers every scored beat that a
    deep row answers (of the cuff: every such beat with a reading; with k labels: a deep
    row of that k).

    Args:
        predictions: All rows of a table.
        truth: Of their beats.
    """
    truth = truth_of(truth)
    return tuple(
        demand
        for demand in demanded_floors(predictions, truth)
        if not serving_floors(demand, predictions, truth)
    )


def serving_floors(
    demand: Demand, predictions: Sequence[Prediction], truth: Beats | Truth
) -> tuple[Prediction, ...]:
    """Return the rows that answer a demand.

    Args:
        demand: One of `demanded_floors`.
        predictions: All rows of a table.
        truth: Of their beats.
    """
    truth = truth_of(truth)
    return tuple(
        p
        for p in predictions
        if _fits(p, demand) and not _silent(p, demand, predictions, truth).any()
    )


def check_floors(predictions: Sequence[Prediction], truth: Beats | Truth) -> None:
    """Refuse deep rows without the floors and controls that their inputs allow.

    Args:
        predictions: All rows of a table, of the beats of the truth, in its
            calibration (`capnet.evaluation.protocol.check_same_beats`).
        truth: Of those beats.

    Raises:
        ProtocolError: If a demanded row is missing; the message lists every one of
            them and says how it is made.
    """
    truth = truth_of(truth)
    missing = missing_floors(predictions, truth)
    if not missing:
        return
    wanted = "; ".join(_how(demand, predictions, truth) for demand in missing)
    deep = ", ".join(sorted({f"{d.method!r}" for d in missing}))
    msg = (
        f"deep rows ({deep}) at calibration {truth.calibration!r} lack {len(missing)} "
        "rows that anybody could have had from the same inputs, on the same beats "
        f"({len(truth)}, of {len(truth.subjects)} subjects): {wanted}. Floors and "
        "controls are told by Prediction.family and Prediction.inputs; estimators of "
        "capnet.models fill them; experiments/evaluate.py makes those that a table of "
        "numbers allows. k = 0: fit on the source alone. k > 0: fit on or adapt to the "
        "labelled subjects of the deep row."
    )
    raise ProtocolError(msg)


def _fits(row: Prediction, demand: Demand) -> bool:
    return (
        row.role in _roles(demand)
        and row.family == demand.family
        and row.k == demand.k
        and row.seen == (demand.seen or row.seen)
        and (not row.inputs or demand.inputs <= set(row.inputs))
    )


def _roles(demand: Demand) -> tuple[Role, ...]:
    """What must be beaten is a floor: the verdict passes controls by."""
    return ("floor", "control") if demand.family in CONTROLS else ("floor",)


def _silent(
    row: Prediction, demand: Demand, predictions: Sequence[Prediction], truth: Truth
) -> Flags:
    """Return where a row is silent and a deep row that demands it is not."""
    asked = np.zeros(len(truth), dtype=bool)
    for p in predictions:
        if p.role == "deep" and (demand.k == 0 or p.k == demand.k):
            asked |= p.accepted
    asked &= truth.known
    if "cuff" in demand.inputs:
        asked &= _read(truth)
    return np.asarray(asked & ~row.accepted)


def _any_reading(prediction: Prediction, truth: Truth) -> bool:
    return bool((prediction.accepted & truth.known & _read(truth)).any())


def _read(truth: Truth) -> Flags:
    """Return which beats have a reading of the cuff."""
    return np.asarray(np.isfinite(truth.cuff).all(axis=1))


def _how(demand: Demand, predictions: Sequence[Prediction], truth: Truth) -> str:
    """Say what is missing and how to make it, or why what is there does not count."""
    near = [p for p in predictions if _fits(p, demand)]
    named = [p for p in predictions if p.family == demand.family]
    if near:
        lost = int(_silent(near[0], demand, predictions, truth).sum())
        return (
            f"{demand.text} ({near[0].method!r} is silent on {lost} beats that deep "
            "rows answer)"
        )
    maker = f"capnet.models.{_MAKERS[demand.family]}"
    if demand.family in ("GTF", "moving average", "ridge", "SVR"):
        source = "ppg" if demand.inputs == _PULSE else "<the pressure wave>"
        maker = maker.replace("()", f"(source={source!r})")
    others = "".join(f"; {_other(p, demand)}" for p in named[:_SHOWN])
    return f"{demand.text} ({maker}{others})"


def _other(row: Prediction, demand: Demand) -> str:
    """Say why a row of the family is not the one that is wanted."""
    looks = ", ".join(row.inputs)
    why = {
        f"role {row.role!r}": row.role not in _roles(demand),
        f"k = {row.k}": row.k != demand.k,
        f"labels of {row.seen or 'nobody knows whom'}": row.k == demand.k
        and row.seen != (demand.seen or row.seen),
        f"inputs {looks}": bool(row.inputs) and not demand.inputs <= set(row.inputs),
    }
    said = ", ".join(words for words, counts in why.items() if counts)
    return f"{row.method!r} does not count: {said}"
