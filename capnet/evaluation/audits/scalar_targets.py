"""Scalar targets: numbers that a short computation reads off the peripheral wave.

One number of each of a few people says little: a formula with a free constant or two
fits them by chance, and where physiology itself hands the number on nearly unchanged
(mean pressure anywhere, systolic pressure from the carotid) it cannot be told from a
formula at all. So what may be left over depends on how much a formula had free, and
between "circular" and "not" stands "cannot be told".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import signal

from capnet.errors import ProtocolError
from capnet.evaluation.audits.beat_spectra import Rows
from capnet.evaluation.audits.published_filters import SITES, inverse_transfer

__all__ = ["DERIVATION", "NOT_RECALIBRATED", "ScalarFit", "judge_scalars"]

FREEDOMS: Final = ("as it is", "common constant", "common gain", "common line")
"""What people may share that the formula does not know."""
_FLOORS: Final[Mapping[str, tuple[float, ...]]] = {
    "literature": (0.95, 0.9, 0.9, 0.6),
    "guessed": (0.9, 0.4, 0.4),
    "tried": (0.25, 0.25, 0.25),
    "level": (0.95, 0.9, 0.9, 0.6),
}
"""mmHg that a formula may leave with each of `FREEDOMS`: the more is free and the more
formulas are tried, the more often a few people are fitted by chance."""
_NEAR: Final = 0.49
"""Mean form factor (mean less lowest, of the pulse) above which a wave is one from near
the heart: amplification is the ratio of the form factors, so little of it is left."""
_NEAR_SHARE: Final = 0.17
"""Of the floors, for such waves."""
_LEVEL_FLOOR: Final = 0.005
"""mmHg for mean and lowest pressure, which differ little along the arteries."""
_OWN_FLOOR: Final = 0.6
"""mmHg for a gain and an offset of each subject."""
_OWN_SHARE: Final = 0.05
"""Of what the input's own numbers leave with a gain and an offset of each subject."""
_OWN_TOLD: Final = 0.25
"""Of the changes within subjects: what is left by a line that follows them."""
_OWN_PLAIN: Final = 0.05
"""mmHg: less than this is rounding."""
_LEAST_BEATS: Final = 4
"""Of every subject, for a gain and an offset of its own to leave anything to test."""

_PARTS: Final = (4, 5, 6, 8)
"""N of the fs/N-point moving average (Williams et al. 2011 has 4 and 6)."""
_PERIODS: Final = (0.67, 1.2)
"""s: of typical beats whose clock is not known."""
_ENDS: Final = ("valid", "periodic", "reflected", "cut")
"""What a moving average meets at the ends of a beat: nothing there; the same beat;
its reflection (scipy's uniform_filter1d); fewer samples (a data frame's rolling)."""
_TRIED_WINDOWS: Final = 48
_CUTOFFS: Final = np.geomspace(2.0, 20.0, 40)
"""Of low-pass filters, cycles of a typical beat."""
_ORDERS: Final = (1, 2, 3, 4)

DERIVATION: Final = (
    "A formula of the literature may leave 0.95 mmHg as it is, 0.9 with a constant or "
    "a gain that all share, 0.6 with a line; where fs is not known 0.9, 0.4 and 0.4; "
    "other windows and low-pass filters, of which many are tried, 0.25. With "
    "five people, 0.5 mmHg of noise leaves 0.95 or less in 99.8 % of draws, and true "
    "aortic SBP of virtual people (PWDB) leaves more to the moving averages of their "
    "arm in 99 % (93 % where fs is not known). An input whose form factor is above "
    "0.49 on average is one from near the heart, whose SBP is nearly that of the "
    "aorta: there only 0.17 of these flag, and between the two nothing can be told; "
    "nor can it for mean and lowest pressure, which physiology hands on nearly "
    "unchanged. Chosen on draws of these same people."
)
"""Where the thresholds come from."""

NOT_RECALIBRATED: Final = (
    "nobody's number has a gain or an offset of its own, but where four beats of each "
    "that vary tell (a number that was recalibrated for each person is not found out "
    "by one beat: bring waves)"
)
"""What no judgement of scalars can do without."""


