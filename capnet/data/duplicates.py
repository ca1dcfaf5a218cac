"""Find recordings that stand under two names, and virtual people who are nearly one.

A beat is looked at through a window of two seconds, low-passed at 10 Hz, that begins
where its upstroke passes half of its height; without its mean and in units of its norm.
Gain, offset and shifts of the samples then do not matter, and white noise matters
little: the distance of two windows is about 0.4 of the noise over the signal. Raw
samples give the window where they were kept; else the beat repeats itself at its own
period. Candidates come from a tree of projected windows: a projection makes no distance
larger. They are verified beat by beat in any order, and in the clock of both.

What cannot be told: a noisy copy of a few beats of 64 points. With 2 % of noise it is
0.010 from its original, with 5 % 0.024, and of 9,600 virtual people two are 0.014 apart
(of 400 made-up ones with three parameters, 0.002). Such pairs are ``possible``, unless
age, cuff and reference decide. Nor can another recording of one person be told, nor
one under another channel, nor an ECG: who knows of such names them in ``groups=`` of
`capnet.data.folds`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.spatial import cKDTree

from capnet.data.splits import merged
from capnet.errors import ConfigError, RecordError, ShapeError
from capnet.hemodynamics.cohort import Cohort
from capnet.records import Beats, Record
from capnet.signal.beats import beats_in
from capnet.signal.interpolate import catmull_rom
from capnet.signal.sampling import CUTOFF, RATE
from capnet.signal.smoothing import smoothed_rows
from capnet.types import N_POINTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NEAR", "Duplicates", "Pair", "find_duplicates", "virtual_neighbours"]

_STEP: Final = 1.0 / 32.0
"""s between the points of a window; nothing is left above 10 Hz."""
_POINTS: Final = 60
_BEFORE: Final = 1
"""Points before the middle of the upstroke."""

_LINES: Final = ("abp", "radial", "femoral", "aortic")
"""Kinds of channels by which a record without a PPG is compared: the first it has."""

_SLACK: Final = 4.0
"""Samples before a foot where the lowest point may be."""

_CONFIRMED: Final = 0.05
"""Distance up to which beats are one if all else that is known of both agrees."""
_SAME_RAW: Final = 0.014
"""The same of raw samples, whatever else is said: that of 3 % of white noise. Among
9,600 virtual people of 25 to 45 with the mildest sensor, 46 million pairs, the nearest
two are 0.022 apart."""
_SAME_SHAPE: Final = 0.01
"""The same of 64 points, if nothing else is known or two thirds of it agree: that of
2 % of white noise. There the nearest two are 0.014 apart."""
_COPIED: Final = 0.002
"""The same of 64 points if the rest contradicts: copies of the numbers. Made-up pulses
of a few parameters can be as near as one likes."""
_DOUBT: Final = 2.0
"""Times `_SAME_RAW` or `_SAME_SHAPE` two are possibly one if nothing contradicts; once
it if something does."""
NEAR: Final = 0.1
"""Standard deviations by which virtual neighbours differ at most."""

_EIGHTHS: Final = 8
_AGREE: Final = (1.0, 0.5, 0.5, *(0.75,) * _EIGHTHS)
"""By how much age (years), cuff SBP and DBP, and the reference's mean over each eighth
of the beat (mmHg) may differ."""
_FARTHEST: Final = max(_CONFIRMED, _DOUBT * max(_SAME_RAW, _SAME_SHAPE))
"""Distance beyond which beats are not one, nor possibly."""
_DURATION: Final = 0.005
"""And, relatively, the durations."""
_LEAST: Final = 3
"""Numbers that must be known of both to say anything."""
_MATES: Final = 8
"""Nearest beats of another among which a beat's mate is chosen."""
_REACH: Final = 0.1
"""Projected distance up to which single beats of long recordings are looked for."""
_ALIKE: Final = 0.12
"""Distance up to which many beats in a row may be one recording."""
_OWN: Final = 1.0 / 3.0
"""They are one if they are this much nearer than beats that are not the same."""
_MANY: Final = 8
"""Beats in a row that tell more than one."""
_SHARE: Final = 0.6
"""Of the beats in the time that both recordings cover."""

