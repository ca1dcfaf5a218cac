"""The last reading, held: what is known of a person without any model at all."""

from typing import Final, Self

import numpy as np

from capnet.models.estimator import Estimator, answerable
from capnet.models.inputs import with_pp
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = ["FORM_FACTOR", "LastCuff"]

FORM_FACTOR: Final = 0.40
"""Where the mean is taken to lie on the way from DBP to SBP in the upper arm.

One of three fixed rules in use (1/3, 0.40, 0.412), the one in the middle. In single
people the true factor is 0.42 with an SD of 0.06, from 0.23 to 0.58, so that no rule is
right for everybody.
"""


class LastCuff(Estimator):
    r"""The reading that calibrates a beat, taken for the pressure of the aorta.

    SBP and DBP are as read. MAP is the reading's own where the device measured one
    (``beats.features['cuff_map']``), else :math:`DBP + 0.40\,(SBP - DBP)`. Nothing
    is fitted, so that it is the naive predictor of a scaled error and what following a
    person over time has to beat.
    """

    family = "last cuff"
    looks_at = ("cuff",)
    role = "control"

    def __init__(self) -> None:
        self.name = "last cuff"

    def fit(self, beats: Beats) -> Self:
        """Return the estimator: a reading is held as it is."""
        del beats
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer SBP, DBP, MAP and PP."""
        rows = answerable(beats)
        sbp, dbp = beats.cuff[rows].T
        mean = dbp + FORM_FACTOR * (sbp - dbp)
        read = beats.features.get("cuff_map")
        if read is not None:
            mean = np.where(np.isfinite(read[rows]), read[rows], mean)
        return self.answer(beats, rows, with_pp(np.stack([sbp, dbp, mean], axis=1)))
