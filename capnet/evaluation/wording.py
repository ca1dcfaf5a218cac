"""Numbers as people read them: never "nan", always with a sign where it matters."""

import math
from typing import Final

from capnet.evaluation.statistics.bootstrap import Interval

__all__ = [
    "DASH",
    "LABELS",
    "between",
    "label",
    "number",
    "p_value",
    "signed",
    "unit_of",
    "with_interval",
]

DASH: Final = "–"
"""What stands where there is no number."""

LABELS: Final = {
    "wave_rmse": "waveform RMSE (mmHg)",
    "wave_rmse_unaligned": "waveform RMSE, unaligned (mmHg)",
    "wave_rmse_foot": "waveform RMSE, feet together (mmHg)",
    "shape_rmse": "shape RMSE (mmHg)",
    "timing_ms": "timing error (ms)",
    "amplification_r2": "amplification R2",
    "sbp_mase": "SBP MASE, against the reading held",
    "sbp_explained_deviation": "SBP explained deviation",
    "sbp_tracking": "SBP tracking slope",
    "aix_mae": "AIx MAE (points)",
    "form_factor_mae": "form factor MAE",
    "ejection_time_mae": "ejection time MAE (ms)",
    **{
        f"{name}_{key}": f"{name.upper()} {text}"
        for name in ("sbp", "dbp", "map", "pp")
        for key, text in (
            ("bias", "bias (mmHg)"),
            ("sd", "SD (mmHg)"),
            ("mae", "MAE (mmHg)"),
            ("rmse", "RMSE (mmHg)"),
            ("r2", "R2"),
        )
    },
}
"""Each statistic as tables and axes name it, with its unit."""


def label(metric: str, *, unit: bool = True) -> str:
    """Name a statistic, with its unit or without."""
    text = LABELS[metric]
    return text if unit else text.split(" (")[0]


def unit_of(metric: str) -> str:
    """Return the unit of a statistic, empty where it has none.

    Example:
        >>> unit_of("sbp_rmse"), unit_of("amplification_r2")
        ('mmHg', '')
    """
    _, _, rest = LABELS[metric].partition(" (")
    return rest.rstrip(")")


def p_value(p: float | None) -> str:
    """Write a p-value, never as 0.

    Example:
        >>> p_value(0.0312), p_value(1e-9), p_value(None)
        ('p = 0.031', 'p < 0.001', 'no p-value')
    """
    if p is None:
        return "no p-value"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def number(value: float | None, digits: int = 2) -> str:
    """Write a number, or a dash where there is none.

    Example:
        >>> number(3.14159), number(None), number(-0.001)
        ('3.14', '–', '0.00')
    """
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def signed(value: float | None, digits: int = 2) -> str:
    """Write a number with its sign, or a dash where there is none.

    Example:
        >>> signed(3.14159), signed(-2.0), signed(float("nan"))
        ('+3.14', '-2.00', '–')
    """
    text = number(value, digits)
    return text if text == DASH or text.startswith("-") else f"+{text}"


def with_interval(value: float | None, found: Interval | None, digits: int = 2) -> str:
    """Write a number with its 95 % interval where there is one.

    Example:
        >>> with_interval(3.0, Interval(2.5, 3.6))
        '3.00 [2.50, 3.60]'
    """
    text = number(value, digits)
    if text == DASH or found is None:
        return text
    return f"{text} {between(found, digits)}"


def between(found: Interval | None, digits: int = 2) -> str:
    """Write an interval alone, a dash where there is none."""
    if found is None:
        return DASH
    return f"[{number(found.low, digits)}, {number(found.high, digits)}]"
