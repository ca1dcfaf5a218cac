"""The door of .vital: recordings of VitalRecorder in, or one clear error."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from capnet.data.readers.choice import Piece, check_room, chosen, laid_out
from capnet.data.readers.plausibility import check_plausible, physical
from capnet.data.readers.vital_packets import NUMBER, WAVE, Track, read_packets
from capnet.errors import RecordError, ShapeError, UnitError
from capnet.files import sha256_of
from capnet.records import Cuff, Record, Signal
from capnet.types import Sync
from capnet.units import pressure_factor

__all__ = ["read_vital"]

_PLAIN: Final = ("pleth", "ppg")
"""Tracks whose quantity has no unit, so that VitalRecorder declares none."""

_DEVICES: Final = frozenset(
    {
        *("SNUADC", "SNUADCM", "Solar8000", "Primus", "BIS", "Orchestra", "Vigilance"),
        *("EV1000", "CardioQ", "Vigileo", "Invos", "FMS", "Intellivue", "Bx50"),
    }
)
"""What VitalRecorder calls devices. Any other name was typed in by somebody and could
hold anything, so that such devices are numbered instead."""

_CUFF: Final[Mapping[str, str]] = {
    "sbp": "sbp",
    "sys": "sbp",
    "dbp": "dbp",
    "dia": "dbp",
    "mbp": "map",
    "mean": "map",
}
_CUFF_TRACK: Final = re.compile(r"nibp_(sbp|sys|dbp|dia|mbp|mean)", re.IGNORECASE)

_JITTER: Final = 0.1
_DRIFT: Final = 2e-4
"""Packets are stamped when they arrive: up to so many seconds late, and by a clock that
differs from the device's by so much a second. What is beyond is a gap."""

_TIGHT: Final = 0.01
"""s by which channels may be displaced while delays between them mean something."""

_LONGEST: Final = 31 * 86400.0


@dataclass(frozen=True, eq=False)
class _Wave:
    """Where the packets of a track go.

    Attributes:
        track: Which.
        begin: Time of its first sample, s since 1970.
        places: Sample number of each packet.
        length: Samples with gaps.
        late: By which stamps differ from their places on average, s.
    """

    track: Track
    begin: float
    places: list[int]
    length: int
    late: float


class _Reading(NamedTuple):
    """What a cuff gave at one time."""

    time: float
    values: Mapping[str, float]


def read_vital(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    subject: str | None = None,
    age: float | None = None,
) -> Record:
    """Read a .vital file, every waveform at its own sampling rate.

    Verified: the checksum and size of what is unfolded, every packet's length, that
    each belongs to a declared track, rate and gain, and that packets follow each other
    in time. Gaps between packets are NaN; stamps that arrive up to 0.1 s late (and
    0.2 ms a second, for the clock) are none. Where they say that channels are displaced
    by more than 10 ms, ``record.sync`` is ``untrusted``, otherwise ``unknown``.

    A channel has the name of its track, with its device's before it where two share it
    (``SNUADC/ART``; ``device 2/ART`` for a device that VitalRecorder does not know).
    Of the numerics, cuff readings (``NIBP_SBP``, ``NIBP_DBP``) become ``cuffs``, each
    once, although monitors repeat them. Dates, devices' ports, events and other texts
    are not kept; a photoplethysmogram, for which VitalRecorder has no unit, is ``NU``.

    Args:
        path: Ends in ``.vital``.
        channels: Names of the tracks wanted, with or without device; None for all with
            a unit.
        subject: Identifier; the name of the file by default.
        age: Years.

    Returns:
        The record; time 0 is that of the first sample of any waveform.

    Raises:
        RecordError: If the file is missing, damaged or empty, or lacks a channel.
        UnitError: If a rate, a gain or a wanted unit is missing or impossible.
    """
    path = Path(path)
    where = path.name
    tracks = read_packets(path, where=where)
    waves = _named([t for t in tracks if t.kind == WAVE and t.packets], where=where)
    if not waves:
        msg = f"{where} is empty: no track of waves has a sample."
        raise RecordError(msg)
    units = {name: _unit(track) for name, track in waves.items()}
    names, left_out = chosen(units, _whole_names(channels, waves), where=where)
    laid = {n: _wave(waves[n], where=f"{where}, channel {n!r}") for n in names}
    begin = min(wave.begin for wave in laid.values())
    present = sum(len(p.values) for w in laid.values() for p in w.track.packets)
    check_room(sum(w.length for w in laid.values()), present, where=where)
    signals = {n: _signal(n, w, units[n], begin, where=where) for n, w in laid.items()}
    check_plausible(signals, where=where)
    cuffs, unusable = _cuffs(tracks, begin, where=where)
    note = f"; {unusable} cuff readings are not possible ones" if unusable else ""
    late = [wave.late for wave in laid.values()]
    sync: Sync = "untrusted" if max(late) - min(late) > _TIGHT else "unknown"
    return Record(
        subject=subject or path.stem,
        channels=signals,
        age=age,
        cuffs=cuffs,
        calibration="cuff SBP/DBP" if cuffs else "none",
        source=f"VitalDB {where}{left_out}{note}",
        sync=sync,
        files={where: sha256_of(path)},
    )


