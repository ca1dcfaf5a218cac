"""Arrays that break signal code, and what any function must do with them.

`arrays` draws them, `survives` calls a function and holds the answer against laws that
need no knowledge of what the function is for.
"""

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from capnet.errors import CapnetError
from capnet.signal.checks import checked_samples

__all__ = [
    "CALLS",
    "RATE",
    "arrays",
    "bad_shapes",
    "call",
    "existing_calls",
    "survives",
]

RATE = 125.0
"""Hz at which `CALLS` take the arrays to be sampled."""

_TYPES = ("float64", "float64", "float32", "float16", "int16", "int64", "uint8")
_SHAPES = ("constant", "zeros", "noise", "pulses", "ramp", "steps", "alternating")


def _base(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(n) / RATE
    if kind == "pulses":
        phase = (1.2 * time + rng.uniform()) % 1.0
        return 80.0 + 40.0 * np.exp(-(((phase - 0.3) / 0.1) ** 2))
    if kind == "noise":
        return rng.standard_normal(n)
    if kind == "ramp":
        return time - 3.0
    if kind == "steps":
        return np.floor(rng.uniform(0.0, 4.0, n // 20 + 1)).repeat(20)[:n]
    if kind == "alternating":
        return np.where(np.arange(n) % 2, 1.0, -1.0)
    return np.full(n, 0.0 if kind == "zeros" else rng.uniform(-3.0, 3.0))


def _spoil(values: np.ndarray, rng: np.random.Generator, *, runs: int) -> None:
    """Write runs of NaN and infinities into a floating-point array."""
    for _ in range(runs):
        begin = int(rng.integers(0, max(1, len(values))))
        length = int(rng.choice([1, 2, 5, 12, 13, 60, 200]))
        values[begin : begin + length] = rng.choice([np.nan, np.nan, np.inf, -np.inf])


def _laid_out(values: np.ndarray, layout: str) -> np.ndarray:
    """Return equal values that lie in memory in another way."""
    if layout == "strided":
        return np.stack([values, values], axis=1)[:, 0]
    if layout == "reversed":
        return np.ascontiguousarray(values[::-1])[::-1]
    if layout == "read-only":
        values = values.copy()
        values.flags.writeable = False
    if layout == "big-endian":
        values = values.astype(values.dtype.newbyteorder(">"))
    return values


@st.composite
def arrays(
    draw: st.DrawFn, *, longest: int = 1500, magnitude: int = 12
) -> np.ndarray[Any, Any]:
    """Draw one-dimensional real arrays: all that a file may hold, and more.

    Of every length from 1 (short ones often), type and layout in memory; constant,
    noisy, pulsatile; scaled and shifted by powers of ten; with runs of NaN and
    infinities, up to nothing else.

    Args:
        draw: Given by hypothesis.
        longest: Samples at most.
        magnitude: Largest power of ten by which values are scaled, up or down.
    """
    n = draw(st.one_of(st.integers(1, 8), st.integers(1, longest)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = _base(draw(st.sampled_from(_SHAPES)), n, rng)
    kind = draw(st.sampled_from(_TYPES))
    if kind in ("float64", "float32"):
        values = values * 10.0 ** draw(
            st.sampled_from([0, 0, 0, magnitude, -magnitude])
        )
        values = values + draw(st.sampled_from([0.0, 0.0, 0.0, 1e6, -1e9]))
    elif kind != "float16":
        values = np.clip(np.nan_to_num(values) * 8.0, 0.0, 255.0)
    values = values.astype(kind)
    if values.dtype.kind == "f":
        missing = draw(st.sampled_from(["", "", "runs", "runs", "all", "infinite"]))
        if missing == "runs":
            _spoil(values, rng, runs=int(rng.integers(1, 5)))
        elif missing:
            values[:] = np.nan if missing == "all" else np.inf
    layouts = ["plain", "plain", "strided", "reversed", "read-only", "big-endian"]
    return _laid_out(values, draw(st.sampled_from(layouts)))


def bad_shapes() -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Draw arrays that are no channel: to be refused by a `CapnetError`."""
    return st.sampled_from(
        [
            np.zeros(0),
            np.zeros(0, dtype=np.int16),
            np.array(3.0),
            np.zeros((2, 300)),
            np.zeros((300, 1)),
            np.zeros(300, dtype=np.complex128),
            np.full(300, "a"),
            np.full(300, None, dtype=object),
            np.zeros(300, dtype="datetime64[s]"),
        ]
    )


def _numbers(answer: object) -> Iterator[np.ndarray]:
    """Yield every floating-point array or number in an answer, wherever it is."""
    if isinstance(answer, float | np.floating):
        yield np.asarray(answer)
    elif isinstance(answer, np.ndarray):
        if answer.dtype.kind == "f":
            yield answer
    elif is_dataclass(answer) and not isinstance(answer, type):
        for field in fields(answer):
            yield from _numbers(getattr(answer, field.name))
    elif isinstance(answer, Mapping):
        for value in answer.values():
            yield from _numbers(value)
    elif isinstance(answer, tuple | list):
        for value in answer:
            yield from _numbers(value)
    elif hasattr(answer, "to_numpy") and hasattr(answer, "columns"):
        for column in answer.columns:  # a pandas table
            yield from _numbers(answer[column].to_numpy())


def _is_channel(values: np.ndarray) -> bool:
    return values.ndim == 1 and values.size > 0 and values.dtype.kind in "iuf"


def survives(
    function: Callable[[np.ndarray], object],
    values: np.ndarray,
    *,
    per_sample: bool = False,
) -> Any:
    """Call a function on an array and assert what must hold whatever it is for.

    It answers, or raises a `CapnetError`; nothing else, and no warning. What is no
    channel (not one-dimensional, not real) is refused. The array given is not
    written to. No answer is infinite. From a channel without any sample come no
    numbers. Where every number of a row is NaN, the row has a reason, if the answer
    has reasons at all.

    Args:
        function: Takes the array alone.
        values: The array.
        per_sample: The answer holds one number a sample: it has the array's length,
            and is NaN where the array is not finite.

    Returns:
        The answer; None where it was refused.
    """
    before = values.copy()
    with warnings.catch_warnings(), np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("error")
        try:
            answer = function(values)
        except CapnetError:
            return None
    assert values.dtype == before.dtype
    assert values.tobytes() == before.tobytes(), "the input was written to"
    empty = values.shape == (0,)  # which an answer without numbers also fits
    fits = empty or _is_channel(values)
    assert fits, f"{values.dtype} {values.shape} was not refused"
    known = np.isfinite(values)
    for numbers in _numbers(answer):
        assert not np.isinf(numbers).any(), "an infinite answer"
        if not known.any():
            assert not np.isfinite(numbers).any(), "numbers from no sample at all"
        if per_sample and numbers.ndim:
            assert numbers.shape == values.shape, f"became {numbers.shape}"
            assert np.isnan(numbers[~known]).all(), "a missing sample was invented"
    _check_reasons(answer)
    return answer


def _check_reasons(answer: object) -> None:
    reason = getattr(answer, "reason", None)
    if not isinstance(reason, np.ndarray) or reason.ndim != 1:
        return
    assert reason.dtype.kind == "U", f"reasons are of type {reason.dtype}"
    rows = [x for x in _numbers(answer) if x.ndim and len(x) == len(reason)]
    if rows:
        flat = [np.isnan(x).all(axis=tuple(range(1, x.ndim))) for x in rows]
        lost = np.logical_and.reduce(flat)
        told = reason != ""
        single = getattr(answer, "reasons", None)  # one for each number of a row
        if single is not None:
            told |= (single != "").all(axis=1)
        assert told[lost].all(), "a row of NaN without a reason"


def _record(values: np.ndarray) -> Any:
    from capnet.records import Record, Signal

    if values.ndim != 1 or values.dtype.kind != "f":  # else the type checker speaks
        values = checked_samples(values, where="the channel")
    return Record("x", {"ppg": Signal(values, RATE, "NU")})


def _on_grid(values: np.ndarray, function: Callable[..., Any]) -> object:
    signal = _record(values).channels["ppg"]
    return function(signal, sampling_rate=100.0, start=-0.5, stop=12.5)


def _streamed(values: np.ndarray, stream: Callable[..., Any]) -> object:
    running = stream(_taps())
    first = values[:7] if values.ndim else values
    parts = [running.push(first), running.push(values[7:]), running.finish()]
    return np.concatenate(parts)


def _taps() -> np.ndarray:
    from capnet.signal.taps import lowpass_taps

    return lowpass_taps(cutoff=10.0, sampling_rate=RATE, n_taps=25)


def _aligned(values: np.ndarray, function: Callable[..., Any]) -> object:
    return function(_record(values), sampling_rate=100.0).channels["ppg"].values


def _fitted(values: np.ndarray, function: Callable[..., Any]) -> object:
    if values.ndim > 1:  # rows are welcome there, but no channel
        checked_samples(values, where="the channel")
    found = function(values, values, n_taps=3, delay=1, ridge=1e-6)
    return found.apply(values)


def _shrunk(values: np.ndarray, function: Callable[..., Any]) -> object:
    return function(values, sampling_rate=RATE).values


def _with_beats(values: np.ndarray, function: Callable[..., Any]) -> object:
    start, stop = np.array([0.3, 1.1, np.nan]), np.array([1.1, 1.9, 2.0])
    found = function(values, start, stop, sampling_rate=RATE)
    # The feet are those given: no numbers that were made of the array.
    return replace(found, foot=np.full(3, np.nan))


Call = Callable[[np.ndarray, Callable[..., Any]], object]

# name of the module and of what it exports -> how to call that on one array,
# and whether it answers one number a sample.
CALLS: Mapping[str, tuple[Call, bool]] = {
    "gaps.fill_gaps": (lambda x, f: f(x, sampling_rate=RATE), False),
    "fir.filter_fir": (lambda x, f: f(x, _taps()), True),
    "fir.FIRStream": (_streamed, False),
    "wavelets.shrink_wavelets": (_shrunk, True),
    "derivatives.savitzky_golay": (
        lambda x, f: f(x, sampling_rate=RATE, derivative=2, window=0.1, degree=4),
        True,
    ),
    "baseline.remove_baseline": (lambda x, f: f(x, sampling_rate=RATE), True),
    "powerline.remove_powerline": (
        lambda x, f: f(x, sampling_rate=RATE, mains=50.0),
        True,
    ),
    "resampling.resample": (
        lambda x, f: f(x, sampling_rate=RATE, new_rate=100.0),
        False,
    ),
    "grid.on_grid": (_on_grid, False),
    "alignment.aligned": (_aligned, False),
    "linear_filter.fit_fir": (_fitted, False),
    "pulses.find_pulses": (lambda x, f: f(x, sampling_rate=RATE), False),
    "fiducials.find_fiducials": (_with_beats, False),
    "calibration.calibrate_sbp_dbp": (
        lambda x, f: f(x[None], np.array([120.0]), 80.0),
        False,
    ),
    "calibration.calibrate_map_dbp": (
        lambda x, f: f(x[None], np.array([95.0]), np.array([80.0])),
        False,
    ),
    "calibration.average_beats": (
        lambda x, f: f(np.stack([x, x, x]), np.array(["a", "b", "a"])),
        False,
    ),
    "rpeaks.r_peaks": (lambda x, f: f(x, sampling_rate=RATE), False),
}
"""Public functions of `capnet.signal` that take one channel."""


def existing_calls() -> list[str]:
    """Names of `CALLS` whose module and function are there."""
    names = []
    for name in CALLS:
        module, function = name.split(".")
        if importlib.util.find_spec(f"capnet.signal.{module}") is not None and hasattr(
            importlib.import_module(f"capnet.signal.{module}"), function
        ):
            names.append(name)
    return names


def call(name: str, values: np.ndarray) -> Any:
    """Let the function of a name survive an array.

    Args:
        name: One of `CALLS`.
        values: The array.
    """
    how, per_sample = CALLS[name]
    module, function = name.split(".")
    target = getattr(importlib.import_module(f"capnet.signal.{module}"), function)
    return survives(lambda x: how(x, target), values, per_sample=per_sample)
