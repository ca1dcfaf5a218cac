"""A folder that a device maker can take away."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capnet.export.card import write_card
from capnet.export.example import example_inputs
from capnet.export.onnx import export_onnx
from capnet.export.parity import parity
from capnet.files import write_atomic
from capnet.models.central import CentralPressureModel

__all__ = ["export_folder"]


def export_folder(
    model: CentralPressureModel, folder: Path, *, metrics: Mapping[str, Any]
) -> Path:
    """Write model, card, parity certificate and runtime into one folder.

    ``model.onnx``, ``certificate.json``, ``runtime.py`` and, last, ``card.json``:
    a folder without a card is not finished.

    Args:
        model: A merged model.
        folder: Made when missing.
        metrics: For the card, see `write_card`.

    Returns:
        The folder.

    Raises:
        ProtocolError: If the exported file does not agree with the model; no card is
            written then.
        AdapterError: If an adapter is not merged.
    """
    folder = Path(folder)
    (folder / "card.json").unlink(missing_ok=True)
    example = example_inputs(batch=3, time=300)
    file = export_onnx(model, folder / "model.onnx", example=example)
    certificate = parity(model, file)
    certificate.require()
    report = json.dumps(certificate.to_dict(), indent=2) + "\n"
    write_atomic(folder / "certificate.json", report.encode())
    source = Path(__file__).with_name("runtime.py").read_bytes()
    write_atomic(folder / "runtime.py", source)
    write_card(
        folder / "card.json",
        model=model,
        onnx_file=file,
        metrics=metrics,
        certificate=certificate,
    )
    return folder
