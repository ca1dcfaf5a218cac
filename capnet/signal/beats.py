"""Cut a record into gated beats: the unit of learning and of every benchmark."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from capnet.errors import RecordError, UnitError
from capnet.records import Beats, Record, Signal
from capnet.signal.events import cut, events_of, feet_and_verdict
from capnet.signal.gate import LONGEST, judge_beats
from capnet.signal.grid import on_grid
from capnet.signal.line import abp_verdict, line_on_grid, line_waves
from capnet.signal.pieces import Piece, pieces_of
from capnet.signal.sampling import LEAST_RATE, N_TAPS, RATE
from capnet.signal.smoothing import beat_shapes, smoothed
from capnet.signal.transit import ARRIVAL
from capnet.signal.windows import WINDOW, WindowVerdicts, judge_windows
from capnet.types import N_POINTS, BeatWaves, Labels, PerBeat, Windows
from capnet.units import is_pressure

__all__ = ["beats_in", "beats_of", "beats_of_pieces"]

CONTEXT: Final = N_TAPS // 2
"""Samples before a foot and after the next one that the front end's filter needs."""

WIDTH: Final = 2 * CONTEXT + round(LONGEST * RATE) + 8
"""Samples of a window of raw PPG: the longest beat and its context."""

_EXPECTED: Final = 0.25
"""Seconds after the R peak that stand for the foot of a beat that has none."""

_TWICE: Final = 0.2
"""Seconds within which two feet from neighbouring pieces are one."""

_MISLABELLED: Final = ("wrong rate", "swapped")
"""Verdicts on a whole channel that no look at single beats gives."""


@dataclass(frozen=True)
class _Names:
    """Channels by their names in the record; None where there is none."""

    ppg: str
    ecg: str | None
    abp: str | None


@dataclass(frozen=True)
class _Found:
    """What was found in a piece: beats, or why there are none.

    Attributes:
        beats: None where fewer than two heart beats were found.
        complaint: Why there is none, or none with an R peak although there is an ECG.
        from_ecg: Whether R peaks were found.
    """

    beats: Beats | None
    complaint: str = ""
    from_ecg: bool = False


def _named(
    record: Record, *, ecg: str | None, ppg: str | None, abp: str | None
) -> _Names:
    """Find the channels; the PPG must be sampled often enough for the front end."""
    light: Signal = record.signal(ppg if ppg is not None else "ppg")
    name = ppg if ppg is not None else (record.find("ppg") or "ppg")
    if light.sampling_rate < LEAST_RATE:
        msg = (
            f"record {record.subject!r}: the PPG {name!r} is sampled at "
            f"{light.sampling_rate:g} Hz; wanted at least {LEAST_RATE:g} Hz. Take a "
            "recording with the full waveform, or correct the rate in its header."
        )
        raise UnitError(msg)
    for given in (ecg, abp):
        if given is not None:
            record.signal(given)
    return _Names(name, ecg or record.find("ecg"), abp or record.find("abp"))


def beats_of(
    record: Record,
    *,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
) -> Beats:
    """Cut a record into beats, one row for every pair of heart beats.

    R peaks of the ECG (or, without ECG, the pulses of the PPG themselves) say where to
    look for the pulse feet; the front end makes 64 points from foot to foot; the gate
    says which beats to believe. Refused beats stay, with the reason. An arterial
    pressure becomes ``waves["abp"]`` (foot to foot of its own pulse, mmHg, NaN where a
    beat of it cannot be used); one that `abp_verdict` refuses is left out. Long records
    are handled in pieces of ten minutes: what is usual is what is usual around a beat.
    Where `judge_windows` finds a PPG or an ECG swapped with another channel or declared
    at a wrong rate, all beats of the piece are refused for that.

    Args:
        record: The record, with a PPG.
        ecg: Name of the ECG lead; found by the usual names by default.
        ppg: Name of the PPG; likewise.
        abp: Name of the arterial pressure; likewise.

    Returns:
        Beats with features ``pat`` (s, NaN without ECG, where the record says that its
        channels share no clock (``sync`` untrusted), and where the delay between them
        is none that a body has, see `capnet.signal.arrival`: no beat is refused for
        that), ``hr`` (bpm) and ``rr`` (s) from the heart beats, ``r_peak``
        (s since the start of the record, NaN without ECG), ``cuff_map`` (mmHg, NaN
        where the reading has no mean), ``window`` (1 where `judge_windows` believes
        PPG and ECG around the beat, 0 where not, NaN where the piece is shorter than a
        window; no beat is refused for that). Where no foot was found, ``time`` is the
        R peak plus 0.25 s. A piece whose ECG cannot be read is cut at the pulses alone.

    Raises:
        RecordError: If there is no PPG, a named channel is missing, the ECG cannot be
            read anywhere, or fewer than two heart beats are found.
        UnitError: If the sampling rate of the PPG (under 25 Hz) or of the ECG (under
            100 Hz) is too low.
    """
    pieces = _pieces(record, ecg=ecg, ppg=ppg, abp=abp, strict=True)
    beats = Beats.concatenate([beats for _, beats in pieces])
    if not np.isfinite(beats.waves["abp"]).any():
        beats = replace(beats, waves={})
    return beats


