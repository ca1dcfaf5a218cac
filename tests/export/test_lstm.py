"""The exported LSTM is torch's LSTM, for any batch and any time."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from capnet.errors import ConfigError
from capnet.export.lstm import ExportLSTM, exchange_lstms
from capnet.export.onnx import _quiet


@pytest.mark.parametrize(
    ("settings", "with_state"),
    [
        ({"num_layers": 2, "bidirectional": True, "batch_first": True}, False),
        ({"num_layers": 1, "bias": False}, True),
    ],
)
def test_outputs_and_states_agree(settings, with_state):
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 4, **settings).eval()
    ends = lstm.num_layers * (2 if lstm.bidirectional else 1)
    first = bool(lstm.batch_first)

    def inputs(batch: int, time: int) -> tuple:
        shape = (batch, time, 3) if first else (time, batch, 3)
        steps = torch.randn(shape)
        state = torch.randn(ends, batch, 4), torch.randn(ends, batch, 4)
        return (steps, state) if with_state else (steps,)

    axes = {0: "batch", 1: "time"} if first else {0: "time", 1: "batch"}
    shapes = (axes, ({1: "batch"}, {1: "batch"})) if with_state else (axes,)
    with _quiet():
        program = torch.onnx.export(
            ExportLSTM(lstm),
            inputs(2, 5),
            dynamo=True,
            opset_version=20,
            dynamic_shapes=shapes,
            verbose=False,
        )
    assert [n.op_type for n in program.model_proto.graph.node].count("LSTM") == (
        lstm.num_layers
    )
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    for batch, time in [(1, 7), (3, 4)]:
        given = inputs(batch, time)
        flat = [given[0], *(given[1] if with_state else ())]
        names = [port.name for port in session.get_inputs()]
        fed = {n: x.numpy() for n, x in zip(names, flat, strict=True)}
        found = session.run(None, fed)
        with torch.no_grad():
            out, (hidden, cell) = lstm(*given)
        for a, b in zip([out, hidden, cell], found, strict=True):
            np.testing.assert_allclose(b, a.numpy(), atol=1e-6)


def test_exchange_reaches_nested_layers_and_leaves_others():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.LSTM(2, 3)))
    exchanged = exchange_lstms(model)
    assert isinstance(exchanged[1][0], ExportLSTM)
    assert isinstance(exchanged[0], nn.Linear)
    assert isinstance(exchange_lstms(nn.LSTM(2, 3)), ExportLSTM)


def test_projection_is_refused():
    with pytest.raises(ConfigError, match="projection of size 2"):
        ExportLSTM(nn.LSTM(3, 4, proj_size=2))
