"""Electronics: what a filter, a converter and chance do to a signal, sample by sample.

Responses are the analytic ones of the circuit. For records they become second-order
sections whose poles are the circuit's (exp(s / sampling rate)) and whose three
numerator taps make the response exact at 0 and at `MATCHED` Hz. Below 10 Hz they are
then within 0.0025 of the analytic response at 125 Hz and within 4e-5 at 500 Hz, in gain
and phase together (low-passes of 1 to 30 Hz, couplings, second order from 6 to 30 Hz).

Chance is counter-based: the value at sample i follows from a seed and i alone, so that
a record made in pieces is the one made whole.
"""

from collections.abc import Callable
from typing import Final, no_type_check

import numpy as np
from jaxtyping import Complex, Float, Int, Shaped

from capnet.compiled import compiled
from capnet.errors import ConfigError, RecordError, ShapeError
from capnet.hemodynamics.blocks import in_blocks
from capnet.hemodynamics.waves import check_sampling_rate

__all__ = [
    "LEAST_SAMPLES",
    "MATCHED",
    "Sections",
    "State",
    "coupling",
    "coupling_section",
    "digitise",
    "digitise_samples",
    "filter_rows",
    "filter_samples",
    "lowpass",
    "lowpass_section",
    "normals",
    "second_order",
    "second_order_section",
    "settled",
    "uniform",
    "white_noise",
]

MATCHED: Final = 10.0
"""Hz at which sections are exact, or a fifth of the sampling rate if that is less."""

LEAST_SAMPLES: Final = 3.0
"""Of each period of a natural frequency: with two it would ring twice as high."""

PerRow = Float[np.ndarray, " row"]
Rows = Float[np.ndarray, "row time"]
Frequency = Float[np.ndarray, "row frequency"]
Response = Complex[np.ndarray, "row frequency"]
Section = Float[np.ndarray, "row 5"]
Sections = Float[np.ndarray, "row section 5"]
"""b0, b1, b2, a1, a2 of y = (b0 + b1/z + b2/z^2) / (1 + a1/z + a2/z^2) x."""
State = Float[np.ndarray, "row section 2"]
"""What each section remembers (transposed direct form II)."""

