"""What must hold before any score means something."""

from collections.abc import Sequence

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import BeatWaves

__all__ = ["check_same_beats", "true_waves"]


def true_waves(reference: Truth) -> BeatWaves:
    """Return the true aortic waves, mmHg. Shape (beat, 64).

    Raises:
        ProtocolError: If only numbers are known.
    """
    if reference.reference is None:
        msg = (
            "the truth has numbers and no waves, so no wave can be held against it. "
            "Score SBP, DBP, MAP and PP, or bring the aortic waves."
        )
        raise ProtocolError(msg)
    return reference.reference


def check_same_beats(
    predictions: Sequence[Prediction], reference: Beats | Truth
) -> None:
    """Refuse predictions of other beats, or calibrated otherwise, than the reference.

    Args:
        predictions: At least one.
        reference: The beats that were asked.

    Raises:
        ProtocolError: If there is no prediction, a prediction's subjects or beats
            are not those of the reference in the same order, its calibration is
            another one, or two answers carry the same method and k.
    """
    if not predictions:
        msg = "no predictions to evaluate; wanted at least one floor."
        raise ProtocolError(msg)
    seen: set[tuple[str, int]] = set()
    for p in predictions:
        name = f"{p.method!r} (k = {p.k})"
        if (p.method, p.k) in seen:
            msg = (
                f"two predictions are called {name}; wanted one row a method and k. "
                "Name the draw or the seed in the method."
            )
            raise ProtocolError(msg)
        seen.add((p.method, p.k))
        same = (
            len(p) == len(reference)
            and np.array_equal(p.subject, reference.subject)
            and np.array_equal(p.beat, reference.beat)
        )
        if not same:
            msg = (
                f"{name} answers {len(p)} beats that are not the {len(reference)} "
                "reference beats in their order; wanted the same subject and beat in "
                "every row. Predict on the beats that you evaluate."
            )
            raise ProtocolError(msg)
        if p.calibration != reference.calibration:
            msg = (
                f"{name} is calibrated by {p.calibration!r}, the reference beats by "
                f"{reference.calibration!r}; calibrations are never pooled. Evaluate "
                "each calibration on its own."
            )
            raise ProtocolError(msg)
