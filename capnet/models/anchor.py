"""Hold the mean of an estimate to a mean pressure that was measured."""

import numpy as np

from capnet.errors import ProtocolError
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = ["anchor_mean"]

NO_MEAN = "the pressure reading has no mean"


def anchor_mean(prediction: Prediction, beats: Beats) -> Prediction:
    """Shift every wave so that its mean is that of the latest pressure reading.

    Mean pressure hardly falls from the aorta to the wrist (0.7 +- 0.4 mmHg in the
    virtual people; that drop is left alone), but it cannot be told from SBP and DBP:
    the share of the pulse at which it lies runs from 23 to 58 % between people. Where
    a device measured it, the shape alone has to be estimated. What is then printed as
    MAP is not a prediction, so the row is a control.

    Args:
        prediction: With waves, of these beats.
        beats: With ``features["cuff_map"]``, mmHg.

    Returns:
        The shifted answer; beats whose reading has no mean are refused.

    Raises:
        ProtocolError: If there are no waves, or no reading has a mean.
    """
    mean = beats.features.get("cuff_map", np.full(len(beats), np.nan))
    if prediction.waveform is None or not np.isfinite(mean).any():
        lacks = (
            "has no waves" if prediction.waveform is None else "met no measured mean"
        )
        msg = (
            f"{prediction.method!r} {lacks}; the mean can be held only for waves, and "
            "where a reading (capnet.records.Cuff) has a `map`."
        )
        raise ProtocolError(msg)
    waves = prediction.waveform
    shifted = waves - waves.mean(axis=1, keepdims=True) + mean[:, None]
    lost = prediction.accepted & ~np.isfinite(mean)
    gated = beats.replace(
        accepted=prediction.accepted & ~lost,
        reason=np.where(lost, NO_MEAN, prediction.reason),
    )
    return Prediction.from_waveform(
        f"{prediction.method}, mean held to the measured one",
        gated,
        shifted,
        role="control",
        k=prediction.k,
    )
