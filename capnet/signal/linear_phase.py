"""A linear-phase FIR filter as a module: one convolution in training and in ONNX."""

from torch import Tensor, as_tensor, float32, nn

from capnet.signal.taps import checked_taps
from capnet.types import RawSamples

__all__ = ["LinearPhaseFIR"]


class LinearPhaseFIR(nn.Module):
    """Filter rows with symmetric taps and no delay.

    Ends are continued by their last value. Exports to ONNX as a Pad and one Conv with
    batch and time dynamic.

    Args:
        taps: Coefficients, odd and symmetric. Shape (tap,).

    Raises:
        ConfigError: If the taps are no numbers, even in number or not symmetric.
    """

    taps: Tensor

    def __init__(self, taps: RawSamples) -> None:
        super().__init__()
        taps = checked_taps(taps)
        # The taps follow from the design, so they are no part of the weights.
        self.register_buffer("taps", as_tensor(taps, dtype=float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Filter each row; a missing sample (NaN) spoils half a filter around it.

        Args:
            x: Samples. Shape (batch, time).

        Returns:
            Filtered samples. Shape (batch, time).
        """
        # shape: (batch, 1, time)
        half = self.taps.shape[0] // 2
        padded = nn.functional.pad(x[:, None], (half, half), mode="replicate")
        return nn.functional.conv1d(padded, self.taps[None, None])[:, 0]

    def extra_repr(self) -> str:
        """Show the length of the filter."""
        return f"n_taps={self.taps.shape[0]}"
