"""The exported file: self-contained, anonymous, valid, and of an untouched model."""

import copy
import json
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from capnet.errors import AdapterError, ConfigError
from capnet.export.contract import INPUTS, OPSET, OUTPUTS
from capnet.export.example import example_inputs
from capnet.export.onnx import export_onnx
from capnet.prediction import DISCLAIMER
from tests.export.conftest import tiny_model


@pytest.fixture(scope="module")
def proto(folder):
    return onnx.load(folder / "model.onnx", load_external_data=False)


def test_passes_the_full_check(folder):
    onnx.checker.check_model(str(folder / "model.onnx"), full_check=True)


def test_keeps_the_contract(proto):
    for ports, values in [(INPUTS, proto.graph.input), (OUTPUTS, proto.graph.output)]:
        assert [v.name for v in values] == [port.name for port in ports]
        for port, value in zip(ports, values, strict=True):
            assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
            dims = value.type.tensor_type.shape.dim
            assert tuple(d.dim_param or d.dim_value for d in dims) == port.shape
    assert [o.version for o in proto.opset_import] == [OPSET]


def test_is_one_file_with_one_lstm_node_and_no_custom_operator(folder, proto):
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("LSTM") == 1
    assert {node.domain for node in proto.graph.node} == {""}
    assert not any(t.external_data for t in proto.graph.initializer)
    assert not list(folder.glob("*.data"))


def test_names_no_source_file(folder):
    content = (folder / "model.onnx").read_bytes()
    root = str(Path(__file__).resolve().parents[2]).encode()
    for trace in (b".py", b"site-packages", b"File ", root, b"/home"):
        assert trace not in content


def test_carries_its_summary(proto):
    found = {entry.key: entry.value for entry in proto.metadata_props}
    assert found["disclaimer"] == DISCLAIMER
    assert (found["name"], found["k"], found["role"]) == ("tiny", "3", "deep")
    assert json.loads(found["inputs"])[0]["shape"] == ["beat", "time"]
    assert found["sampling_rate_hz"] == "125"


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """Export once more from a model in training mode; return before, after, file."""
    model = tiny_model()
    model.train()
    before = copy.deepcopy(model)
    path = tmp_path_factory.mktemp("again") / "model.onnx"
    export_onnx(model, path, example=example_inputs(batch=2, time=260, seed=9))
    return before, model, path


def test_model_is_left_as_it_was(second):
    before, after, _ = second
    assert after.training
    assert isinstance(after.net.lstm, nn.LSTM)
    assert repr(after) == repr(before)
    for name, value in after.state_dict().items():
        assert torch.equal(value, before.state_dict()[name])
    assert all(p.requires_grad for p in after.parameters())


def test_example_and_mode_leave_no_trace(second, folder):
    assert second[2].read_bytes() == (folder / "model.onnx").read_bytes()


def test_bad_examples_are_refused(model, tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(ConfigError, match="at least 2 beats"):
        export_onnx(model, path, example=example_inputs(batch=1, time=300))
    with pytest.raises(ConfigError, match=r"wanted raw \('beat', 'time'\)"):
        export_onnx(model, path, example=example_inputs(batch=2, time=300)[:5])
    with pytest.raises(ConfigError, match=r"ends in '\.onnx'"):
        export_onnx(model, tmp_path / "model", example=())
    with pytest.raises(ConfigError, match="wanted at least 1 beat and 200 samples"):
        example_inputs(batch=2, time=150)
    assert not list(tmp_path.iterdir())


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def test_unmerged_adapters_are_refused(tmp_path):
    example = example_inputs(batch=2, time=300)
    adapted = tiny_model()
    nn.utils.parametrize.register_parametrization(
        adapted.net.hidden, "weight", Doubled()
    )
    with pytest.raises(AdapterError, match=r"'net\.hidden' carries an adapter"):
        export_onnx(adapted, tmp_path / "a.onnx", example=example)
    adapted = tiny_model()
    adapted.net.output.lora_A = nn.Parameter(torch.zeros(2))
    with pytest.raises(AdapterError, match=r"lora_A.*not merged"):
        export_onnx(adapted, tmp_path / "a.onnx", example=example)