def beats_in(
    records: Record | Iterable[Record],
    *,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
) -> Iterator[Beats]:
    """Cut a recording into beats as it comes in, in constant memory.

    The rows are those of `beats_of`, however the recording was divided. Every table has
    ``waves["abp"]``, NaN where there is no usable pressure.

    Args:
        records: The recording, or parts of it that follow each other, see
            `capnet.signal.pieces.pieces_of`.
        ecg: Name of the ECG lead; found by the usual names by default.
        ppg: Name of the PPG; likewise.
        abp: Name of the arterial pressure; likewise.

    Yields:
        The beats of about ten minutes at a time; none of those without any.

    Raises:
        RecordError: If there is no PPG, or a named channel is missing.
        UnitError: See `beats_of`.
    """
    found = _pieces(records, ecg=ecg, ppg=ppg, abp=abp, strict=False)
    return (beats for _, beats in found)


def beats_of_pieces(
    records: Record | Iterable[Record],
    *,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
) -> Iterator[tuple[Piece, Beats]]:
    """Cut a recording into beats, each table beside the piece that it came from.

    Args:
        records: See `beats_in`.
        ecg: Name of the ECG lead; found by the usual names by default.
        ppg: Name of the PPG; likewise.
        abp: Name of the arterial pressure; likewise.

    Yields:
        Pieces with beats, and those; see `beats_in`.

    Raises:
        RecordError: See `beats_in`.
        UnitError: See `beats_of`.
    """
    return _pieces(records, ecg=ecg, ppg=ppg, abp=abp, strict=False)


def _pieces(
    records: Record | Iterable[Record],
    *,
    ecg: str | None,
    ppg: str | None,
    abp: str | None,
    strict: bool,
) -> Iterator[tuple[Piece, Beats]]:
    """Tables of the pieces; if strict, complain of a recording without any."""
    n_beats, latest = 0, -np.inf
    complaint, any_ecg = "", False
    piece: Piece
    for piece in pieces_of(records):
        names = _named(piece.record, ecg=ecg, ppg=ppg, abp=abp)
        found = _of_piece(piece.record, names)
        complaint, any_ecg = complaint or found.complaint, any_ecg or found.from_ecg
        if found.beats is None:
            continue
        # Where two pieces meet, one beat may be found twice.
        time = found.beats.time
        beats = found.beats.take(piece.holds(time) & (time > latest + _TWICE))
        if not len(beats):
            continue
        latest = float(beats.time[-1])
        yield piece, replace(beats, beat=n_beats + np.arange(len(beats)))
        n_beats += len(beats)
    if strict and (n_beats == 0 or (complaint and not any_ecg)):
        msg = f"record {piece.record.subject!r}: {complaint or 'no heart beats.'}"
        raise RecordError(msg)


def _of_piece(record: Record, names: _Names) -> _Found:
    """Cut one piece of a recording into beats."""
    light = record.signal(names.ppg)
    start, stop = light.start, light.start + light.duration
    grid = on_grid(light, sampling_rate=RATE, start=start, stop=stop)
    if not np.isfinite(grid).any():
        return _Found(None, "the PPG holds no valid sample.")
    smooth = smoothed(grid, sampling_rate=RATE)
    events = events_of(record, names.ecg, smoothed=smooth, start=start)
    if len(events.after) < 2:
        return _Found(
            None,
            events.complaint
            or f"{len(events.after)} heart beats found in the pulse wave; wanted at "
            "least 2. Pass another channel with ppg=...",
        )
    feet, verdict = feet_and_verdict(smooth, events)
    expected = np.where(np.isfinite(feet), feet, events.after + _EXPECTED * RATE)

    first = np.floor(expected[:-1]).astype(np.int64) - CONTEXT - 2
    raw = cut(grid, first, width=WIDTH)
    begin, end = feet[:-1] - first, feet[1:] - first
    wave = beat_shapes(smooth, feet[:-1], feet[1:])
    rr = np.diff(events.after) / RATE
    unknown = np.full(len(rr), np.nan)
    told = events.from_ecg and not verdict and record.sync != "untrusted"
    late = (feet - events.after)[:-1] / RATE
    pat = np.where(late <= ARRIVAL[1], late, np.nan) if told else unknown
    subject = np.full(len(rr), record.subject)
    reason = judge_beats(raw, begin, end, wave, subject=subject, rr=rr, pat=pat)
    verdicts = _window_verdicts(record, names)
    reason = np.where(reason == "", _mislabelled(verdicts, names), reason)
    accepted = reason == ""

    time = start + expected[:-1] / RATE
    cuff, mean, site = _cuffs(record, time)
    pressure: BeatWaves = np.full((len(rr), N_POINTS), np.nan)
    if not abp_verdict(record, abp=names.abp):
        stop = start + len(grid) / RATE
        line = line_on_grid(record, names.abp, start=start, stop=stop)
        pressure = line_waves(line, events)
    beats = Beats(
        subject=subject,
        beat=np.arange(len(rr)),
        time=time,
        duration=(end - begin) / RATE,
        ppg=wave,
        age=np.full(len(rr), np.nan if record.age is None else float(record.age)),
        cuff=cuff,
        cuff_site=site,
        calibration=record.calibration,
        accepted=accepted,
        reason=reason,
        waves={"abp": pressure},
        features={
            "pat": pat,
            "hr": 60.0 / rr,
            "rr": rr,
            "r_peak": start + events.after[:-1] / RATE if events.from_ecg else unknown,
            "cuff_map": mean,
            "window": _believed(verdicts, names, time, rr),
        },
        raw=_without_gaps(raw, rows=accepted).astype(np.float32),
        start=begin,
        stop=end,
    )
    return _Found(beats, events.complaint, events.from_ecg)