class Formula(NamedTuple):
    """Numbers read off the beats.

    Attributes:
        name: Which.
        family: ``literature``; ``guessed``, if its window is one for some clocks only;
            ``tried``, one of many; or ``level``: mean and lowest pressure.
        value: mmHg. Shape (beat,).
    """

    name: str
    family: str
    value: Float[np.ndarray, " beat"]


class ScalarFit(NamedTuple):
    """What one formula left over.

    Attributes:
        kind: Formula, and what was free.
        score: RMS over the subjects of their mean residual, by fits that have not met
            the subject (for a line of each subject: over beats, the beat), mmHg.
        left: RMS over beats, mmHg.
        noise: SD of a beat, mmHg; NaN without repeated beats.
        flags, hides: mmHg at or below which the target is flagged, and cannot be told.
    """

    kind: str
    score: float
    left: float
    noise: float
    flags: float
    hides: float


def judge_scalars(
    waves: Rows,
    target: Float[np.ndarray, " beat"],
    subject: Int[np.ndarray, " beat"],
    rate: Float[np.ndarray, " beat"] | None,
) -> list[ScalarFit]:
    """Hold every formula against the target; the one that comes closest is first.

    Args:
        waves: Peripheral beats, mmHg.
        target: mmHg.
        subject: Position of the subject of each beat.
        rate: Heart rate of each beat, Hz; None where the clock is not known.

    Raises:
        ProtocolError: If all formulas are the same in all beats.
    """
    formulas = [f for f in _formulas(waves, rate) if np.ptp(f.value) > 0]
    if not formulas:
        msg = "no formula of the input varies between its beats; wanted beats that do."
        raise ProtocolError(msg)
    near = _form_factor(waves) > _NEAR
    found = _common(formulas, target, subject, near=near)
    found += _own_lines(formulas, target, subject)
    return sorted(found, key=lambda fit: (_rank(fit), fit.score / fit.hides))


def _rank(fit: ScalarFit) -> int:
    """Flagging before hiding before neither."""
    return int(fit.score > fit.flags) + int(fit.score > fit.hides)


def _form_factor(waves: Rows) -> float:
    return float(np.mean([(w.mean() - w.min()) / np.ptp(w) for w in waves]))


def _common(
    formulas: Sequence[Formula],
    target: Float[np.ndarray, " beat"],
    subject: Int[np.ndarray, " beat"],
    *,
    near: bool,
) -> list[ScalarFit]:
    """Fit formulas to all subjects but the one that they are held against."""
    beats = np.bincount(subject)
    value = np.stack([f.value for f in formulas], axis=1)
    repeated = len(target) > len(beats)
    found = []
    for turn, freedom in enumerate(FREEDOMS):
        rest = _left_out(value, target, subject, freedom)
        mean = np.stack([rest[subject == s].mean(axis=0) for s in range(len(beats))])
        noise = np.full(len(formulas), np.nan)
        hidden = np.zeros(len(formulas))
        if repeated:
            inner = np.sum((rest - mean[subject]) ** 2, axis=0)
            noise = np.sqrt(inner / (len(target) - len(beats)))
            hidden = noise**2 * float(np.mean(1.0 / beats))
        score = np.sqrt(np.mean(mean**2, axis=0))
        left = np.sqrt(np.mean(rest**2, axis=0))
        for i, formula in enumerate(formulas):
            if turn >= len(_FLOORS[formula.family]):
                continue
            floor = _FLOORS[formula.family][turn]
            flags = _NEAR_SHARE * floor if near else floor
            if formula.family == "level":
                flags = _LEVEL_FLOOR
            found.append(
                ScalarFit(
                    f"{formula.name}, {freedom}",
                    score=float(score[i]),
                    left=float(left[i]),
                    noise=float(noise[i]),
                    flags=flags,
                    hides=float(np.hypot(floor, hidden[i] ** 0.5)),
                )
            )
    return found


