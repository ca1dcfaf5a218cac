r"""Fiducial points of pulse waves: where each beat turns and bends.

A beat is read from foot to foot, the straight line through both feet is taken away,
and what is left is continued periodically. Points are found on derivatives of its
Fourier series behind a Gaussian low-pass (-3 dB at 10 Hz), as in
`capnet.signal.indices`: no delay, no look at other beats. Definitions:

- *upstroke*: the steepest point before the systolic peak.
- *systolic*: the highest point within 0.45 s of the foot.
- *notch*: the sharpest upward bend while the valve may close, 0.7 to 1.5 times the
  usual ejection time after the foot (0.413 s - 0.0017 s x heart rate in bpm: Weissler
  et al. 1968, Circulation 37:149). It is the e wave, too.
- *shoulder*: second systolic shoulder, SBP2 in a pressure. If the upstroke pauses
  before the peak, the peak itself is the second one; else it is the second top between
  peak and notch, or, where there is none, where the descent is flattest.
- *diastolic*: the top after the notch or, where there is none, where the descent is
  flattest (Millasseau et al. 2002, Clin Sci 103:371).
- *a* to *e*: waves of the second derivative (Takazawa et al. 1998, Hypertension
  32:365): a, the early systolic maximum; b, the minimum after it; e, the maximum at the
  notch; between b and e c, the maximum, and d, the minimum after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from capnet.errors import ConfigError, ShapeError
from capnet.signal.checks import checked_rate, checked_samples
from capnet.signal.interpolate import catmull_rom
from capnet.signal.transit import Events
from capnet.types import Flags, Labels, PerBeat, RawSamples, Samples

__all__ = ["FIDUCIALS", "Fiducial", "Fiducials", "find_fiducials"]

FIDUCIALS: Final = (
    *("upstroke", "systolic", "shoulder", "notch", "diastolic"),
    *("a", "b", "c", "d", "e"),
)
"""Names, in the order of columns."""

LEAST_RATE: Final = 50.0
"""Hz; below this the bends are not in the samples."""

DURATION: Final = (0.25, 3.0)
"""s of a beat that is read."""

_COUNT: Final = 256
"""Points of a beat on which derivatives are read; extrema lie between them."""

_BEFORE: Final = _COUNT // 8
"""Points by which the ring is turned: the a wave may lie just before the foot."""

_CUTOFF: Final = 10.0
"""Hz, -3 dB of the Gaussian in front of the derivatives."""

_LATEST_PEAK: Final = 0.45
"""s from foot to systolic peak, at most; and no more than half of the beat."""

_EJECTION: Final = (0.413, 0.0017)
"""s, and s for each beat a minute: Weissler's ejection time."""

_CLOSING: Final = (0.7, 1.5)
"""Of that time, within which the valve closes and its wave arrives."""

_LATEST_DIASTOLIC: Final = 0.4
"""s from notch to diastolic peak, at most."""

_NOISE: Final = (15.0, 25.0)
"""Hz between which pulses have nothing (below 0.3 % of their height) and noise is read;
it is taken for white."""

_CLEAR: Final = 3.0
"""Standard deviations of what noise makes of a bend, above which it is one: of some
ten places where a notch may lie, noise alone exceeds that at one in a hundred."""

_LEAST_HEIGHT: Final = 1e-9
"""Of the pulse over the largest value: less is rounding."""

_LARGEST: Final = 1e100
"""No channel has larger values; their squares could not be told from infinity."""

_BLOCK: Final = 2048
"""Beats handled at once, to bound memory."""

Points = Float[np.ndarray, "beat point"]
Mask = Bool[np.ndarray, "beat point"]
Table = Float[np.ndarray, "beat fiducial"]


class Fiducial(NamedTuple):
    """One point of every beat.

    Attributes:
        time: s since the first sample. Shape (beat,).
        height: Above the line through both feet, unit of the channel.
        second: Second derivative there, unit of the channel / s^2.
        reason: Why they are NaN; empty otherwise.
    """

    time: PerBeat
    height: PerBeat
    second: PerBeat
    reason: Labels