_ROWS: Final = 4
"""Records of a block of work."""
_CHUNK: Final = 512
"""Samples filtered at once, so that they stay in the processor's cache."""
_PASS: Final = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
"""The section that lets all pass."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_SHIFTS: Final = (np.uint64(30), np.uint64(27), np.uint64(31))
_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64(0xFFFFFFFF)
_STEP: Final = 2.0**-32


def lowpass(frequency: Frequency, corner: PerRow) -> Response:
    """Return the response of a first-order low-pass, 1 / (1 + i f / corner).

    Args:
        frequency: Hz. Shape (row, frequency).
        corner: Hz, where the gain is 1 / sqrt(2). Shape (row,).
    """
    answer: Response = 1.0 / (1.0 + 1j * frequency / corner[:, None])
    return answer


def coupling(frequency: Frequency, corner: PerRow) -> Response:
    """Return the response of an AC coupling, i f / (i f + corner); 1 for corner 0.

    Args:
        frequency: Hz. Shape (row, frequency).
        corner: Hz. Shape (row,).
    """
    none = np.broadcast_to(corner[:, None] == 0.0, frequency.shape)
    below = np.where(none, 1.0, 1j * frequency + corner[:, None])
    return np.where(none, 1.0 + 0j, 1j * frequency / below)


def second_order(frequency: Frequency, natural: PerRow, damping: PerRow) -> Response:
    """Return the response of a second-order system, 1 / (1 - u^2 + 2 i damping u).

    Args:
        frequency: Hz. Shape (row, frequency).
        natural: Natural frequency, Hz; infinite for a system that follows at once.
            u is the frequency over it. Shape (row,).
        damping: 1 if critical, 0.866 for a Bessel and 0.707 for a Butterworth filter.
    """
    u = frequency / natural[:, None]
    answer: Response = 1.0 / (1.0 - u * u + 2j * damping[:, None] * u)
    return answer


def lowpass_section(corner: PerRow, *, sampling_rate: float) -> Section:
    """Return `lowpass` as a section."""
    check_sampling_rate(sampling_rate)
    roots = np.exp(-2.0 * np.pi * corner / sampling_rate)
    respond = lambda f: lowpass(f, corner)
    return _section(roots, np.zeros_like(roots), respond, sampling_rate)


def coupling_section(corner: PerRow, *, sampling_rate: float) -> Section:
    """Return `coupling` as a section; one that lets all pass for corner 0."""
    check_sampling_rate(sampling_rate)
    roots = np.exp(-2.0 * np.pi * corner / sampling_rate)
    respond = lambda f: coupling(f, corner)
    answer = _section(roots, np.zeros_like(roots), respond, sampling_rate)
    return np.where(corner[:, None] == 0.0, _PASS, answer)


def second_order_section(
    natural: PerRow, damping: PerRow, *, sampling_rate: float
) -> Section:
    """Return `second_order` as a section; one that lets all pass if it is infinite.

    At `LEAST_SAMPLES` samples a period of the natural frequency it rings a tenth
    higher than the circuit (damping 0.15), at four 3 %, at eight 0.3 %.

    Raises:
        ConfigError: If a natural frequency cannot be seen at the sampling rate.
    """
    check_sampling_rate(sampling_rate)
    at_once = np.isinf(natural)
    highest = natural[~at_once].max(initial=0.0)
    if LEAST_SAMPLES * highest > sampling_rate:
        msg = (
            f"a natural frequency of {highest:g} Hz cannot ring at {sampling_rate:g} Hz"
            f"; wanted {LEAST_SAMPLES * highest:g} Hz or more. Sample more often."
        )
        raise ConfigError(msg)
    finite = np.where(at_once, 1.0, natural)
    turn = 2.0 * np.pi * finite / sampling_rate
    spread = np.sqrt(damping**2 - 1.0 + 0j)
    first, second = (
        np.exp(turn * (spread - damping)),
        np.exp(-turn * (spread + damping)),
    )
    respond = lambda f: second_order(f, finite, damping)
    answer = _section(first, second, respond, sampling_rate)
    return np.where(at_once[:, None], _PASS, answer)


def _section(
    first: Shaped[np.ndarray, " row"],
    second: Shaped[np.ndarray, " row"],
    respond: Callable[[Frequency], Response],
    sampling_rate: float,
) -> Section:
    """Return the section with these poles (in z), exact at 0 and at `MATCHED`."""
    a1, a2 = -(first + second).real, (first * second).real
    match = min(MATCHED, sampling_rate / 5.0)
    back = np.exp(-2j * np.pi * match / sampling_rate * np.arange(3))
    wanted = respond(np.tile([0.0, match], (len(first), 1)))
    at_match = wanted[:, 1] * (1.0 + a1 * back[1] + a2 * back[2])
    at_rest = wanted[:, 0].real * (1.0 + a1 + a2)
    right = np.stack([at_rest, at_match.real, at_match.imag])
    taps = np.linalg.solve(np.stack([np.ones(3), back.real, back.imag]), right)
    return np.column_stack([*taps, a1, a2])


def settled(sections: Sections, level: PerRow) -> State:
    """Return the state of sections that have seen one level for ever.

    Args:
        sections: See `Sections`.
        level: Shape (row,).
    """
    state = np.empty((*sections.shape[:2], 2))
    for k in range(sections.shape[1]):
        b0, b1, b2, a1, a2 = sections[:, k].T
        after = level * (b0 + b1 + b2) / (1.0 + a1 + a2)
        state[:, k, 0] = after - b0 * level
        state[:, k, 1] = b2 * level - a2 * after
        level = after
    return state


def filter_rows(
    x: Rows,
    sections: Float[np.ndarray, "_ _ 5"],
    state: Float[np.ndarray, "_ _ 2"] | None = None,
) -> Rows:
    """Run rows through their sections, one after the other.

    Args:
        x: Shape (row, time).
        sections: Of each row, see `Sections`.
        state: What the sections remember; it is moved on in place, so that the next
            piece of a record follows without a seam. `settled` at the first sample by
            default.

    Returns:
        The same kind of numbers as x, floating-point ones of whole ones; the
        arithmetic is float64. Shape (row, time).

    Raises:
        ShapeError: If rows, sections and state do not fit together.
        RecordError: If a sample is missing or infinite: a filter would carry it on.
    """
    wanted = (*sections.shape[:2], 2)
    if len(x) != len(sections) or (state is not None and state.shape != wanted):
        shape = None if state is None else state.shape
        msg = (
            f"{len(x)} rows, sections for {len(sections)} and a state of shape {shape};"
            f" wanted as many rows as sections and a state of shape {wanted}."
        )
        raise ShapeError(msg)
    # whole numbers are filtered, too, but must not come out rounded
    x = x.astype(np.result_type(x.dtype, np.float32), copy=False)
    _check_finite(x)
    answer = np.empty_like(x, order="C")
    if x.shape[1] == 0:
        return answer
    if state is None:
        state = settled(sections, x[:, 0].astype(np.float64))
    memory: State = state
    x = np.ascontiguousarray(x)  # one machine code for all layouts

    def work(rows: slice) -> None:
        _filter_rows(x[rows], sections[rows], memory[rows], answer[rows])

    for _ in in_blocks(work, len(x), size=_ROWS):
        pass
    return answer


def _check_finite(x: Rows) -> None:
    """Refuse rows with missing or infinite samples.

    Raises:
        RecordError: If there is one; the message says where.
    """
    for row, samples in enumerate(x):
        if not np.isfinite(samples.sum(dtype=np.float64)):
            at = np.flatnonzero(~np.isfinite(samples))
            where = f"sample {at[0]} of row {row}" if len(at) else f"row {row}"
            msg = (
                f"{where} is missing or infinite ({len(at)} such samples in that row); "
                "wanted finite numbers, for a filter carries what it has seen on. "
                "Leave out the row, or cut the record there."
            )
            raise RecordError(msg)


def white_noise(seed: Int[np.ndarray, " row"], *, start: int, count: int) -> Rows:
    """Return standard normal noise; sample i of a row follows from its seed and i.

    SplitMix64 (Steele 2014, doi:10.1145/2714064.2660195) of a counter, two samples a
    number by Box and Muller 1958 (so that none is beyond 6.7 SDs).

    Args:
        seed: Shape (row,).
        start: Number of the first sample.
        count: How many.
    """
    answer = np.empty((len(seed), count))

    def work(rows: slice) -> None:
        _white_rows(seed[rows], start, answer[rows])

    for _ in in_blocks(work, len(seed), size=_ROWS):
        pass
    return answer


def digitise(x: Rows, *, centre: PerRow, rail: PerRow, quantum: PerRow) -> Rows:
    """Clip at the rails and round to whole quanta about the centre.

    Args:
        x: Shape (row, time).
        centre: Of the converter. Shape (row,).
        rail: What it holds to each side of the centre; 0 for all.
        quantum: Its step; 0 for none.
    """
    answer = np.array(x, dtype=np.float64)
    _digitise_rows(answer, centre, rail, quantum)
    return answer


@compiled()
@no_type_check
def filter_samples(
    samples: np.ndarray, count: int, section: np.ndarray, state: np.ndarray
) -> None:
    """Run the first samples through one section, in place."""
    b0, b1, b2, a1, a2 = section[0], section[1], section[2], section[3], section[4]
    s1, s2 = state[0], state[1]
    for i in range(count):
        x = samples[i]
        y = b0 * x + s1
        s1 = b1 * x - a1 * y + s2
        s2 = b2 * x - a2 * y
        samples[i] = y
    state[0], state[1] = s1, s2


@compiled()
@no_type_check
def _filter_rows(
    x: np.ndarray, sections: np.ndarray, state: np.ndarray, answer: np.ndarray
) -> None:
    rows, count = x.shape
    chunk = np.empty(_CHUNK)
    for row in range(rows):
        for begin in range(0, count, _CHUNK):
            size = min(_CHUNK, count - begin)
            for i in range(size):
                chunk[i] = x[row, begin + i]
            for k in range(sections.shape[1]):
                filter_samples(chunk, size, sections[row, k], state[row, k])
            for i in range(size):
                answer[row, begin + i] = chunk[i]


@compiled()
@no_type_check
def digitise_samples(
    samples: np.ndarray, count: int, centre: float, rail: float, quantum: float
) -> None:
    """Clip and round the first samples in place, see `digitise`."""
    if rail > 0.0:
        for i in range(count):
            samples[i] = min(max(samples[i], centre - rail), centre + rail)
    if quantum > 0.0:
        for i in range(count):
            samples[i] = centre + quantum * np.rint((samples[i] - centre) / quantum)


@compiled()
@no_type_check
def _digitise_rows(
    x: np.ndarray, centre: np.ndarray, rail: np.ndarray, quantum: np.ndarray
) -> None:
    for row in range(x.shape[0]):
        digitise_samples(x[row], x.shape[1], centre[row], rail[row], quantum[row])


@compiled()
@no_type_check
def _hash(seed: int, counter: int) -> np.uint64:
    """Return 64 bits that follow from a seed and a counter (SplitMix64)."""
    x = np.uint64(seed) + (np.uint64(counter) + np.uint64(1)) * _GOLDEN
    x = (x ^ (x >> _SHIFTS[0])) * _MIX_1
    x = (x ^ (x >> _SHIFTS[1])) * _MIX_2
    return x ^ (x >> _SHIFTS[2])


@compiled()
@no_type_check
def uniform(seed: int, counter: int) -> float:
    """Return a number within 0..1 that follows from a seed and a counter."""
    return (np.float64(_hash(seed, counter) >> _HALF) + 0.5) * _STEP


@compiled()
@no_type_check
def normals(seed: int, start: int, samples: np.ndarray, count: int) -> None:
    """Write the standard normal noise of samples ``start`` and following."""
    first = start // 2
    for pair in range(first, (start + count - 1) // 2 + 1):
        bits = _hash(seed, pair)
        high = (np.float64(bits >> _HALF) + 0.5) * _STEP
        low = (np.float64(bits & _LOW) + 0.5) * _STEP
        radius = np.sqrt(-2.0 * np.log(high))
        at = 2 * pair - start
        if at >= 0:
            samples[at] = radius * np.cos(2.0 * np.pi * low)
        if at + 1 < count:
            samples[at + 1] = radius * np.sin(2.0 * np.pi * low)


@compiled()
@no_type_check
def _white_rows(seed: np.ndarray, start: int, answer: np.ndarray) -> None:
    for row in range(answer.shape[0]):
        normals(seed[row], start, answer[row], answer.shape[1])
