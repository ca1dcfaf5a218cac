"""A bidirectional LSTM over one beat: the shape of a pulse in, aortic pressure out."""

import math
from typing import Final

import torch
from torch import Tensor, nn

from capnet.types import N_POINTS

__all__ = ["COVARIATES", "BiLSTM"]

COVARIATES: Final = 6
"""Numbers beside the wave: HR, age, age known, cuff SBP, cuff DBP, cuff is radial."""

_PULSE_MEAN, _PULSE_SCALE = 0.4, 3.0


class BiLSTM(nn.Module):
    r"""Maps the shape of a pulse, a cuff and covariates to an aortic pressure beat.

    Every time step sees the pulse, the standardised covariates and the phase of the
    beat :math:`(\sin\varphi, \cos\varphi)`; a time-wise perceptron reads the two
    directions and their mean over the beat. The answer y has the unit of the cuff's
    own pulse above its diastole,

    .. math:: p = \mathrm{DBP} + (\mathrm{SBP} - \mathrm{DBP})\,(0.4 + y),

    so that level and height of the pressure carry over to people beyond the range of
    those it was trained on, as they do in an artery.

    Args:
        hidden: Units of each direction.
        head: Units of the perceptron.
    """

    phase: Tensor

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

    def features(self, ppg: Tensor, covariates: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the head reads, and its mean over the beat.

        Args:
            ppg: Pulse from the front end, foot 0 and peak 1. Shape (beat, 64).
            covariates: Standardised. Shape (beat, 6).

        Returns:
            Features of every point (beat, 64, head) and of the beat
            (beat, 2 * hidden + head); the latter is what domains are aligned on.
        """
        wave = (ppg - _PULSE_MEAN) * _PULSE_SCALE  # shape: (beat, 64)
        constant = covariates[:, None].expand(-1, N_POINTS, -1)
        phase = self.phase.expand(ppg.shape[0], -1, -1)
        steps, _ = self.lstm(torch.cat([wave[..., None], constant, phase], dim=2))
        pooled = steps.mean(dim=1)  # shape: (beat, 2 * hidden)
        context = pooled[:, None].expand(-1, N_POINTS, -1)
        seen = torch.cat([steps, context, constant], dim=2)
        points = nn.functional.gelu(self.hidden(seen))
        return points, torch.cat([pooled, points.mean(dim=1)], dim=1)

    def read(self, points: Tensor, cuff: Tensor) -> Tensor:
        """Turn the features of every point into mmHg.

        Args:
            points: Shape (beat, 64, head).
            cuff: SBP and DBP, mmHg. Shape (beat, 2).

        Returns:
            Aortic pressure, mmHg. Shape (beat, 64).
        """
        share: Tensor = _PULSE_MEAN + self.output(points)[..., 0]
        return cuff[:, 1:] + share * (cuff[:, :1] - cuff[:, 1:])

    def forward(self, ppg: Tensor, covariates: Tensor, cuff: Tensor) -> Tensor:
        """Return aortic pressure, mmHg. Shape (beat, 64)."""
        points, _ = self.features(ppg, covariates)
        return self.read(points, cuff)
