"""What a channel may hold: the last check of every reader.

The bounds are wide. Real recordings are flushed, drift, saturate and lose their
transducer, and all that is for the signal's own gate to judge; refused here is what no
device gives, as a damaged gain, exponent or unit does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import Final, NamedTuple, Self

import numpy as np

from capnet.errors import RecordError, UnitError
from capnet.records import CHANNEL_NAMES, Signal
from capnet.types import Samples
from capnet.units import is_pressure, pressure_factor

__all__ = [
    "HIGHEST_RATE",
    "LONGEST",
    "LOWEST_RATE",
    "Extent",
    "check_extent",
    "check_frame",
    "check_plausible",
    "check_span",
    "physical",
    "shown_unit",
]

LOWEST_RATE: Final = 0.01
"""Hz. A cuff every minute and a half is the slowest series that anybody samples."""

HIGHEST_RATE: Final = 1e5
"""Hz. Diagnostic ECG needs 500 Hz, late potentials 2 kHz, artery sounds 10 kHz."""

LONGEST: Final = 31.0 * 86400.0
"""s. The longest stays of the MIMIC waveform databases are cut below a month."""

_VOLTS: Final[Mapping[str, float]] = {
    "v": 1e3,
    "mv": 1.0,
    "uv": 1e-3,
    "\u00b5v": 1e-3,  # the micro sign
    "\u03bcv": 1e-3,  # the Greek letter
    "nv": 1e-6,
}

_PLAIN: Final = ("nu", "nd", "au", "a.u.", "adu", "adim", "1", "counts")
"""Words for "no unit": what was not calibrated is said to be so."""

_WORDS: Final = frozenset(
    (
        *(*_VOLTS, *_PLAIN, "%", "percent", "bpm", "/min", "1/min", "pm", "rpm"),
        *("ohm", "ohms", "kohm", "s", "ms", "us", "hz", "k", "degc", "deg", "rad"),
        *("l", "ml", "dl", "l/min", "l/s", "ml/s", "ml/min", "cm/s", "m/s", "mm/s"),
        *("m", "cm", "mm", "um", "nm", "kg", "g", "m/s2", "m/s^2", "n", "w", "j"),
        *("a", "ma", "ua", "us", "mho", "mol/l", "mmol/l", "mg/dl", "g/dl", "ppm"),
        *(
            "ohm/s",
            "mv/s",
            "v/s",
            "mmhg/s",
            "count",
            "counts",
            "adu",
            "bit",
            "lux",
            "vol%",
        ),
        *("torr", "bar", "mbar", "psi", "cmhg", "inhg", "db", "\u00b0c", "\u03a9"),
    )
)
"""Units that a message may repeat. In a damaged or careless file anything may stand
where the unit belongs, a name as well."""

_PRESSURES: Final = frozenset(
    name
    for kind in ("abp", "aortic", "femoral", "radial")
    for name in CHANNEL_NAMES[kind]
)
_LEADS: Final = frozenset({*CHANNEL_NAMES["ecg"], *(f"v{i}" for i in range(1, 10))})
_LIGHTS: Final = frozenset(
    name for kind in ("ppg", "red", "infrared") for name in CHANNEL_NAMES[kind]
)


_BLOCK: Final = 1 << 20
"""Samples that are measured at once."""


class _Bounds(NamedTuple):
    """Least and largest sample, least and largest mean."""

    low: float
    high: float
    mean_low: float
    mean_high: float


_PRESSURE: Final = _Bounds(-200.0, 600.0, -100.0, 350.0)
"""mmHg. Transducers measure -30 to 300 mmHg (ANSI/AAMI BP22), a flush bag gives 300,
and a line that is not zeroed is off by what its column of water weighs."""

_ARTERIAL: Final = _Bounds(-200.0, 600.0, -50.0, 350.0)
"""mmHg. The converters of the MIMIC databases end at -20 to -35 mmHg, which is what an
open line gives; a mean far below has lost its baseline."""

_LEAD: Final = _Bounds(-1e3, 1e3, -500.0, 500.0)
"""mV. A lead has 5 mV upon an offset of the electrodes of up to 300 mV (IEC
60601-2-27); converters saturate below 1 V."""

_LEAST_ARTERIAL: Final = 10.0
_LEAST_PRESSURE: Final = 1.0
"""mmHg. No scale for an artery is as narrow as ten; those for veins may be."""

_LEAST_LEAD: Final = 0.1
"""mV. A tenth of an R peak."""

_VOLTAGE: Final = _Bounds(-1e4, 1e4, -1e4, 1e4)
"""mV. Converters for the analogue outputs of monitors take up to 10 V."""

_PERCENT: Final = _Bounds(-1e3, 1e3, -1e3, 1e3)
"""Saturations, or a wave in hundredths of its full scale."""

_RATE: Final = _Bounds(-1e3, 1e3, -1e3, 1e3)
"""Beats or breaths a minute; monitors write -1 or 511 where there is none."""

_ANY: Final = _Bounds(-(2.0**32), 2.0**32, -(2.0**32), 2.0**32)
"""Counts of a converter: none has more than 32 bits."""


def _bounds(name: str, unit: str) -> _Bounds:
    word = unit.strip().lower()
    if is_pressure(unit):
        return _ARTERIAL if _plain(name) in _PRESSURES else _PRESSURE
    if word == "mv":
        return _LEAD if _is_lead(name) else _VOLTAGE
    if word in ("%", "percent"):
        return _PERCENT
    return _RATE if word == "bpm" else _ANY


def _plain(name: str) -> str:
    return name.strip(" ,;:").lower()


def _is_lead(name: str) -> bool:
    return _plain(name) in _LEADS or _plain(name).startswith("ecg")


def shown_unit(unit: str) -> str:
    """Return a unit as a message may tell it: not unless it is one that is in use."""
    word = unit.strip()
    known = is_pressure(word) or word.lower() in _WORDS
    return word if known else "[an unknown unit]"


def physical(values: Samples, unit: str, *, where: str) -> tuple[Samples, str]:
    """Express samples in the unit that the library uses for their quantity.

    Args:
        values: Samples in ``unit``. Shape (time,).
        unit: As the file declares it.
        where: Names file and channel, for messages.

    Returns:
        Pressures in mmHg, voltages in mV, anything else as it was given; and the unit.

    Raises:
        UnitError: If the unit is empty or no printable word.
    """
    word = unit.strip()
    if not (word and word.isprintable() and len(word) <= 32):
        msg = (
            f"{where} has no unit that can be read; wanted a word such as 'mmHg', 'mV' "
            "or 'NU'. Declare it in the file."
        )
        raise UnitError(msg)
    if is_pressure(word):
        return _scaled(values, pressure_factor(word, where=where)), "mmHg"
    factor = _VOLTS.get(word.lower())
    return (values, word) if factor is None else (_scaled(values, factor), "mV")


def _scaled(values: Samples, factor: float) -> Samples:
    if factor == 1.0:
        return values
    # A damaged number may leave the range of floats; it is refused as infinite later.
    with np.errstate(over="ignore"):
        return values * factor


@dataclass(frozen=True)
class Extent:
    """What a channel spans, added up over its parts.

    Attributes:
        count: Samples so far, valid or missing.
        valid: Those that are not missing.
        low: Least valid sample; NaN where there is none, as the rest.
        high: Largest.
        mean: Of the valid samples.
        low_at: Sample number of the least.
        high_at: Of the largest.
    """

    count: int = 0
    valid: int = 0
    low: float = nan
    high: float = nan
    mean: float = nan
    low_at: int = 0
    high_at: int = 0

    @classmethod
    def of(cls, values: Samples) -> Self:
        """Measure samples. Shape (time,)."""
        present = ~np.isnan(values)
        valid = int(present.sum())
        if not valid:
            return cls(len(values))
        low_at, high_at = int(np.nanargmin(values)), int(np.nanargmax(values))
        low, high = float(values[low_at]), float(values[high_at])
        mean = nan
        if isfinite(low) and isfinite(high):
            # Halves, so that no sum of finite numbers overflows.
            scale = max(abs(low), abs(high)) or 1.0
            mean = float(np.sum(values / scale, where=present)) / valid * scale
        return cls(len(values), valid, low, high, mean, low_at, high_at)

    def __add__(self, other: "Extent") -> "Extent":
        count = self.count + other.count
        if not other.valid:
            return replace(self, count=count)
        low_at, high_at = self.count + other.low_at, self.count + other.high_at
        if not self.valid:
            return replace(other, count=count, low_at=low_at, high_at=high_at)
        valid = self.valid + other.valid
        mean = self.mean * (self.valid / valid) + other.mean * (other.valid / valid)
        lower, higher = other.low < self.low, other.high > self.high
        return Extent(
            count,
            valid,
            min(self.low, other.low),
            max(self.high, other.high),
            mean,
            low_at if lower else self.low_at,
            high_at if higher else self.high_at,
        )


def check_frame(
    name: str, *, rate: float, start: float, duration: float, unit: str, where: str
) -> None:
    """See that a channel's rate, start, length and unit are possible ones.

    Args:
        name: Of the channel.
        rate: Hz.
        start: s since the start of the record.
        duration: s.
        unit: Of its samples.
        where: Names the file, for messages.

    Raises:
        UnitError: If the rate is outside 0.01 to 1e5 Hz, or the unit is none that a
            channel of that name has: an ABP in mV has lost its unit, a PPG in mmHg has
            got that of another channel.
        RecordError: If the channel is longer than 31 days or starts that far away.
    """
    where = f"{where}, channel {name!r}"
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        msg = (
            f"{where}: the sampling rate is {rate:g} Hz; wanted {LOWEST_RATE:g} to "
            f"{HIGHEST_RATE:g} Hz. Correct it in the file."
        )
        raise UnitError(msg)
    if not (abs(start) <= LONGEST and duration <= LONGEST):
        msg = (
            f"{where}: {duration:g} s of samples from {start:g} s on; wanted at most "
            f"{LONGEST:g} s (31 days). Correct rate and length, or divide the file."
        )
        raise RecordError(msg)
    word = unit.strip().lower()
    kind, plain = _plain(name), word in _PLAIN
    wanted = ""
    if kind in _PRESSURES and not (is_pressure(unit) or plain):
        wanted = "a pressure such as 'mmHg', or 'NU' where it is not calibrated"
    elif kind in _LEADS and not (word in _VOLTS or plain):
        wanted = "'mV', or 'NU' where it is not calibrated"
    elif (kind in _LIGHTS or _is_lead(name)) and is_pressure(unit):
        wanted = "'NU', 'mV' or what else the sensor gives"
    if wanted:
        msg = (
            f"{where} is in {shown_unit(unit)}; wanted {wanted}. Correct the unit or "
            "the name."
        )
        raise UnitError(msg)


def check_extent(name: str, unit: str, extent: Extent, *, where: str) -> None:
    """See that what a channel spans is possible in its unit.

    Args:
        name: Of the channel.
        unit: Of its samples, after `physical`.
        extent: Of all its samples.
        where: Names the file, for messages.

    Raises:
        RecordError: If no sample is valid, one is infinite or out of the bounds of its
            unit, or the mean is.
    """
    where = f"{where}, channel {name!r}"
    if not extent.valid:
        msg = f"{where} holds no valid sample. Leave it out."
        raise RecordError(msg)
    bounds, unit = _bounds(name, unit), shown_unit(unit)
    for value, at in ((extent.low, extent.low_at), (extent.high, extent.high_at)):
        if not bounds.low <= value <= bounds.high:
            msg = (
                f"{where}: sample {at} is {value:g} {unit}; wanted {bounds.low:g} to "
                f"{bounds.high:g} {unit}. The file is damaged, or its gain or unit is "
                "wrong: correct it, or leave the channel out."
            )
            raise RecordError(msg)
    if not bounds.mean_low <= extent.mean <= bounds.mean_high:
        msg = (
            f"{where}: the mean of samples 0 to {extent.count - 1} is {extent.mean:g} "
            f"{unit}; wanted {bounds.mean_low:g} to {bounds.mean_high:g} {unit}. Its "
            "gain, baseline or unit is wrong: correct it, or leave the channel out."
        )
        raise RecordError(msg)


def check_span(name: str, unit: str, span: float, *, where: str) -> None:
    """See that a converter of this range could have recorded a channel.

    Args:
        name: Of the channel.
        unit: Of its samples, after `physical`.
        span: From the least to the largest value that can be stored.
        where: Names the file, for messages.

    Raises:
        UnitError: If an arterial pressure has less than 10 mmHg from end to end,
            another 1 mmHg, or a lead 0.1 mV, as with a gain that is too large.
    """
    if is_pressure(unit):
        least = _LEAST_ARTERIAL if _plain(name) in _PRESSURES else _LEAST_PRESSURE
    elif unit == "mV" and _is_lead(name):
        least = _LEAST_LEAD
    else:
        least = 0.0
    if not span >= least:
        msg = (
            f"{where}, channel {name!r}: its gain leaves {span:g} {unit} from end "
            f"to end; wanted at least {least:g} {unit}. Correct the gain."
        )
        raise UnitError(msg)


def check_plausible(signals: Mapping[str, Signal], *, where: str) -> None:
    """See that every channel could have come from a device.

    Args:
        signals: Channels by name, in the units of `physical`.
        where: Names the file, for messages.

    Raises:
        RecordError: See `check_frame` and `check_extent`; or if there is no channel.
        UnitError: See `check_frame`.
    """
    if not signals:
        msg = f"{where} has no channel that can be used."
        raise RecordError(msg)
    for name, signal in signals.items():
        check_frame(
            name,
            rate=signal.sampling_rate,
            start=signal.start,
            duration=signal.duration,
            unit=signal.unit,
            where=where,
        )
        parts = range(0, len(signal.values), _BLOCK)  # no copy of a whole channel
        extents = (Extent.of(signal.values[k : k + _BLOCK]) for k in parts)
        check_extent(name, signal.unit, sum(extents, Extent()), where=where)
