"""Fit the linear filter that best turns one channel into another.

A linear time-invariant filter is what a generalised transfer function is. It also asks
whether a "measured" target is one: what a short filter of a few people reproduces to
its noise in all others was never measured apart from its input.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError, ShapeError
from capnet.signal.checks import checked_samples
from capnet.signal.stretches import stretches
from capnet.signal.taps import Taps
from capnet.types import RawSamples

__all__ = ["LinearFilter", "fit_fir"]

Channel = Float[np.ndarray, "..."]


@dataclass(frozen=True, eq=False)
class LinearFilter:
    """``y[t] = offset + sum over k of taps[k] x[t + delay - k]``.

    Attributes:
        taps: Coefficients, unit of y / unit of x. Shape (tap,).
        delay: Samples of x after t that are used: y comes before x by up to that.
        offset: In the unit of y.
        rmse: Root mean square of what the filter left over of y when it was fitted, in
            its unit; known to some 1e-8 of the size of y.
        explained: 1 - variance left over / variance of y; NaN when y did not vary. With
            few times a tap it flatters: hold recordings out to know.
        count: Times that were fitted.
        rank: How many combinations of taps x determined, at most their number. The
            others, which x left open (it hardly moved there), are zero.
    """

    taps: Taps
    delay: int
    offset: float
    rmse: float
    explained: float
    count: int
    rank: int

    def apply(self, x: RawSamples) -> Channel:
        """Filter a channel, or rows each for itself.

        Args:
            x: Samples, NaN where missing. Shape (time,) or (row, time).

        Returns:
            Estimate of y; NaN where the filter meets a missing sample or an end: none
            is made up. Same shape.

        Raises:
            ShapeError: If the samples are no channel and no rows of one.
        """
        answer = np.full(np.shape(x), np.nan)
        for into, row in zip(np.atleast_2d(answer), _rows(x, "x"), strict=True):
            if len(row) >= len(self.taps):
                first = len(self.taps) - 1 - self.delay
                inner = np.convolve(row, self.taps, mode="valid")
                into[first : first + len(inner)] = inner + self.offset
        return answer


def fit_fir(
    x: RawSamples | Sequence[RawSamples],
    y: RawSamples | Sequence[RawSamples],
    *,
    n_taps: int,
    delay: int = 0,
    ridge: float = 0.0,
) -> LinearFilter:
    """Fit taps and an offset by least squares over one or many recordings.

    The sums of products (taps by taps) are those of a stationary series but for its
    ends, so a long record takes a few products a sample and tap. A time counts when y
    and all samples of x that the filter meets are known; rows and recordings are never
    joined.

    Args:
        x: Input: a channel (time,), rows (row, time), or a sequence of either.
        y: What it should become, of the same shape or shapes.
        n_taps: Length of the filter.
        delay: Samples of x after t that are used, 0 to ``n_taps - 1``: 0 is a causal
            filter; aortic from peripheral pressure needs some, as it comes first.
        ridge: Added to the variance of every sample of x, as a share of it; 0 for plain
            least squares (of the smallest taps, where x leaves them open).

    Returns:
        The filter, with its own residual.

    Raises:
        ShapeError: If x and y do not fit together, are no real numbers, or have fewer
            complete times than the filter has unknowns.
        ConfigError: If n_taps, delay or ridge are out of range.
    """
    if n_taps < 1 or not 0 <= delay < n_taps or not 0.0 <= ridge < np.inf:
        msg = (
            f"n_taps {n_taps}, delay {delay}, ridge {ridge:g}; wanted n_taps >= 1, "
            "0 <= delay < n_taps, ridge >= 0."
        )
        raise ConfigError(msg)
    pairs = _pairs(x, y)
    x_level, y_level = _level([a for a, _ in pairs]), _level([b for _, b in pairs])
    pairs = [(a - x_level, b - y_level) for a, b in pairs]
    # shape: (tap + 1, tap + 1); the last one is the offset
    square = np.zeros((n_taps + 1, n_taps + 1))
    product = np.zeros(n_taps + 1)
    energy, count = 0.0, 0
    for target, source in _runs(pairs, n_taps=n_taps, delay=delay):
        m = len(target)
        square[:-1, :-1] += _products(source, m)
        square[-1, :-1] += np.correlate(source, np.ones(m), mode="valid")
        product[:-1] += np.correlate(source, target, mode="valid")
        product[-1] += target.sum()
        energy += float(target @ target)
        count += m
    square[:-1, -1], square[-1, -1] = square[-1, :-1], count
    if count <= n_taps + 1:
        msg = (
            f"{count} times at which y and {n_taps} samples of x are known; wanted "
            f"more than {n_taps + 1}, one for every unknown. Give longer recordings, "
            "or fewer taps."
        )
        raise ShapeError(msg)
    taps, constant, rank = _solved(square / count, product / count, ridge=ridge)
    solution = np.append(taps, constant)
    left = energy - 2.0 * solution @ product + solution @ square @ solution
    variance = energy / count - (product[-1] / count) ** 2
    error = max(0.0, float(left)) / count
    varies = variance > 1e-12 * max(energy / count, np.finfo(np.float64).tiny)
    return LinearFilter(
        taps=taps[::-1].copy(),  # windows run forward in time, a filter backward
        delay=delay,
        offset=float(y_level + constant - taps.sum() * x_level),
        rmse=error**0.5,
        explained=1.0 - error / variance if varies else float("nan"),
        count=count,
        rank=rank,
    )


def _solved(
    square: np.ndarray, product: np.ndarray, *, ridge: float
) -> tuple[np.ndarray, float, int]:
    """Solve the normal equations; the offset is free and pays no ridge."""
    mean, target = square[-1, :-1], product[-1]
    covariance = square[:-1, :-1] - np.outer(mean, mean)
    size = float(np.trace(covariance)) / len(covariance)
    covariance = covariance + ridge * size * np.eye(len(covariance))
    taps, _, rank, _ = np.linalg.lstsq(
        covariance, product[:-1] - mean * target, rcond=None
    )
    return taps, float(target - taps @ mean), int(rank)


def _rows(values: RawSamples, where: str) -> list[np.ndarray]:
    array = np.asarray(values)
    if array.ndim not in (1, 2) or array.size == 0:
        msg = f"{where} has shape {array.shape}; wanted (time,) or (row, time)."
        raise ShapeError(msg)
    return [checked_samples(row, where=where) for row in np.atleast_2d(array)]


def _pairs(
    x: RawSamples | Sequence[RawSamples], y: RawSamples | Sequence[RawSamples]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pairs of rows of equal length."""
    first = [x] if isinstance(x, np.ndarray) else list(x)
    second = [y] if isinstance(y, np.ndarray) else list(y)
    shapes = [[np.shape(a) for a in part] for part in (first, second)]
    if shapes[0] != shapes[1] or not first:
        msg = (
            f"x has shapes {shapes[0]} and y {shapes[1]}; wanted the same, one or more."
        )
        raise ShapeError(msg)
    return [
        pair
        for a, b in zip(first, second, strict=True)
        for pair in zip(_rows(a, "x"), _rows(b, "y"), strict=True)
    ]


