"""Arrays that break signal code, and what any function must do with them.

`arrays`, `times`, `rows` and `numbers` draw them, `survives` calls a function and holds
the answer against laws that need no knowledge of what the function is for. `CALLS` says
how every public function is called on one such array.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from hypothesis import strategies as st

import capnet
import capnet.features
import capnet.signal
from capnet.errors import CapnetError
from capnet.records import Beats, Record, Signal
from capnet.signal.checks import checked_samples

__all__ = [
    "CALLS",
    "RATE",
    "WITHOUT",
    "arrays",
    "call",
    "drawn",
    "numbers",
    "public",
    "rows",
    "survives",
    "times",
]

RATE: Final = 125.0
"""Hz at which `CALLS` take channels to be sampled."""

_TYPES = ("float64", "float64", "float32", "float16", "int16", "int64", "uint8")
_SHAPES = (
    *("constant", "zeros", "noise", "ramp", "steps", "alternating"),
    *("pulses", "pulses", "ecg", "ecg", "clipped", "torn"),
)
_LAYOUTS = ("plain", "plain", "strided", "reversed", "read-only", "big-endian")


def _heart_beats(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """R peaks of a heart that does not beat evenly, s."""
    gaps = rng.uniform(0.45, 1.4) * (
        1.0 + 0.04 * rng.standard_normal(round(seconds / 0.4) + 2)
    )
    return np.cumsum(gaps) - 0.5


def _ecg(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    beats = _heart_beats(time[-1] + 1.0, rng)
    values = 0.02 * rng.standard_normal(len(time))
    for late, width, height in ((0.0, 0.012, 1.0), (0.28, 0.05, 0.25)):
        near = beats[np.clip(np.searchsorted(beats, time), 1, len(beats) - 1) - 1]
        for beat in (near, near + 1e9):
            values += height * np.exp(-(((time - beat - late) / width) ** 2))
        after = beats[np.clip(np.searchsorted(beats, time), 0, len(beats) - 1)]
        values += height * np.exp(-(((time - after - late) / width) ** 2))
    return values


def _ppg(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    beats = _heart_beats(time[-1] + 1.0, rng) + rng.uniform(0.1, 0.3)
    last = np.clip(np.searchsorted(beats, time) - 1, 0, len(beats) - 2)
    phase = (time - beats[last]) / (beats[last + 1] - beats[last])
    wave = np.exp(-(((phase - 0.25) / 0.12) ** 2))
    wave += rng.uniform(0.0, 0.5) * np.exp(-(((phase - 0.55) / 0.14) ** 2))
    wave += rng.uniform(0.0, 0.3) * np.sin(2.0 * np.pi * 0.25 * time)
    return wave + rng.choice([0.0, 0.01, 0.1]) * rng.standard_normal(len(time))


def _base(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(n) / RATE
    if kind == "ecg":
        return _ecg(time, rng)
    if kind in ("pulses", "clipped", "torn"):
        wave = 80.0 + 40.0 * _ppg(time, rng)
        if kind == "clipped":
            low, high = np.sort(rng.uniform(75.0, 125.0, 2))
            wave = np.clip(wave, low, high)
        if kind == "torn":  # steps of the level
            wave += np.floor(rng.uniform(0.0, 3.0, n // 400 + 1)).repeat(400)[:n] * 50.0
        return wave
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
        return np.stack([values, values], axis=-1)[..., 0]
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
    draw: st.DrawFn, *, longest: int = 3000, magnitude: int = 30
) -> np.ndarray[Any, Any]:
    """Draw one-dimensional real arrays: all that a file may hold, and more.

    Of every length from 1 (short ones often), type and layout in memory; constant,
    noisy, like an ECG or a pulse, clipped, in steps; scaled and shifted by powers of
    ten; with runs of NaN and infinities, up to nothing else.

    Args:
        draw: Given by hypothesis.
        longest: Samples at most.
        magnitude: Largest power of ten by which values are scaled, up or down.
    """
    n = draw(
        st.one_of(st.integers(1, 8), st.integers(1, longest), st.just(longest)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = _base(draw(st.sampled_from(_SHAPES)), n, rng)
    kind = draw(st.sampled_from(_TYPES))
    if kind in ("float64", "float32"):
        powers = [0, 0, 0, 0, 12, -12, magnitude, -magnitude]
        values = values * 10.0 ** draw(st.sampled_from(powers))
        values = values + draw(st.sampled_from([0.0, 0.0, 0.0, 0.0, 1e6, -1e9]))
    elif kind != "float16":
        values = np.clip(np.nan_to_num(values) * 8.0, 0.0, 255.0)
    values = values.astype(kind)
    if values.dtype.kind == "f":
        missing = draw(st.sampled_from(["", "", "runs", "runs", "all", "infinite"]))
        if missing == "runs":
            _spoil(values, rng, runs=int(rng.integers(1, 5)))
        elif missing:
            values[:] = np.nan if missing == "all" else np.inf
    return _laid_out(values, draw(st.sampled_from(_LAYOUTS)))


@st.composite
def times(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Draw times of events: heart beats with gaps, and what is no such thing.

    Missed and doubled ones, NaN, infinities, out of order, none at all, far away.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.one_of(st.integers(0, 4), st.integers(0, 400)))
    found = np.cumsum(rng.uniform(0.4, 1.4) * (1.0 + 0.05 * rng.standard_normal(n)))
    kinds = ["", "", "missed", "doubled", "unsorted", "constant", "far", "NaN", "Inf"]
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=2)):
        if not len(found):
            break
        if kind == "missed":
            found = found[rng.random(len(found)) > 0.3]
        elif kind == "doubled":
            found = found.repeat(2)
        elif kind == "unsorted":
            found = rng.permutation(found)
        elif kind == "constant":
            found = np.full(len(found), found[0])
        elif kind == "far":
            found = found * rng.choice([1e-30, 1e30]) + rng.choice([0.0, -1e9, 1e9])
        elif kind:
            found[rng.random(len(found)) < 0.2] = np.nan if kind == "NaN" else np.inf
    kind = draw(st.sampled_from(["float64", "float64", "float32", "int64"]))
    found = np.nan_to_num(found, posinf=9.0, neginf=-9.0) if kind == "int64" else found
    found = np.clip(found, -1e18, 1e18).astype(kind) if kind == "int64" else found
    with np.errstate(over="ignore"):
        found = found.astype(kind)
    return _laid_out(found, draw(st.sampled_from(_LAYOUTS)))


@st.composite
def numbers(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Draw one number a beat: intervals or pressures, some of them impossible."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.one_of(st.integers(0, 4), st.integers(0, 500)))
    middle = draw(st.sampled_from([0.0, 0.8, 0.8, 0.8, 100.0, -1.0, 1e30, 1e-30]))
    values = middle * (1.0 + 0.05 * rng.standard_normal(n))
    for odd in draw(
        st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 9.0]))
    ):
        values[rng.random(n) < 0.1] = odd
    kind = draw(st.sampled_from(["float64", "float64", "float32", "int64"]))
    if kind == "int64":
        values = np.clip(np.nan_to_num(values, posinf=9.0, neginf=-9.0), -1e9, 1e9)
    return _laid_out(values.astype(kind), draw(st.sampled_from(_LAYOUTS)))


@st.composite
def rows(
    draw: st.DrawFn, *, width: int | None = None, magnitude: int = 30
) -> np.ndarray[Any, Any]:
    """Draw beats as rows: of one channel after another, NaN after their end.

    Args:
        draw: Given by hypothesis.
        width: Samples of a row; any by default.
        magnitude: See `arrays`.
    """
    if width is None:
        width = draw(st.sampled_from([0, 1, 2, 3, 4, 15, 64, 64, 100, 100, 300]))
    n = draw(st.integers(0, 12))
    flat = draw(arrays(longest=max(1, n * width), magnitude=magnitude))
    table = np.resize(flat, n * width).reshape(n, width).astype(flat.dtype)
    if table.dtype.kind == "f" and table.size and draw(st.booleans()):
        ends = draw(st.integers(0, width))
        table[:, ends:] = np.nan
    return _laid_out(table, draw(st.sampled_from(_LAYOUTS)))


_BAD = (
    *(np.array(3.0), np.zeros((2, 3, 4)), np.zeros(300, dtype=np.complex128)),
    *(np.full(300, "a"), np.full(300, None, dtype=object)),
    *(np.zeros((5, 64), dtype=np.complex128), np.full((5, 64), "a")),
    np.zeros(300, dtype="datetime64[s]"),
)
"""What is neither a channel nor times nor rows: to be refused by a `CapnetError`."""


class Kind(NamedTuple):
    """What a function takes.

    Attributes:
        drawn: What to give it, and what to hold out to it.
        fits: What it need not refuse.
    """

    drawn: st.SearchStrategy[np.ndarray]
    fits: Callable[[np.ndarray], bool]


def _is_real(values: np.ndarray) -> bool:
    return values.dtype.kind in "iuf"


def _kind(good: st.SearchStrategy, axes: int, *bad: np.ndarray) -> Kind:
    wrong = st.sampled_from([*_BAD, *bad])
    return Kind(
        st.one_of(good, good, good, good, wrong),
        lambda x: x.ndim == axes and _is_real(x),
    )


_EMPTY = (np.zeros(0), np.zeros(0, dtype=np.int16))
_TABLES = (np.zeros((2, 300)), np.zeros((300, 1)), np.zeros((0, 64)))
KINDS: Mapping[str, Kind] = {
    "channel": _kind(arrays(), 1, *_EMPTY, *_TABLES),
    "long channel": _kind(arrays(longest=6000), 1, *_EMPTY, *_TABLES),
    "times": _kind(times(), 1, *_EMPTY, *_TABLES),
    "numbers": _kind(numbers(), 1, *_EMPTY, *_TABLES),
    "pressures": Kind(_kind(numbers(), 1, *_TABLES).drawn, _is_real),
    "groups": Kind(_kind(numbers(), 1, *_TABLES).drawn, lambda x: x.ndim == 1),
    "rows": _kind(rows(), 2, *_EMPTY, np.zeros(300)),
    "beats": _kind(rows(width=64), 2, *_EMPTY, np.zeros(64), np.zeros((3, 63))),
}


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


def survives(
    function: Callable[[np.ndarray], object],
    values: np.ndarray,
    *,
    per_sample: bool = False,
    alone: bool = True,
    fits: Callable[[np.ndarray], bool] = KINDS["channel"].fits,
) -> Any:
    """Call a function on an array and assert what must hold whatever it is for.

    It answers, or raises a `CapnetError`; nothing else, and no warning. What it is not
    for is refused. The array given is not written to. No answer is infinite. From an
    array without any number come no numbers. Where every number of a row is NaN, the
    row has a reason, if the answer has reasons at all.

    Args:
        function: Takes the array alone.
        values: The array.
        per_sample: The answer holds one number a sample: it has the array's length,
            and is NaN where the array is not finite.
        alone: All numbers of the answer are made of the array.
        fits: Which arrays need not be refused.

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
    # An answer without numbers also fits what is empty.
    assert fits(values) or values.shape == (0,), (
        f"{values.dtype} {values.shape} was not refused"
    )
    known = np.isfinite(values) if _is_real(values) else np.zeros(values.shape)
    for found in _numbers(answer):
        assert not np.isinf(found).any(), "an infinite answer"
        if alone and not known.any():
            assert not np.isfinite(found).any(), "numbers from no sample at all"
        if per_sample and found.ndim:
            assert found.shape == values.shape, f"became {found.shape}"
            assert np.isnan(found[~known]).all(), "a missing sample was invented"
    _check_reasons(answer)
    return answer


