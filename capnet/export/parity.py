"""How far an exported file is from the model it came from, in mmHg."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import torch

from capnet.errors import ProtocolError
from capnet.export.contract import INPUTS, OUTPUTS, SAMPLING_RATE
from capnet.export.example import example_inputs
from capnet.models.central import CentralPressureModel

__all__ = ["TOLERANCE", "Certificate", "Comparison", "parity"]

TOLERANCE: Final = 1e-3
"""mmHg: a thousandth of what a monitor shows."""


@dataclass(frozen=True)
class Comparison:
    """One call of both.

    Attributes:
        batch: Beats.
        time: Samples around each.
        wave: Largest difference of a point of a wave, mmHg.
        pressures: Largest difference of SBP, DBP, MAP or PP, mmHg.
    """

    batch: int
    time: int
    wave: float
    pressures: float


@dataclass(frozen=True)
class Certificate:
    """What was compared, and what came out.

    Attributes:
        sha256: Of the ONNX file.
        tolerance: mmHg.
        comparisons: One for each batch size and duration.
    """

    sha256: str
    tolerance: float
    comparisons: tuple[Comparison, ...]

    @property
    def worst(self) -> float:
        """Largest difference of all, mmHg."""
        return max(max(c.wave, c.pressures) for c in self.comparisons)

    @property
    def passed(self) -> bool:
        """Whether no difference exceeds the tolerance."""
        return self.worst <= self.tolerance

    def require(self) -> None:
        """Insist on parity.

        Raises:
            ProtocolError: If a difference exceeds the tolerance.
        """
        if not self.passed:
            msg = (
                f"the exported file differs from the model by {self.worst:.3g} mmHg; "
                f"wanted at most {self.tolerance:g}. Do not ship it: export again "
                "from the model in evaluation mode."
            )
            raise ProtocolError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return asdict(self) | {"worst_mmhg": self.worst, "passed": self.passed}


@torch.no_grad()
def parity(
    model: CentralPressureModel,
    path: Path,
    *,
    batches: Sequence[int] = (1, 3, 8),
    durations: Sequence[float] = (2.0, 3.2),
    tolerance: float = TOLERANCE,
) -> Certificate:
    """Compare a model with its exported file on made-up inputs.

    Args:
        model: What was exported; computed in evaluation mode, left as it was.
        path: The ONNX file.
        batches: Numbers of beats to try.
        durations: Lengths of the raw window to try, s.
        tolerance: mmHg.

    Returns:
        The largest differences. A NaN on one side alone counts as infinite.
    """
    content = Path(path).read_bytes()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [port.name for port in OUTPUTS]
    training = model.training
    model.eval()
    comparisons = []
    for batch in batches:
        for duration in durations:
            time = round(duration * SAMPLING_RATE)
            inputs = example_inputs(batch=batch, time=time, seed=batch)
            fed = {p.name: x.numpy() for p, x in zip(INPUTS, inputs, strict=True)}
            expected = [answer.numpy() for answer in model(*inputs)]
            found = session.run(names, fed)
            gaps = [_gap(a, b) for a, b in zip(expected, found, strict=True)]
            comparisons.append(Comparison(batch, time, *gaps))
    model.train(training)
    digest = hashlib.sha256(content).hexdigest()
    return Certificate(digest, tolerance, tuple(comparisons))


def _gap(expected: np.ndarray, found: np.ndarray) -> float:
    """Largest difference; infinite where one side alone is NaN or shapes differ."""
    if expected.shape != found.shape:
        return float("inf")
    missing = np.isnan(expected), np.isnan(found)
    if (missing[0] != missing[1]).any():
        return float("inf")
    known = ~missing[0]
    return float(np.abs(expected[known] - found[known]).max(initial=0.0))
