"""Where the beats of a store come from: one recording, one clinic, one cohort."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from capnet.data.stores.key import digest_of
from capnet.records import COVARIATES, Beats, Record

if TYPE_CHECKING:
    from capnet.data.stores.window_rows import WindowRows

__all__ = ["Source", "source_of_record"]

_PART: Final = 600.0
"""Seconds of a recording that are read at once."""

_OLD, _ELDEST = 89, 90.0
"""Years: an age above the first tells who somebody is (45 CFR 164.514(b)(2)(i)(C)) and
is stored as the second."""


@dataclass(frozen=True)
class Source:
    """What one part of a store is made of.

    Attributes:
        name: For progress and messages alone; never written down.
        domain: Where it is from, e.g. a clinic; the same on every row.
        digest: Hash of all that decides the beats: data and settings. Sources of one
            digest hold the same.
        beats: Makes the tables of beats, from the first on, whenever it is called.
        windows: Likewise for windows; None to store none.
    """

    name: str
    domain: str
    digest: str
    beats: Callable[[], Iterator[Beats]]
    windows: Callable[[], Iterator["WindowRows"]] | None = None


def source_of_record(
    path: str | Path,
    *,
    domain: str,
    names: Mapping[str, str] | None = None,
    subject: str | None = None,
    age: float | None = None,
    key: bytes | None = None,
    windows: bool = False,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
) -> Source:
    """Make a source of one recording, which is read in parts when it is stored.

    The person gets a pseudonym; names of the file and of its channels stay outside.
    Ages above 89 are stored as 90. Covariates become features (``height``, m;
    ``weight``, kg; ``male``, 1 or 0; NaN where not known).

    Args:
        path: See `capnet.read_record`.
        domain: Where the recording is from.
        names: New names of channels, see `capnet.read_record`.
        subject: Identifier of the person; as the file has it by default.
        age: Years; as the file has it by default.
        key: Of the pseudonyms; the one of this computer by default, see
            `capnet.data.pseudonym_key`.
        windows: Whether to store windows of 8 s, too.
        ecg: Name of the ECG lead; found by the usual names by default.
        ppg: Name of the PPG; likewise.
        abp: Name of the arterial pressure; likewise.

    Raises:
        RecordError: See `capnet.read_record`.
        UnitError: Likewise.
    """
    # A door loads its format only when it is opened, and the front end with it.
    from capnet.data.privacy.pseudonyms import pseudonym, pseudonym_key
    from capnet.data.readers import stream_record
    from capnet.data.stores.window_rows import windows_in
    from capnet.signal.beats import beats_in

    def parts() -> Iterator[Record]:
        records = stream_record(
            path, names=names, subject=subject, age=age, length=_PART
        )
        return (replace(record, subject=label, age=years) for record in records)

    def beats() -> Iterator[Beats]:
        for table in beats_in(parts(), ecg=ecg, ppg=ppg, abp=abp):
            yield _with_covariates(table, head)

    head = next(stream_record(path, names=names, subject=subject, age=age))
    key = pseudonym_key() if key is None else key
    label = pseudonym(head.subject, key=key)
    years = _ELDEST if (head.age or 0.0) > _OLD else head.age
    decides = {
        "files": sorted(head.files.values()),
        "subject": label,
        "age": years,
        "channels": [dict(names or {}), ecg, ppg, abp],
        "windows": windows,
    }
    return Source(
        name=str(path),
        domain=domain,
        digest=digest_of(decides),
        beats=beats,
        windows=(lambda: windows_in(parts(), ecg=ecg, ppg=ppg, abp=abp))
        if windows
        else None,
    )


def _with_covariates(beats: Beats, record: Record) -> Beats:
    known = {
        name: np.full(len(beats), record.covariates.get(name, np.nan))
        for name in COVARIATES
    }
    return replace(beats, features={**beats.features, **known})
