"""What a predicted beat is trained to be."""

from typing import Final

from torch import Tensor

__all__ = ["beat_loss"]

_SCALE: Final = 25.0
_SYSTOLIC_WEIGHT: Final = 0.2


def beat_loss(predicted: Tensor, target: Tensor) -> Tensor:
    r"""Squared error of the wave plus a share of that of its maximum.

    .. math:: \frac{1}{25}\left(\overline{(\hat p - p)^2}
        + 0.2\,(\max \hat p - \max p)^2\right)

    The mean over 64 points hardly sees systole; the second term does. 25 mmHg^2
    brings both near 1.

    Args:
        predicted: mmHg. Shape (beat, 64).
        target: mmHg. Shape (beat, 64).

    Returns:
        One number a beat. Shape (beat,).
    """
    wave = (predicted - target).square().mean(dim=1)
    systole = (predicted.amax(dim=1) - target.amax(dim=1)).square()
    return (wave + _SYSTOLIC_WEIGHT * systole) / _SCALE
