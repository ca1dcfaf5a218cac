"""One method beside the limits of every standard that capnet knows."""

from dataclasses import replace
from typing import Final

import numpy as np

from capnet.errors import ConfigError, ProtocolError
from capnet.evaluation.beat_scores import scored_beats
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.protocols.comparison import Comparison
from capnet.evaluation.protocols.dead_band import readings
from capnet.evaluation.protocols.grades import Bhs, Ieee1708
from capnet.evaluation.protocols.iso81060_2 import InvasiveDeadBand, Iso81060Part2
from capnet.evaluation.protocols.iso81060_3 import Iso81060Part3
from capnet.evaluation.truth import Truth, truth_of
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = ["QUANTITIES", "compare_protocols"]

QUANTITIES: Final = ("sbp", "dbp", "map", "pp")
"""What can be compared, in the order of `Truth.pressures`."""


def _dead_band(
    predicted: np.ndarray,
    reference: np.ndarray,
    scored: np.ndarray,
    truth: Truth,
    quantity: str,
) -> Comparison:
    found = readings(predicted, reference, scored, truth)
    if len(found.subject):
        return InvasiveDeadBand().compare(
            found.predicted,
            found.reference,
            found.subject,
            band=found.band,
            quantity=quantity,
        )
    return Comparison(
        standard="AAMI/ISO 81060-2, invasive route",
        criterion="dead-band error",
        quantity=quantity,
        n=0,
        wanted_n=None,
        note="Nobody has 30 s of scored beats, which a reading of this rule rests on.",
    )


def compare_protocols(
    prediction: Prediction, truth: Beats | Truth, quantity: str = "sbp"
) -> tuple[Comparison, ...]:
    """Put a method's numbers beside the limits of each standard.

    Beats that the method refused, and those without a truth, are left out. A
    comparison is numerical: no replay of data is a validation of a device, and a
    simulated reference is none that a standard knows.

    Args:
        prediction: What one method says.
        truth: The same beats with their truth.
        quantity: ``sbp``, ``dbp``, ``map`` or ``pp``.

    Returns:
        Criteria 1 and 2 and the dead band of ISO 81060-2, ISO 81060-3, IEEE 1708, BHS.

    Raises:
        ConfigError: If the quantity is unknown.
        ProtocolError: If these are not the same beats, or nothing is answered.
    """
    if quantity not in QUANTITIES:
        msg = f"quantity is {quantity!r}; wanted one of {', '.join(QUANTITIES)}."
        raise ConfigError(msg)
    truth = truth_of(truth)
    check_same_beats([prediction], truth)
    predicted = getattr(prediction, f"c{quantity}")
    reference = truth.pressures[:, QUANTITIES.index(quantity)]
    scored = scored_beats(prediction, truth) & np.isfinite(predicted + reference)
    if not scored.any():
        msg = (
            f"{prediction.method!r} (k = {prediction.k}) answers no {quantity.upper()} "
            f"with a truth beside it on {len(prediction)} beats; wanted at least one."
        )
        raise ProtocolError(msg)
    # Numbers for names: each rule looks for the subjects again.
    _, subject = np.unique(truth.subject[scored], return_inverse=True)
    rows = predicted[scored], reference[scored], subject
    found = (
        Iso81060Part2(1).compare(*rows, quantity=quantity),
        Iso81060Part2(2).compare(*rows, quantity=quantity),
        _dead_band(predicted, reference, scored, truth, quantity),
        Iso81060Part3().compare(*rows, quantity=quantity),
        Ieee1708().compare(*rows, quantity=quantity),
        Bhs().compare(*rows, quantity=quantity),
    )
    kind, source = truth.reference_type, truth.calibration
    return tuple(replace(c, reference_type=kind, calibration=source) for c in found)
