"""The door of peft: low-rank adapters on the Bi-LSTM, attached, watched, merged."""

import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from capnet.errors import AdapterError, ConfigError

__all__ = [
    "LSTM_TARGETS",
    "LoRA",
    "attach",
    "check_effect",
    "check_gradients",
    "check_merged",
    "merge",
]

LSTM_TARGETS = (
    "lstm.weight_ih_l0",
    "lstm.weight_hh_l0",
    "lstm.weight_ih_l0_reverse",
    "lstm.weight_hh_l0_reverse",
    "hidden.weight",
)
"""Weights of `capnet.models.bilstm.BiLSTM` that get an adapter by default."""


@dataclass(frozen=True, kw_only=True)
class LoRA:
    """Which weights get adapters, and how wide.

    Attributes:
        rank: Of each adapter.
        alpha: Scale; the update is alpha / rank times B A.
        targets: Names of weights, ``*`` and ``?`` allowed.
    """

    rank: int = 4
    alpha: float = 4.0
    targets: Sequence[str] = LSTM_TARGETS

    def __post_init__(self) -> None:
        if not (self.rank >= 1 and self.alpha > 0 and len(self.targets) > 0):
            msg = (
                f"LoRA has rank {self.rank}, alpha {self.alpha}, targets "
                f"{list(self.targets)}; wanted rank >= 1, alpha > 0, a target or more."
            )
            raise ConfigError(msg)


def attach(net: nn.Module, lora: LoRA) -> PeftModel:
    """Return a copy of a network in which only low-rank adapters learn.

    peft reaches an LSTM through its *parameters* (``target_parameters``): by module
    name it would be refused, or passed over in silence.

    Args:
        net: Any module; it is not changed.
        lora: Which weights, how wide.

    Raises:
        AdapterError: If a target name matches no weight: a misspelt target would
            otherwise learn nothing without a word.
    """
    net = deepcopy(net).requires_grad_(requires_grad=False)
    weights = [name for name, p in net.named_parameters() if p.ndim == 2]
    lost = [t for t in lora.targets if not any(fnmatch(w, t) for w in weights)]
    if lost:
        msg = (
            f"LoRA target {lost[0]!r} matches no weight of {type(net).__name__}; it "
            f"has {', '.join(weights)}. Correct the name."
        )
        raise AdapterError(msg)
    matched = [w for w in weights if any(fnmatch(w, t) for t in lora.targets)]
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # peft takes any number
        target_modules=[],
        target_parameters=matched,
    )
    with warnings.catch_warnings():
        # peft warns that no *module* was targeted; every weight is checked below.
        warnings.filterwarnings("ignore", category=UserWarning)
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        adapted = get_peft_model(cast("Any", net), config)
    found = len([n for n, _ in adapted.named_parameters() if "lora_B" in n])
    if found != len(matched):
        msg = (
            f"{found} adapters were attached for {len(matched)} weights "
            f"({', '.join(matched)}); wanted one each."
        )
        raise AdapterError(msg)
    return adapted


def check_gradients(adapted: nn.Module) -> None:
    """Demand that every adapter learns; call it after the first backward pass.

    Raises:
        AdapterError: If an adapter is frozen or got no gradient.
    """
    pairs = [(n, p) for n, p in adapted.named_parameters() if "lora_B" in n]
    if not pairs:
        msg = "the network has no adapter; attach one before training."
        raise AdapterError(msg)
    for name, parameter in pairs:
        if not parameter.requires_grad:
            msg = f"adapter {name!r} is frozen; wanted requires_grad=True."
            raise AdapterError(msg)
        if parameter.grad is not None and not bool(parameter.grad.isfinite().all()):
            msg = (
                f"the gradient of adapter {name!r} is not finite in the first step: "
                "look for NaN in the beats."
            )
            raise AdapterError(msg)
        if parameter.grad is None or not bool(parameter.grad.abs().max() > 0):
            msg = (
                f"adapter {name!r} got no gradient in the first step: the loss does "
                "not depend on it. Is its layer used in the forward pass?"
            )
            raise AdapterError(msg)


@torch.no_grad()
def check_effect(adapted: nn.Module, base: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Demand that a trained adapter acts, in evaluation as in training mode.

    (Fused evaluation kernels of stock Transformer layers read the raw weights and
    ignore adapters without a word.)

    Args:
        adapted: The network with its trained adapters.
        base: The network it was made from.
        inputs: What both are called with.

    Raises:
        AdapterError: If evaluation ignores the adapter or differs from training.
    """
    training = adapted.training
    in_training = adapted.train()(*inputs)
    in_evaluation = adapted.eval()(*inputs)
    adapted.train(training)
    away = float((in_evaluation - base(*inputs)).abs().max())
    if away == 0.0:
        msg = (
            "the adapted network answers exactly as the base in eval mode: its adapter "
            "is ignored there, or it never learned."
        )
        raise AdapterError(msg)
    apart = float((in_evaluation - in_training).abs().max())
    if not apart <= 1e-3:  # NaN is no agreement either.
        msg = (
            f"eval and train mode of the adapted network differ by {apart:.3g} mmHg; "
            "wanted <= 0.001: part of it is ignored in one of them."
        )
        raise AdapterError(msg)


@torch.no_grad()
def check_merged(
    merged: nn.Module,
    adapted: nn.Module,
    inputs: Sequence[Tensor],
    *,
    tolerance: float = 1e-3,
) -> None:
    """Demand that merged weights answer as the adapters did.

    Args:
        merged: The network with plain weights.
        adapted: The network with adapters.
        inputs: What both are called with.
        tolerance: Largest difference, mmHg.

    Raises:
        AdapterError: If they differ by more.
    """
    apart = float((merged.eval()(*inputs) - adapted.eval()(*inputs)).abs().max())
    if not apart <= tolerance:
        msg = (
            f"merged and adapted network differ by {apart:.3g} mmHg; wanted <= "
            f"{tolerance:g}. The adapter was not merged as it was trained."
        )
        raise AdapterError(msg)


def merge(adapted: PeftModel, inputs: Sequence[Tensor]) -> nn.Module:
    """Fold the adapters into plain weights and prove that nothing changed.

    Args:
        adapted: The network with trained adapters; it is not changed.
        inputs: What to compare the two on.

    Raises:
        AdapterError: If the merged network answers otherwise.
    """
    copied = deepcopy(adapted)
    merged: nn.Module = copied.merge_and_unload()
    check_merged(merged, adapted, inputs)
    return merged.requires_grad_(requires_grad=True)