_DIMENSIONS: Final = 12
_FITTED: Final = 4096
"""Windows that the projection is fitted on."""
_ANCHORS: Final = 16
"""Beats of a long recording that are looked for elsewhere."""
_HITS: Final = 3
"""Of those found with the same delay, before two long recordings are compared."""
_NEAREST: Final = (32, 512)
"""Neighbours that are asked for, and again where all of them are of one's own."""
_CLOCK: Final = 0.1
"""s by which the times of one beat may differ."""
_DELAYS: Final = 3
"""Delays that are tried between two recordings."""
_ROWS: Final = 4096
"""Windows made, or compared, at once."""

Names = Shaped[np.ndarray, " _"]
Values = Float[np.ndarray, " _"]
Windows = Float[np.ndarray, "_ _"]
Numbers = Float[np.ndarray, "_ _"]
Rows = Int[np.ndarray, " _"]
_Limits = tuple[float, float]
"""Distance up to which beats are one where little is known beside, and against all
else."""


class Pair(NamedTuple):
    """Two names of one recording, and what says so.

    Attributes:
        one, other: Subjects.
        beats: How many were compared.
        share: Of the beats in the time that both cover.
        distance: Median distance of their windows: about noise over signal.
        otherwise: The same between beats that are not at the same time; NaN where
            there were too few.
        delay: Time of a beat in ``other`` minus its time in ``one``, s.
    """

    one: str
    other: str
    beats: int
    share: float
    distance: float
    otherwise: float
    delay: float


