"""From a trained model to a file on a device: one ONNX file, its parity, its card.

Every name is loaded on first use, so that importing this room costs no torch and no
onnx. `capnet.export.parity` and `capnet.export.runtime` are modules.
"""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.export.card import write_card
    from capnet.export.example import example_inputs
    from capnet.export.folder import export_folder
    from capnet.export.onnx import export_onnx
    from capnet.export.parity import Certificate
    from capnet.export.runtime import Runtime

__all__ = [
    "Certificate",
    "Runtime",
    "example_inputs",
    "export_folder",
    "export_onnx",
    "write_card",
]

_HOMES = {
    "Certificate": "parity",
    "Runtime": "runtime",
    "example_inputs": "example",
    "export_folder": "folder",
    "export_onnx": "onnx",
    "write_card": "card",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
