"""What goes into an exported model and what comes out: the promise to its user."""

from typing import Final, NamedTuple

from capnet.signal.sampling import N_TAPS, RATE
from capnet.types import N_POINTS

__all__ = ["INPUTS", "MARGIN", "OPSET", "OUTPUTS", "SAMPLING_RATE", "Port"]


class Port(NamedTuple):
    """One input or output of the graph; float32.

    Attributes:
        name: Its name in the graph.
        shape: A word for an axis of any length, a number for a fixed one.
        unit: Unit.
        meaning: In one sentence.
    """

    name: str
    shape: tuple[str | int, ...]
    unit: str
    meaning: str

    @property
    def dynamic(self) -> dict[int, str]:
        """The axes of any length: position -> name."""
        return {i: axis for i, axis in enumerate(self.shape) if isinstance(axis, str)}


SAMPLING_RATE: Final = RATE
"""Hz of the raw samples."""

MARGIN: Final = N_TAPS // 2
"""Samples the front end needs before the foot of a beat and after the next."""

OPSET: Final = 20
"""ONNX operator set of every exported file."""

INPUTS: Final = (
    Port(
        "raw",
        ("beat", "time"),
        "any",
        f"raw PPG at {SAMPLING_RATE:g} Hz around one beat, at least {MARGIN} samples "
        "before its foot and after the next foot",
    ),
    Port("start", ("beat",), "samples", "pulse foot within raw, may be fractional"),
    Port("stop", ("beat",), "samples", "next pulse foot within raw"),
    Port("age", ("beat",), "years", "age, NaN when unknown"),
    Port("cuff", ("beat", 2), "mmHg", "systolic and diastolic pressure of a cuff"),
    Port("cuff_is_radial", ("beat",), "0 or 1", "1 where the cuff was at the wrist"),
)
"""What the graph eats, in this order."""

OUTPUTS: Final = (
    Port("wave", ("beat", N_POINTS), "mmHg", "aortic pressure from foot to foot"),
    Port("pressures", ("beat", 4), "mmHg", "central SBP, DBP, MAP and PP"),
)
"""What it answers, in this order."""
