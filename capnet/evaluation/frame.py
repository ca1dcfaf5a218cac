"""One row a beat and method, beside the truth where there is one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.truth import Truth, truth_of
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = ["FRAME_COLUMNS", "predictions_frame"]

FRAME_COLUMNS = (
    "subject",
    "beat",
    "method",
    "role",
    "k",
    "reference_type",
    "calibration",
    "accepted",
    "reason",
    *(f"c{name}" for name in PRESSURES),
    *(f"c{name}_ref" for name in PRESSURES),
)
"""The columns of a table of predictions, in order; pressures in mmHg."""


def predictions_frame(
    predictions: Sequence[Prediction], reference: Beats | Truth
) -> pd.DataFrame:
    """Return every answer, one row a method and beat.

    Works without a reference too: its columns are then NaN.

    Args:
        predictions: Of these beats, at least one.
        reference: The beats that were asked.

    Returns:
        Exactly the columns of `FRAME_COLUMNS`.

    Raises:
        ProtocolError: If the predictions are not of these beats.
    """
    check_same_beats(predictions, reference)
    if reference.reference_type == "none":
        truth = np.full((len(reference), len(PRESSURES)), np.nan)
    else:
        truth = truth_of(reference).pressures
    true = {f"c{name}_ref": truth[:, i] for i, name in enumerate(PRESSURES)}
    parts = [
        pd.DataFrame(
            {
                "subject": p.subject,
                "beat": p.beat,
                "method": p.method,
                "role": p.role,
                "k": p.k,
                "reference_type": reference.reference_type,
                "calibration": p.calibration,
                "accepted": p.accepted,
                "reason": p.reason,
            }
            | {f"c{name}": getattr(p, f"c{name}") for name in PRESSURES}
            | true
        )
        for p in predictions
    ]
    return pd.concat(parts, ignore_index=True)[list(FRAME_COLUMNS)]
