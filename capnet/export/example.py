"""Made-up inputs of an exported model: to capture the graph, and to compare with."""

import math

import torch
from torch import Tensor

from capnet.errors import ConfigError
from capnet.export.contract import MARGIN, SAMPLING_RATE

__all__ = ["example_inputs"]

_SHORTEST = 2 * MARGIN + 100
"""Samples: room for a beat of 0.8 s."""


def example_inputs(*, batch: int, time: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Draw plausible inputs, in the order of the contract.

    Every second age is unknown and every third cuff is at the wrist, so that each
    branch of the graph is used.

    Args:
        batch: Beats.
        time: Samples around each beat, at least 200.
        seed: Of what is drawn.

    Returns:
        raw, start, stop, age, cuff, cuff_is_radial; float32.

    Raises:
        ConfigError: If the window is too short for a beat.
    """
    if time < _SHORTEST or batch < 1:
        msg = (
            f"asked for {batch} beats of {time} samples; wanted at least 1 beat and "
            f"{_SHORTEST} samples ({_SHORTEST / SAMPLING_RATE:g} s)."
        )
        raise ConfigError(msg)
    draw = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=draw)

    room = time - 2 * MARGIN
    length = uniform(0.6, 0.95, batch) * min(room, 1.2 * SAMPLING_RATE)
    start = MARGIN + uniform(0.0, 1.0, batch) * (room - length)
    phase = (torch.arange(time) - start[:, None]) / length[:, None] * 2 * math.pi
    second, offset = uniform(0.2, 0.5, batch, 1), uniform(-2.0, 2.0, batch, 1)
    noise = 0.01 * torch.randn(batch, time, generator=draw)
    raw = offset - phase.cos() - second * (2 * phase + 0.6).cos() + noise
    row = torch.arange(batch)
    age = uniform(20, 85, batch).where(row % 2 == 0, torch.nan)
    dbp = uniform(55, 95, batch)
    cuff = torch.stack([dbp + uniform(30, 70, batch), dbp], dim=1)
    return raw, start, start + length, age, cuff, (row % 3 == 0).float()