def _named(tracks: Sequence[Track], *, where: str) -> dict[str, Track]:
    """Name each track by itself, or with its device where two share the name."""
    own = [track.name.lower() for track in tracks]
    devices = list(dict.fromkeys(track.device for track in tracks))
    found: dict[str, Track] = {}
    for track in tracks:
        alone = own.count(track.name.lower()) == 1
        number = devices.index(track.device) + 1
        device = track.device if track.device in _DEVICES else f"device {number}"
        name = track.name if alone else f"{device}/{track.name}"
        if name in found:
            msg = f"{where} has two tracks {name!r}; wanted one. Remove one of them."
            raise RecordError(msg)
        found[name] = track
    return found


def _whole_names(
    channels: Sequence[str] | None, waves: Mapping[str, Track]
) -> Sequence[str] | None:
    """Take ``device/name`` for the name alone where that is what a track is called."""
    if channels is None or isinstance(channels, str):
        return channels
    by_device = {f"{t.device}/{t.name}".lower(): name for name, t in waves.items()}
    return [by_device.get(str(wanted).lower(), wanted) for wanted in channels]


def _unit(track: Track) -> str:
    unit = track.unit.strip()
    return unit or ("NU" if track.name.lower() in _PLAIN else "")


def _wave(track: Track, *, where: str) -> _Wave:
    """Find the place of each packet of a track."""
    if not (isfinite(track.rate) and 0.0 < track.rate <= 1e5):
        msg = f"{where}: the sampling rate is {track.rate:g} Hz; wanted a positive one."
        raise UnitError(msg)
    packets = track.packets
    begin = anchor = packets[0].time
    places, stamps, end, start = [], [0.0], 0, 0
    for number, packet in enumerate(packets):
        elapsed = (end - start) / track.rate
        late = packet.time - anchor - elapsed
        slack = _JITTER + _DRIFT * elapsed
        if late < -slack:
            msg = (
                f"{where}: packet {number} begins {-late:.3g} s before the one before "
                "it ends. The file is damaged; fetch it again."
            )
            raise RecordError(msg)
        if late > slack:  # a gap: from here on the clock counts anew
            if packet.time - begin > _LONGEST:
                msg = (
                    f"{where}: packet {number} comes more than 31 days after the first."
                )
                raise RecordError(msg)
            start = end = max(end, round((packet.time - begin) * track.rate))
            anchor = packet.time
        else:
            stamps.append(late)
        places.append(end)
        end += len(packet.values)
    return _Wave(track, begin, places, end, float(np.mean(stamps)))


def _signal(name: str, wave: _Wave, unit: str, begin: float, *, where: str) -> Signal:
    where = f"{where}, channel {name!r}"
    track = wave.track
    start = wave.begin - begin
    if start > _LONGEST:
        msg = f"{where} begins {start:g} s after the first; wanted at most 31 days."
        raise RecordError(msg)
    pieces: list[Piece] = [p.values.astype(np.float64) for p in track.packets]
    values = laid_out(wave.places, pieces)
    if track.form > 2:  # whole numbers; others are stored in their unit
        if not (isfinite(track.gain) and track.gain > 0.0 and isfinite(track.offset)):
            msg = (
                f"{where}: gain {track.gain:g} and offset {track.offset:g}; wanted a "
                "positive and a finite number."
            )
            raise UnitError(msg)
        with np.errstate(over="ignore"):  # an infinite sample is refused later
            values = values * track.gain + track.offset
    values, unit = physical(values, unit, where=where)
    return Signal(values, float(track.rate), unit, start=start)


def _cuffs(
    tracks: Sequence[Track], begin: float, *, where: str
) -> tuple[tuple[Cuff, ...], int]:
    """Return the cuff readings, each once, and how many are not possible ones."""
    found: dict[tuple[str, float], dict[str, float]] = {}
    for track in tracks:
        match = _CUFF_TRACK.fullmatch(track.name)
        if track.kind != NUMBER or match is None or not track.unit.strip():
            continue
        scale = pressure_factor(track.unit, where=f"{where}, track {track.name!r}")
        if track.form > 2:
            continue  # numerics are stored in their unit, as floating-point numbers
        for packet in track.packets:
            key = (track.device, packet.time)
            what = _CUFF[match[1].lower()]
            found.setdefault(key, {})[what] = scale * float(packet.values[0])
    readings = [
        _Reading(time - begin, values)
        for (_, time), values in sorted(found.items(), key=lambda item: item[0][1])
    ]
    cuffs: list[Cuff] = []
    unusable, last = 0, None
    for reading in readings:
        if reading.values == last:
            continue  # a monitor repeats its last reading
        last = reading.values
        try:
            cuffs.append(_cuff(reading))
        except (KeyError, ShapeError):
            unusable += 1
    return tuple(cuffs), unusable


def _cuff(reading: _Reading) -> Cuff:
    values = reading.values
    return Cuff(reading.time, values["sbp"], values["dbp"], map=values.get("map"))