def _check_reasons(answer: object) -> None:
    reason = getattr(answer, "reason", None)
    if not isinstance(reason, np.ndarray) or reason.ndim != 1:
        return
    assert reason.dtype.kind == "U", f"reasons are of type {reason.dtype}"
    made = [x for x in _numbers(answer) if x.ndim and len(x) == len(reason)]
    if made:
        flat = [np.isnan(x).all(axis=tuple(range(1, x.ndim))) for x in made]
        lost = np.logical_and.reduce(flat)
        told = reason != ""
        single = getattr(answer, "reasons", None)  # one for each number of a row
        if single is not None:
            told |= (single != "").all(axis=1)
        assert told[lost].all(), "a row of NaN without a reason"


def _signal(values: np.ndarray, unit: str = "NU", rate: float = RATE) -> Signal:
    if values.ndim != 1 or values.dtype.kind != "f":  # else the type checker speaks
        values = checked_samples(values, where="the channel")
    return Signal(values, rate, unit)


def _record(values: np.ndarray, *kinds: str) -> Record:
    """Make a record of one array for every channel, the others those of a person."""
    sound = {} if len(kinds) == len(_UNITS) else _person().channels
    own = {kind: _signal(values, unit) for kind, unit in _UNITS.items()}
    return Record(
        "x", {k: own[k] if k in kinds else sound[k] for k in _UNITS}, age=50.0
    )


