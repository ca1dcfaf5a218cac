"""Rows of one table that are rows of another: copied, rescaled, shifted, with noise.

Two rows are compared without their mean and in units of their norm, at every shift of a
few samples, over the samples that both have. A distance is then the noise over the
signal. Rows that agree to five digits are one. Of rows that are near, three things tell
copies from people who are nearly alike and were recorded with noise of their own:

- what is left between copies is white: the upper half of its spectrum has one half of
  it (with an SD of 0.06 for 64 samples), and no sample sticks out (its kurtosis is
  3 with an SD of 0.6); between people it is smooth, or stands where the pulse is steep;
- the noise that was added is much larger than the fine structure of the original, the
  upper half of its spectrum; people of one clinic have equal noise;
- or, where it is not, a likelihood ratio of what both have beyond the shapes that most
  rows are made of says that one is the other with noise added, and nobody else is as
  near: people on a grid of parameters have many neighbours at one distance (of the
  Pulse Wave Database, of whom two are 36 dB apart, or 0.016).
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.spatial import cKDTree

__all__ = ["LEAST", "Copies", "comparable", "find_copies"]

Rows = Float[np.ndarray, "_ _"]
Numbers = Float[np.ndarray, " _"]
Names = Shaped[np.ndarray, " _"]
Places = Int[np.ndarray, " _"]

_SAME: Final = 2e-5
"""Distance up to which two rows are one, whatever is left: float32 and a rescaling."""
_NEAR: Final = 0.026
"""The same for a white residual: noise of 40 dB below the values of a pulse of which
its mean is a large part, and some chance."""
_NOISY: Final = 0.12
"""The same if offset and scale agree, too, and the noise is small beside the values."""
_OF_VALUES: Final = 0.014
"""Noise over the root mean square of the values themselves, then: 37 dB below."""
_ROUGH: Final = 0.2
"""Share of a residual in the upper half of its spectrum that noise has at least."""
_SPIKY: Final = 8.0
"""Kurtosis of a residual from which it is no noise; that of 64 samples is below 5.5 in
99.9 of 100 copies."""
_ADDED: Final = 0.1
"""Ratio of the fine structures' squares up to which noise was added for certain."""
_ALONE: Final = 0.25
"""Distance over that to the nearest row of another person, up to which nobody else is
as near; both without most of the noise."""
_FROM: Final = 0.2
"""Share of the spectrum above which structure is fine."""
_BAND: Final = 5
"""Frequencies that are taken to have one power."""
_AKIN: Final = 2.0
"""Log likelihood ratio from which fine structures are akin, where nobody else is near.
Rows of 64 samples with noise of their own have -18 with an SD of 6; copies with noise
of the same size 18 with an SD of 6."""
_CROWDED: Final = 30.0
"""More of it that is asked where somebody else is near, for each unit of the ratio."""
_ROWS: Final = 8
"""Rows for each axis that is fitted, at least: noise is not to become an axis."""
_DIMENSIONS: Final = 12
_FITTED: Final = 4096
_NEAREST: Final = 16
_BLOCK: Final = 8192
"""Rows that are looked up at once."""
_TINY: Final = float(np.finfo(float).tiny)
LEAST: Final = 16
"""Samples that a row must have to be compared."""


class Copies(NamedTuple):
    """Pairs of rows, nearest first for each row of the second table.

    Attributes:
        one: Row of the first table. Shape (pair,).
        other: Row of the second. Shape (pair,).
        shift: Samples by which the second is late. Shape (pair,).
        gain: By which the first was multiplied. Shape (pair,).
        distance: Noise over signal. Shape (pair,).
    """

    one: Places
    other: Places
    shift: Places
    gain: Numbers
    distance: Numbers


