r"""Oximetry: one volume pulse seen in red and in infrared, at a declared saturation.

Light that passes arterial blood is absorbed as Beer and Lambert say,

.. math:: I_\lambda(t) = \exp(-\mu_\lambda(S)\, v(t)), \qquad
          \mu_\lambda \propto S\, \epsilon_{HbO_2}(\lambda)
                              + (1 - S)\, \epsilon_{Hb}(\lambda)

so that the ratio of ratios follows from the saturation S and gives it back. Scattering
(which makes the path of light longer in one colour than in the other), the pulsation
of veins and tissue and the empirical calibration of a real device are not modelled: a
real pulse oximeter shows another ratio at the same saturation, and a model of SpO2 that
is to hold for people has to be learned from people.
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError, UnitError

__all__ = [
    "EXTINCTION",
    "Extinction",
    "Light",
    "ratio_of_ratios",
    "ratio_of_saturation",
    "saturation_of_ratio",
    "transmit",
]

Values = Float[np.ndarray, "*shape"]
Records = Float[np.ndarray, "record time"]


class Extinction(NamedTuple):
    """Molar extinction coefficients at one wavelength, 1/(cm M).

    Attributes:
        hbo2: Of oxygenated hemoglobin.
        hb: Of deoxygenated hemoglobin.
    """

    hbo2: float
    hb: float


EXTINCTION: Final = {660: Extinction(319.6, 3226.56), 940: Extinction(1214.0, 693.44)}
"""By wavelength, nm: the compilation of S. Prahl (1999, omlc.org/spectra/hemoglobin),
from data of W. B. Gratzer and N. Kollias."""


class Light(NamedTuple):
    """What two photodiodes see, 1 where the volume is 0.

    Attributes:
        red: At 660 nm. Shape (record, time).
        infrared: At 940 nm.
    """

    red: Records
    infrared: Records


def ratio_of_saturation(
    saturation: Values,
) -> Values:
    """Return the ratio of ratios, red over infrared, at a saturation.

    Args:
        saturation: Arterial, 0..1.

    Raises:
        UnitError: If a saturation is not within 0..1, as one in percent is not.
    """
    if not ((saturation >= 0.0) & (saturation <= 1.0)).all():
        wrong = saturation[~((saturation >= 0.0) & (saturation <= 1.0))]
        msg = f"saturation is {wrong.flat[0]:g}; wanted 0 to 1 (0.97 for 97 %)."
        raise UnitError(msg)
    red, infrared = EXTINCTION[660], EXTINCTION[940]
    return (red.hb + (red.hbo2 - red.hb) * saturation) / (
        infrared.hb + (infrared.hbo2 - infrared.hb) * saturation
    )


def saturation_of_ratio(
    ratio: Values,
) -> Values:
    """Return the saturation at a ratio of ratios; `ratio_of_saturation` turned round.

    Args:
        ratio: Red over infrared; beyond 0.26..4.65 no saturation has it, and the
            answer lies outside 0..1.
    """
    red, infrared = EXTINCTION[660], EXTINCTION[940]
    return (red.hb - infrared.hb * ratio) / (
        red.hb - red.hbo2 + (infrared.hbo2 - infrared.hb) * ratio
    )


def transmit(
    volume: Records,
    *,
    saturation: Float[np.ndarray, "#record #time"],
    perfusion: Float[np.ndarray, " record"],
) -> Light:
    """Return the light that passes a pulsating volume of arterial blood.

    Args:
        volume: In pulse heights, 0 at the foot and 1 at the peak of a usual beat.
        saturation: Arterial, 0..1, of each record or of each sample.
        perfusion: Natural logarithm of the infrared light at the foot over that at the
            peak; nearly the perfusion index over 100. Shape (record,).

    Raises:
        UnitError: If a saturation is not within 0..1.
        ConfigError: If a perfusion is not positive.
    """
    if not (perfusion > 0.0).all():
        msg = (
            f"perfusion is {perfusion.min():g}; wanted a positive number such as 0.02."
        )
        raise ConfigError(msg)
    infrared = perfusion[:, None] * volume
    return Light(
        red=np.exp(-ratio_of_saturation(saturation) * infrared),
        infrared=np.exp(-infrared),
    )


def ratio_of_ratios(light: Light) -> Float[np.ndarray, " record"]:
    """Return the ratio of the pulsations of red and infrared light.

    A pulsation is the standard deviation of the light's logarithm, which is the usual
    AC over DC where it is small. Shape (record,).
    """
    red, infrared = (np.log(colour).std(axis=1) for colour in light)
    answer: Float[np.ndarray, " record"] = red / infrared
    return answer