@dataclass(frozen=True, eq=False)
class Duplicates:
    """What `find_duplicates` found.

    Attributes:
        pairs: Two names of one recording each.
        possible: Pairs that may be one: to be looked at, and in no group.
        unseen: Subjects without a beat that could be compared.
    """

    pairs: tuple[Pair, ...]
    possible: tuple[Pair, ...]
    unseen: tuple[str, ...]

    @property
    def groups(self) -> tuple[frozenset[str], ...]:
        """Subjects who are one, for ``groups=`` of `capnet.data.folds`."""
        return merged({pair.one, pair.other} for pair in self.pairs)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a pair; ``certain`` is False for the possible ones."""
        import pandas as pd

        rows = [*self.pairs, *self.possible]
        frame = pd.DataFrame(rows, columns=list(Pair._fields))
        return frame.assign(certain=np.arange(len(rows)) < len(self.pairs))

    def __repr__(self) -> str:
        return (
            f"Duplicates({len(self.groups)} groups of "
            f"{sum(map(len, self.groups))} subjects, {len(self.possible)} possible "
            f"pairs, {len(self.unseen)} not compared)"
        )


def find_duplicates(
    source: Beats | Iterable[Record],
    *,
    progress: Callable[[int], None] | None = None,
    across: Collection[str] = (),
) -> Duplicates:
    """Find recordings that stand under several names.

    Copies may be rescaled, shifted, noisy, cut, or in another order. Beats are one
    up to 3 % of white noise in raw samples, 2 % in 64 points of which nothing else is
    known, and 5 % and more if age, cuff, reference and duration agree as far as they
    are known (at least three numbers). Where these contradict, 64 points must be
    copies of the numbers: else they are a possible pair. Of 8 beats in a row, 10 % are
    allowed, if the beats are three times as near as those at other times.

    Args:
        source: Beats of everybody, or records with a PPG or, without one, an arterial
            pressure, which are cut into beats.
        progress: Called with the number of records that were cut.
        across: Names of one side of a split; then only pairs of one of them and
            somebody else are looked at. By default everybody is compared with
            everybody.

    Returns:
        Pairs, groups, and who could not be compared.
    """
    if isinstance(source, Beats):
        return _search(*_windows(source), across)
    parts: list[tuple[_Seen, tuple[str, ...], _Limits]] = []
    for number, record in enumerate(source, 1):
        parts += [_windows(beats) for beats in _cut(record)]
        parts.append((_Seen.none(), (record.subject,), (_SAME_RAW, _SAME_RAW)))
        if progress is not None:
            progress(number)
    if not parts:
        return Duplicates((), (), ())
    seen = _Seen.concatenate([part[0] for part in parts])
    everybody = tuple(dict.fromkeys(name for part in parts for name in part[1]))
    return _search(seen, everybody, min(part[2] for part in parts), across)


def virtual_neighbours(
    cohort: Cohort, *, subject: Names, distance: float = NEAR
) -> tuple[frozenset[str], ...]:
    """Group virtual people who were drawn nearly alike.

    Everything that was drawn (and the age) is measured in its standard deviation over
    the cohort; neighbours are people whose root-mean-square difference over what varies
    is at most ``distance``, and whoever is a neighbour's neighbour. A person seen by
    several clinics, or in several draws under other names, is his own neighbour at 0.
    Independent draws of a wide population are far apart: 1.4 on average, and the
    nearest two of 4,000 of the calibrated population 0.25. In a design
    on a grid, such as the Pulse Wave Database's steps of 1 SD, a distance of a step
    joins all of a grid: there, choose less, or leave out whole ages.

    Args:
        cohort: The people; `Cohort.concatenate` joins those of several clinics.
        subject: Their names in the beats. Shape (subject,).
        distance: In standard deviations.

    Raises:
        ShapeError: If there is not one name a person.
        ConfigError: If the distance is negative.
    """
    if len(subject) != len(cohort):
        msg = f"{len(subject)} names of {len(cohort)} people; wanted one each."
        raise ShapeError(msg)
    if not 0.0 <= distance < np.inf:
        msg = f"distance is {distance}; wanted 0 or more."
        raise ConfigError(msg)
    drawn = np.stack([cohort.age, *cohort.parameters.values()], axis=1)
    drawn = drawn[:, np.isfinite(drawn).all(axis=0)]
    spread = drawn.std(axis=0)
    varied = spread > 1e-9 * (1.0 + np.abs(drawn).max(axis=0, initial=0.0))
    if not varied.any():
        return merged([{str(s) for s in subject}])
    place = (drawn / np.where(varied, spread, 1.0))[:, varied]
    # Rounding in the division must not part a person from himself.
    reach = max(distance, 1e-9) * np.sqrt(varied.sum())
    pairs = cKDTree(place).query_pairs(reach, output_type="ndarray")
    return merged({str(subject[i]), str(subject[j])} for i, j in pairs)


class _Seen(NamedTuple):
    """Windows that can be compared."""

    subject: Names
    time: Values
    window: Windows
    beside: Numbers

    @classmethod
    def none(cls) -> "_Seen":
        nothing = np.zeros((0, _POINTS), dtype=np.float32)
        beside = np.zeros((0, len(_AGREE) + 1))
        return cls(np.zeros(0, dtype=np.str_), np.zeros(0), nothing, beside)

    @classmethod
    def concatenate(cls, parts: list["_Seen"]) -> "_Seen":
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _cut(record: Record) -> Iterator[Beats]:
    """Yield the beats of a record, none where it has no pulse wave to cut."""
    if record.find("ppg") is None:
        line = next(filter(None, map(record.find, _LINES)), None)
        if line is None:
            return
        pulse = replace(record.channels[line], unit="NU")
        record = replace(record, channels={"ppg": pulse})
    try:
        yield from beats_in(record)
    except RecordError:
        return


def _windows(beats: Beats) -> tuple[_Seen, tuple[str, ...], _Limits]:
    """Return what can be compared, everybody, and up to which distances beats are one.

    Raw samples are taken if most beats have them.
    """
    rows = np.flatnonzero(beats.accepted)
    everybody = tuple(map(str, beats.subjects))
    window, limits = _raw_windows(beats, rows), (_SAME_RAW, _SAME_RAW)
    if 2 * np.isfinite(window).all(axis=1).sum() < len(rows):
        blocks = np.split(rows, range(_ROWS, len(rows), _ROWS))
        window = np.concatenate([_shape_windows(beats, block) for block in blocks])
        limits = (_SAME_SHAPE, _COPIED)
    known = np.isfinite(window).all(axis=1)
    kept = rows[known]
    seen = _Seen(
        subject=beats.subject[kept],
        time=beats.time[kept].astype(np.float64),
        window=window[known],
        beside=_beside(beats.take(kept)),
    )
    return seen, everybody, limits


def _beside(beats: Beats) -> Numbers:
    """Return what else is known of beats, in units of what may differ."""
    unknown = np.full(len(beats), np.nan)
    true = [unknown] * _EIGHTHS
    if beats.reference is not None:
        shape = (len(beats), _EIGHTHS, N_POINTS // _EIGHTHS)
        parts = beats.reference.reshape(shape)
        true = [*parts.mean(axis=2).T]
    columns = [beats.age, *beats.cuff.T, *true]
    with np.errstate(invalid="ignore", divide="ignore"):
        duration = np.log(beats.duration) / _DURATION
    scaled = [column / by for column, by in zip(columns, _AGREE, strict=True)]
    return np.stack([*scaled, duration], axis=1)


def _raw_windows(beats: Beats, rows: Rows) -> Windows:
    answer = np.full((len(rows), _POINTS), np.nan, dtype=np.float32)
    if beats.raw is None or beats.start is None or beats.stop is None:
        return answer
    if beats.raw.shape[1] < _POINTS * _STEP * RATE:
        return answer
    for first in range(0, len(rows), _ROWS):
        part = rows[first : first + _ROWS]
        smooth = smoothed_rows(beats.raw[part].astype(np.float64))
        unit = np.full(len(part), RATE)
        answer[first : first + _ROWS] = _read(
            smooth, beats.start[part], beats.stop[part], unit
        )
    return answer


def _shape_windows(beats: Beats, rows: Rows) -> Windows:
    """Let each beat repeat itself, without what is above 10 Hz."""
    duration = beats.duration[rows].astype(np.float64)
    usable = np.isfinite(duration) & (duration > 0.0)
    period = np.where(usable, duration, 1.0)
    wave = np.fft.rfft(beats.ppg[rows].astype(np.float64), axis=1)
    wave[np.arange(wave.shape[1]) > CUTOFF * period[:, None]] = 0.0
    pulse = np.fft.irfft(wave, N_POINTS, axis=1)
    # From the lowest point on, so that there is an upstroke however it is turned.
    lowest = pulse.argmin(axis=1)
    turned = np.take_along_axis(
        pulse, (lowest[:, None] + np.arange(N_POINTS)) % N_POINTS, axis=1
    )
    beats_long = int(np.ceil(_POINTS * _STEP / period.min(initial=1.0))) + 2
    beats_long = min(beats_long, 16)
    endless = np.tile(turned, (1, beats_long))
    start = np.full(len(rows), float(N_POINTS))
    answer = _read(endless, start, 2 * start, N_POINTS / period)
    answer[~usable] = np.nan
    return answer


def _read(smooth: Windows, start: Values, stop: Values, unit: Values) -> Windows:
    """Read windows from the middle of the upstroke on, of norm 1.

    Args:
        smooth: Samples around each beat.
        start: Foot, samples.
        stop: Next foot, samples.
        unit: Samples a second.
    """
    place, row = np.arange(smooth.shape[1]), np.arange(len(smooth))
    with np.errstate(invalid="ignore"):
        # A foot may be found a few samples early or late.
        inside = (place >= start[:, None] - _SLACK) & (place <= stop[:, None])
        held = np.where(inside & np.isfinite(smooth), smooth, -np.inf)
        peak = held.argmax(axis=1)
        before = inside & (place <= peak[:, None])
        floor = np.where(before & np.isfinite(smooth), smooth, np.inf).min(axis=1)
        level = 0.5 * (floor + held.max(axis=1))
        below = before & (smooth <= level[:, None])
    last = np.where(below, place, -1).max(axis=1)
    found = (last >= 0) & (last < smooth.shape[1] - 1) & np.isfinite(level)
    at = np.where(found, last, 0)
    low, high = smooth[row, at], smooth[row, np.minimum(at + 1, smooth.shape[1] - 1)]
    rise = np.where(found & (high > low), high - low, np.nan)
    origin = at + (np.where(found, level, np.nan) - low) / rise
    steps = (np.arange(_POINTS) - _BEFORE) * _STEP
    window = catmull_rom(smooth, origin[:, None] + steps * unit[:, None])
    window = window - window.mean(axis=1, keepdims=True)
    norm = np.sqrt((window**2).sum(axis=1, keepdims=True))
    answer: Windows = (window / np.where(norm > 0.0, norm, np.nan)).astype(np.float32)
    return answer


class _People:
    """Windows by person and time."""

    def __init__(self, seen: _Seen) -> None:
        self.names, code = np.unique(seen.subject, return_inverse=True)
        order = np.lexsort((seen.time, code))
        self.code, self.time = code[order], seen.time[order]
        self.window, self.beside = seen.window[order], seen.beside[order]
        self.first = np.searchsorted(self.code, np.arange(len(self.names) + 1))
        moment = np.round(self.time / _CLOCK)
        new = np.ones(len(moment), dtype=np.bool_)
        new[1:] = (np.diff(moment) != 0) | (np.diff(self.code) != 0)
        self.moments = np.bincount(self.code[new], minlength=len(self.names))

    def rows(self, person: int) -> slice:
        return slice(int(self.first[person]), int(self.first[person + 1]))


def _search(
    seen: _Seen, everybody: tuple[str, ...], limits: _Limits, across: Collection[str]
) -> Duplicates:
    people = _People(seen)
    side = np.isin(people.names, [*across]) if across else None
    unseen = tuple(sorted(set(everybody) - {str(n) for n in people.names}))
    if len(people.names) < 2:
        return Duplicates((), (), unseen)
    certain: list[Pair] = []
    possible: list[Pair] = []
    for (a, b), delays in _candidates(people, side).items():
        judged = [_in_a_row(people, a, b, delay, limits) for delay in delays]
        judged.append(_one_by_one(people, a, b, limits))
        told = sorted((j for j in judged if j is not None), key=_worth)
        if told:
            (certain if told[0][1] else possible).append(told[0][0])
    return Duplicates(tuple(sorted(certain)), tuple(sorted(possible)), unseen)


def _worth(judged: tuple[Pair, bool]) -> tuple[bool, int, float]:
    pair, certain = judged
    return not certain, -pair.beats, pair.distance


def _candidates(
    people: _People, side: Shaped[np.ndarray, " _"] | None
) -> Mapping[tuple[int, int], list[float]]:
    """Return the delays that are worth a look, perhaps none, by pair of people."""
    place = _projected(people.window)
    tree = cKDTree(place)
    unusual = ((place - place.mean(axis=0)) ** 2 / (place.var(axis=0) + 1e-12)).sum(1)
    anchors = _anchors(people, unusual)
    one, other, delay = _hits(people, tree, place, anchors)
    if side is not None:
        apart = side[one] != side[other]
        one, other, delay = one[apart], other[apart], delay[apart]
    found: dict[tuple[int, int], list[float]] = {}
    if not len(one):
        return found
    turned = one > other
    low, high = np.where(turned, other, one), np.where(turned, one, other)
    delay = np.where(turned, -delay, delay)
    order = np.lexsort((high, low))
    low, high, delay = low[order], high[order], delay[order]
    new = np.flatnonzero((np.diff(low) != 0) | (np.diff(high) != 0)) + 1
    for rows in np.split(np.arange(len(low)), new):
        a, b = int(low[rows[0]]), int(high[rows[0]])
        found[a, b] = _delays(delay[rows])
    return found


def _projected(window: Windows) -> Windows:
    """Project windows on what varies most; distances become no larger."""
    some = window[:: max(1, len(window) // _FITTED)].astype(np.float64)
    centre = some.mean(axis=0)
    _, axes = np.linalg.eigh((some - centre).T @ (some - centre))
    chosen = axes[:, -_DIMENSIONS:]
    answer: Windows = (window - centre).astype(np.float64) @ chosen
    return answer


def _anchors(people: _People, unusual: Values) -> Rows:
    """Return the beats that are looked for: everybody's most unusual ones."""
    order = np.lexsort((-unusual, people.code))
    rank = np.arange(len(order)) - people.first[people.code[order]]
    few = people.moments[people.code[order]] < _MANY
    return order[(rank < _ANCHORS) | few]


