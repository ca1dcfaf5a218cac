"""What a fitted transform was fitted on: the training rows, or others as well."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped

from capnet.errors import ProtocolError, ShapeError

__all__ = ["Fitted", "Labels", "Table", "fitted_on", "numbers_of", "told_by"]

Rows = Float[np.ndarray, "_ _"]
Labels = tuple[Shaped[np.ndarray, " _"], Shaped[np.ndarray, " _"]]
"""Of training and of tested rows."""
Fitted = Literal["train", "train and test", "test", "unknown"]
"""Whose rows the numbers of a transform are those of."""

Numbers = Mapping[str, np.ndarray]

_TOLERANCE: Final = 1e-4
"""Relative difference up to which numbers are the same: float32 and another order."""
_SEEN: Final = "n_samples_seen_"
"""The only count of an estimator that says something about rows."""
_FAILURES: Final = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(RuntimeError, TypeError, ValueError),
)
"""What somebody's fit may raise on rows that it was not made for."""


class Table(NamedTuple):
    """What a transform may have been fitted on.

    Attributes:
        train: Rows of the training people. Shape (row, column).
        test: Rows of those who are tested. Shape (row, column).
        labels: Of both; what a transform may have been fitted to. Shape (row,) each.
    """

    train: Rows
    test: Rows
    labels: tuple[Labels, ...] = ()


@runtime_checkable
class _Estimator(Protocol):
    """As scikit-learn has them."""

    def fit(self, rows: Any, labels: Any = ...) -> Any: ...
    def get_params(self, deep: bool = ...) -> Mapping[str, Any]: ...


def told_by(transform: Any, table: Table) -> Fitted:
    """Say which rows a transform was fitted on, of those without gaps or of all.

    Args:
        transform: See `fitted_on`.
        table: What it may have been fitted on.

    Returns:
        ``unknown`` also where these rows have not its number of columns.
    """
    train, test, labels = table
    here, there = (np.isfinite(x).all(axis=1) for x in (train, test))
    whole = tuple((mine[here], theirs[there]) for mine, theirs in labels)
    tables = [Table(train[here], test[there], whole)]
    if not (here.all() and there.all()):
        tables.append(table)
    columns = getattr(transform, "n_features_in_", train.shape[1])
    if columns != train.shape[1]:
        return "unknown"
    for some in tables:
        try:
            answer = fitted_on(transform, some.train, some.test)
        except _FAILURES:
            answer = _told_with_labels(transform, some)
        if answer != "unknown":
            return answer
    return "unknown"


def _told_with_labels(transform: Any, table: Table) -> Fitted:
    """Say the same of a transform that is not fitted on rows alone."""
    if not table.labels:
        return "unknown"
    try:
        return fitted_on(*(transform, table.train, table.test), labels=table.labels)
    except _FAILURES:
        return "unknown"


def fitted_on(
    transform: Any, train: Rows, test: Rows, *, labels: Sequence[Labels] = ()
) -> Fitted:
    """Say which rows a transform was fitted on: those whose numbers it has.

    Args:
        transform: An estimator of scikit-learn, fitted; arrays ``(centre, scale)`` such
            as mean and standard deviation, smallest and largest, median and quartile
            range, for each column or for all; or ``(fit, numbers)`` with a function
            that returns such numbers for rows.
        train: Rows of the training people. Shape (row, column).
        test: Rows of those who are tested. Shape (row, column).
        labels: What an estimator may have been fitted to; tried one after the other.

    Returns:
        ``unknown`` if the numbers are those of neither.

    Raises:
        ProtocolError: If it is no such transform.
        ShapeError: If rows and labels do not agree.
    """
    held = numbers_of(transform)
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        msg = (
            f"rows have shapes {train.shape} and {test.shape}; wanted (row, column) "
            "with the same columns."
        )
        raise ShapeError(msg)
    if not len(train) or not len(test):
        return "unknown"
    best: tuple[float, Fitted] = (_TOLERANCE, "unknown")
    pairs: Sequence[tuple[Any, Any]] = labels or [(None, None)]
    for mine, theirs in pairs:
        candidates: list[tuple[Fitted, Rows, Any]] = [
            ("train", train, mine),
            ("train and test", np.concatenate([train, test]), _both(mine, theirs)),
            ("test", test, theirs),
        ]
        for name, rows, label in candidates:
            gaps = [_gap(held, made) for made in _recipes(transform, rows, label)]
            gap = min(gaps, default=np.inf)
            if gap < best[0]:
                best = (gap, name)
    return best[1]


def _both(mine: Any, theirs: Any) -> Any:
    return None if mine is None else np.concatenate([mine, theirs])


