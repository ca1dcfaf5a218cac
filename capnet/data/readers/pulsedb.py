"""The door of PulseDB: windows of 10 s of ECG, PPG and arterial pressure.

PulseDB (Wang et al. 2023, doi:10.3389/fdgth.2022.1090854; github.com/pulselabteam/
PulseDB) has one MATLAB 7.3 file a person, cut from records of MIMIC-III and VitalDB,
and subsets of many people. Its files declare neither rate nor unit; the paper and its
supplement do, and are the source of `RATE` and `UNITS`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from capnet.data.readers.child import Limits, call
from capnet.data.readers.choice import laid_out
from capnet.data.readers.plausibility import check_plausible, physical
from capnet.errors import RecordError, UnitError
from capnet.files import sha256_of
from capnet.records import Record, Signal
from capnet.types import Windows

__all__ = ["RATE", "UNITS", "read_pulsedb"]

RATE: Final = 125.0
"""Hz, of every signal."""

UNITS: Final[Mapping[str, str]] = {"ECG": "NU", "PPG": "NU", "ABP": "mmHg"}
"""ECG and PPG were mapped to 0..1 within each window (the filtered ones follow from
these); the pressure was left as recorded."""

_DECODER: Final = "capnet.data.readers.pulsedb_decoder:decode_pulsedb"
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_PLACES: Final = (0, 512)
"""Bytes before the superblock: MATLAB writes a block of text first."""

_LARGEST: Final = 1e5
"""Converters have 16 bits; most signals here lie between 0 and 1."""

_GAP: Final = 1250
"""Missing samples between windows: 10 s."""
_OLDEST: Final = 120.0
_BODY: Final = (
    ("height", 0.01, (0.3, 2.75)),
    ("weight", 1.0, (1.0, 650.0)),
)
"""Covariates, their unit (cm, kg) in that of the library, and what is possible."""
_STEP: Final = 8e-4
"""s by which steps of the clock may differ from those of the rate: a tenth of one."""
_GROWTH: Final = 40.0
"""Bytes of memory for one of the file: deflate, a copy in the child and one here."""


def read_pulsedb(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    subject: str | None = None,
    age: float | None = None,
) -> Record:
    """Read the windows of one person from a PulseDB file.

    The file is decoded in a child process with limits. Its windows are no continuous
    recording: gaps lie between them, and ECG and PPG are scaled in each by itself, so
    that no beat may be read across two. They follow each other as in the file, each
    10 s after the last with NaN between, and ``record.source`` says so: times within a
    window are true, times between windows are not. Pressures of a window (``SegSBP``)
    come from its arterial line and become no cuff. All windows are read, whatever
    PulseDB's own quality flag says. ``record.sync`` is ``untrusted``: delays between
    channels of MIMIC-III change by up to 500 ms (mimic-code #703), and a file does not
    say whether it is from there.

    Args:
        path: ``p000001.mat``, or a subset such as ``Train_Subset.mat``.
        channels: ``ECG``, ``PPG`` or ``ABP`` for the raw signals (in a subset the
            filtered ECG and PPG, it has no others), or names of the file such as
            ``PPG_F``; None for those of the three that there are.
        subject: Identifier; the name of the file by default. Of a subset it says who is
            read, as the file writes it; of a file without ``SubjectID`` it says whose
            all windows are.
        age: Years; as the file has it by default.

    Returns:
        The record; ECG and PPG have no unit, pressure is in mmHg. Sex, height and
        weight are its covariates where the file has possible ones.

    Raises:
        RecordError: If the file is missing, damaged or no PulseDB file, lacks a signal,
            or has several people, or says not whose it is, and ``subject`` does not
            tell.
        UnitError: If the clock of the file is not one of 125 Hz.
        MissingExtraError: If h5py is not installed.
    """
    path = Path(path)
    where = path.name
    if isinstance(channels, str) or (channels is not None and not channels):
        msg = f"{where}: channels are {channels!r}; wanted a list, e.g. ['PPG', 'ABP']."
        raise RecordError(msg)
    _look(path, where=where)
    limits = Limits.of(path, growth=_GROWTH)
    wanted = None if channels is None else [str(name) for name in channels]
    facts, arrays = call(
        *(_DECODER, str(path.resolve()), wanted, subject, limits.memory // 32),
        where=where,
        limits=limits,
    )
    if facts["people"] != 1:
        msg = f"{where} has windows of {facts['people']} people; wanted one a file."
        raise RecordError(msg)
    _check_clock(arrays, where=where)
    signals = {
        name: _signal(name, arrays[field], where=where)
        for name, field in facts["fields"].items()
    }
    check_plausible(signals, where=where)
    windows = len(arrays["case"])
    return Record(
        subject=subject or path.stem,
        channels=signals,
        age=_age(facts["age"]) if age is None else age,
        source=(
            f"PulseDB {where} ({', '.join(facts['fields'].values())}); {windows} "
            "windows of 10 s, not contiguous, 10 s apart here"
        ),
        covariates=_covariates(facts),
        sync="untrusted",
        files={where: sha256_of(path)},
    )


def _look(path: Path, *, where: str) -> None:
    """See that a file is HDF5 before anything else opens it."""
    try:
        with path.open("rb") as file:
            start = file.read(_PLACES[-1] + len(_SIGNATURE))
    except OSError as error:
        msg = f"{where} cannot be read ({error.strerror}). Look whether it is there."
        raise RecordError(msg) from error
    if not any(start[at:].startswith(_SIGNATURE) for at in _PLACES):
        msg = f"{where} is no MATLAB 7.3 file (HDF5); PulseDB has no others."
        raise RecordError(msg)


def _check_clock(arrays: Mapping[str, np.ndarray], *, where: str) -> None:
    """See that samples are 8 ms apart, and no window is there twice."""
    if "time" not in arrays:
        return
    low, high = arrays["step"]
    if not (low > 1.0 / RATE - _STEP and high < 1.0 / RATE + _STEP):
        msg = (
            f"{where}: samples are {low:g} to {high:g} s apart by its clock T; wanted "
            f"{1.0 / RATE:g} s. The file is damaged, or of another rate."
        )
        raise UnitError(msg)
    places = np.stack([arrays["case"], arrays["time"]], axis=1)
    if len(np.unique(places, axis=0)) < len(places):
        msg = f"{where} has a window twice, by its clock T. The file is damaged."
        raise RecordError(msg)


def _signal(name: str, rows: Windows, *, where: str) -> Signal:
    """Lay windows out with a gap after each."""
    length = rows.shape[1]
    places = [number * (length + _GAP) for number in range(len(rows))]
    where = f"{where}, channel {name!r}"
    if np.nanmax(np.abs(rows), initial=0.0) > _LARGEST:
        msg = f"{where} exceeds {_LARGEST:g}, as no signal here does. It is damaged."
        raise RecordError(msg)
    values, unit = physical(laid_out(places, list(rows)), UNITS[name[:3]], where=where)
    return Signal(values, RATE, unit)


def _age(found: float | None) -> float | None:
    """Return an age in years; databases write 0 or 300 where there is none."""
    return found if found is not None and 0.0 < found < _OLDEST else None


def _covariates(facts: Mapping[str, Any]) -> dict[str, float]:
    """Return what is known of the person, in the library's units."""
    found = {}
    if facts["sex"]:
        found["male"] = float(facts["sex"] == "M")
    for name, factor, (low, high) in _BODY:
        value = facts[name]
        if value is not None and low <= factor * value <= high:
            found[name] = factor * value
    return found