def find_copies(
    first: Rows, second: Rows, *, subject: Names | None = None, shifts: int = 2
) -> Copies:
    """Find rows of the second table that are copies of rows of the first.

    Args:
        first: Rows of samples on one clock. Shape (row, time).
        second: On the same clock. Shape (row, time).
        subject: Whose the rows of the first table are; by default everybody has one.
            Shape (row,).
        shifts: Samples by which a copy may be early or late.

    Returns:
        One pair for each row of the second table that has one: the nearest. Rows with
        a sample missing, or without any variation, have none.
    """
    time = first.shape[1]
    reach = min(shifts, (time - LEAST) // 2)
    if reach < 0:
        return _none()
    here, there = (np.flatnonzero(comparable(rows)) for rows in (first, second))
    if not len(here) or not len(there):
        return _none()
    middle, _ = _unit(first[here][:, reach : time - reach])
    names = np.arange(len(first)) if subject is None else subject
    _, person = np.unique(names, return_inverse=True)
    whose = np.append(person.reshape(-1)[here], -1)  # the last: no neighbour
    centre, axes = _axes(middle)
    tree = cKDTree((middle - centre) @ axes)
    usual = _Usual(centre, axes, reach)
    found: list[Copies] = []
    for shift in range(-reach, reach + 1):
        for start in range(0, len(there), _BLOCK):
            rows = there[start : start + _BLOCK]
            part = second[rows][:, reach + shift : time - reach + shift]
            unit, _ = _unit(part)
            apart, near = tree.query(
                (unit - centre) @ axes,
                k=min(_NEAREST, len(here)),
                distance_upper_bound=_NOISY,
            )
            apart = np.reshape(apart, (len(rows), -1))
            mates = np.reshape(near, (len(rows), -1))
            i, j = np.nonzero(np.isfinite(apart))
            if len(i):
                crowd = _crowd(apart, whose[mates])[i, j]
                one = here[mates[i, j]]
                found.append(_judged(first, second, one, rows[i], crowd, shift, usual))
    return _nearest(found)


class _Usual(NamedTuple):
    """The shapes that most rows are made of, of samples ``reach`` from both ends."""

    centre: Numbers
    axes: Rows
    reach: int

    def beyond(self, rows: Rows) -> Rows:
        """Return what rows have beside: their own fine structure."""
        away = _unit(rows)[0] - self.centre
        return np.asarray(away - (away @ self.axes) @ self.axes.T)


def _none() -> Copies:
    place = np.empty(0, dtype=np.int64)
    return Copies(place, place, place, np.empty(0), np.empty(0))


def comparable(rows: Rows) -> Bool[np.ndarray, " _"]:
    """Say which rows are whole and vary. Shape (row,)."""
    whole = np.isfinite(rows).all(axis=1)
    spread = np.zeros(len(rows))
    spread[whole] = np.ptp(rows[whole], axis=1)
    size = np.zeros(len(rows))
    size[whole] = np.abs(rows[whole]).max(axis=1)
    # Squares of what is beyond are no numbers.
    return np.asarray((spread > 1e-6 * size) & (spread > 1e-100) & (size < 1e100))


def _unit(rows: Rows) -> tuple[Rows, Numbers]:
    """Return rows without their mean, of norm 1, and their norms."""
    away = rows - rows.mean(axis=1, keepdims=True)
    norm = np.sqrt((away**2).sum(axis=1))
    return away / np.where(norm > 0.0, norm, 1.0)[:, None], norm


def _axes(rows: Rows) -> tuple[Numbers, Rows]:
    """Return the directions in which rows vary most; distances become no larger."""
    some = rows[:: max(1, len(rows) // _FITTED)]
    centre = some.mean(axis=0)
    _, axes = np.linalg.eigh((some - centre).T @ (some - centre))
    return centre, axes[:, len(axes) - min(_DIMENSIONS, len(some) // _ROWS + 1) :]


def _crowd(apart: Rows, whose: Int[np.ndarray, "row near"]) -> Rows:
    """Return distances of neighbours over that of the nearest who is somebody else."""
    answer = np.ones(apart.shape)
    there = np.isfinite(apart)
    for j in range(apart.shape[1]):
        others = np.where(whose == whose[:, j : j + 1], np.inf, apart).min(axis=1)
        near = there[:, j] & (others > 0.0)
        answer[near, j] = apart[near, j] / others[near]
    return answer


def _judged(
    first: Rows,
    second: Rows,
    one: Places,
    other: Places,
    crowd: Numbers,
    shift: int,
    usual: _Usual,
) -> Copies:
    """Compare pairs over all samples that both have, and keep the copies."""
    kept: list[Copies] = []
    for start in range(0, len(one), _BLOCK):
        part = slice(start, start + _BLOCK)
        a, b = one[part], other[part]
        time = first.shape[1]
        mine = first[a][:, max(0, -shift) : time - max(0, shift)]
        theirs = second[b][:, max(0, shift) : time + min(0, shift)]
        pulsing = comparable(mine) & comparable(theirs)  # in what both have
        a, b, mine, theirs = a[pulsing], b[pulsing], mine[pulsing], theirs[pulsing]
        near = crowd[part][pulsing]
        x, size = _unit(mine)
        y, length = _unit(theirs)
        gain = length / size
        distance = np.sqrt(((y - x) ** 2).sum(axis=1))
        value = np.sqrt((theirs**2).sum(axis=1))
        noise = distance * length / np.where(value > 0.0, value, np.inf)
        offset = np.abs(mine.mean(axis=1) - theirs.mean(axis=1))
        slack = 4.0 * distance * length / mine.shape[1]
        level = (np.abs(gain - 1.0) < 0.25 * distance + 1e-9) & (offset <= slack)
        loud = (distance <= _NOISY) & (noise <= _OF_VALUES) & (noise < 0.35 * distance)
        copy = distance <= _SAME
        rest = np.flatnonzero(~copy & ((distance <= _NEAR) | (level & loud)))
        rest = rest[_white(x[rest], y[rest])]
        copy[rest] = _added(x[rest], y[rest])
        rest = rest[~copy[rest] & (near[rest] <= _ALONE)]
        middle = slice(usual.reach, time - usual.reach)
        late = slice(usual.reach + shift, time - usual.reach + shift)
        evidence = _evidence(
            usual.beyond(first[a[rest], middle]), usual.beyond(second[b[rest], late])
        )
        copy[rest] = evidence >= _AKIN + _CROWDED * near[rest]
        shifts = np.full(int(copy.sum()), shift, dtype=np.int64)
        kept.append(Copies(a[copy], b[copy], shifts, gain[copy], distance[copy]))
    return _joined(kept)


def _white(x: Rows, y: Rows) -> Bool[np.ndarray, " _"]:
    """Say whether noise is all that is left between rows."""
    left = y - x * (x * y).sum(axis=1, keepdims=True)
    return np.asarray((_roughness(left) >= _ROUGH) & (_kurtosis(left) <= _SPIKY))


def _roughness(left: Rows) -> Numbers:
    """Return the share of residuals in the upper half of their spectrum."""
    power = np.abs(np.fft.rfft(left, axis=1)) ** 2
    half = power.shape[1] // 2
    total, upper = power[:, 1:].sum(axis=1), power[:, half + 1 :].sum(axis=1)
    return np.asarray(upper / np.where(total > 0.0, total, np.inf))


def _kurtosis(left: Rows) -> Numbers:
    """Return the fourth moment of residuals over the square of their second."""
    square = left**2
    size = square.mean(axis=1)
    return np.asarray((square**2).mean(axis=1) / np.where(size > 0.0, size, 1.0) ** 2)


def _added(x: Rows, y: Rows) -> Bool[np.ndarray, " _"]:
    """Say whether one of both has much more fine structure."""
    power = []
    for rows in (x, y):
        # Of curvatures, since a beat that does not end where it began has all
        # frequencies; divided by what second differences do to each of them.
        spectrum = np.fft.rfft(np.diff(rows, n=2, axis=1), axis=1)
        turn = 2.0 * np.pi * np.fft.rfftfreq(rows.shape[1] - 2)
        first = int(_FROM * len(turn))
        fine = spectrum[:, first:] / (2.0 - 2.0 * np.cos(turn[first:]))
        power.append((np.abs(fine) ** 2).sum(axis=1))
    small, large = np.minimum(*power), np.maximum(*power)
    return np.asarray(small <= _ADDED * large)


def _evidence(x: Rows, y: Rows) -> Numbers:
    """Say how akin fine structures are.

    That is a log likelihood ratio: one structure and noise that was added to one of
    both, against two structures of equal power, each power free in every band.
    """
    spectra = [np.fft.rfft(rows, axis=1) for rows in (x, y)]
    first = max(1, int(_FROM * spectra[0].shape[1]))
    fine = [spectrum[:, first:] for spectrum in (*spectra, spectra[0] - spectra[1])]
    evidence = np.zeros(len(x))
    count = fine[0].shape[1]
    for band in np.array_split(np.arange(count), max(1, round(count / _BAND))):
        mine, theirs, apart = (
            np.maximum((np.abs(f[:, band]) ** 2).mean(axis=1), _TINY) for f in fine
        )
        both = 2.0 * np.log(0.5 * (mine + theirs)) - np.log(np.minimum(mine, theirs))
        evidence += len(band) * (both - np.log(apart))
    return evidence


def _joined(found: list[Copies]) -> Copies:
    columns = (np.concatenate(column) for column in zip(*found, strict=True))
    return Copies(*columns) if found else _none()


def _nearest(found: list[Copies]) -> Copies:
    """Keep the nearest pair of each row of the second table; no shift if in doubt."""
    every = _joined(found)
    if not len(every.one):
        return every
    order = np.lexsort((every.one, np.abs(every.shift), every.distance, every.other))
    _, first = np.unique(every.other[order], return_index=True)
    best = order[first]
    return Copies(*(column[best] for column in every))
