"""Pairs of beats, input and target, checked, drawn and laid on one grid."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from capnet.errors import ConfigError, ProtocolError, ShapeError
from capnet.types import RawSamples

__all__ = ["Pairs", "checked_pairs"]

_LEAST_SUBJECTS: Final = 3
_SHORTEST: Final = 25
"""Samples of a beat: with fewer there is no band above the pulse to tell noise by."""
_LONGEST: Final = 128
"""Samples of a beat; finer grids are averaged, but for scalar targets."""
_MOST_SUBJECTS: Final = 24
_MOST_BEATS: Final = 8
_POSSIBLE: Final = (-100.0, 400.0)
"""mmHg: of any sample, the undershoot of a filter at the ends of a beat included."""
_USUAL: Final = (30.0, 250.0)
"""mmHg: of the median of all samples."""
_LEAST_PULSE: Final = 5.0
"""mmHg: of the median pulse pressure."""
_BEAT: Final = (0.25, 2.5)
"""s."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """What circularity is judged on.

    Attributes:
        waves: Inputs, mmHg, each of shape (time,).
        targets: As long as the inputs; empty for scalar targets.
        scalar: Scalar targets, mmHg; None for waves.
        subject: Position of the subject of each beat.
        rate: Heart rate of each beat, Hz; None where the grid's step is not known.
        assumed: What was taken for granted.
    """

    waves: list[np.ndarray]
    targets: list[np.ndarray]
    scalar: Float[np.ndarray, " beat"] | None
    subject: Int[np.ndarray, " beat"]
    rate: Float[np.ndarray, " beat"] | None
    assumed: tuple[str, ...]


def checked_pairs(
    x: RawSamples,
    y: RawSamples,
    subject: RawSamples,
    *,
    duration: RawSamples | None,
    sampling_rate: float | None,
    rng: np.random.Generator,
) -> Pairs:
    """Check what `capnet.evaluation.circularity` was given, and draw from it."""
    first, second = _numbers(x, "x"), _numbers(y, "y")
    who = np.asarray(subject)
    if first.ndim != 2 or second.shape not in (first.shape, first.shape[:1]):
        msg = (
            f"x has shape {first.shape}, y {second.shape}; wanted (n, time) and the "
            "same, or (n,) for a scalar target."
        )
        raise ShapeError(msg)
    if who.shape != first.shape[:1]:
        msg = f"subject has shape {who.shape}; wanted ({len(first)},), one for a beat."
        raise ShapeError(msg)
    names, position = np.unique(who, return_inverse=True)
    if len(names) < _LEAST_SUBJECTS:
        msg = (
            f"{len(names)} subject(s); wanted at least {_LEAST_SUBJECTS}: a filter of "
            "some is held against the others. Give `subject` one name for each person."
        )
        raise ProtocolError(msg)
    wave_target = second.ndim == 2
    length = _ends(first, "x")
    if wave_target:
        length = np.minimum(length, _ends(second, "y"))
    elif not np.isfinite(second).all():
        row = int(np.flatnonzero(~np.isfinite(second))[0])
        msg = f"y is {second[row]} in row {row}; wanted a number for every beat."
        raise ShapeError(msg)
    if length.min() < _SHORTEST:
        row = int(length.argmin())
        msg = (
            f"row {row} has {length[row]} samples that both x and y know; wanted at "
            f"least {_SHORTEST} a beat. Sample beats more finely."
        )
        raise ShapeError(msg)
    _check_pressures(first, "x", waves=True)
    _check_pressures(second, "y", waves=wave_target)
    whole = bool((length == first.shape[1]).all())
    seconds = _durations(duration, sampling_rate, length, whole=whole)
    assumed = ["the beats of a subject stand in the order in which they were recorded"]
    if whole and seconds is None:
        assumed.append(
            "all rows have one length and no durations: a filter is one in points of "
            "the beat, or in seconds with the heart rate of each subject free"
        )
    rows = _drawn(position, rng)
    waves = [first[i, : length[i]] for i in rows]
    targets = [second[i, : length[i]] for i in rows] if wave_target else []
    # numbers were read off the samples as they are, so those are not averaged
    step = -(-int(np.median(length[rows])) // _LONGEST) if wave_target else 1
    if duration is not None and seconds is not None:
        points = first.shape[1] / step / np.median(seconds[rows])
        sizes = [max(_SHORTEST, round(float(seconds[i]) * points)) for i in rows]
        waves = [_resized(w, n) for w, n in zip(waves, sizes, strict=True)]
        targets = [
            _resized(w, n) for w, n in zip(targets, sizes[: len(targets)], strict=True)
        ]
    elif step > 1:
        waves = [_averaged(w, step) for w in waves]
        targets = [_averaged(w, step) for w in targets]
    return Pairs(
        waves=waves,
        targets=targets,
        scalar=None if wave_target else second[rows],
        subject=np.unique(position[rows], return_inverse=True)[1],
        rate=None if seconds is None else 1.0 / seconds[rows],
        assumed=tuple(assumed),
    )


def _numbers(values: RawSamples, name: str) -> Float[np.ndarray, "..."]:
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or array.size == 0:
        msg = (
            f"{name} has type {array.dtype} and shape {array.shape}; wanted real "
            "numbers in mmHg."
        )
        raise ShapeError(msg)
    return array.astype(np.float64)


def _ends(rows: Float[np.ndarray, "beat time"], name: str) -> Int[np.ndarray, " beat"]:
    """Length of each beat; a value may be missing only after its end."""
    known = np.isfinite(rows)
    length = known.sum(axis=1)
    broken = ~known & (np.arange(rows.shape[1]) < length[:, None])
    if broken.any() or np.isinf(rows).any():
        row = int(np.flatnonzero(broken.any(axis=1) | np.isinf(rows).any(axis=1))[0])
        msg = (
            f"{name} lacks a value within the beat of row {row}; wanted NaN only after "
            "its end. Leave such beats out."
        )
        raise ShapeError(msg)
    return np.asarray(length)


def _check_pressures(rows: np.ndarray, name: str, *, waves: bool) -> None:
    """Refuse what is constant, or cannot be mmHg."""
    if waves:
        pulse = np.nanmax(rows, axis=1) - np.nanmin(rows, axis=1)
        flat = np.flatnonzero(pulse == 0)
        if len(flat):
            msg = (
                f"{name} is constant in {len(flat)} beat(s), the first in row "
                f"{flat[0]}; wanted pulses. Leave such beats out."
            )
            raise ShapeError(msg)
    elif np.ptp(rows) == 0:
        msg = f"{name} is {rows[0]:g} in every beat; wanted numbers that vary."
        raise ShapeError(msg)
    low, high, middle = np.nanmin(rows), np.nanmax(rows), np.nanmedian(rows)
    possible = _POSSIBLE[0] <= low and high <= _POSSIBLE[1]
    usual = _USUAL[0] <= middle <= _USUAL[1]
    pulsatile = not waves or float(np.median(pulse)) >= _LEAST_PULSE
    if not (possible and usual and pulsatile):
        spread = f", median pulse {np.median(pulse):.3g}" if waves else ""
        msg = (
            f"{name} runs from {low:.3g} to {high:.3g}, median {middle:.3g}{spread}; "
            f"wanted mmHg: a median of {_USUAL[0]:g} to {_USUAL[1]:g}"
            + (f" and pulses of at least {_LEAST_PULSE:g}" if waves else "")
            + ". Convert the unit (1 kPa = 7.50 mmHg) or calibrate first."
        )
        raise ProtocolError(msg)


def _durations(
    duration: RawSamples | None,
    sampling_rate: float | None,
    length: Int[np.ndarray, " beat"],
    *,
    whole: bool,
) -> Float[np.ndarray, " beat"] | None:
    """Seconds of each beat, where they follow from what was given."""
    if duration is None and sampling_rate is None:
        return None
    if duration is not None and (sampling_rate is not None or not whole):
        msg = (
            "duration was given with a sampling rate, or for beats of different "
            "length; wanted it for beats that were resampled to one length, and a "
            "sampling rate for beats on a time grid."
        )
        raise ConfigError(msg)
    if sampling_rate is not None:
        if not 0 < sampling_rate < np.inf:
            msg = f"sampling_rate is {sampling_rate!r}; wanted a positive number of Hz."
            raise ConfigError(msg)
        seconds = length / sampling_rate
    else:
        seconds = np.asarray(duration, dtype=np.float64)
    good: Bool[np.ndarray, ...] = (seconds >= _BEAT[0]) & (seconds <= _BEAT[1])
    if seconds.shape != length.shape or not good.all():
        msg = (
            f"beats last {np.min(seconds):.3g} to {np.max(seconds):.3g} s (shape "
            f"{seconds.shape}); wanted {_BEAT[0]:g} to {_BEAT[1]:g} s, one for each of "
            f"{len(length)} beats."
        )
        raise ConfigError(msg)
    return seconds


def _drawn(
    subject: Int[np.ndarray, " beat"], rng: np.random.Generator
) -> Int[np.ndarray, " row"]:
    """Rows of some subjects, and of each a run of some beats."""
    n = int(subject.max()) + 1
    chosen = np.sort(rng.permutation(n)[:_MOST_SUBJECTS])
    found = []
    for s in chosen:
        own = np.flatnonzero(subject == s)
        start = int(rng.integers(max(1, len(own) - _MOST_BEATS + 1)))
        found.append(own[start : start + _MOST_BEATS])
    return np.concatenate(found)


def _resized(wave: np.ndarray, n: int) -> Float[np.ndarray, " time"]:
    """Sample a periodic beat at n points."""
    return np.fft.irfft(np.fft.rfft(wave), n) * (n / len(wave))


def _averaged(wave: np.ndarray, step: int) -> Float[np.ndarray, " time"]:
    """Mean of every so many samples."""
    whole = len(wave) // step * step
    return np.asarray(wave[:whole].reshape(-1, step).mean(axis=1))
