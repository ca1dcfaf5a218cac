"""Plain arrays as a record, under the same rules as a file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from capnet.data.readers.plausibility import check_plausible, physical
from capnet.errors import RecordError, ShapeError, UnitError
from capnet.records import Annotations, Cuff, Record, Signal
from capnet.types import Calibration, ReferenceType, Sync

__all__ = ["record_of_arrays"]


def record_of_arrays(
    arrays: Mapping[str, Any],
    *,
    sampling_rate: float | Mapping[str, float],
    units: Mapping[str, str],
    subject: str,
    age: float | None = None,
    start: float | Mapping[str, float] = 0.0,
    cuffs: Sequence[Cuff] = (),
    calibration: Calibration = "none",
    covariates: Mapping[str, float] | None = None,
    annotations: Mapping[str, Annotations] | None = None,
    reference_type: ReferenceType = "none",
    sync: Sync = "unknown",
    source: str = "arrays",
    files: Mapping[str, str] | None = None,
) -> Record:
    """Make a record of arrays, as strictly as the doors of files do.

    Args:
        arrays: Samples by the name of their channel, NaN where missing. Shape (time,)
            each.
        sampling_rate: Hz, one for all or one each.
        units: Of each channel; ``NU`` where it has none.
        subject: Identifier of the person.
        age: Years.
        start: Seconds between the start of the record and the first sample, one for
            all or one each.
        cuffs: Pressure readings.
        calibration: What kind of reading they are.
        covariates: See `capnet.records.COVARIATES`.
        annotations: By their origin.
        reference_type: What kind of truth the channel of aortic pressure is.
        sync: Whether the channels share one clock.
        source: Where the record came from.
        files: SHA-256 of each file that was read, by its name.

    Returns:
        The record, pressures in mmHg, voltages in mV.

    Raises:
        RecordError: If there is no channel, an array is not one of numbers along one
            axis, or a value is impossible.
        UnitError: If a channel has no unit or no rate, or an impossible one.

    Example:
        >>> import numpy as np
        >>> from capnet.data.readers.arrays import record_of_arrays
        >>> record = record_of_arrays(
        ...     {"ABP": np.array([10.7, 16.0])},
        ...     sampling_rate=125.0,
        ...     units={"ABP": "kPa"},
        ...     subject="a",
        ... )
        >>> record.channels["ABP"].values.round(1).tolist()
        [80.3, 120.0]
    """
    where = source
    for what, given in (("unit", units), ("rate", sampling_rate), ("start", start)):
        if isinstance(given, Mapping) and (odd := set(given) ^ set(arrays)):
            name = min(odd)
            lacking = "has no" if name in arrays else "is not there but has a"
            msg = f"{where}: channel {name!r} {lacking} {what}; wanted one for each."
            raise (RecordError if what == "start" else UnitError)(msg)
    signals: dict[str, Signal] = {}
    for name, samples in arrays.items():
        rate, begin = (
            value[name] if isinstance(value, Mapping) else value
            for value in (sampling_rate, start)
        )
        here = f"{where}, channel {name!r}"
        try:
            signal = Signal(_samples(samples, where=here), rate, units[name], begin)
        except (ShapeError, UnitError) as error:
            msg = f"{here}: {error}"
            kind = UnitError if isinstance(error, UnitError) else RecordError
            raise kind(msg) from None
        values, unit = physical(signal.values, signal.unit, where=here)
        signals[name] = Signal(values, signal.sampling_rate, unit, signal.start)
    check_plausible(signals, where=where)
    return Record(
        subject,
        signals,
        age=age,
        cuffs=tuple(cuffs),
        calibration=calibration,
        source=source,
        covariates=dict(covariates or {}),
        annotations=dict(annotations or {}),
        reference_type=reference_type,
        sync=sync,
        files=dict(files or {}),
    )


def _samples(given: Any, *, where: str) -> Float[np.ndarray, " sample"]:
    """Return what was given as floating-point numbers along one axis."""
    try:
        values = np.asarray(given)
    except ValueError as error:  # rows of several lengths
        msg = f"{where} is no array; wanted numbers of shape (time,)."
        raise RecordError(msg) from error
    if values.dtype.kind not in "fiu" or values.ndim != 1 or not values.size:
        msg = (
            f"{where} is of type {values.dtype} and shape {values.shape}; wanted "
            "numbers of shape (time,), NaN where a sample is missing."
        )
        raise RecordError(msg)
    return values if values.dtype.kind == "f" else values.astype(np.float64)
