"""What is printed: functions of the means of a few columns over subjects.

The columns are those of `capnet.evaluation.beat_scores`. Because nothing else is
needed, a resample of subjects is a weighting of the rows of a small table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.beat_scores import PRESSURES, Columns
from capnet.evaluation.statistics.bootstrap import (
    PLAIN,
    POSITIVE,
    UNEXPLAINED,
    Estimate,
    Function,
    Scale,
    bootstrap,
)

__all__ = ["STATISTICS", "Statistic", "check_metric", "estimate", "table_of", "value"]

Better = Literal["less", "more", "neither"]


@dataclass(frozen=True)
class Statistic:
    """A number that a table can print.

    Attributes:
        columns: That it needs, means over the beats of each subject.
        function: Of their means over subjects and the number of subjects.
        scale: On which its interval is made.
        better: Whether less or more of it is better; ``neither`` for a bias or a
            slope, whose best value is not at an end.
    """

    columns: tuple[str, ...]
    function: Function
    scale: Scale
    better: Better = "less"


def _first(m: np.ndarray, n: int) -> np.ndarray:  # noqa: ARG001
    return np.asarray(m[..., 0])


def _root(m: np.ndarray, n: int) -> np.ndarray:  # noqa: ARG001
    return np.asarray(np.sqrt(m[..., 0]))


def _ratio(m: np.ndarray, n: int) -> np.ndarray:  # noqa: ARG001
    nothing = m[..., 1] <= 1e-12
    return np.where(nothing, np.nan, m[..., 0] / np.where(nothing, 1.0, m[..., 1]))


def _sd(m: np.ndarray, n: int) -> np.ndarray:
    variance = np.maximum(m[..., 1] - m[..., 0] ** 2, 0)
    return np.sqrt(variance * n / (n - 1)) if n > 1 else np.full(len(variance), np.nan)


def _r2(m: np.ndarray, n: int) -> np.ndarray:  # noqa: ARG001
    total = m[..., 2] - m[..., 1] ** 2
    constant = total <= 1e-12
    return np.where(constant, np.nan, 1 - m[..., 0] / np.where(constant, 1.0, total))


def _explained(m: np.ndarray, n: int) -> np.ndarray:  # noqa: ARG001
    people = m[..., 1] - m[..., 0] ** 2
    error = m[..., 3] - m[..., 2] ** 2
    nothing = error <= 1e-12
    ratio = np.maximum(people, 0) / np.where(nothing, 1.0, error)
    return np.where(nothing, np.nan, np.sqrt(ratio))


def _mean(column: str) -> Statistic:
    return Statistic((column,), _first, POSITIVE)


def _r2_of(name: str) -> Statistic:
    columns = (f"{name}_square", f"{name}_truth", f"{name}_truth_square")
    return Statistic(columns, _r2, UNEXPLAINED, "more")


def _of_pressure(name: str) -> dict[str, Statistic]:
    errors = (f"{name}_error", f"{name}_error_square")
    return {
        f"{name}_bias": Statistic(errors[:1], _first, PLAIN, "neither"),
        f"{name}_sd": Statistic(errors, _sd, POSITIVE),
        f"{name}_mae": _mean(f"{name}_abs"),
        f"{name}_rmse": Statistic((f"{name}_square",), _root, POSITIVE),
        f"{name}_r2": _r2_of(name),
    }


STATISTICS: Final[Mapping[str, Statistic]] = MappingProxyType(
    {
        "wave_rmse": _mean("wave_rmse"),
        "wave_rmse_unaligned": _mean("wave_rmse_unaligned"),
        "wave_rmse_foot": _mean("wave_rmse_foot"),
        "shape_rmse": _mean("shape_rmse"),
        "timing_ms": _mean("timing_ms"),
        "amplification_r2": _r2_of("amplification"),
        "sbp_mase": Statistic(("sbp_abs", "sbp_held_abs"), _ratio, POSITIVE),
        "sbp_explained_deviation": Statistic(
            ("sbp_truth", "sbp_truth_square", "sbp_error", "sbp_square"),
            _explained,
            POSITIVE,
            "more",
        ),
        "sbp_tracking": Statistic(("sbp_moved", "sbp_moves"), _ratio, PLAIN, "neither"),
        "aix_mae": _mean("aix_abs"),
        "form_factor_mae": _mean("form_factor_abs"),
        "ejection_time_mae": _mean("ejection_time_abs"),
        **{k: v for name in PRESSURES for k, v in _of_pressure(name).items()},
    }
)
"""Every statistic by name.

``wave_rmse`` is taken after the best time shift, ``wave_rmse_unaligned`` as it came,
``wave_rmse_foot`` with the feet put together, ``shape_rmse`` after the best shift and
without each wave's mean. ``sbp_mase`` is the MAE over that of the calibrating reading
held (`capnet.metrics.mase`), ``sbp_explained_deviation`` the SD of the reference over
that of the error, ``sbp_tracking`` the slope of the predicted over the true change
within a subject (`capnet.metrics.changes`; the reading held has 0). AIx (points),
form factor (no unit) and ejection time (ms) are read from waves, of some beats of each
subject, where both waves have them. Each pressure has bias, SD of the subjects' mean
errors, MAE, RMSE and R2.
"""


def check_metric(metric: str) -> None:
    """Refuse a statistic that is not known.

    Raises:
        ProtocolError: If it is not one of `STATISTICS`.
    """
    if metric not in STATISTICS:
        msg = f"metric {metric!r} is not known; wanted one of {', '.join(STATISTICS)}."
        raise ProtocolError(msg)


def table_of(metric: str, subjects: Columns) -> np.ndarray | None:
    """Return what a statistic is made of, None where a method does not answer it.

    Args:
        metric: One of `STATISTICS`.
        subjects: Columns of shape (subject,), NaN for subjects that do not count.

    Returns:
        Shape (subject, column), NaN in all columns for subjects that do not count.
    """
    columns = STATISTICS[metric].columns
    if any(c not in subjects for c in columns):
        return None
    table = np.stack([subjects[c] for c in columns], axis=1)
    table[~np.isfinite(table).all(axis=1)] = np.nan
    return table


def value(metric: str, subjects: Columns) -> tuple[float | None, int]:
    """Return a statistic of all subjects, and how many stand behind it.

    Args:
        metric: One of `STATISTICS`.
        subjects: Columns of shape (subject,), NaN for subjects that do not count.

    Returns:
        None where the method does not answer it or it is not defined.
    """
    table = table_of(metric, subjects)
    if table is None:
        return None, 0
    rows = table[np.isfinite(table[:, 0])]
    if not len(rows):
        return None, 0
    found = float(STATISTICS[metric].function(rows.mean(axis=0)[None], len(rows))[0])
    return (found if np.isfinite(found) else None), len(rows)


def estimate(
    metric: str, subjects: Columns, *, resamples: int, seed: int
) -> Estimate | None:
    """Return a statistic with its interval, None where a method does not answer it.

    Args:
        metric: One of `STATISTICS`.
        subjects: Columns of shape (subject,), NaN for subjects that do not count.
        resamples: Of subjects.
        seed: Of the resamples.
    """
    table = table_of(metric, subjects)
    if table is None:
        return None
    found = STATISTICS[metric]
    return bootstrap(table, found.function, found.scale, resamples=resamples, seed=seed)
