"""A bidirectional LSTM over one beat: peripheral pulse in, aortic pressure out."""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capnet.types import N_POINTS

__all__ = ["COVARIATES", "BiLSTM"]

COVARIATES: Final = 6
"""Numbers beside the wave: HR, age, age known, cuff SBP, cuff DBP, cuff is radial."""

_MMHG_CENTRE, _MMHG_SCALE = 100.0, 20.0


class BiLSTM(nn.Module):
    r"""Maps a cuff-scaled pulse and covariates to an aortic pressure beat.

    Every time step sees the pulse, the standardised covariates and the phase of the
    beat :math:`(\sin\varphi, \cos\varphi)`; a time-wise perceptron reads the two
    directions and their mean over the beat. The answer is absolute pressure: a
    residual over the pulse, or over a ridge, was no better under shift.

    Args:
        hidden: Units of each direction.
        head: Units of the perceptron.
    """

    def __init__(self, *, hidden: int = 56, head: int = 48) -> None:
        super().__init__()
        self.config = {"hidden": hidden, "head": head}
        self.lstm = nn.LSTM(
            1 + COVARIATES + 2, hidden, batch_first=True, bidirectional=True
        )
        self.hidden = nn.Linear(4 * hidden + COVARIATES, head)
        self.output = nn.Linear(head, 1)
        angle = torch.arange(N_POINTS) * (2 * math.pi / N_POINTS)
        phase = torch.stack([angle.sin(), angle.cos()], dim=1)
        self.register_buffer("phase", phase, persistent=False)

    def features(self, pulse: Tensor, covariates: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the head reads, and its mean over the beat.

        Args:
            pulse: Cuff-scaled pulse, mmHg. Shape (beat, 64).
            covariates: Standardised. Shape (beat, 6).

        Returns:
            Features of every point (beat, 64, head) and of the beat
            (beat, 2 * hidden + head); the latter is what domains are aligned on.
        """
        beats = pulse.shape[0]
        wave = (pulse - _MMHG_CENTRE) / _MMHG_SCALE  # shape: (beat, 64)
        constant = covariates[:, None].expand(-1, N_POINTS, -1)
        phase = self.phase.expand(beats, -1, -1)  # type: ignore[operator]
        steps, _ = self.lstm(torch.cat([wave[..., None], constant, phase], dim=2))
        pooled = steps.mean(dim=1)  # shape: (beat, 2 * hidden)
        context = pooled[:, None].expand(-1, N_POINTS, -1)
        seen = torch.cat([steps, context, constant], dim=2)
        points = F.gelu(self.hidden(seen))
        return points, torch.cat([pooled, points.mean(dim=1)], dim=1)

    def forward(self, pulse: Tensor, covariates: Tensor) -> Tensor:
        """Return aortic pressure, mmHg. Shape (beat, 64)."""
        points, _ = self.features(pulse, covariates)
        return self.read(points)

    def read(self, points: Tensor) -> Tensor:
        """Turn the features of every point into mmHg. Shape (beat, 64)."""
        wave: Tensor = self.output(points)[..., 0]
        return _MMHG_CENTRE + _MMHG_SCALE * wave
