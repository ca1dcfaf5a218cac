"""De-identification: other names for people, and a record without what names them.

A pseudonym is a keyed hash: the same person has the same one in every data set that is
made with the same key, and nobody without the key can tell who it is, nor try out a
list of names. Whoever holds key and names can: keep the key apart from the data.
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
import tempfile
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from filelock import FileLock
from platformdirs import user_data_dir

from capnet.errors import RecordError
from capnet.records import CHANNEL_NAMES, Annotations, Record, Signal
from capnet.units import is_pressure

__all__ = ["deidentified", "masked", "pseudonym", "pseudonym_key", "unnamed"]

_log = logging.getLogger(__name__)

_BYTES: Final = 32
"""Length of a key: that of the hash (RFC 2104, section 3)."""

_DIGITS: Final = 12
"""48 bits: among 100,000 people two share a pseudonym with a chance of 2e-5."""

_OTHERS: Final = stat.S_IROTH | stat.S_IWOTH

_OVER: Final = 89.0
_OLDEST: Final = 90.0
"""Years. 45 CFR 164.514(b)(2)(i)(C): all ages over 89 become one category, 90."""

_UNITS: Final = frozenset(
    ("mv", "nu", "%", "bpm", "hz", "s", "ms", "l/min", "ml/s", "ohm", "ohm/s", "c")
)
"""Units that may stay, beside those of pressure; in lower case."""

_CHANNELS: Final = frozenset(
    {name for names in CHANNEL_NAMES.values() for name in names}
    | {f"v{lead}" for lead in range(1, 10)}
    | {"icp", "cvp", "pap", "co2", "spo2", "hr", "pulse", "etco2", "nibp"}
)
"""What channels are called; any other name may be somebody's. In lower case."""

_CODES: Final = frozenset('NLRaVFJASEj/Q~|sT*D"=pB^tu?![]en@xf()r+')
"""The annotation codes of WFDB (its library's header ecgcodes.h)."""

_NOTE: Final = '"'
"""WFDB's code of a remark."""

_QUOTED: Final = re.compile(
    r"""(?<!\w)'[^'\n]*'(?!\w)|(?<!\w)"[^"\n]*"(?!\w)"""  # no apostrophe: clinic's
)

_ORIGINS: Final = frozenset(("atr", "qrs", "ecg", "abp", "ppg", "edf", "events"))

_FORMATS: Final = frozenset(
    ("WFDB", "EDF", "EDF+", "VitalDB", "CSV", "Parquet", "NumPy", "PulseDB", "PWDB")
)

_SUFFIXES: Final = frozenset(
    {
        *(".hea", ".dat", ".mat", ".flac", ".atr", ".edf", ".vital", ".csv"),
        *(".parquet", ".npz", ".json", ".gz"),
    }
)


def pseudonym(subject: str, *, key: bytes) -> str:
    """Return another name for a person: ``p-`` and 12 hexadecimal digits.

    The first 48 bits of HMAC-SHA256 (RFC 2104) of the name in Unicode's form NFC, so
    that an accent written in two ways is one person.

    Args:
        subject: Identifier of the person.
        key: 32 bytes, see `pseudonym_key`.

    Raises:
        RecordError: If the identifier is empty or the key is no key.
    """
    if len(key) != _BYTES:
        msg = f"the key has {len(key)} bytes; wanted {_BYTES}. See `pseudonym_key`."
        raise RecordError(msg)
    if not subject.strip():
        msg = "the identifier of a person is empty; wanted a name or number."
        raise RecordError(msg)
    # A lone surrogate (a file name that is no UTF-8) has bytes of its own, too.
    name = unicodedata.normalize("NFC", subject).encode("utf-8", "surrogatepass")
    return f"p-{hmac.new(key, name, hashlib.sha256).hexdigest()[:_DIGITS]}"