def _left_out(
    value: Float[np.ndarray, "beat formula"],
    target: Float[np.ndarray, " beat"],
    group: Int[np.ndarray, " beat"],
    freedom: str,
) -> Float[np.ndarray, "beat formula"]:
    """Leave each group out of the fit that predicts it."""
    if freedom == FREEDOMS[0]:
        return np.asarray(target[:, None] - value)
    left = np.empty_like(value)
    for g in np.unique(group):
        test = group == g
        first, second = value[~test], target[~test][:, None]
        slope, offset = np.ones(value.shape[1]), np.zeros(value.shape[1])
        if freedom == FREEDOMS[2]:
            slope = np.sum(first * second, axis=0) / np.sum(first**2, axis=0)
        else:
            middle, level = first.mean(axis=0), second.mean()
            if freedom == FREEDOMS[3]:
                spread = np.sum((first - middle) ** 2, axis=0)
                along = np.sum((first - middle) * (second - level), axis=0)
                slope = np.divide(along, spread, out=slope, where=spread > 0)
            offset = level - slope * middle
        left[test] = target[test][:, None] - slope * value[test] - offset
    return left


def _own_lines(
    formulas: Sequence[Formula],
    target: Float[np.ndarray, " beat"],
    subject: Int[np.ndarray, " beat"],
) -> list[ScalarFit]:
    """Fit a gain and an offset of each subject's own.

    Beats of one person are much alike, and any number of theirs follows any other: to
    flag, a formula must leave far less than the input's own pressures do. Beats that do
    not vary tell nothing.
    """
    if np.bincount(subject).min() < _LEAST_BEATS:
        return []
    value = np.stack([f.value for f in formulas], axis=1)
    rest, alone = np.empty_like(value), np.empty_like(target)
    for s in range(int(subject.max()) + 1):
        own = subject == s
        beat = np.arange(int(own.sum()))
        rest[own] = _left_out(value[own], target[own], beat, FREEDOMS[3])
        alone[own] = target[own] - target[own].mean()
    left = np.sqrt(np.mean(rest**2, axis=0))
    varied = float(np.mean(alone**2)) ** 0.5
    plain = min(
        float(size)
        for formula, size in zip(formulas, left, strict=True)
        if formula.family == "level" or formula.name in ("SBP", "PP")
    )
    hides = min(_OWN_FLOOR, _OWN_TOLD * varied)
    flags = min(hides, _OWN_SHARE * plain) if plain > _OWN_PLAIN else 0.0
    return [
        ScalarFit(
            f"{formula.name}, line of each subject",
            score=float(size),
            left=float(size),
            noise=float("nan"),
            flags=flags,
            hides=hides,
        )
        for formula, size in zip(formulas, left, strict=True)
        if varied > _OWN_PLAIN
    ]