_UNITS = {"ecg": "mV", "ppg": "NU", "abp": "mmHg"}


@cache
def _person() -> Record:
    """Half a minute of a healthy recording."""
    time = np.arange(round(30.0 * RATE)) / RATE
    beats = np.arange(0.4, 31.0, 0.8)
    last = np.clip(np.searchsorted(beats, time) - 1, 0, len(beats) - 2)
    phase = (time - beats[last] - 0.2) / 0.8 % 1.0
    wave = np.exp(-(((phase - 0.2) / 0.1) ** 2))
    wave += 0.4 * np.exp(-(((phase - 0.5) / 0.12) ** 2))
    near = np.abs(time[:, None] - beats).min(axis=1)
    made = {
        "ecg": np.exp(-((near / 0.012) ** 2)),
        "ppg": wave,
        "abp": 75.0 + 45.0 * wave,
    }
    return Record("x", {k: Signal(v, RATE, _UNITS[k]) for k, v in made.items()})


def _on_grid(values: np.ndarray, function: Callable[..., Any]) -> object:
    return function(_signal(values), sampling_rate=100.0, start=-0.5, stop=12.5)


def _streamed(values: np.ndarray, stream: Callable[..., Any]) -> object:
    running = stream(_taps())
    first = values[:7] if values.ndim else values
    parts = [running.push(first), running.push(values[7:]), running.finish()]
    return np.concatenate(parts)