def _make(path: Path) -> None:
    """Write a new key that only its owner may read, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def pseudonym_key(path: Path | None = None) -> bytes:
    """Return the key of pseudonyms; the first call makes it.

    Args:
        path: Its file; by default the one that the environment variable
            ``CAPNET_PSEUDONYM_KEY`` names, or ``pseudonym.key`` in the user's data
            folder. It holds 64 hexadecimal digits and is readable by its owner alone.

    Returns:
        32 bytes, the same ones to every process however many make it at once.

    Raises:
        RecordError: If the file is damaged or cannot be read or written.
    """
    if path is None:
        named = os.environ.get("CAPNET_PSEUDONYM_KEY")
        path = Path(named or Path(user_data_dir("capnet")) / "pseudonym.key")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.parent / f".{path.name}.lock"):
                if not path.exists():
                    _make(path)
        with path.open("rb") as file:
            content = file.read(4 * _BYTES).strip()
            shared = os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS
    except OSError as error:
        msg = (
            f"the key of pseudonyms {path} cannot be read or made ({error.strerror}). "
            "Name another file in the environment: CAPNET_PSEUDONYM_KEY=<file>."
        )
        raise RecordError(msg) from error
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        msg = (
            f"the key of pseudonyms {path} is damaged; wanted {2 * _BYTES} hexadecimal "
            "digits. Bring it back from a copy, or move it away: people then get new "
            "pseudonyms, and stores made before do not go with those made after."
        )
        raise RecordError(msg)
    if shared:
        _log.warning("others may read the key of pseudonyms %s: chmod o= it", path)
    return key


def _known_unit(unit: str) -> str:
    """Return a unit that says nothing about a person."""
    known = is_pressure(unit) or unit.strip().lower() in _UNITS
    return unit.strip() if known else "NU"


def _channels(channels: Mapping[str, Signal]) -> dict[str, Signal]:
    """Keep the names that monitors give; number the others from 1."""
    kept: dict[str, Signal] = {}
    for number, (given, signal) in enumerate(channels.items(), start=1):
        name = given.strip(" ,;:")
        if name.lower() not in _CHANNELS or name.lower() in map(str.lower, kept):
            name = f"channel {number}"
        kept[name] = replace(signal, unit=_known_unit(signal.unit))
    return kept


def _annotations(found: Mapping[str, Annotations]) -> dict[str, Annotations]:
    """Keep the codes of WFDB; what is none becomes a remark without its text."""
    kept: dict[str, Annotations] = {}
    for number, (origin, notes) in enumerate(found.items(), start=1):
        labels = [
            label if label in _CODES else _NOTE for label in notes.labels.tolist()
        ]
        name = origin if origin in _ORIGINS else f"annotations {number}"
        kept[name] = Annotations(notes.times, np.array(labels, dtype="<U1"))
    return kept


def unnamed(record: Record, *, key: bytes) -> Record:
    """Return a record with a pseudonym, without names of files, and no age over 89.

    Channels keep their names, so that they can still be asked for: what is computed of
    the record is as before, and nothing in it says whose it is but a channel's name.
    See `deidentified`.

    Args:
        record: As it was read.
        key: See `pseudonym_key`.

    Raises:
        RecordError: If the key is no key.
    """
    word = record.source.split(" ", 1)[0].strip(",;:")
    suffixes = [Path(name).suffix.lower() for name in record.files]
    files = {
        f"{number}{suffix if suffix in _SUFFIXES else ''}": digest
        for number, (suffix, digest) in enumerate(
            zip(suffixes, record.files.values(), strict=True), start=1
        )
    }
    age = record.age
    return replace(
        record,
        subject=pseudonym(record.subject, key=key),
        age=_OLDEST if age is not None and age > _OVER else age,
        source=word if word in _FORMATS else "",
        files=files,
    )


def deidentified(record: Record, *, key: bytes) -> Record:
    """Return a record without what could tell who it is.

    The identifier becomes its `pseudonym`. Names of files go: the source keeps the
    format, each hash stays under a number. Ages over 89 become 90, as the safe harbor
    of HIPAA wants (45 CFR 164.514(b)(2)(i)(C)). Channels, units and annotations keep
    only what is in a closed table: another channel is numbered, another unit becomes
    ``NU``, another annotation a remark without text. Times are seconds since the start
    of the record everywhere, so there are no dates. Samples stay as they are.

    A pulse or an ECG can itself be recognised by who holds another recording of the
    same person; no table of names helps against that.

    Args:
        record: As it was read.
        key: See `pseudonym_key`.

    Raises:
        RecordError: If the key is no key.
    """
    return replace(
        unnamed(record, key=key),
        channels=_channels(record.channels),
        annotations=_annotations(record.annotations),
    )


def masked(message: str, *, typed: str) -> str:
    """Return a message with the names that it quotes covered.

    Messages of readers quote labels of channels, units and names of files, which may
    have been taken from inside a file. Usual names of channels and units stay, and so
    does what the user typed.

    Args:
        message: Names stand in quotation marks.
        typed: All that the user typed.
    """

    def cover(found: re.Match[str]) -> str:
        name = found.group()[1:-1]
        word = name.strip(" ,;:").lower()
        known = word in _CHANNELS | _UNITS or is_pressure(word) or name in typed
        return found.group() if known else "'***'"

    return _QUOTED.sub(cover, message)
