"""From a record to a prediction in one call."""

from typing import Protocol, runtime_checkable

from capnet.errors import RecordError
from capnet.prediction import Prediction
from capnet.records import Beats, Record
from capnet.signal.beats import beats_of

__all__ = ["Predictor", "predict"]


@runtime_checkable
class Predictor(Protocol):
    """Anything that answers beats with a prediction."""

    def predict(self, beats: Beats) -> Prediction:
        """Estimate central pressure of every beat."""
        ...


def predict(model: Predictor, record: Record | Beats) -> Prediction:
    """Estimate central (aortic) pressure of every beat of a record.

    The record is aligned, gated and cut into beats; each beat is calibrated by the
    latest pressure reading in ``record.cuffs``. Research software, not a medical
    device.

    Args:
        model: For example from `capnet.load_model`.
        record: A record with a PPG, an ECG if possible, and at least one cuff
            reading; or beats that were cut already.

    Returns:
        One row a beat; refused beats have a reason and no number.

    Raises:
        RecordError: If the record has no pressure reading: without one there is no
            scale in mmHg.
    """
    if isinstance(record, Beats):
        return model.predict(record)
    if not record.cuffs:
        msg = (
            f"record {record.subject!r} has no pressure reading, so nothing sets the "
            "scale in mmHg. Add one: record.with_cuff(sbp, dbp)."
        )
        raise RecordError(msg)
    return model.predict(beats_of(record))
