"""The certificate: small when the file is right, loud when it is not."""

import numpy as np
import pytest
import torch

from capnet.errors import ProtocolError
from capnet.export.example import example_inputs
from capnet.export.parity import TOLERANCE, Certificate, Comparison, parity
from tests.export.conftest import tiny_model


def test_file_is_the_model_to_a_thousandth_of_a_mmhg(model, folder):
    certificate = parity(model, folder / "model.onnx")
    assert [(c.batch, c.time) for c in certificate.comparisons] == [
        (b, t) for b in (1, 3, 8) for t in (250, 400)
    ]
    assert certificate.passed
    assert certificate.worst <= TOLERANCE
    # The comparison is worth something: the answers are far from constant.
    with torch.no_grad():
        wave, _ = model(*example_inputs(batch=8, time=400))
    assert wave.std() > 5


@pytest.mark.parametrize("change", ["weights", "offset"])
def test_another_model_fails(model, folder, change):
    other = tiny_model(seed=1 if change == "weights" else 0)
    if change == "offset":
        other.offset.fill_(1.6)
    certificate = parity(other, folder / "model.onnx", batches=(2,), durations=(2,))
    assert not certificate.passed
    with pytest.raises(ProtocolError, match="differs from the model by"):
        certificate.require()
    if change == "offset":
        assert certificate.worst == pytest.approx(0.1, rel=1e-3)


def test_mode_of_the_model_is_kept(folder):
    model = tiny_model().train()
    parity(model, folder / "model.onnx", batches=(1,), durations=(2.0,))
    assert model.training


def test_nan_on_one_side_is_no_parity(folder):
    model = tiny_model()
    model.offset.fill_(torch.nan)
    certificate = parity(model, folder / "model.onnx", batches=(1,), durations=(2.0,))
    assert certificate.worst == np.inf


def test_certificate_is_plain_data():
    rows = (Comparison(1, 250, 1e-5, 2e-5), Comparison(3, 250, 4e-5, 1e-5))
    plain = Certificate("ab", 1e-3, rows).to_dict()
    assert plain["worst_mmhg"] == 4e-5
    assert plain["passed"] is True
    assert plain["comparisons"][0]["batch"] == 1
