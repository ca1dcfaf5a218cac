"""The front end: raw PPG around a beat in, 64 points of its shape out.

The very same module prepares the beats for training and stands at the beginning of
the exported graph, so that the two cannot drift apart.
"""

from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from capnet.errors import ShapeError
from capnet.signal.checks import checked_numbers, checked_rows
from capnet.signal.linear_phase import LinearPhaseFIR
from capnet.signal.sampling import CUTOFF, N_TAPS, RATE, TINY, UNDERSHOOT
from capnet.signal.taps import lowpass_taps
from capnet.types import N_POINTS, BeatWaves, RawSamples, Windows

__all__ = ["N_TAPS", "RATE", "BeatFrontend", "beats_of_windows", "smooth"]

_CHUNK: Final = 8192
"""Rows filtered at once, to bound memory."""


def _read(rows: Tensor, index: Tensor) -> Tensor:
    return rows.gather(1, index.clamp(0, rows.shape[1] - 1))


def _catmull_rom(rows: Tensor, position: Tensor) -> Tensor:
    """Read rows (beat, time) at fractional positions (beat, point), samples.

    Cubic through the two samples before and after, with the slope at a sample
    halfway between its neighbours (Catmull and Rom 1974). Ends are held.
    """
    index = position.floor().to(torch.int64)
    t = position - position.floor()
    a, b = _read(rows, index - 1), _read(rows, index)
    c, d = _read(rows, index + 1), _read(rows, index + 2)
    cubic = 1.5 * (b - c) + 0.5 * (d - a)
    square = a - 2.5 * b + 2.0 * c - 0.5 * d
    return b + t * (0.5 * (c - a) + t * (square + t * cubic))


class BeatFrontend(nn.Module):
    """Turn raw PPG around a beat into 64 points, foot 0 and peak 1.

    1. Low-pass (10 Hz, linear phase, no delay). 2. 64 points from one pulse foot to
    the next, cubic. 3. The straight line through both feet is taken away, which
    removes baseline and drift. 4. Division by the highest point. The answer does not
    depend on gain, offset or a linear drift of the sensor.

    A flat window gives zeros; a missing sample within reach of the filter gives NaN.
    """

    phase: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = lowpass_taps(cutoff=CUTOFF, sampling_rate=RATE, n_taps=N_TAPS)
        self.lowpass = LinearPhaseFIR(taps)
        phase = torch.arange(N_POINTS + 1, dtype=torch.float32) / N_POINTS
        self.register_buffer("phase", phase, persistent=False)

    def forward(self, raw: Tensor, start: Tensor, stop: Tensor) -> Tensor:
        """Prepare beats.

        Args:
            raw: PPG at `RATE`, any unit. Shape (beat, time).
            start: Pulse foot, samples within the row. Shape (beat,).
            stop: Next pulse foot, samples within the row. Shape (beat,).

        Returns:
            Shape of each beat, no unit. Shape (beat, 64).
        """
        # A large offset would cost float32 its digits: take the foot's level away.
        level = _read(raw, start[:, None].to(torch.int64))
        smooth = self.lowpass(raw - level)
        # shape: (beat, 65); the last point is the next foot
        position = start[:, None] + self.phase * (stop - start)[:, None]
        wave = _catmull_rom(smooth, position)
        first, last = wave[:, :1], wave[:, -1:]
        pulse = (wave - first - self.phase * (last - first))[:, :-1]
        highest = pulse.amax(dim=1, keepdim=True)
        depth = pulse.abs().amax(dim=1, keepdim=True)
        height = torch.maximum(highest, UNDERSHOOT * depth) + TINY
        return pulse / height


@cache
def _shared() -> BeatFrontend:
    return BeatFrontend().eval().requires_grad_(requires_grad=False)


def _single(values: np.ndarray) -> Tensor:
    """Return numbers for the graph; what single precision cannot hold is missing."""
    with np.errstate(over="ignore"):
        return torch.from_numpy(values.astype(np.float32)).nan_to_num_(
            nan=torch.nan, posinf=torch.nan, neginf=torch.nan
        )


def smooth(raw: RawSamples) -> Windows:
    """Low-pass windows as the front end does.

    Args:
        raw: Samples at `RATE`, NaN where missing. Shape (beat, time).

    Returns:
        The same, low-passed at 10 Hz; half a filter (0.4 s) around a missing sample
        is missing as well. float32. Shape (beat, time).

    Raises:
        ShapeError: If the samples are no rows of real numbers.
    """
    raw = checked_rows(raw, where="the windows")
    if raw.size == 0:
        return np.zeros(raw.shape, dtype=np.float32)
    with torch.inference_mode():
        parts = [
            _shared().lowpass(_single(raw[i : i + _CHUNK]))
            for i in range(0, len(raw), _CHUNK)
        ]
        return torch.cat(parts).numpy()


def beats_of_windows(raw: RawSamples, start: RawSamples, stop: RawSamples) -> BeatWaves:
    """Run the front end on numpy arrays.

    Args:
        raw: PPG at `RATE`, any unit, NaN where missing. Shape (beat, time).
        start: Pulse foot, samples within the row. Shape (beat,).
        stop: Next pulse foot, samples within the row. Shape (beat,).

    Returns:
        Shape of each beat, foot 0 and peak 1; NaN where samples or a foot are
        missing. float32. Shape (beat, 64).

    Raises:
        ShapeError: If the samples are no rows of real numbers, or start and stop have
            not one value a row.
    """
    raw = checked_rows(raw, where="the windows", least=1)
    start, stop = (checked_numbers(x, where="the feet") for x in (start, stop))
    if not len(raw) == len(start) == len(stop):
        msg = (
            f"{len(raw)} windows, {len(start)} starts, {len(stop)} stops; wanted equal."
        )
        raise ShapeError(msg)
    if len(raw) == 0:
        return np.zeros((0, N_POINTS), dtype=np.float32)
    module = _shared()
    arrays = [_single(x) for x in (raw, start, stop)]
    with torch.inference_mode():
        parts = [
            module(*(x[i : i + _CHUNK] for x in arrays))
            for i in range(0, len(raw), _CHUNK)
        ]
        return torch.cat(parts).numpy()
