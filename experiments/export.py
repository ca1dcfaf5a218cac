"""Export a model for a wearable: one ONNX file that eats raw samples.

``python experiments/export.py model=<folder or name>`` leaves model.onnx, the parity
certificate, a runtime of numpy and onnxruntime alone, and the card.
"""

import json
from pathlib import Path

import hydra
from omegaconf import DictConfig

from capnet.errors import RecordError
from capnet.export import export_folder
from capnet.models.zoo import load_model
from experiments.door import console, door, folder


@hydra.main(version_base="1.3", config_path="../configs", config_name="export")
@door
def main(cfg: DictConfig) -> None:
    """Export, certify, write the card."""
    model = load_model(cfg.model)
    metrics = {}
    if cfg.metrics is not None:
        try:
            metrics = json.loads(Path(cfg.metrics).read_text())
        except (OSError, ValueError) as error:
            msg = f"{cfg.metrics} cannot be read as JSON: {error}"
            raise RecordError(msg) from error
    out = export_folder(model, folder(), metrics=metrics)
    certificate = json.loads((out / "certificate.json").read_text())
    console.print(f"worst difference from torch: {certificate['worst_mmhg']:.2g} mmHg")
    print(out / "model.onnx")


if __name__ == "__main__":
    main()