@dataclass(frozen=True, eq=False)
class Fiducials:
    """All points of every beat; ``find_fiducials(...)["notch"]`` is one of them.

    Attributes:
        foot: Beginning of each beat, s since the first sample. Shape (beat,).
        time: s since the first sample, NaN where undefined. Shape (beat, fiducial), in
            the order of `FIDUCIALS`.
        height: Wave above the straight line through both feet, so that a drift of the
            baseline has no part in it; unit of the channel. Not low-passed.
        second: Second derivative behind the low-pass, unit of the channel / s^2: the
            heights of a to e.
        reason: Why nothing of a beat can be read; empty otherwise. Shape (beat,).
        reasons: Why a point is NaN; empty otherwise. Shape (beat, fiducial).
    """

    foot: PerBeat
    time: Table
    height: Table
    second: Table
    reason: Labels
    reasons: Shaped[np.ndarray, "beat fiducial"]

    def __len__(self) -> int:
        return len(self.foot)

    def __getitem__(self, name: str) -> Fiducial:
        """Return one point of every beat.

        Raises:
            ConfigError: If there is none of that name; the message lists them.
        """
        if name not in FIDUCIALS:
            msg = f"no fiducial is called {name!r}; there are {', '.join(FIDUCIALS)}."
            raise ConfigError(msg)
        k = FIDUCIALS.index(name)
        return Fiducial(
            self.time[:, k], self.height[:, k], self.second[:, k], self.reasons[:, k]
        )


def find_fiducials(
    values: RawSamples, start: Events, stop: Events, *, sampling_rate: float
) -> Fiducials:
    """Read the fiducial points of every beat of a PPG or a pressure.

    A beat's points depend on its own samples alone (and two to each side), not on gain
    or offset of the channel. Noise is read where pulses have nothing (15 to 25 Hz): a
    turn or bend that noise alone may make is none, and is NaN. In a clean PPG all beats
    have a notch, at 30 dB every third, at 20 dB every seventh; average beats first.

    Args:
        values: The channel, any unit, not filtered, NaN where missing. Shape (time,).
        start: Pulse feet, s since the first sample, NaN where unknown. Shape (beat,).
        stop: Next pulse feet, likewise. Shape (beat,).
        sampling_rate: Hz, at least 50.

    Returns:
        One row a beat. A whole row is NaN with the reason ``no foot``, ``duration
        implausible`` (outside 0.25 to 3 s), ``samples missing`` (or beyond 1e100)
        or ``flat``.

    Raises:
        ShapeError: If the values are no channel, or start and stop are no real numbers
            or not equally many.
        UnitError: If the sampling rate is too low or impossible.
    """
    samples = checked_samples(values, where="the pulse wave")
    rate = checked_rate(sampling_rate, least=LEAST_RATE, where="the pulse wave")
    samples = np.where(np.abs(samples) > _LARGEST, np.nan, samples)
    begin, end = _checked_beats(start, stop)
    n_beats, shape = len(begin), (len(begin), len(FIDUCIALS))
    reason = _unreadable(begin, end, len(samples) / rate)
    time, height, second = (np.full(shape, np.nan) for _ in range(3))
    reasons = np.full(shape, "", dtype="U32")
    usable = np.flatnonzero(reason == "")
    for rows in _blocks(usable):
        beats = _read(samples, begin[rows], end[rows], rate)
        reason[rows] = beats.reason
        whole = rows[beats.reason == ""]
        if not len(whole):
            continue
        wave = beats.take(beats.reason == "")
        place, reasons[whole] = _find(wave)
        time[whole] = begin[whole][:, None] + wave.seconds(place)
        height[whole] = _at(wave.plain, place)
        second[whole] = _at(wave.second, place)
    lost = np.broadcast_to(reason[:, None], (n_beats, len(FIDUCIALS)))
    reasons = np.where(lost != "", lost, reasons)
    return Fiducials(begin, time, height, second, reason, reasons)


def _checked_beats(start: Events, stop: Events) -> tuple[PerBeat, PerBeat]:
    begin, end = np.asarray(start), np.asarray(stop)
    real = begin.dtype.kind in "iuf" and end.dtype.kind in "iuf"
    if begin.ndim != 1 or begin.shape != end.shape or not real:
        msg = (
            f"start and stop have shapes {begin.shape} and {end.shape}, types "
            f"{begin.dtype} and {end.dtype}; wanted real numbers, both (beat,)."
        )
        raise ShapeError(msg)
    times = np.stack([begin, end]).astype(np.float64)
    begin, end = np.where(np.isfinite(times), times, np.nan)
    return begin, end


def _unreadable(begin: PerBeat, end: PerBeat, duration: float) -> Labels:
    """Return why beats cannot be read, as far as their times tell."""
    known = np.isfinite(begin) & np.isfinite(end)
    lasts = np.where(known, end, 0.0) - np.where(known, begin, 0.0)
    outside = known & ((begin < 0.0) | (end > duration))
    odd = (lasts < DURATION[0]) | (lasts > DURATION[1])
    reasons = ["no foot", "duration implausible", "samples missing"]
    chosen = np.select([~known, odd, outside], reasons, default="")
    return chosen.astype("U32")


