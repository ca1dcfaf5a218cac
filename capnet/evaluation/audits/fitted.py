"""What a fitted transform was fitted on: the training rows, or others as well."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from capnet.errors import ProtocolError

__all__ = ["Fitted", "fitted_on", "numbers_of"]

Rows = Float[np.ndarray, "_ _"]
Fitted = Literal["train", "train and test", "test", "unknown"]
"""Whose rows the numbers of a transform are those of."""

Numbers = Mapping[str, np.ndarray]

_TOLERANCE: Final = 1e-4
"""Relative difference up to which numbers are the same: float32 and another order."""


@runtime_checkable
class _Estimator(Protocol):
    """As scikit-learn has them."""

    def fit(self, rows: Any) -> Any: ...
    def get_params(self, deep: bool = ...) -> Mapping[str, Any]: ...


def fitted_on(transform: Any, train: Rows, test: Rows) -> Fitted:
    """Say which rows a transform was fitted on: those whose numbers it has.

    Args:
        transform: An estimator of scikit-learn, fitted; arrays ``(centre, scale)`` such
            as mean and standard deviation, smallest and largest, median and quartile
            range, for each column or for all; or ``(fit, numbers)`` with a function
            that returns such numbers for rows.
        train: Rows of the training people. Shape (row, column).
        test: Rows of those who are tested. Shape (row, column).

    Returns:
        ``unknown`` if the numbers are those of neither.

    Raises:
        ProtocolError: If it is no such transform.
    """
    held = numbers_of(transform)
    if not len(train) or not len(test):
        return "unknown"
    candidates: list[tuple[Fitted, Rows]] = [
        ("train", train),
        ("train and test", np.concatenate([train, test])),
        ("test", test),
    ]
    best: tuple[float, Fitted] = (_TOLERANCE, "unknown")
    for name, rows in candidates:
        gaps = [_gap(held, made) for made in _recipes(transform, rows)]
        gap = min(gaps, default=np.inf)
        if gap < best[0]:
            best = (gap, name)
    return best[1]


def numbers_of(transform: Any) -> Numbers:
    """Return the numbers that a transform has learnt.

    Raises:
        ProtocolError: If it has none.
    """
    if isinstance(transform, _Estimator):
        found = _learnt(transform)
    elif isinstance(transform, tuple | list) and len(transform) == 2:
        first, second = transform
        found = _arrays(second if callable(first) else (first, second))
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
    """Return the fitted arrays of an estimator: attributes that end in ``_``."""
    named = {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and not name.startswith("_")
    }
    found: dict[str, np.ndarray] = {}
    for name, value in named.items():
        if name in ("n_features_in_", "n_components_", "feature_names_in_"):
            continue
        array = np.asarray(value) if not callable(value) else np.empty(0, dtype=object)
        if array.dtype.kind in "fiu" and array.size:  # axes have no sign
            found[name] = np.abs(np.atleast_1d(array.astype(np.float64)))
    steps = estimator.get_params(deep=False).get("steps", ())
    for label, step in steps:
        if isinstance(step, _Estimator):
            found |= {f"{label}.{k}": v for k, v in _learnt(step).items()}
    return found


def _arrays(values: Any) -> Numbers:
    if isinstance(values, Mapping):
        return {str(k): np.asarray(v, dtype=np.float64) for k, v in values.items()}
    if isinstance(values, np.ndarray) or not isinstance(values, Sequence):
        return {"0": np.asarray(values, dtype=np.float64)}
    return {str(i): np.asarray(v, dtype=np.float64) for i, v in enumerate(values)}


def _recipes(transform: Any, rows: Rows) -> list[Numbers]:
    """Return what the transform would have learnt from rows."""
    if isinstance(transform, _Estimator):
        return [_learnt(_again(transform).fit(rows))]
    first, _ = transform
    if callable(first):
        return [_arrays(first(rows))]
    made: list[Numbers] = []
    for table in (rows, rows.reshape(-1, 1)):
        mean, middle = table.mean(axis=0), np.median(table, axis=0)
        low, high = table.min(axis=0), table.max(axis=0)
        quarter, most = np.percentile(table, (25, 75), axis=0)
        pairs = [(mean, table.std(axis=0)), (mean, table.var(axis=0))]
        if len(table) > 1:
            pairs.append((mean, table.std(axis=0, ddof=1)))
        pairs += [(low, high), (low, high - low), (middle, most - quarter)]
        made += [_arrays(pair) for pair in pairs]
    return made


def _again(estimator: _Estimator) -> _Estimator:
    """Return the same estimator, not fitted."""
    make: Callable[..., _Estimator] = type(estimator)
    settings = dict(estimator.get_params(deep=False))
    if "steps" in settings:
        settings["steps"] = [
            (name, _again(step) if isinstance(step, _Estimator) else step)
            for name, step in settings["steps"]
        ]
    return make(**settings)


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
        size = float(np.abs(theirs).max(initial=0.0)) or 1.0
        worst = max(worst, float(np.abs(mine - theirs).max(initial=0.0)) / size)
    return worst if np.isfinite(worst) else np.inf
