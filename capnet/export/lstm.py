"""An LSTM that becomes one ONNX node.

torch 2.13 cannot trace ``nn.LSTM`` with a dynamic time axis in reasonable time. The
ONNX operator of the same name can: it is called directly, with the weights reordered.
"""

import torch
from torch import Tensor, nn

from capnet.errors import ConfigError

__all__ = ["ExportLSTM", "exchange_lstms"]


class ExportLSTM(nn.Module):
    """Stand-in of an ``nn.LSTM`` while a graph is captured; not for computing.

    torch orders the gates input, forget, cell, output; ONNX input, output, forget,
    cell. The weights are copied in that order; the original is left alone.

    Args:
        lstm: One or more layers, one or two directions, without projection. Dropout
            between layers is left out, as in evaluation.

    Raises:
        ConfigError: If the layer has a projection.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if lstm.proj_size:
            msg = (
                f"the LSTM has a projection of size {lstm.proj_size}; wanted none: the "
                "ONNX operator has no such thing. Train without proj_size."
            )
            raise ConfigError(msg)
        self.hidden = lstm.hidden_size
        self.layers = lstm.num_layers
        self.directions = 2 if lstm.bidirectional else 1
        self.batch_first = lstm.batch_first
        for layer in range(self.layers):
            for name, value in _onnx_weights(lstm, layer).items():
                self.register_buffer(f"{name}{layer}", value)
        self.train(lstm.training)

    def forward(
        self, steps: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Record one LSTM node for each layer.

        Args:
            steps: Shape (batch, time, input) if ``batch_first``, else
                (time, batch, input).
            state: Hidden and cell state to begin from, each of shape
                (layer * direction, batch, hidden); zero when left out.

        Returns:
            Hidden states of the last layer, and the final states, shaped as those of
            ``nn.LSTM``.
        """
        wave = steps.transpose(0, 1) if self.batch_first else steps
        time, batch = wave.shape[0], wave.shape[1]
        final: list[tuple[Tensor, Tensor]] = []
        for layer in range(self.layers):
            part = slice(layer * self.directions, (layer + 1) * self.directions)
            start = [] if state is None else [state[0][part], state[1][part]]
            weights = [self.get_buffer(f"{name}{layer}") for name in "WRB"]
            # The fifth input, the lengths of the sequences, is left out.
            inputs = [wave, *weights, *([None, *start] if start else [])]
            last = [self.directions, batch, self.hidden]
            outputs = torch.onnx.ops.symbolic_multi_out(
                "LSTM",
                inputs,
                attrs={
                    "hidden_size": self.hidden,
                    "direction": ["forward", "bidirectional"][self.directions - 1],
                },
                dtypes=[wave.dtype] * 3,
                shapes=[[time, self.directions, batch, self.hidden], last, last],
                version=20,
            )
            # shape: (time, direction, batch, hidden) -> (time, batch, both)
            wave = outputs[0].transpose(1, 2).reshape(time, batch, -1)
            final.append((outputs[1], outputs[2]))
        hidden, cell = (torch.cat(parts) for parts in zip(*final, strict=True))
        answer = wave.transpose(0, 1) if self.batch_first else wave
        return answer, (hidden, cell)


def exchange_lstms(model: nn.Module) -> nn.Module:
    """Put an `ExportLSTM` in the place of every ``nn.LSTM``, in place.

    Args:
        model: A copy: it can no longer compute afterwards.

    Returns:
        The model, or its stand-in if it is an ``nn.LSTM`` itself.
    """
    if isinstance(model, nn.LSTM):
        return ExportLSTM(model)
    for name, child in model.named_children():
        setattr(model, name, exchange_lstms(child))
    return model


def _onnx_weights(lstm: nn.LSTM, layer: int) -> dict[str, Tensor]:
    """Weights of one layer as the ONNX operator wants them: W, R, B."""
    ends = ["", "_reverse"] if lstm.bidirectional else [""]

    def stacked(name: str) -> Tensor:
        rows = [
            _iofc(lstm.get_parameter(f"{name}_l{layer}{end}").detach()) for end in ends
        ]
        return torch.stack(rows)

    into, within = stacked("weight_ih"), stacked("weight_hh")
    if lstm.bias:
        bias = torch.cat([stacked("bias_ih"), stacked("bias_hh")], dim=1)
    else:
        bias = into.new_zeros(len(ends), 8 * lstm.hidden_size)
    return {"W": into, "R": within, "B": bias}


def _iofc(gates: Tensor) -> Tensor:
    """Reorder gates from torch's (i, f, c, o) to ONNX's (i, o, f, c)."""
    i, f, c, o = gates.chunk(4)
    return torch.cat([i, o, f, c])