def _hits(
    people: _People, tree: cKDTree, place: Windows, anchors: Rows
) -> tuple[Rows, Rows, Values]:
    """Return who was found near whom, and with which delay."""
    found: list[tuple[Rows, Rows, Values]] = []
    wanted = anchors
    for count in _NEAREST:
        k = min(count, len(place))
        if not len(wanted):
            break
        long = people.moments[people.code[wanted]] >= _MANY
        reach = np.where(long, _REACH, _CONFIRMED)[:, None]
        nearest = tree.query(place[wanted], k=k, distance_upper_bound=_REACH)
        apart, near = (np.reshape(part, (len(wanted), k)) for part in nearest)
        there = apart <= reach
        mate = people.code[np.where(there, near, 0)]
        foreign = there & (mate != people.code[wanted][:, None])
        row, column = np.nonzero(foreign)
        here, away = wanted[row], near[row, column]
        delay = people.time[away] - people.time[here]
        found.append((people.code[here], people.code[away], delay))
        wanted = wanted[there.all(axis=1) & ~foreign.any(axis=1) & (k < len(place))]
    one, other, delay = (np.concatenate(column) for column in zip(*found, strict=True))
    return one, other, delay


def _delays(delay: Values) -> list[float]:
    """Return the delays that most anchors agree on."""
    if len(delay) < _HITS:
        return []
    order = np.sort(delay)
    last = np.searchsorted(order, order + 2.0 * _CLOCK, "right")
    votes = last - np.arange(len(order))
    chosen: list[float] = []
    for i in np.argsort(-votes, kind="stable"):
        if votes[i] < _HITS or len(chosen) == _DELAYS:
            break
        middle = float(np.median(order[i : last[i]]))
        if all(abs(middle - other) > 2.0 * _CLOCK for other in chosen):
            chosen.append(middle)
    return chosen