def _blocks(rows: Int[np.ndarray, " row"]) -> Iterator[Int[np.ndarray, " row"]]:
    for first in range(0, len(rows), _BLOCK):
        yield rows[first : first + _BLOCK]


class _Waves(NamedTuple):
    """Beats as their Fourier series tells them, from shortly before the foot on.

    Attributes:
        plain: Above the line through both feet, not filtered. Shape (beat, point).
        smooth: Behind the low-pass.
        first, second: Its derivatives, per s.
        period: s. Shape (beat,).
        slope, bend: SD of the derivatives that noise alone would have. Shape (beat,).
        reason: Why a beat cannot be read.
    """

    plain: Points
    smooth: Points
    first: Points
    second: Points
    period: PerBeat
    slope: PerBeat
    bend: PerBeat
    reason: Labels

    def take(self, rows: Flags) -> "_Waves":
        return _Waves(*(part[rows] for part in self))

    def seconds(self, place: Table) -> Table:
        """Return the time of places since the foot, s."""
        late: Table = (place - _BEFORE) / _COUNT * self.period[:, None]
        return late


def _read(samples: Samples, begin: PerBeat, end: PerBeat, rate: float) -> _Waves:
    phase = np.arange(_COUNT + 1) / _COUNT
    position = (begin[:, None] + phase * (end - begin)[:, None]) * rate
    read = catmull_rom(samples[None], position)
    missing = ~np.isfinite(read).all(axis=1)
    read = np.where(missing[:, None], 0.0, read)
    first, last = read[:, :1], read[:, -1:]
    plain = (read - first - phase * (last - first))[:, :-1]
    flat = np.ptp(plain, axis=1) <= _LEAST_HEIGHT * np.abs(read).max(axis=1)
    period = end - begin
    frequency = np.arange(_COUNT // 2 + 1) / period[:, None]
    low = 0.5 ** (0.5 * (frequency / _CUTOFF) ** 2)
    slope = 2.0 * np.pi * frequency
    series = np.fft.rfft(plain, axis=1)
    noise = _noise(series, frequency) * (low * slope) ** 2
    of_slope, of_bend = (
        np.sqrt(2.0 * (noise * factor)[:, :-1].sum(axis=1)) / _COUNT
        for factor in (1.0, slope**2)
    )
    series *= low
    series[:, -1] = 0.0  # the highest harmonic has no sine, and so no slope
    smooth, rise, bend = (
        np.fft.irfft(series * factor, _COUNT, axis=1)
        for factor in (1.0, 1j * slope, -(slope**2))
    )
    reason = np.select([missing, flat], ["samples missing", "flat"], default="")
    plain, smooth, rise, bend = (
        np.roll(part, _BEFORE, axis=1) for part in (plain, smooth, rise, bend)
    )
    return _Waves(plain, smooth, rise, bend, period, of_slope, of_bend, reason)


def _noise(
    series: Shaped[np.ndarray, "beat harmonic"],
    frequency: Float[np.ndarray, "beat harmonic"],
) -> Float[np.ndarray, "beat 1"]:
    """Return the power that noise has at each harmonic, read where pulses have none."""
    above = (frequency >= _NOISE[0]) & (frequency <= _NOISE[1])
    power = np.where(above, np.abs(series) ** 2, 0.0).sum(axis=1)
    mean: np.ndarray = power / np.maximum(above.sum(axis=1), 1)
    return mean[:, None]


def _find(wave: _Waves) -> tuple[Table, np.ndarray]:
    """Return places of all points, NaN where undefined, and why they are."""
    late = (np.arange(_COUNT) - _BEFORE) / _COUNT * wave.period[:, None]
    place = np.arange(_COUNT)[None]
    systole = (late >= 0.0) & (late <= _LATEST_PEAK)
    systole &= late <= 0.5 * wave.period[:, None]
    peak = _extremum(wave.smooth, systole)
    upstroke = _extremum(wave.first, place < _column(peak))
    usual = _EJECTION[0] - _EJECTION[1] * 60.0 / wave.period
    usual = np.maximum(usual, 0.25 * wave.period)[:, None]
    closing = (late >= _CLOSING[0] * usual) & (late <= _CLOSING[1] * usual)
    closing &= place > _column(peak) + 1.0
    notch = _extremum(wave.second, closing)
    least = _CLEAR * wave.bend
    notch = np.where(_at(wave.second, notch[:, None])[:, 0] > least, notch, np.nan)

    # an extremum's own point may lie on either side of where it is between points
    between = (place > _column(peak) + 1.0) & (place < _column(notch) - 1.0)
    after = (place > _column(notch) + 1.0) & (place < _COUNT - _BEFORE // 2)
    after &= late <= wave.seconds(_column(notch)) + _LATEST_DIASTOLIC
    shoulder = _top_or_flattest(wave, between)
    diastolic = _top_or_flattest(wave, after)
    rising = (place > _column(upstroke) + 1.0) & (place < _column(peak) - 1.0)
    paused = _speeds_up(wave, rising)
    shoulder = np.where(paused, peak, shoulder)

    a = _extremum(wave.second, place <= _column(upstroke))
    b = _extremum(-wave.second, (place > _column(upstroke)) & (late <= _LATEST_PEAK))
    inner = (place > _column(b) + 1.0) & (place < _column(notch) - 1.0)
    c = _extremum(wave.second, inner)
    d = _extremum(-wave.second, inner & (place > _column(c) + 1.0))
    both = _at(wave.second, np.stack([c, d], axis=1))
    clear = both[:, 0] - both[:, 1] > np.sqrt(2.0) * least
    c, d = (np.where(np.isfinite(d) & clear, part, np.nan) for part in (c, d))
    found = np.stack(
        [upstroke, peak, shoulder, notch, diastolic, a, b, c, d, notch], axis=1
    )
    no_notch = ~np.isfinite(notch)
    reasons = np.full(found.shape, "", dtype="U32")
    for k, name in enumerate(FIDUCIALS):
        why = np.full(len(found), _WHY[name])
        if name in _AFTER_NOTCH:
            why = np.where(no_notch, "no dicrotic notch", why)
        reasons[:, k] = np.where(np.isfinite(found[:, k]), "", why)
    return found, reasons


_WHY: Final = {
    "upstroke": "no upstroke",
    "systolic": "no systolic peak",
    "shoulder": "no second shoulder",
    "notch": "no dicrotic notch",
    "diastolic": "no diastolic peak",
    "a": "no a wave",
    "b": "no b wave",
    "c": "no c and d waves",
    "d": "no c and d waves",
    "e": "no dicrotic notch",
}
_AFTER_NOTCH: Final = ("shoulder", "diastolic", "c", "d", "e")


def _column(values: PerBeat) -> Float[np.ndarray, "beat 1"]:
    return values[:, None]


def _at(values: Points, place: Table) -> Table:
    """Read rows between points by a parabola; places may be NaN."""
    near = np.clip(np.rint(np.nan_to_num(place)), 1, _COUNT - 2).astype(np.int64)
    left, middle, right = (
        np.take_along_axis(values, near + k, axis=1) for k in (-1, 0, 1)
    )
    t = place - near
    read: Table = middle + 0.5 * t * (right - left + t * (left - 2.0 * middle + right))
    return read


def _turns(values: Points) -> Mask:
    """Return where rows have a local maximum."""
    turns = np.zeros(values.shape, dtype=np.bool_)
    inner = values[:, 1:-1]
    turns[:, 1:-1] = (inner > values[:, :-2]) & (inner >= values[:, 2:])
    return turns


def _vertex(values: Points, place: Int[np.ndarray, " beat"]) -> PerBeat:
    """Return where the parabola through a point and its neighbours turns."""
    near = np.clip(place, 1, _COUNT - 2)[:, None]
    left, middle, right = (
        np.take_along_axis(values, near + k, axis=1)[:, 0] for k in (-1, 0, 1)
    )
    bend = left - 2.0 * middle + right
    safe = np.where(bend == 0.0, 1.0, bend)
    offset = np.where(bend == 0.0, 0.0, 0.5 * (left - right) / safe)
    turned: PerBeat = near[:, 0] + np.clip(offset, -0.5, 0.5)
    return turned


def _extremum(values: Points, where: Mask) -> PerBeat:
    """Return the place of the highest local maximum; NaN where there is none."""
    tops = np.where(where & _turns(values), values, -np.inf)
    best = tops.argmax(axis=1)
    known = np.isfinite(tops.max(axis=1))
    return np.where(known, _vertex(values, best), np.nan)


def _top_or_flattest(wave: _Waves, where: Mask) -> PerBeat:
    """Return the highest local maximum, else where the descent is flattest."""
    top = _extremum(wave.smooth, where)
    found = np.where(np.isfinite(top), top, _extremum(wave.first, where))
    return np.where(_speeds_up(wave, where), found, np.nan)


def _speeds_up(wave: _Waves, where: Mask) -> Bool[np.ndarray, " beat"]:
    """Return whether the slope grows again somewhere, by more than noise would."""
    lowest = np.minimum.accumulate(np.where(where, wave.first, np.inf), axis=1)
    growth = np.where(where, wave.first - lowest, 0.0).max(axis=1)
    clear: Bool[np.ndarray, " beat"] = growth > np.sqrt(2.0) * _CLEAR * wave.slope
    return clear
