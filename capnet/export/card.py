"""The card of an exported model: what it is for, and what it is not."""

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np

import capnet
from capnet.export.contract import INPUTS, MARGIN, OPSET, OUTPUTS, SAMPLING_RATE
from capnet.export.parity import Certificate
from capnet.files import write_atomic
from capnet.models.central import CentralPressureModel
from capnet.prediction import DISCLAIMER

__all__ = ["FORMAT", "describe", "save_card", "write_card"]

FORMAT: Final = 1
"""Number of the layout of the card."""

_INTENDED_USE: Final = (
    "Research on the estimation of central (aortic) pressure from a peripheral PPG "
    "and a cuff reading. Not for diagnosis, monitoring or treatment."
)

_LIMITS: Final = (
    "The millimetres of mercury are those of the cuff reading: its error is passed on.",
    "No quality gate is inside: beats with artefacts must be refused beforehand.",
    "Sinus rhythm, one beat at a time, foot to foot; no arrhythmia was in training.",
    "Outside the range of the training population the error is unknown.",
)

_TRAINING_DATA: Final = (
    "Virtual people (simulated arterial pressure and PPG); no measured aortic pressure."
)


def write_card(
    path: Path,
    *,
    model: CentralPressureModel,
    onnx_file: Path,
    metrics: Mapping[str, Any],
    certificate: Certificate | None = None,
    training_data: str = _TRAINING_DATA,
) -> Path:
    """Write the card of an exported model as JSON, whole or not at all.

    Args:
        path: Where to write; `capnet.export.Runtime` looks for ``card.json``.
        model: What was exported; its name, role, k and info go on the card.
        onnx_file: The exported file, for its sha256 and size.
        metrics: Measured errors, names with their unit, such as
            ``{"wave_rmse_mmhg": 3.0}``, and on which people.
        certificate: From `capnet.export.parity`.
        training_data: In a sentence; virtual people unless said otherwise.

    Returns:
        The path.
    """
    content = Path(onnx_file).read_bytes()
    card = describe(model, metrics=metrics, training_data=training_data) | {
        "file": Path(onnx_file).name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "opset": OPSET,
        "sampling_rate_hz": SAMPLING_RATE,
        "margin_samples": MARGIN,
        "dtype": "float32",
        "inputs": [port._asdict() for port in INPUTS],
        "outputs": [port._asdict() for port in OUTPUTS],
        "parity": None if certificate is None else certificate.to_dict(),
    }
    return save_card(card, Path(path))


def describe(
    model: CentralPressureModel,
    *,
    metrics: Mapping[str, Any],
    training_data: str = _TRAINING_DATA,
) -> dict[str, Any]:
    """Say what a model is for, what it is not, and where it comes from.

    Args:
        model: Its name, role, k and info go on the card.
        metrics: Measured errors, names with their unit, and on which people.
        training_data: In a sentence; virtual people unless said otherwise.

    Returns:
        The part of a card that does not depend on an exported file.
    """
    return {
        "format": FORMAT,
        "name": model.name,
        "role": model.role,
        "k_labelled_target_subjects": model.k,
        "disclaimer": DISCLAIMER,
        "intended_use": _INTENDED_USE,
        "limits": list(_LIMITS),
        "training_data": training_data,
        "info": model.info,
        "parameters": sum(p.numel() for p in model.parameters()),
        "metrics": dict(metrics),
        "versions": _versions(),
    }


def save_card(card: Mapping[str, Any], path: Path) -> Path:
    """Write a card as JSON, whole or not at all; NaN becomes null."""
    text = json.dumps(_plain(card), indent=2, allow_nan=False) + "\n"
    return write_atomic(path, text.encode())


def _plain(value: Any) -> Any:
    """Turn numpy numbers into plain ones, and NaN and infinity into null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _versions() -> dict[str, str]:
    """What the file was made with."""
    packages = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")
    found = {p: metadata.version(p).split("+")[0] for p in packages}
    return {"capnet": capnet.__version__, "python": platform.python_version()} | found
