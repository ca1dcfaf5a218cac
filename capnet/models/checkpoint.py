"""Models on disk: safetensors and JSON, written whole, no code on load."""

import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save

from capnet.errors import RecordError
from capnet.files import write_atomic
from capnet.models.bilstm import BiLSTM
from capnet.models.central import CentralPressureModel
from capnet.models.uncertainty import NOTHING, Uncertainty

__all__ = ["load", "save_model"]

_WEIGHTS, _CONFIG, _FORMAT = "model.safetensors", "model.json", 1
_UNCERTAINTY = "uncertainty.json"
_NETS: Final = {"BiLSTM": BiLSTM}


def save_model(model: CentralPressureModel, folder: Path) -> Path:
    """Save a model as ``model.safetensors`` and ``model.json``.

    What it needs to answer with intervals and a doubt is in ``uncertainty.json``, which
    is there only if the model has any.

    Args:
        model: A merged model: adapters must have become plain weights.
        folder: Made when missing.

    Returns:
        The folder.
    """
    config = {
        "format": _FORMAT,
        "net": type(model.net).__name__,
        "net_config": model.net.config,
        "name": model.name,
        "role": model.role,
        "k": model.k,
        "info": model.info,
    }
    tensors = {k: v.detach().contiguous() for k, v in model.state_dict().items()}
    # Both are made before the first is written: what cannot be told in JSON must not
    # leave new weights beside an old card.
    weights, card = save(tensors), json.dumps(config, indent=2).encode()
    told = json.dumps(model.uncertainty.to_dict(), allow_nan=False).encode()
    write_atomic(folder / _WEIGHTS, weights)
    write_atomic(folder / _CONFIG, card)
    if model.uncertainty:
        write_atomic(folder / _UNCERTAINTY, told)
    else:  # that of another model, saved here before
        (folder / _UNCERTAINTY).unlink(missing_ok=True)
    return folder


def load(folder: Path) -> CentralPressureModel:
    """Load a model saved by `save_model`, in evaluation mode.

    Raises:
        RecordError: If a file is missing, damaged, or does not fit the network.
    """
    config = _read_config(folder / _CONFIG)
    net_class = _NETS.get(str(config["net"]))
    if net_class is None:
        msg = f"{folder / _CONFIG} names network {config['net']!r}; known: {[*_NETS]}."
        raise RecordError(msg)
    try:
        model = CentralPressureModel(
            net_class(**config["net_config"]),
            name=config["name"],
            role=config["role"],
            k=config["k"],
            info=config["info"],
        )
        model.load_state_dict(load_file(folder / _WEIGHTS))
    except Exception as error:
        # safetensors and torch raise half a dozen types for a damaged file.
        msg = f"{folder / _WEIGHTS} is missing, damaged or does not fit: {error}"
        raise RecordError(msg) from error
    unfinite = [k for k, v in model.state_dict().items() if not torch.isfinite(v).all()]
    if unfinite:
        msg = f"{folder / _WEIGHTS} holds NaN or infinity in {unfinite[0]!r}."
        raise RecordError(msg)
    model.uncertainty = _read_uncertainty(folder / _UNCERTAINTY)
    return model.eval()


def _read_uncertainty(path: Path) -> Uncertainty:
    """Read what is said beside answers; models that say nothing have no such file."""
    if not path.is_file():
        return NOTHING
    try:
        return Uncertainty.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except Exception as error:
        # Whatever stands in it, somebody else may have written.
        msg = (
            f"{path} is damaged or of another format: {error!r}. Restore it, or delete "
            "it to load the model without intervals and doubt."
        )
        raise RecordError(msg) from error


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config: Any = json.loads(path.read_text())
    except FileNotFoundError:
        msg = (
            f"there is no model at {path.parent}: {path.name} is missing. Train one "
            "with `python experiments/pretrain.py` and pass the folder it leaves."
        )
        raise RecordError(msg) from None
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read as JSON: {error}"
        raise RecordError(msg) from error
    wanted = {"format", "net", "net_config", "name", "role", "k", "info"}
    missing = wanted - set(config) if isinstance(config, dict) else wanted
    if missing or config["format"] != _FORMAT:
        msg = (
            f"{path} is no model of format {_FORMAT}: "
            f"{'missing ' + ', '.join(sorted(missing)) if missing else 'other format'}."
        )
        raise RecordError(msg)
    return dict(config)
