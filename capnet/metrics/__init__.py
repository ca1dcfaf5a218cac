"""Pure functions (predicted, reference) -> number, in mmHg.

NaN, emptiness and arrays that do not fit are a `capnet.errors.ShapeError`, never a
silent number.
"""

from capnet.metrics.agreement import (
    Limits,
    fraction_within,
    limits_of_agreement,
    proportional_bias,
)
from capnet.metrics.amplification import amplification, amplification_r2
from capnet.metrics.error import bias, mae, r2, rmse, sd
from capnet.metrics.per_subject import (
    per_subject,
    per_subject_bias,
    per_subject_mae,
    per_subject_r2,
    per_subject_rmse,
    per_subject_sd,
)
from capnet.metrics.waveform import (
    align,
    lateness,
    shape_rmse,
    timing_error,
    timing_errors,
    waveform_rmse,
    waveform_rmse_unaligned,
    waveform_rmses,
)

__all__ = [
    "Limits",
    "align",
    "amplification",
    "amplification_r2",
    "bias",
    "fraction_within",
    "lateness",
    "limits_of_agreement",
    "mae",
    "per_subject",
    "per_subject_bias",
    "per_subject_mae",
    "per_subject_r2",
    "per_subject_rmse",
    "per_subject_sd",
    "proportional_bias",
    "r2",
    "rmse",
    "sd",
    "shape_rmse",
    "timing_error",
    "timing_errors",
    "waveform_rmse",
    "waveform_rmse_unaligned",
    "waveform_rmses",
]
