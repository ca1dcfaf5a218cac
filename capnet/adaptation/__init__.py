"""From the source to a target clinic: divergences, adapters, strategies."""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.adaptation.divergences import mmd
    from capnet.adaptation.lora import LoRA
    from capnet.adaptation.prior import PriorWeights, prior_weights
    from capnet.adaptation.strategies import (
        LoRAReplay,
        MMDLoRAReplay,
        Shots,
        ShrunkAffine,
        Strategy,
    )

__all__ = [
    "LoRA",
    "LoRAReplay",
    "MMDLoRAReplay",
    "PriorWeights",
    "Shots",
    "ShrunkAffine",
    "Strategy",
    "mmd",
    "prior_weights",
]

_HOMES = {
    "LoRA": "lora",
    "LoRAReplay": "strategies",
    "MMDLoRAReplay": "strategies",
    "PriorWeights": "prior",
    "Shots": "strategies",
    "ShrunkAffine": "strategies",
    "Strategy": "strategies",
    "mmd": "divergences",
    "prior_weights": "prior",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