def _taps() -> np.ndarray:
    from capnet.signal.taps import lowpass_taps

    return lowpass_taps(cutoff=10.0, sampling_rate=RATE, n_taps=25)


def _aligned(values: np.ndarray, function: Callable[..., Any]) -> object:
    return function(_record(values, *_UNITS), sampling_rate=100.0).channels["ppg"]


def _fitted(values: np.ndarray, function: Callable[..., Any]) -> object:
    if values.ndim > 1:  # rows are welcome there, but no channel
        checked_samples(values, where="the channel")
    found = function(values, values, n_taps=3, delay=1, ridge=1e-6)
    return found.apply(values)


def _with_beats(values: np.ndarray, function: Callable[..., Any]) -> object:
    start, stop = np.array([0.3, 1.1, np.nan]), np.array([1.1, 1.9, 2.0])
    found = function(values, start, stop, sampling_rate=RATE)
    # The feet are those given: no numbers that were made of the array.
    return replace(found, foot=np.full(3, np.nan)) if hasattr(found, "foot") else found


def _beats(values: np.ndarray) -> Beats:
    """Beats whose numbers and waves are made of one array."""
    n = len(values) if values.ndim == 1 else 3
    if values.ndim != 1 or values.dtype != np.float64:
        values = checked_samples(values, where="numbers")
    waves = np.resize(values, (n, 64)) if n else np.zeros((0, 64))
    return Beats(
        subject=np.full(n, "x"),
        beat=np.arange(n),
        time=values,
        duration=values,
        ppg=waves,
        age=np.full(n, 50.0),
        cuff=np.full((n, 2), np.nan),
        cuff_site=np.full(n, "brachial"),
        calibration="none",
        accepted=np.ones(n, dtype=np.bool_),
        reason=np.full(n, ""),
        waves={"abp": waves},
        features={"pat": values, "rr": values, "hr": values},
    )