def _formulas(
    waves: Rows, rate: Float[np.ndarray, " beat"] | None
) -> Iterator[Formula]:
    """Yield what is tried."""
    top = np.array([w.max() for w in waves])
    low = np.array([w.min() for w in waves])
    mean = np.array([w.mean() for w in waves])
    yield Formula("SBP", "literature", top)
    yield Formula("PP", "literature", top - low)
    yield Formula("MAP^2 / DBP", "tried", mean**2 / np.where(low > 0, low, np.nan))
    yield Formula("MAP", "level", mean)
    yield Formula("DBP", "level", low)
    longest = min(len(w) for w in waves) - 1
    windows = {(n,) * len(waves): "tried" for n in _spread(2, longest // 2)}
    windows |= dict(_named_windows(waves, rate))
    grouped = _grouped(waves)
    for sizes, family in windows.items():
        text = f"moving average, {_text(sizes)} samples"
        known: list[np.ndarray] = []
        for ends in _ENDS[:2] if family == "tried" else _ENDS:
            average = partial(_moving_average, sizes=sizes, ends=ends)
            high, bottom = _extremes(grouped, average)
            if not any(np.allclose(high, k, atol=1e-6) for k in known):
                known.append(high)
                yield Formula(f"max of a {text} ({ends})", family, high)
                if family != "tried":
                    yield Formula(f"pulse of a {text} ({ends})", "tried", high - bottom)
    length = float(np.median([len(w) for w in waves]))
    for order in _ORDERS:
        for cutoff in _CUTOFFS[0.95 * length > 2 * _CUTOFFS]:
            low_pass = signal.butter(order, 2 * cutoff / length)
            high, _ = _extremes(grouped, partial(_low_passed, low_pass=low_pass))
            name = f"max of a low pass of order {order}, {cutoff:.1f} cycles of a beat"
            yield Formula(name, "tried", high)
    if rate is None:
        return
    for site in SITES:
        high, bottom = _extremes(grouped, partial(_transferred, rate=rate, site=site))
        name = f"the published {site} transfer function"
        yield Formula(f"max of {name}", "literature", high)
        yield Formula(f"pulse of {name}", "tried", high - bottom)


def _grouped(waves: Rows) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions and waves, shape (beat, time), of the beats of each length."""
    length = np.array([len(w) for w in waves])
    rows = [np.flatnonzero(length == n) for n in np.unique(length)]
    return [(row, np.stack([waves[int(i)] for i in row])) for row in rows]


def _extremes(
    grouped: Sequence[tuple[np.ndarray, np.ndarray]],
    smoothed: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[Float[np.ndarray, " beat"], Float[np.ndarray, " beat"]]:
    """Highest and lowest of beats after a computation on beats of one length."""
    n = sum(len(row) for row, _ in grouped)
    high, low = np.empty(n), np.empty(n)
    for row, table in grouped:
        smooth = smoothed(table, row)
        high[row], low[row] = smooth.max(axis=1), smooth.min(axis=1)
    return high, low


def _text(sizes: tuple[int, ...]) -> str:
    least, most = min(sizes), max(sizes)
    return f"{least}" if least == most else f"{least} to {most}"


def _named_windows(
    waves: Rows, rate: Float[np.ndarray, " beat"] | None
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield samples and family of the windows fs/N, by every clock that fs may have."""
    length = np.array([len(w) for w in waves])
    middle = float(np.median(length))
    if rate is None:
        first = int(middle / _PERIODS[1] / max(_PARTS))
        last = int(np.ceil(middle / _PERIODS[0] / min(_PARTS)))
        for n in _spread(max(first, 2), last):
            yield (n,) * len(length), "guessed"
    clocks = [length]  # a beat as its own unit of time, as on grids of points
    if rate is not None:
        clocks.append(np.full(len(length), np.median(length * rate)))
    for clock, part, turn in product(clocks, _PARTS, (np.floor, np.ceil)):
        yield tuple(int(n) for n in np.maximum(turn(clock / part), 1)), "literature"


def _spread(first: int, last: int) -> list[int]:
    """Whole numbers, all of the small ones and some of the large ones."""
    return sorted({round(n) for n in np.geomspace(first, last, _TRIED_WINDOWS)})


def _moving_average(
    table: np.ndarray, row: np.ndarray, *, sizes: tuple[int, ...], ends: str
) -> np.ndarray:
    """Average over so many samples; beats of one length have one size."""
    n = table.shape[1]
    size = min(sizes[row[0]], n)
    half = size // 2
    if ends == "periodic":
        table = np.concatenate([table, table[:, : size - 1]], axis=1)
    elif ends == "reflected":
        around = ((0, 0), (half, size - 1 - half))
        table = np.pad(table, around, mode="symmetric")
    total = np.pad(np.cumsum(table, axis=1), ((0, 0), (1, 0)))
    if ends == "cut":
        first = np.arange(n) - half
        a, b = np.maximum(first, 0), np.minimum(first + size, n)
        return np.asarray((total[:, b] - total[:, a]) / (b - a))
    return np.asarray((total[:, size:] - total[:, :-size]) / size)


def _low_passed(
    table: np.ndarray, _: np.ndarray, *, low_pass: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Steady answer of a filter to beats that are repeated for ever."""
    n = table.shape[1]
    turn = 2.0 * np.pi * np.arange(n // 2 + 1) / n
    answer = signal.freqz(*low_pass, worN=turn)[1]
    return np.asarray(np.fft.irfft(np.fft.rfft(table) * answer, n))


def _transferred(
    table: np.ndarray, row: np.ndarray, *, rate: np.ndarray, site: str
) -> np.ndarray:
    """Published estimate of the aortic wave."""
    n = table.shape[1]
    answer = inverse_transfer(rate[row, None] * np.arange(n // 2 + 1), site)
    return np.asarray(np.fft.irfft(np.fft.rfft(table) * answer, n))
