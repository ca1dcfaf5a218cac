"""Arterial pressure channels: the numbers of each beat, and whether to believe them."""

from typing import Final

import numpy as np
from jaxtyping import Float

from capnet.errors import ShapeError
from capnet.signal.checks import checked_numbers, checked_rate, checked_samples
from capnet.signal.sampling import LEAST_RATE
from capnet.types import RawSamples, Samples

__all__ = ["BeatPressures", "beat_pressures", "implausible_pressures", "judge_pressure"]

BeatPressures = Float[np.ndarray, "beat 3"]
"""Columns SBP, DBP, MAP, mmHg."""

LEAST_SECONDS: Final = 10.0
"""Seconds of pressure needed to judge: the span over which a monitor averages."""

WINDOW: Final = 2.5
"""Seconds; holds a whole beat at 30 bpm, and some breathing."""

MEAN_RANGE: Final = (40.0, 180.0)
"""mmHg. A mean below 40 is not survived for long; the transducer lies."""

SBP_RANGE: Final = (60.0, 260.0)
"""mmHg, over windows: shock to the worst hypertensive crisis."""

DBP_RANGE: Final = (25.0, 160.0)
"""mmHg, over windows."""

PP_RANGE: Final = (15.0, 150.0)
"""mmHg. Less is a damped line (bubble, clot, kink) or a pump; more is ringing."""

FLAT_RUN: Final = 0.2
"""Seconds without any change: no artery stands still that long in systole, and its
run-off moves a digital unit."""

FLAT_SHARE: Final = 0.25
"""Share of samples in such runs above which a channel is called flat."""

SPREAD: Final = 0.5
"""Interquartile range of the pulse pressure over its median. Breathing and ectopic
beats change it by 10 to 30 %."""

BEAT_SBP: Final = (50.0, 260.0)
BEAT_DBP: Final = (20.0, 160.0)
BEAT_PP: Final = (10.0, 160.0)
"""mmHg, single beats: wider than for the channel, as beats vary."""


def beat_pressures(
    values: RawSamples, start: RawSamples, stop: RawSamples
) -> BeatPressures:
    """Read SBP, DBP and MAP of every beat: maximum, minimum, mean of its samples.

    Args:
        values: Pressure, mmHg, NaN where missing. Shape (time,).
        start: Beginning of each beat, samples. Shape (beat,).
        stop: End of each beat (excluded), samples. Shape (beat,).

    Returns:
        SBP, DBP, MAP, mmHg; NaN for a beat with a missing sample or boundary.
        Shape (beat, 3).

    Raises:
        ShapeError: If the values are no channel, or start and stop are not one number
            a beat each.
    """
    values = checked_samples(values, where="the pressure")
    start, stop = (checked_numbers(x, where="the feet") for x in (start, stop))
    if len(start) != len(stop):
        msg = f"{len(start)} beats begin and {len(stop)} end; wanted equally many."
        raise ShapeError(msg)
    known = np.isfinite(start) & np.isfinite(stop)
    answer = np.full((len(start), 3), np.nan)
    # Beyond both ends it does not matter where.
    first, last = (
        np.ceil(np.clip(x[known], -2.0, len(values) + 2.0)).astype(np.int64)
        for x in (start, stop)
    )
    inside = (first >= 0) & (last <= len(values)) & (last - first >= 2)
    rows = np.flatnonzero(known)[inside]
    for row, a, b in zip(rows, first[inside], last[inside], strict=True):
        beat = values[a:b]
        answer[row] = beat.max(), beat.min(), beat.mean()  # NaN spreads: gap, no beat
    return answer


def _outside(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    low, high = limits
    return ~((values >= low) & (values <= high))


def implausible_pressures(pressures: BeatPressures) -> np.ndarray:
    """Tell which beats no artery gives (limits ``BEAT_SBP``, ``_DBP``, ``_PP``).

    Args:
        pressures: SBP, DBP, MAP, mmHg; NaN counts as implausible. Shape (beat, 3).

    Returns:
        True where implausible. Shape (beat,).
    """
    sbp, dbp = pressures[:, 0], pressures[:, 1]
    answer: np.ndarray = (
        _outside(sbp, BEAT_SBP) | _outside(dbp, BEAT_DBP) | _outside(sbp - dbp, BEAT_PP)
    )
    return answer


def _flat_share(values: Samples, *, run: int) -> float:
    """Share of samples that lie in runs of at least ``run`` equal ones."""
    edges = np.flatnonzero(np.diff(values) != 0.0) + 1
    lengths = np.diff(np.concatenate([[0], edges, [len(values)]]))
    return float(lengths[lengths >= run].sum() / len(values))


def judge_pressure(values: RawSamples, sampling_rate: float) -> str:
    """Say why a whole pressure channel cannot be used; empty if it can.

    Windows of 2.5 s are read for maximum, minimum and mean, and their medians are
    held against what arteries do (limits are the named constants of this file). A
    wrong offset within those limits cannot be seen.

    Args:
        values: Pressure as it is declared, mmHg, NaN where missing. Shape (time,).
        sampling_rate: Hz.

    Returns:
        The reason, or "".

    Raises:
        ShapeError: If the values are no channel.
        UnitError: If the sampling rate is no positive number.
    """
    values = checked_samples(values, where="the pressure")
    checked_rate(sampling_rate, least=0.0, where="the pressure")
    if sampling_rate < LEAST_RATE:
        return (
            f"the pressure is sampled at {sampling_rate:g} Hz, wanted at least "
            f"{LEAST_RATE:g} Hz"
        )
    finite = values[np.isfinite(values)]
    seconds = len(finite) / sampling_rate
    if seconds < LEAST_SECONDS:
        return f"{seconds:.1f} s of pressure, wanted at least {LEAST_SECONDS:g} s"
    if _flat_share(finite, run=max(2, round(FLAT_RUN * sampling_rate))) > FLAT_SHARE:
        return "the pressure is flat"
    width = round(WINDOW * sampling_rate)
    windows = finite[: len(finite) // width * width].reshape(-1, width)
    high, low = np.percentile(windows, [99.0, 1.0], axis=1)
    mean = windows.mean(axis=1)
    height = high - low
    for name, found, limits in [
        ("mean", mean, MEAN_RANGE),
        ("systolic", high, SBP_RANGE),
        ("diastolic", low, DBP_RANGE),
        ("pulse", height, PP_RANGE),
    ]:
        typical = float(np.median(found))
        if not limits[0] <= typical <= limits[1]:
            return (
                f"{name} pressure is {typical:.0f} mmHg, plausible are "
                f"{limits[0]:g} to {limits[1]:g}"
            )
    lower, middle, upper = np.percentile(height, [25.0, 50.0, 75.0])
    if upper - lower > SPREAD * middle:
        return f"pulse pressure is erratic (quartiles {lower:.0f} and {upper:.0f} mmHg)"
    return ""
