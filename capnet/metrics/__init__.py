"""Pure functions (predicted, reference) -> number, in mmHg.

NaN, emptiness and arrays that do not fit are a `capnet.errors.ShapeError`, never a
silent number.
"""

from capnet.metrics.agreement import (
    Limits,
    ProportionalLimits,
    fraction_within,
    limits_of_agreement,
    limits_of_agreement_proportional,
    proportional_bias,
)
from capnet.metrics.amplification import (
    amplification,
    amplification_r2,
    per_subject_amplification_r2,
)
from capnet.metrics.changes import (
    Tracking,
    change_within,
    tracking,
)
from capnet.metrics.error import (
    bias,
    mae,
    r2,
    rmse,
    sd,
)
from capnet.metrics.indices import (
    WaveIndices,
    index_errors,
    wave_indices,
)
from capnet.metrics.per_subject import (
    per_subject,
    per_subject_bias,
    per_subject_mae,
    per_subject_r2,
    per_subject_rmse,
    per_subject_sd,
)
from capnet.metrics.relative import (
    explained_deviation,
    mase,
    per_subject_explained_deviation,
    per_subject_mase,
)
from capnet.metrics.repeated import (
    RepeatedLimits,
    ReplicateLimits,
    limits_of_agreement_repeated,
    limits_of_agreement_replicates,
)
from capnet.metrics.waveform import (
    align,
    foot_lateness,
    foot_positions,
    lateness,
    shape_rmse,
    timing_error,
    timing_errors,
    waveform_rmse,
    waveform_rmse_foot_aligned,
    waveform_rmse_unaligned,
    waveform_rmses,
)

__all__ = [
    "Limits",
    "ProportionalLimits",
    "RepeatedLimits",
    "ReplicateLimits",
    "Tracking",
    "WaveIndices",
    "align",
    "amplification",
    "amplification_r2",
    "bias",
    "change_within",
    "explained_deviation",
    "foot_lateness",
    "foot_positions",
    "fraction_within",
    "index_errors",
    "lateness",
    "limits_of_agreement",
    "limits_of_agreement_proportional",
    "limits_of_agreement_repeated",
    "limits_of_agreement_replicates",
    "mae",
    "mase",
    "per_subject",
    "per_subject_amplification_r2",
    "per_subject_bias",
    "per_subject_explained_deviation",
    "per_subject_mae",
    "per_subject_mase",
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
    "tracking",
    "wave_indices",
    "waveform_rmse",
    "waveform_rmse_foot_aligned",
    "waveform_rmse_unaligned",
    "waveform_rmses",
]
