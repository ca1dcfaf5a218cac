"""Products of periodic waves, compiled: to the grid of times, multiply, and back.

The equations are those of `capnet.hemodynamics.second_order`. A fast Fourier transform
(Stockham's, radix 4, 3 and 2) carries two real waves at once, as real and imaginary
part, of several subjects side by side in the last axis.
"""

import math
from typing import Final, no_type_check

import numpy as np

from capnet.compiled import compiled

__all__ = ["DUCT", "LANES", "multiply", "square", "transform", "turns"]

LANES: Final = 32
"""Subjects side by side: so many that compilers keep the loops, and make them wide."""

_FLAGS: Final = {"contract", "arcp", "nsz"}

DUCT: Final = 8
"""Rows of what multiplies the products of a short, see `Ducts`; time in radians of the
heart's cycle."""
(
    _STRETCH,
    _INERTIA,
    _FRICTION,
    _UPTAKE,
    _INLET,
    _OUTLET,
    _INLET_HEAD,
    _OUTLET_HEAD,
) = range(DUCT)

_ROOT3: Final = 0.5 * math.sqrt(3.0)


@compiled()
@no_type_check
def turns(count: int) -> np.ndarray:
    """Return cosine and sine of 2 pi i / count. Shape (count, 2)."""
    answer = np.empty((count, 2))
    for i in range(count):
        answer[i, 0] = math.cos(2.0 * math.pi * i / count)
        answer[i, 1] = math.sin(2.0 * math.pi * i / count)
    return answer