def _one_by_one(
    people: _People, a: int, b: int, limits: _Limits
) -> tuple[Pair, bool] | None:
    """Compare the beats of two people in any order.

    Returns:
        The pair and whether it is certain; None if they are not one.
    """
    turned = _length(people.rows(a)) > _length(people.rows(b))
    few, many = (people.rows(i) for i in ((b, a) if turned else (a, b)))
    step = max(1, _length(few) // _ROWS)
    rows = np.arange(few.start, few.stop, step)
    k = min(_MATES, _length(many))
    tree = cKDTree(people.window[many])
    nearest = tree.query(people.window[rows], k=k)
    apart, mate = (np.reshape(part, (len(rows), k)) for part in nearest)
    if 2 * int((apart[:, 0] <= _FARTHEST).sum()) < len(rows):
        return None  # whatever else is known: no median is within a limit
    mate = mate + many.start
    limit = _limit(people.beside[rows][:, None], people.beside[mate], limits)
    # Nearest in units of what is allowed.
    best, place = (apart / limit).argmin(axis=1), np.arange(len(rows))
    apart, limit, mate = apart[place, best], limit[place, best], mate[place, best]
    middle = float(np.median(apart))
    certain = bool(np.median(apart / limit) <= 1.0)
    doubt = np.where(limit < limits[0], 1.0, _DOUBT) * limits[0]
    if not (certain or np.median(apart / doubt) <= 1.0):
        return None
    delay = float(np.median(people.time[mate] - people.time[rows]))
    pair = Pair(
        one=str(people.names[a]),
        other=str(people.names[b]),
        beats=len(rows),
        share=float((apart <= limit).mean()),
        distance=middle,
        otherwise=np.nan,
        delay=-delay if turned else delay,
    )
    return pair, certain


def _length(rows: slice) -> int:
    return int(rows.stop - rows.start)


def _in_a_row(
    people: _People, a: int, b: int, delay: float, limits: _Limits
) -> tuple[Pair, bool] | None:
    """Compare many beats at a delay.

    Returns:
        The pair and whether it is certain; None if they are not one.
    """
    here, there = people.rows(a), people.rows(b)
    time, clock = people.time[here] + delay, people.time[there]
    both = (time >= clock[0] - _CLOCK) & (time <= clock[-1] + _CLOCK)
    rows = np.flatnonzero(both)
    rows = rows[:: max(1, len(rows) // _ROWS)]
    first = np.searchsorted(clock, time[rows] - _CLOCK)
    past = np.searchsorted(clock, time[rows] + _CLOCK, "right")
    distance = np.full(len(rows), np.inf)
    against = np.ones(len(rows), dtype=np.bool_)
    beside, theirs = people.beside[here][rows], people.beside[there]
    window, others = people.window[here][rows], people.window[there]
    for step in range(min(int((past - first).max(initial=0)), _ROWS)):
        some = first + step < past
        mate = first[some] + step
        distance[some] = np.minimum(
            distance[some], _distance(window[some], others[mate])
        )
        against[some] &= _limit(beside[some], theirs[mate], (1.0, 0.0)) == 0.0
    met = np.isfinite(distance)
    moments = len(np.unique(np.round(time[rows[met]] / _CLOCK)))
    if moments < _MANY or met.mean() < _SHARE:
        return None
    middle = float(np.median(distance[met]))
    apart = _otherwise(window[met], others, first[met])
    if not middle <= min(_ALIKE, _OWN * apart):
        return None
    pair = Pair(
        one=str(people.names[a]),
        other=str(people.names[b]),
        beats=int(met.sum()),
        share=float(met.mean()),
        distance=middle,
        otherwise=apart,
        delay=delay,
    )
    return pair, bool(against[met].mean() < 0.5) or middle <= limits[0]


def _otherwise(window: Windows, others: Windows, at: Rows) -> float:
    """Return the median distance to beats up to three before or after."""
    found = []
    for step in (-3, -2, -1, 1, 2, 3):
        inside = (at + step >= 0) & (at + step < len(others))
        found.append(_distance(window[inside], others[at[inside] + step]))
    return float(np.median(np.concatenate(found)))


def _distance(one: Windows, other: Windows) -> Values:
    difference = one.astype(np.float64) - other
    answer: Values = np.sqrt((difference**2).sum(axis=1))
    return answer


def _limit(
    one: Float[np.ndarray, "*row number"],
    other: Float[np.ndarray, "*mate number"],
    limits: _Limits,
) -> Float[np.ndarray, "*mate"]:
    """Return up to which distance beats are one, by what else is known of them."""
    apart = np.abs(one - other)
    known = np.isfinite(apart).sum(axis=-1)
    agree = (apart <= 1.0).sum(axis=-1)
    same, copied = limits
    mostly = (known < _LEAST) | (3 * agree >= 2 * known)
    answer: np.ndarray = np.where(mostly, same, copied)
    sure = (known >= _LEAST) & (agree == known)
    return np.where(sure, max(_CONFIRMED, same), answer)
