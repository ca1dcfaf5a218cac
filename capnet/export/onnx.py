"""One ONNX file that eats raw samples: front end, network and correction together."""

import copy
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import capnet
from capnet.errors import AdapterError, ConfigError
from capnet.export.contract import INPUTS, OPSET, OUTPUTS, SAMPLING_RATE
from capnet.export.lstm import exchange_lstms
from capnet.files import write_atomic
from capnet.models.central import CentralPressureModel
from capnet.prediction import DISCLAIMER

__all__ = ["export_onnx"]

_CHATTY: Final = (
    "torch.onnx._internal.exporter._registration",
    "onnxscript",
    "onnx_ir",
)
_ADAPTER_MARK: Final = "lora_"


def export_onnx(
    model: CentralPressureModel, path: Path, *, example: tuple[Tensor, ...]
) -> Path:
    """Write a model as one ONNX file with dynamic batch and time.

    The model is copied first and stays as it is. The file passes the full check of
    ``onnx.checker``, names no source file of this machine, and appears whole or not
    at all.

    Args:
        model: A merged model: adapters must have become plain weights.
        path: Where to write, ending in ``.onnx``.
        example: Inputs in the order of the contract, at least two beats; see
            `capnet.export.example_inputs`. Their lengths are not frozen.

    Returns:
        The path.

    Raises:
        ConfigError: If the example does not fit the contract, or the path is not one
            of an ONNX file.
        AdapterError: If an adapter is not merged.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        msg = f"path is {str(path)!r}; wanted a name that ends in '.onnx'."
        raise ConfigError(msg)
    _check_example(example)
    _check_merged(model)
    twin = exchange_lstms(copy.deepcopy(model)).cpu().float().eval()
    twin.requires_grad_(requires_grad=False)
    with _quiet():
        program = torch.onnx.export(
            twin,
            tuple(tensor.detach().cpu().float() for tensor in example),
            dynamo=True,
            opset_version=OPSET,
            input_names=[port.name for port in INPUTS],
            output_names=[port.name for port in OUTPUTS],
            dynamic_shapes=tuple(port.dynamic for port in INPUTS),
            external_data=False,
            verbose=False,
        )
    # None would be the answer of the deprecated exporter.
    program = cast("torch.onnx.ONNXProgram", program)
    proto = _forget_sources(program.model_proto)
    onnx.helper.set_model_props(proto, _summary(model))
    _check_graph(proto)
    return write_atomic(path, proto.SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says about itself and not about the model.

    It misses torchvision, uses a deprecated name of torch, and remarks that axes of
    the same name are the same axis, which is what they are meant to be.
    """
    logs = [logging.getLogger(name) for name in _CHATTY]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*")
            warnings.filterwarnings("ignore", message=".*axis name.*will not be used")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _summary(model: CentralPressureModel) -> dict[str, str]:
    """What a reader of the bare file should know."""
    return {
        "name": model.name,
        "role": model.role,
        "k": str(model.k),
        "disclaimer": DISCLAIMER,
        "sampling_rate_hz": f"{SAMPLING_RATE:g}",
        "inputs": json.dumps([port._asdict() for port in INPUTS]),
        "outputs": json.dumps([port._asdict() for port in OUTPUTS]),
        "capnet": capnet.__version__,
        "torch": torch.__version__,
    }


def _forget_sources(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the stack traces that the exporter leaves on every node."""
    graphs = [proto.graph, *proto.functions]
    for graph in graphs:
        graph.ClearField("metadata_props")
        graph.ClearField("doc_string")
        for node in graph.node:
            node.ClearField("metadata_props")
            node.ClearField("doc_string")
    values = [*proto.graph.value_info, *proto.graph.input, *proto.graph.output]
    for value in [*values, *proto.graph.initializer]:
        value.ClearField("metadata_props")
        value.ClearField("doc_string")
    return proto


def _check_graph(proto: onnx.ModelProto) -> None:
    """Run the full check on the bytes as they will be written."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "model.onnx"
        draft.write_bytes(proto.SerializeToString())
        onnx.checker.check_model(str(draft), full_check=True)


def _check_example(example: tuple[Tensor, ...]) -> None:
    """Refuse an example that does not fit the contract."""
    shapes = [tuple(tensor.shape) for tensor in example]
    wanted = [port.shape for port in INPUTS]
    fits = len(shapes) == len(wanted) and all(
        len(found) == len(shape)
        and all(isinstance(w, str) or f == w for f, w in zip(found, shape, strict=True))
        for found, shape in zip(shapes, wanted, strict=True)
    )
    if not fits or len({shape[0] for shape in shapes}) != 1 or shapes[0][0] < 2:
        names = ", ".join(f"{port.name} {port.shape}" for port in INPUTS)
        msg = (
            f"the example has shapes {shapes}; wanted {names} of at least 2 beats (an "
            "axis of length 1 would be frozen). Use capnet.export.example_inputs."
        )
        raise ConfigError(msg)


def _check_merged(model: nn.Module) -> None:
    """Refuse a model whose adapters are still apart from its weights."""
    apart = [
        name
        for name, module in model.named_modules()
        if parametrize.is_parametrized(module)
    ]
    apart += [name for name, _ in model.named_parameters() if _ADAPTER_MARK in name]
    if apart:
        msg = (
            f"{apart[0] or 'the model'!r} carries an adapter that is not merged; the "
            "graph would lose it or fail. Merge it into the weights first."
        )
        raise AdapterError(msg)