def _window_verdicts(record: Record, names: _Names) -> WindowVerdicts | None:
    """Judge the windows of a piece; None where it is too short for one."""
    line = names.abp if _is_pressure(record, names.abp) else None
    known = {name: record.signal(name) for name in (names.ppg, names.ecg, line) if name}
    first = min(signal.start for signal in known.values())
    if max(s.start + s.duration for s in known.values()) - first < WINDOW:
        return None  # too short to tell
    alone = replace(record, channels=known)
    return judge_windows(alone, ecg=names.ecg, ppg=names.ppg, abp=line)


def _mislabelled(verdicts: WindowVerdicts | None, names: _Names) -> str:
    """Say what makes every beat of a piece worthless, however good it looks alone.

    A pulse wave that is not a PPG, or a clock that runs twice too fast, gives numbers
    as any other would.
    """
    if verdicts is None:
        return ""
    told = [str(verdicts.record_reason[row]) for row in _cutting(verdicts, names)]
    return next((why for why in told if why in _MISLABELLED), "")


def _cutting(verdicts: WindowVerdicts, names: _Names) -> list[int]:
    """Return the rows of the channels that beats are cut by: PPG and ECG."""
    told = verdicts.channels
    return [
        told.index(n) for n in (names.ppg, names.ecg) if n is not None and n in told
    ]


def _believed(
    verdicts: WindowVerdicts | None, names: _Names, time: PerBeat, rr: PerBeat
) -> PerBeat:
    """Tell of each beat whether the windows it reaches into are believed, 1 or 0."""
    rows = [] if verdicts is None else _cutting(verdicts, names)
    if verdicts is None or not len(verdicts) or not rows:
        return np.full(len(time), np.nan)
    sound = np.asarray(verdicts.accepted[rows].all(axis=0))
    places = [(at - verdicts.start[0]) / verdicts.window for at in (time, time + rr)]
    first, last = (np.clip(p.astype(np.int64), 0, len(sound) - 1) for p in places)
    return np.asarray((sound[first] & sound[last]).astype(np.float64))


def _is_pressure(record: Record, name: str | None) -> bool:
    """Say whether a channel is declared a pressure that can be looked at."""
    if name is None:
        return False
    signal = record.signal(name)
    return is_pressure(signal.unit) and signal.sampling_rate >= LEAST_RATE


def _cuffs(record: Record, time: PerBeat) -> tuple[np.ndarray, PerBeat, Labels]:
    """Latest reading at or before each beat: SBP, DBP (beat, 2), MAP and site."""
    readings = sorted(record.cuffs, key=lambda cuff: cuff.time)
    latest = np.searchsorted([cuff.time for cuff in readings], time, side="right") - 1
    rows = [(cuff.sbp, cuff.dbp, cuff.map or np.nan) for cuff in readings]
    values = np.array([*rows, (np.nan,) * 3])[latest]
    sites = np.array([cuff.site or "brachial" for cuff in readings] + ["brachial"])
    return values[:, :2], values[:, 2], sites[latest]


def _without_gaps(raw: Windows, *, rows: np.ndarray) -> Windows:
    """Hold the last sample over what follows an accepted beat and is missing.

    The gate saw to it that all an accepted beat needs is there; what is still missing
    lies beyond the reach of the filter and does not change the beat.
    """
    missing = ~np.isfinite(raw)
    index = np.where(missing, 0, np.arange(raw.shape[1]))
    held = np.take_along_axis(raw, np.maximum.accumulate(index, axis=1), axis=1)
    return np.where(rows[:, None] & missing, held, raw)