def numbers_of(transform: Any) -> Numbers:
    """Return the numbers that a transform has learnt.

    Raises:
        ProtocolError: If it has none.
    """
    if isinstance(transform, _Estimator):
        found = _learnt(transform)
    elif isinstance(transform, tuple | list) and len(transform) == 2:
        first, second = transform
        try:
            found = _arrays(second if callable(first) else (first, second))
        except (TypeError, ValueError):
            found = {}  # words
    else:
        found = {}
    if not found:
        msg = (
            f"transform {transform!r:.80} holds no fitted numbers; wanted a fitted "
            "estimator of scikit-learn, arrays (mean, scale), or (fit, numbers)."
        )
        raise ProtocolError(msg)
    return found


def _learnt(estimator: _Estimator) -> Numbers:
    """Return what an estimator has fitted: attributes that end in ``_``, and rows kept.

    Those of estimators inside it are among them: steps, unions, columns.
    """
    found: dict[str, np.ndarray] = {}
    for name, value in vars(estimator).items():
        fitted = name.endswith("_") and not name.startswith("_")
        told = fitted and (name == _SEEN or not name.startswith("n_"))
        if told or name == "_fit_X":
            numbers = _flat(value)
            if numbers.size:
                found[name] = np.abs(numbers)  # axes have no sign
        if fitted or name in ("steps", "transformer_list"):
            for place, inner in _inside(value):
                numbers_ = _learnt(inner)
                found |= {f"{name}.{place}.{k}": v for k, v in numbers_.items()}
    return found


def _flat(value: Any) -> np.ndarray:
    """Return the numbers of an attribute: an array, or arrays of several lengths."""
    if isinstance(value, list | tuple):
        parts = [_flat(part) for part in value]
        return np.concatenate([np.empty(0), *parts])
    if isinstance(value, np.ndarray | np.generic | int | float):
        array = np.asarray(value)
        if array.dtype.kind in "fiu":
            return array.astype(np.float64).reshape(-1)
    return np.empty(0)


def _inside(value: Any) -> Iterator[tuple[str, _Estimator]]:
    """Yield the estimators that an attribute holds, alone or in named tuples."""
    if isinstance(value, _Estimator) and not isinstance(value, type):
        yield "", value
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            for below, inner in _inside(part):
                yield f"{place}{below}", inner


def _arrays(values: Any) -> Numbers:
    if isinstance(values, Mapping):
        return {str(k): np.asarray(v, dtype=np.float64) for k, v in values.items()}
    if isinstance(values, np.ndarray) or not isinstance(values, Sequence):
        return {"0": np.asarray(values, dtype=np.float64)}
    return {str(i): np.asarray(v, dtype=np.float64) for i, v in enumerate(values)}


def _recipes(transform: Any, rows: Rows, labels: Any) -> list[Numbers]:
    """Return what the transform would have learnt from rows."""
    if isinstance(transform, _Estimator):
        again = deepcopy(transform)  # what is inside is fitted anew, too
        return [_learnt(again.fit(rows) if labels is None else again.fit(rows, labels))]
    first, _ = transform
    if callable(first):
        return [_arrays(first(rows))]
    made: list[Numbers] = []
    for table in (rows, rows.reshape(-1, 1)):
        table = table[:, np.isfinite(table).any(axis=0)]
        mean, middle = np.nanmean(table, axis=0), np.nanmedian(table, axis=0)
        low, high = np.nanmin(table, axis=0), np.nanmax(table, axis=0)
        quarter, most = np.nanpercentile(table, (25, 75), axis=0)
        spread = np.nanstd(table, axis=0)
        pairs = [(mean, spread), (mean, spread**2)]
        if len(table) > 1:
            count = np.maximum(np.isfinite(table).sum(axis=0), 2)
            pairs.append((mean, spread * np.sqrt(count / (count - 1))))
        pairs += [(low, high), (low, high - low), (middle, most - quarter)]
        made += [_arrays(pair) for pair in pairs]
    return made


def _gap(held: Numbers, made: Numbers) -> float:
    """Return the largest difference, in units of the largest number of its array."""
    if held.keys() != made.keys():
        return np.inf
    worst = 0.0
    for name, mine in held.items():
        theirs = made[name]
        if mine.size != theirs.size:
            return np.inf
        mine, theirs = mine.reshape(-1), theirs.reshape(-1)
        size = float(np.nanmax(np.abs(theirs), initial=0.0)) or 1.0
        apart = np.where(np.isnan(mine) & np.isnan(theirs), 0.0, np.abs(mine - theirs))
        if not np.isfinite(apart).all():
            return np.inf
        worst = max(worst, float(apart.max(initial=0.0)) / size)
    return worst