def _drawn_figure(figure: Any) -> tuple[()]:
    """Draw a figure; there are no numbers in it to look at."""
    figure.set_dpi(20.0)
    figure.draw_without_rendering()
    return ()


def _corrupted(values: np.ndarray, function: Callable[..., Any]) -> object:
    from capnet.signal import CORRUPTIONS, draw_corruption

    names = list(CORRUPTIONS)
    which = values.size + int(values.nbytes)
    record = _record(values, *_UNITS)
    draw = draw_corruption(names[which % len(names)], which % 6, seed=which)
    found = function(record, draw)
    # What a fault does not touch stays infinite where it was.
    return [_finite(found.record.channels[name].values) for name in found.channels]


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(values), np.nan, values)


def _judged(values: np.ndarray, function: Callable[..., Any]) -> object:
    n = _count(values)
    some = np.linspace(60.0, 90.0, n)
    subject, rr = np.full(n, "x"), np.full(n, 0.8)
    waves = np.zeros((n, 64))
    return function(
        values, some, some + 100.0, waves, subject=subject, rr=rr, pat=0.2 * rr
    )


def _feet(values: np.ndarray, function: Callable[..., Any]) -> object:
    return function(values, np.linspace(5.0, 30.0, _count(values)), sampling_rate=RATE)


def _count(values: np.ndarray) -> int:
    return len(np.atleast_1d(values))


def _paired(values: np.ndarray, function: Callable[..., Any]) -> object:
    return function(values, values)


def _accepted(values: np.ndarray, function: Callable[..., Any]) -> object:
    return function(values, np.ones(_count(values), dtype=np.bool_))