def _level(rows: Sequence[np.ndarray]) -> float:
    """Mean of what is known; sums around it keep their digits."""
    count = sum(int(np.isfinite(row).sum()) for row in rows)
    return sum(float(np.nansum(row)) for row in rows) / max(1, count)


def _runs(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], *, n_taps: int, delay: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield runs of y at whose every time all of x is known, and that x.

    Yields:
        y of ``m`` times, and the ``m + n_taps - 1`` samples of x that they need.
    """
    for x, y in pairs:
        if len(x) < n_taps:
            continue
        missing = np.concatenate([[0], np.cumsum(np.isnan(x))])
        whole = missing[n_taps:] == missing[:-n_taps]
        first = n_taps - 1 - delay
        target = np.where(whole, y[first : first + len(whole)], np.nan)
        for begin, end in stretches(target):
            yield target[begin:end], x[begin : end + n_taps - 1]


def _products(x: np.ndarray, m: int) -> np.ndarray:
    """Sums of ``x[t + i] x[t + j]`` over t < m. Shape (tap, tap).

    One row takes m products a tap. The next rows follow from it: a sum that starts a
    sample later has lost its first product and won one at its end.
    """
    n_taps = len(x) - m + 1
    square = np.empty((n_taps, n_taps))
    square[0] = np.correlate(x, x[:m], mode="valid")
    head, tail = x[: n_taps - 1], x[m:]
    for i in range(1, n_taps):
        change = tail[i - 1] * tail[i - 1 :] - head[i - 1] * head[i - 1 :]
        square[i, i:] = square[i - 1, i - 1 : -1] + change
    upper = np.triu(square, 1)
    answer: np.ndarray = np.triu(square) + upper.T
    return answer