@compiled(fastmath=_FLAGS)
@no_type_check
def transform(
    x: np.ndarray, y: np.ndarray, turn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return sum over k of x[k] exp(2 pi i k t / count), at all t.

    Args:
        x: Real and imaginary part; is overwritten. Shape (count, 2, LANES).
        y: As much room.
        turn: From `turns`; the count has no factors but 2 and 3.

    Returns:
        The answer, in one of both, and the other.
    """
    count = len(turn)
    n, stride = count, 1
    while n > 1:
        if n % 4 == 0:
            m = n // 4
            _by_four(x, y, turn, m, stride)
            stride *= 4
        elif n % 3 == 0:
            m = n // 3
            _by_three(x, y, turn, m, stride)
            stride *= 3
        else:
            m = n // 2
            _by_two(x, y, turn, m, stride)
            stride *= 2
        n = m
        x, y = y, x
    return x, y


@compiled(fastmath=_FLAGS)
@no_type_check
def _by_four(
    x: np.ndarray, y: np.ndarray, turn: np.ndarray, m: int, stride: int
) -> None:
    for p in range(m):
        c1, s1 = turn[p * stride, 0], turn[p * stride, 1]
        c2, s2 = turn[2 * p * stride, 0], turn[2 * p * stride, 1]
        c3, s3 = turn[3 * p * stride, 0], turn[3 * p * stride, 1]
        for q in range(stride):
            i, o, step = q + stride * p, q + stride * 4 * p, stride * m
            for j in range(LANES):
                a, b = x[i, 0, j], x[i, 1, j]
                c, d = x[i + step, 0, j], x[i + step, 1, j]
                e, f = x[i + 2 * step, 0, j], x[i + 2 * step, 1, j]
                g, h = x[i + 3 * step, 0, j], x[i + 3 * step, 1, j]
                ae, bf, cg, dh = a + e, b + f, c + g, d + h
                y[o, 0, j] = ae + cg
                y[o, 1, j] = bf + dh
                u, v = ae - cg, bf - dh
                y[o + 2 * stride, 0, j] = u * c2 - v * s2
                y[o + 2 * stride, 1, j] = u * s2 + v * c2
                ae, bf, cg, dh = a - e, b - f, c - g, d - h
                u, v = ae - dh, bf + cg
                y[o + stride, 0, j] = u * c1 - v * s1
                y[o + stride, 1, j] = u * s1 + v * c1
                u, v = ae + dh, bf - cg
                y[o + 3 * stride, 0, j] = u * c3 - v * s3
                y[o + 3 * stride, 1, j] = u * s3 + v * c3


@compiled(fastmath=_FLAGS)
@no_type_check
def _by_three(
    x: np.ndarray, y: np.ndarray, turn: np.ndarray, m: int, stride: int
) -> None:
    for p in range(m):
        c1, s1 = turn[p * stride, 0], turn[p * stride, 1]
        c2, s2 = turn[2 * p * stride, 0], turn[2 * p * stride, 1]
        for q in range(stride):
            i, o, step = q + stride * p, q + stride * 3 * p, stride * m
            for j in range(LANES):
                a, b = x[i, 0, j], x[i, 1, j]
                c, d = x[i + step, 0, j], x[i + step, 1, j]
                e, f = x[i + 2 * step, 0, j], x[i + 2 * step, 1, j]
                ce, df = c + e, d + f
                y[o, 0, j] = a + ce
                y[o, 1, j] = b + df
                a, b = a - 0.5 * ce, b - 0.5 * df
                c, d = _ROOT3 * (c - e), _ROOT3 * (d - f)
                u, v = a - d, b + c
                y[o + stride, 0, j] = u * c1 - v * s1
                y[o + stride, 1, j] = u * s1 + v * c1
                u, v = a + d, b - c
                y[o + 2 * stride, 0, j] = u * c2 - v * s2
                y[o + 2 * stride, 1, j] = u * s2 + v * c2


@compiled(fastmath=_FLAGS)
@no_type_check
def _by_two(
    x: np.ndarray, y: np.ndarray, turn: np.ndarray, m: int, stride: int
) -> None:
    for p in range(m):
        c1, s1 = turn[p * stride, 0], turn[p * stride, 1]
        for q in range(stride):
            i, o, step = q + stride * p, q + stride * 2 * p, stride * m
            for j in range(LANES):
                a, b = x[i, 0, j], x[i, 1, j]
                c, d = x[i + step, 0, j], x[i + step, 1, j]
                y[o, 0, j] = a + c
                y[o, 1, j] = b + d
                u, v = a - c, b - d
                y[o + stride, 0, j] = u * c1 - v * s1
                y[o + stride, 1, j] = u * s1 + v * c1


@compiled(fastmath=_FLAGS)
@no_type_check
def _with_slope(wave: np.ndarray, row: int, x: np.ndarray) -> None:
    """Fill a wave, and its slope per radian as imaginary part."""
    last, count = len(wave), len(x)
    for j in range(LANES):
        x[0, 0, j] = wave[0, row, j]
        x[0, 1, j] = 0.0
    x[last : count - last + 1] = 0.0
    for k in range(1, last):
        for j in range(LANES):
            re, im = wave[k, row, j], wave[k, row + 1, j]
            x[k, 0, j] = (1.0 - k) * re
            x[k, 1, j] = (1.0 - k) * im
            x[count - k, 0, j] = (1.0 + k) * re
            x[count - k, 1, j] = -(1.0 + k) * im


@compiled(fastmath=_FLAGS)
@no_type_check
def _apart(z: np.ndarray, one: np.ndarray) -> None:
    """Read the spectra of real and imaginary part from their joint transform.

    Args:
        z: `transform` of two real waves.
        one: Real and imaginary part of both spectra. Shape (harmonic, 4, lane).
    """
    count = len(z)
    half = 0.5 / count
    for k in range(len(one)):
        m = (count - k) % count
        for j in range(LANES):
            one[k, 0, j] = half * (z[m, 0, j] + z[k, 0, j])
            one[k, 1, j] = half * (z[m, 1, j] - z[k, 1, j])
            one[k, 2, j] = half * (z[m, 1, j] + z[k, 1, j])
            one[k, 3, j] = half * (z[k, 0, j] - z[m, 0, j])


@compiled(fastmath=_FLAGS)
@no_type_check
def multiply(
    duct: np.ndarray, ends: np.ndarray, turn: np.ndarray, wave: np.ndarray,
    head: np.ndarray,
) -> None:  # fmt: skip
    """Replace waves by what they drive.

    Args:
        duct: What multiplies the products. Shape (short, DUCT, lane).
        ends: For the inlet and the outlet of each short: row of ``head``, or -1 where
            it is not wanted. Shape (short, 2).
        turn: From `turns`, of `samples` of the harmonics.
        wave: Elastic pressure and flow, real and imaginary part. Becomes pressure lost
            along the short, and the pressure that would fill the walls as much if they
            did not give way. Shape (short, harmonic, 4, lane).
        head: Is filled with the dynamic pressure at inlet and outlet. Shape (piece,
            harmonic, 4, lane).
    """
    shorts, harmonics, _, _ = wave.shape
    shape = (len(turn), 2, LANES)
    a, b, c, d = np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape)
    both = np.empty((harmonics, 4, LANES))
    for i in range(shorts):
        _with_slope(wave[i], 0, a)
        _with_slope(wave[i], 2, c)
        rise, spare = transform(a, b, turn)
        flow, other = transform(c, d, turn)
        for t in range(len(turn)):
            for j in range(LANES):
                p, q = rise[t, 0, j], flow[t, 0, j]
                up = duct[i, _UPTAKE, j] * rise[t, 1, j]
                near, far = (q + up) * (q + up), (q - up) * (q - up)
                drag = duct[i, _INERTIA, j] * flow[t, 1, j]
                drag += duct[i, _FRICTION, j] * q
                loss = duct[i, _OUTLET, j] * far
                loss -= duct[i, _INLET, j] * near
                rise[t, 0, j] = loss - p * drag
                rise[t, 1, j] = duct[i, _STRETCH, j] * (p * p)
                flow[t, 0, j] = duct[i, _INLET_HEAD, j] * near
                flow[t, 1, j] = duct[i, _OUTLET_HEAD, j] * far
        rise, spare = transform(rise, spare, turn)
        _apart(rise, wave[i])
        if ends[i, 0] < 0 and ends[i, 1] < 0:
            continue
        flow, other = transform(flow, other, turn)
        _apart(flow, both)
        for end in range(2):
            if ends[i, end] >= 0:
                for k in range(harmonics):
                    for j in range(LANES):
                        re, im = both[k, 2 * end, j], both[k, 2 * end + 1, j]
                        head[ends[i, end], k, 2 * end, j] = re
                        head[ends[i, end], k, 2 * end + 1, j] = im


@compiled(fastmath=_FLAGS)
@no_type_check
def square(wave: np.ndarray, turn: np.ndarray) -> None:
    """Replace waves by their squares.

    Args:
        wave: Real and imaginary part, mean first. Shape (harmonic, 2, lane).
        turn: From `turns`, of `samples` of the harmonics.
    """
    harmonics = len(wave)
    count, shape = len(turn), (len(turn), 2, LANES)
    a, b = np.empty(shape), np.empty(shape)
    both = np.empty((harmonics, 4, LANES))
    a[harmonics : count - harmonics + 1] = 0.0
    for k in range(harmonics):
        for j in range(LANES):
            a[-k, 0, j] = wave[k, 0, j]
            a[-k, 1, j] = -wave[k, 1, j]
            a[k, 0, j] = wave[k, 0, j]
            a[k, 1, j] = wave[k, 1, j]
    x, y = transform(a, b, turn)
    for t in range(count):
        for j in range(LANES):
            x[t, 0, j] *= x[t, 0, j]
            x[t, 1, j] = 0.0
    x, y = transform(x, y, turn)
    _apart(x, both)
    for k in range(harmonics):
        for j in range(LANES):
            wave[k, 0, j] = both[k, 0, j]
            wave[k, 1, j] = both[k, 1, j]