def _breathing(values: np.ndarray, function: Callable[..., Any]) -> object:
    n = _count(values)
    modulations = np.stack([values] * 3) if values.ndim else values
    return function(0.8 * np.arange(n), modulations, values, np.arange(n) // 75)


def _wholly(parts: Iterator[Any]) -> list[Any]:
    return list(parts)


Called = Callable[[np.ndarray, Callable[..., Any]], object]


class Call(NamedTuple):
    """How a function is called on one array.

    Attributes:
        kind: Of array, one of `KINDS`.
        how: Calls it.
        per_sample: See `survives`.
        alone: Likewise.
        slow: Whether a call takes more than some milliseconds.
    """

    kind: str
    how: Called
    per_sample: bool = False
    alone: bool = True
    slow: bool = False


_HALF = {"window": 10.0, "step": 5.0, "duration": 100.0}

# What is called, and after a comma with what else.
CALLS: Mapping[str, Call] = {
    "gtf": Call("channel", lambda x, f: f(x, sampling_rate=RATE)),
    "gtf, with a cuff": Call(
        "channel", lambda x, f: f(x, sampling_rate=RATE, cuff=(120.0, 80.0))
    ),
    "moving_average_csbp": Call("channel", lambda x, f: f(x, sampling_rate=RATE)),
    "fill_gaps": Call("channel", lambda x, f: f(x, sampling_rate=RATE)),
    "filter_fir": Call("channel", lambda x, f: f(x, _taps()), per_sample=True),
    "filter_fir, as taps": Call("numbers", lambda x, f: f(np.ones(50), x), alone=False),
    "FIRStream": Call("channel", _streamed),
    "shrink_wavelets": Call(
        "channel", lambda x, f: f(x, sampling_rate=RATE).values, per_sample=True
    ),
    "savitzky_golay": Call(
        "channel",
        lambda x, f: f(x, sampling_rate=RATE, derivative=2, window=0.1, degree=4),
        per_sample=True,
    ),
    "remove_baseline": Call(
        "channel", lambda x, f: f(x, sampling_rate=RATE), per_sample=True
    ),
    "remove_powerline": Call(
        "channel", lambda x, f: f(x, sampling_rate=RATE, mains=50.0), per_sample=True
    ),
    "resample": Call("channel", lambda x, f: f(x, sampling_rate=RATE, new_rate=100.0)),
    "on_grid": Call("channel", _on_grid),
    "aligned": Call("channel", lambda x, f: _aligned(x, f).values),
    "fit_fir": Call("channel", _fitted),
    "find_pulses": Call("channel", lambda x, f: f(x, sampling_rate=RATE)),
    "find_pulses, beside R peaks": Call(
        "channel",
        lambda x, f: f(x, sampling_rate=RATE, r_peaks=np.arange(0.5, 20.0, 0.8)),
    ),
    "find_pulses, as R peaks": Call(
        "times",
        lambda x, f: f(_person().channels["ppg"].values, sampling_rate=RATE, r_peaks=x),
    ),
    "find_fiducials": Call("channel", _with_beats),
    "find_fiducials, as feet": Call(
        "times",
        lambda x, f: f(
            *(
                _person().channels["ppg"].values,
                x,
                np.asarray(x + 0.8) if x.dtype.kind in "iuf" else x,
            ),
            sampling_rate=RATE,
        ),
    ),
    "pulse_arrival": Call("times", _paired),
    "pulse_transit": Call("times", _paired),
    "judge_synchrony": Call("times", lambda x, f: f(x, x, duration=200.0)),
    "heart_rate": Call(
        "times", lambda x, f: f(x, **_HALF)._replace(start=np.full(19, np.nan))
    ),
    "r_peaks": Call("channel", lambda x, f: f(x, sampling_rate=RATE), slow=True),
    "pulse_feet": Call("rows", _feet),
    "pulse_feet, as R peaks": Call(
        "numbers",
        lambda x, f: f(np.ones((_count(x), 100)), x, sampling_rate=RATE),
    ),
    "steep_rises": Call("channel", lambda x, f: f(x, sampling_rate=RATE)),
    "judge_pressure": Call("channel", lambda x, f: f(x, RATE)),
    "beat_pressures": Call(
        "channel", lambda x, f: f(x, np.array([0.0, 90.0]), np.array([90.0, 190.0]))
    ),
    "beat_pressures, as feet": Call(
        "numbers", lambda x, f: f(np.linspace(80.0, 120.0, 900), x, _later(x))
    ),
    "catmull_rom": Call("rows", lambda x, f: f(x, np.full((_count(x), 2), 1.3))),
    "catmull_rom, as places": Call("rows", lambda x, f: f(np.ones((1, 9)), x)),
    "smooth": Call("rows", lambda x, f: f(x)),
    "beats_of_windows": Call(
        "rows",
        lambda x, f: f(x, np.full(_count(x), 9.0), np.full(_count(x), 90.0)),
        # A flat window gives zeros, and its feet may lie before a gap.
        alone=True,
    ),
    "beats_of_windows, as feet": Call(
        "numbers",
        lambda x, f: f(np.tile(np.arange(200.0), (_count(x), 1)), x, x),
        alone=False,
    ),
    "judge_beats": Call("rows", _judged),
    "judge_windows": Call(
        "long channel",
        lambda x, f: f(_record(x, *_UNITS)).reason,
        slow=True,
    ),
    "judge_windows, beside a sound person": Call(
        "long channel", lambda x, f: f(_record(x, "ppg")).reason, slow=True
    ),
    "beats_of": Call("long channel", lambda x, f: f(_record(x, *_UNITS)), slow=True),
    "beats_of, as ECG": Call(
        "long channel", lambda x, f: f(_record(x, "ecg")), alone=False, slow=True
    ),
    "beats_of, as PPG": Call(
        "long channel", lambda x, f: f(_record(x, "ppg")), alone=False, slow=True
    ),
    "beats_of, as pressure": Call(
        "long channel", lambda x, f: f(_record(x, "abp")), alone=False, slow=True
    ),
    "beats_in": Call(
        "long channel", lambda x, f: _wholly(f(_record(x, *_UNITS))), slow=True
    ),
    "beats_of_pieces": Call(
        "long channel",
        lambda x, f: [beats for _, beats in f(_record(x, *_UNITS))],
        slow=True,
    ),
    "pieces_of": Call(
        "channel",
        lambda x, f: [p.start for p in f(_record(x, *_UNITS), length=7.0, margin=1.0)],
        alone=False,
    ),
    "abp_verdict": Call("channel", lambda x, f: f(_record(x, "abp"))),
    "cuffs_from_abp": Call(
        "long channel",
        lambda x, f: f(_record(x, "abp"), every=10.0),
        alone=False,
        slow=True,
    ),
    "corrupt": Call("channel", _corrupted, alone=False),
    "plot_record": Call(
        "channel", lambda x, f: _drawn_figure(f(_record(x, "ppg"))), slow=True
    ),
    "plot_tachogram": Call(
        "numbers", lambda x, f: _drawn_figure(f(_beats(x))), slow=True
    ),
    "plot_transit": Call(
        "numbers",
        lambda x, f: _drawn_figure(f(x, x, time_name="PAT", pressure_name="SBP")),
        slow=True,
    ),
    "calibrate_sbp_dbp": Call(
        "rows", lambda x, f: f(x, np.full(_count(x), 120.0), 80.0)
    ),
    "calibrate_sbp_dbp, as SBP": Call(
        "pressures",
        lambda x, f: f(np.tile(np.arange(9.0), (_count(x), 1)), x, 80.0),
    ),
    "calibrate_map_dbp": Call("rows", lambda x, f: f(x, 95.0, 80.0)),
    "calibrate_map_dbp, as DBP": Call(
        "pressures",
        lambda x, f: f(np.tile(np.arange(9.0), (_count(x), 1)), 95.0, x),
    ),
    "mean_pressure": Call("pressures", lambda x, f: f(x, x, "bos")),
    "average_beats": Call("rows", lambda x, f: f(x, np.arange(_count(x)) % 2)),
    "average_beats, as groups": Call(
        "groups",
        lambda x, f: f(np.ones((_count(x), 9)), x).values,
        alone=False,
    ),
    "form_factor": Call("numbers", lambda x, f: f(x, x, x)),
    "pressure_levels": Call("rows", lambda x, f: f(x)),
    "augmentation": Call("rows", lambda x, f: f(x, sampling_rate=RATE)),
    "ejection_time": Call("rows", lambda x, f: f(x, sampling_rate=RATE)),
    "ejection_time_of_flow": Call("rows", lambda x, f: f(x, sampling_rate=RATE)),
    "transit_time": Call("rows", lambda x, f: f(x, x, sampling_rate=RATE)),
    "pulse_amplification": Call("numbers", _paired),
    "pulse_wave_velocity": Call("numbers", _paired),
    "normal_intervals": Call("numbers", lambda x, f: f(x)),
    "variability": Call("numbers", _accepted, alone=False),
    "spectrum": Call("numbers", _accepted, slow=True),
    "nonlinear": Call("numbers", _accepted, slow=True),
    "breathing_of_beats": Call("numbers", _breathing),
    "breathing_of_channel": Call(
        "channel",
        lambda x, f: f(x, sampling_rate=RATE, start=0.0, windows=np.arange(2)),
    ),
    "b_points": Call(
        "channel", lambda x, f: f(x, np.arange(0.5, 20.0, 0.8), sampling_rate=RATE)
    ),
    "b_points, as R peaks": Call(
        "times",
        lambda x, f: f(_person().channels["abp"].values, x, sampling_rate=RATE),
    ),
    "pre_ejection": Call("numbers", _paired),
    "pulse_morphology": Call("channel", _with_beats),
    "pulse_widths": Call("beats", lambda x, f: f(x, np.full(_count(x), 0.8))),
    "pulse_widths, as durations": Call(
        "numbers", lambda x, f: f(np.ones((_count(x), 64)), x), alone=False
    ),
    "augmentation_of_beats": Call("beats", lambda x, f: f(x, np.full(_count(x), 0.8))),
    "augmentation_of_beats, as durations": Call(
        "numbers", lambda x, f: f(np.ones((_count(x), 64)), x), alone=False
    ),
    "oximetry_of_beats": Call("rows", _paired),
    "saturation": Call("numbers", lambda x, f: f(x)),
    "features_of": Call("numbers", lambda x, f: f(_beats(x)), alone=False, slow=True),
    "feature_table": Call(
        "long channel", lambda x, f: f(_record(x, *_UNITS)), slow=True
    ),
    "feature_table, as PPG": Call(
        "long channel", lambda x, f: f(_record(x, "ppg")), alone=False, slow=True
    ),
    "feature_table, as ECG": Call(
        "long channel", lambda x, f: f(_record(x, "ecg")), alone=False, slow=True
    ),
    "feature_tables": Call(
        "long channel", lambda x, f: _wholly(f(_record(x, *_UNITS))), slow=True
    ),
    "to_xarray": Call(
        "numbers",
        lambda x, f: f(capnet.features.features_of(_beats(x))),
        alone=False,
        slow=True,
    ),
}
"""Public functions that take arrays, records or beats."""


def _later(values: np.ndarray) -> np.ndarray:
    """Return numbers 90 later, and what is none as it is."""
    return np.asarray(values + 90.0) if _is_real(values) else values


WITHOUT: Final = {
    *("lowpass_taps", "highpass_taps", "bandpass_taps", "powerline_taps"),
    "draw_corruption",  # no arrays are given to these
    *("BeatFrontend", "LinearPhaseFIR"),  # graphs, which cannot look at their tensors
    *("load_model", "predict", "read_record"),  # tested with models and files
}
"""Public functions and classes that are called otherwise."""


def public() -> set[str]:
    """Names of everything that the rooms export and that can be called on something."""
    rooms = capnet, capnet.signal, capnet.features
    made = {name: getattr(room, name) for room in rooms for name in room.__all__}
    return {
        name for name, value in made.items() if callable(value) and not _holds(value)
    }


def _holds(value: object) -> bool:
    """Tell a class that only holds what a function answered."""
    named = isinstance(value, type) and issubclass(value, tuple)
    return named or is_dataclass(value)


def target(name: str) -> Callable[..., Any]:
    """Return what a key of `CALLS` calls."""
    plain = name.split(",")[0]
    for room in (capnet, capnet.signal, capnet.features):
        if plain in room.__all__:
            found: Callable[..., Any] = getattr(room, plain)
            return found
    raise AttributeError(plain)


def drawn(name: str) -> st.SearchStrategy[np.ndarray]:
    """Return what to draw for a key of `CALLS`."""
    return KINDS[CALLS[name].kind].drawn


def call(name: str, values: np.ndarray) -> Any:
    """Let the function of a key of `CALLS` survive an array.

    Args:
        name: The key.
        values: The array.
    """
    asked = CALLS[name]
    function = target(name)
    return survives(
        lambda x: asked.how(x, function),
        values,
        per_sample=asked.per_sample,
        alone=asked.alone,
        fits=KINDS[asked.kind].fits,
    )
