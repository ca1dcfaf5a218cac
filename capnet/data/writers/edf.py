"""Records on disk as EDF (Kemp 1992, doi:10.1016/0013-4694(92)90009-7).

A header in text and 16-bit samples in data records of equal length. The fields for
patient, recording, transducer and filters say nothing, and the date is the one that
the format gives to recordings whose date is not told.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from capnet.data.readers.choice import known_unit
from capnet.data.readers.plausibility import check_plausible
from capnet.data.writers.frames import exact_rate, frame_rate
from capnet.data.writers.quantum import STEPS, Scale, plain, scale_of
from capnet.errors import RecordError, UnitError
from capnet.files import replacing
from capnet.records import Record, Signal

__all__ = ["write_edf"]

_LONGEST: Final = 10
"""s of a data record at most."""
_LARGEST: Final = 61_440
"""Bytes of a data record at most (Kemp 1992)."""
_MOST_RECORDS: Final = 99_999_999
_DATE: Final = ("01.01.85", "00.00.00")
"""Of a recording whose date is not told; 1985 is the first year that EDF knows."""
_AT_ONCE: Final = 256
"""Data records that are put together at once."""


def write_edf(record: Record, path: Path) -> Path:
    """Write a record's channels as EDF.

    The quantum of each channel is the finest of 1, 2 or 5 times a power of ten with
    which 64,000 steps span its values. EDF has no room for a missing sample, a start,
    or channels of different lengths; nor, in the fields that are written here, for age,
    covariates, cuff readings and annotations.

    Args:
        record: All its channels start at 0 s and are equally long.
        path: Ends in ``.edf``; its folder is made.

    Returns:
        The path.

    Raises:
        RecordError: If EDF cannot hold the record.
        UnitError: If a unit is none that EDF can name.
        StorageError: If the disk is full or refuses.
    """
    where, channels = path.name, record.channels
    check_plausible(channels, where=where)
    _check(channels, where=where)
    counts, records, duration = _layout(channels, where=where)
    scales = {
        name: scale_of(s.values, characters=8, where=f"{where}, channel {name!r}")
        for name, s in channels.items()
    }
    header = _header(channels, scales, counts, records, duration)
    with replacing(path) as part, part.open("wb") as file:
        file.write(header)
        for block in _blocks(channels, scales, counts, records):
            file.write(block)
    return path


def _check(channels: Mapping[str, Signal], *, where: str) -> None:
    """See that labels, units, starts and samples are such as EDF holds."""
    for name, signal in channels.items():
        here = f"{where}, channel {name!r}"
        if not _fits(name, 16) or name == "EDF Annotations":
            msg = f"{here}: wanted a name of at most 16 letters (ASCII). Rename it."
            raise RecordError(msg)
        if not (_fits(signal.unit, 8) and known_unit(signal.unit)):
            msg = f"{here}: wanted a known unit of at most 8 letters (ASCII)."
            raise UnitError(msg)
        if signal.start != 0.0:
            msg = (
                f"{here} starts at {signal.start:g} s; wanted 0 s. EDF has no starts: "
                "write a table (.parquet, .csv), which has."
            )
            raise RecordError(msg)
        missing = np.flatnonzero(np.isnan(signal.values))
        if len(missing):
            msg = (
                f"{here}: sample {missing[0]} is missing. EDF has no room for that: "
                "write WFDB or a table (.parquet, .csv), which have."
            )
            raise RecordError(msg)
    if len({name.lower() for name in channels}) < len(channels):
        msg = f"{where}: channels {[*channels]}; wanted distinct names."
        raise RecordError(msg)


def _fits(text: str, most: int) -> bool:
    plain = text.isascii() and text.isprintable() and text == text.strip()
    return plain and 0 < len(text) <= most


def _layout(
    channels: Mapping[str, Signal], *, where: str
) -> tuple[dict[str, int], int, str]:
    """Divide the recording into equal data records.

    Returns:
        Samples in each by channel, how many there are, and how long each is, s.
    """
    rates = {name: signal.sampling_rate for name, signal in channels.items()}
    frame = frame_rate(rates, where=where)
    per_frame = {name: int(exact_rate(rate) / frame) for name, rate in rates.items()}
    lengths = {Fraction(len(s.values), per_frame[n]) for n, s in channels.items()}
    if len(lengths) > 1 or min(lengths).denominator > 1:
        said = ", ".join(f"{name} {s.duration:g} s" for name, s in channels.items())
        msg = (
            f"{where}: channels last {said}; wanted equal lengths of whole frames of "
            f"{float(1 / frame):g} s. Cut them, or write a table (.parquet, .csv)."
        )
        raise RecordError(msg)
    frames = int(min(lengths))
    size = 2 * sum(per_frame.values())
    most = max(1, min(_LARGEST // size, int(_LONGEST * frame)))
    for many in sorted(_divisors(frames, most), reverse=True):
        duration = _written(many / frame)
        if duration is not None and frames // many <= _MOST_RECORDS:
            counts = {name: many * count for name, count in per_frame.items()}
            return counts, frames // many, duration
    msg = (
        f"{where}: {frames} frames of {float(1 / frame):g} s; wanted a length that "
        "divides into data records whose seconds 8 characters can say. Cut the record "
        "to whole seconds, or write a table (.parquet, .csv)."
    )
    raise RecordError(msg)


def _divisors(number: int, most: int) -> list[int]:
    return [d for d in range(1, min(number, most) + 1) if number % d == 0]


def _written(duration: Fraction) -> str | None:
    """Return a length of time as EDF writes it; None if 8 characters do not do."""
    text = f"{float(duration):.10g}"
    exact = "e" not in text and Fraction(text) == duration
    return text if exact and len(text) <= 8 else None


def _header(
    channels: Mapping[str, Signal],
    scales: Mapping[str, Scale],
    counts: Mapping[str, int],
    records: int,
    duration: str,
) -> bytes:
    n = len(channels)
    head = [("0", 8), ("X X X X", 80), ("Startdate X X X X", 80)]
    head += [(_DATE[0], 8), (_DATE[1], 8), (str(256 * (n + 1)), 8), ("", 44)]
    head += [(str(records), 8), (duration, 8), (str(n), 4)]
    columns: list[tuple[list[str], int]] = [
        ([*channels], 16),
        ([""] * n, 80),
        ([signal.unit for signal in channels.values()], 8),
        ([plain(scales[name].low) for name in channels], 8),
        ([plain(scales[name].high) for name in channels], 8),
        ([str(-STEPS)] * n, 8),
        ([str(STEPS)] * n, 8),
        ([""] * n, 80),
        ([str(counts[name]) for name in channels], 8),
        ([""] * n, 32),
    ]
    head += [(text, width) for texts, width in columns for text in texts]
    return "".join(text.ljust(width) for text, width in head).encode("ascii")


def _blocks(
    channels: Mapping[str, Signal],
    scales: Mapping[str, Scale],
    counts: Mapping[str, int],
    records: int,
) -> Iterator[bytes]:
    for first in range(0, records, _AT_ONCE):
        last = min(first + _AT_ONCE, records)
        parts = [
            scales[name]
            .steps(signal.values[first * counts[name] : last * counts[name]])
            .reshape(last - first, counts[name])
            for name, signal in channels.items()
        ]
        yield np.concatenate(parts, axis=1).astype("<i2").tobytes()
