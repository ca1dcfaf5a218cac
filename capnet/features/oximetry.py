"""Oximetry of each beat: ratio of ratios, saturation, perfusion."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.errors import ShapeError
from capnet.signal.checks import checked_numbers, checked_rows
from capnet.types import Labels, PerBeat, RawSamples

__all__ = [
    "CALIBRATED",
    "Oximetry",
    "oximetry_of_beats",
    "saturation",
]

INTERCEPT: Final = 110.0
SLOPE: Final = 25.0
"""%; the textbook's line. A real sensor has its own, measured on people."""

CALIBRATED: Final = (0.4, 1.6)
"""Ratios at which that line stands for 100 and 70 %; nobody is calibrated below."""

LEAST_LIKENESS: Final = 0.9
"""Correlation of red and infrared light within a beat; one artery moves both."""

LEAST_PERFUSION: Final = 0.02
"""%; below it the converter's steps are what is seen."""

Light = Float[np.ndarray, "beat point"]


class Oximetry(NamedTuple):
    """What red and infrared light say of each beat.

    Attributes:
        perfusion: 100 x infrared pulse height over its mean level, %.
        ratio: AC / DC of red over AC / DC of infrared.
        spo2: %, by the line 110 - 25 ratio; see `saturation`.
        perfusion_reason, ratio_reason, spo2_reason: Why it is NaN; empty otherwise.
    """

    perfusion: PerBeat
    ratio: PerBeat
    spo2: PerBeat
    perfusion_reason: Labels
    ratio_reason: Labels
    spo2_reason: Labels


def saturation(ratio: RawSamples) -> PerBeat:
    """Return 110 - 25 ratio, %, where that is between 70 and 100; NaN elsewhere.

    The line is the one that textbooks print (Webster, Design of Pulse Oximeters, 1997).
    It depends on the sensor's wavelengths and geometry; the number is for trends until
    a line has been fitted to the device at hand. `ratio` itself is always given.

    Args:
        ratio: Ratio of ratios, red over infrared. Shape (beat,).

    Raises:
        ShapeError: If they are no row of real numbers.
    """
    ratio = checked_numbers(ratio, where="the ratios")
    low, high = CALIBRATED
    inside = (ratio >= low) & (ratio <= high)
    answer: PerBeat = np.where(inside, INTERCEPT - SLOPE * ratio, np.nan)
    return answer


def _levelled(log: Light) -> Light:
    """Take the line through both ends away: breathing and drift of the level."""
    phase = np.linspace(0.0, 1.0, log.shape[1])
    answer: Light = log - log[:, :1] - phase * (log[:, -1:] - log[:, :1])
    return answer


def oximetry_of_beats(red: RawSamples, infrared: RawSamples) -> Oximetry:
    """Read oximetry from beats of light.

    Pulsations are standard deviations of the logarithm of light, which is AC over DC
    where it is small and exact where it is not (Beer and Lambert), behind the line from
    foot to foot. The ratio does not depend on the gain of either colour.

    Args:
        red: Red light from foot to foot, evenly spaced in time, its level included
            (not AC-coupled), any unit; NaN rows where there is no beat.
            Shape (beat, point).
        infrared: Infrared light at the same times. Shape (beat, point).

    Returns:
        NaN with a reason where samples are missing, light is not positive, the pulse
        is too small, or the colours do not pulsate alike.

    Raises:
        ShapeError: If they are no rows of numbers, or have not the same shape.
    """
    red = checked_rows(red, where="red light").astype(np.float64, copy=False)
    infrared = checked_rows(infrared, where="infrared light")
    infrared = infrared.astype(np.float64, copy=False)
    if red.shape != infrared.shape or red.shape[1] < 8:
        msg = (
            f"red has shape {red.shape}, infrared {infrared.shape}; wanted the same, "
            "8 points a beat at least."
        )
        raise ShapeError(msg)
    missing = [~np.isfinite(light).all(axis=1) for light in (red, infrared)]
    dark = [
        ~(np.where(np.isfinite(light), light, 1.0) > 0.0).all(axis=1)
        for light in (red, infrared)
    ]
    lost = [a | b for a, b in zip(missing, dark, strict=True)]
    safe = [
        np.where(bad[:, None], 1.0, light)
        for bad, light in zip(lost, (red, infrared), strict=True)
    ]
    r, i = (_levelled(np.log(light)) for light in safe)
    height = 100.0 * np.ptp(_levelled(safe[1]), axis=1) / safe[1].mean(axis=1)
    weak = height < LEAST_PERFUSION
    words = "samples missing", "no light level (AC-coupled or not positive)"
    perfusion_reason = np.select(
        [missing[1], dark[1], weak],
        [*words, f"perfusion below {LEAST_PERFUSION:g} %"],
        default="",
    )
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (r, i))
    size_a, size_b = (np.sqrt((x**2).sum(axis=1)) for x in (a, b))
    both = np.where(size_a * size_b > 0.0, size_a * size_b, 1.0)
    alike = (a * b).sum(axis=1) / both
    ratio = size_a / np.where(size_b > 0.0, size_b, 1.0)
    ratio_reason = np.select(
        [missing[0], dark[0], perfusion_reason != "", ~(alike >= LEAST_LIKENESS)],
        [*words, perfusion_reason, "red and infrared do not pulsate alike"],
        default="",
    )
    ratio = np.where(ratio_reason == "", ratio, np.nan)
    spo2 = saturation(ratio)
    beyond = "ratio outside {:g} to {:g}".format(*CALIBRATED)
    return Oximetry(
        np.where(perfusion_reason == "", height, np.nan),
        ratio,
        spo2,
        perfusion_reason,
        ratio_reason,
        np.select(
            [ratio_reason != "", ~np.isfinite(spo2)], [ratio_reason, beyond], default=""
        ),
    )
