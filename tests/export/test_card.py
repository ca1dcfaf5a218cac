"""The card says what the model is, what it is not, and which file it speaks of."""

import hashlib
import json

import pytest

import capnet.export
from capnet.errors import ProtocolError
from capnet.export import folder as folder_module
from capnet.export.card import write_card
from capnet.export.folder import export_folder
from capnet.export.parity import Certificate, Comparison
from capnet.prediction import DISCLAIMER


@pytest.fixture(scope="module")
def card(folder):
    return json.loads((folder / "card.json").read_text())


def test_disclaims_and_names_virtual_people(card):
    assert card["disclaimer"] == DISCLAIMER
    assert "not for diagnosis" in card["intended_use"].lower()
    assert "Virtual people" in card["training_data"]
    assert len(card["limits"]) >= 3


def test_speaks_of_the_file_beside_it(card, folder):
    content = (folder / card["file"]).read_bytes()
    assert card["sha256"] == hashlib.sha256(content).hexdigest()
    assert card["bytes"] == len(content)
    assert card["parity"]["sha256"] == card["sha256"]
    assert card["parity"]["passed"]


def test_states_the_contract(card):
    assert card["sampling_rate_hz"] == 125
    names = [port["name"] for port in card["inputs"]]
    assert names == ["raw", "start", "stop", "age", "cuff", "cuff_is_radial"]
    assert [port["shape"] for port in card["outputs"]] == [["beat", 64], ["beat", 4]]
    assert all(port["unit"] and port["meaning"] for port in card["inputs"])


def test_carries_the_model_and_its_metrics(card, model):
    assert (card["name"], card["k_labelled_target_subjects"]) == ("tiny", 3)
    assert card["info"] == {"seed": 0}
    assert card["metrics"] == {"virtual": {"wave_rmse_mmhg": 3.0, "undefined": None}}
    assert card["parameters"] == sum(p.numel() for p in model.parameters())
    assert {"capnet", "torch", "onnxruntime", "python"} <= set(card["versions"])


def test_numpy_numbers_become_plain(model, folder, tmp_path):
    import numpy as np

    metrics = {"a": np.float32(0.5), "b": np.arange(2), "c": (np.inf, 1)}
    path = write_card(
        tmp_path / "card.json",
        model=model,
        onnx_file=folder / "model.onnx",
        metrics=metrics,
    )
    found = json.loads(path.read_text())
    assert found["metrics"] == {"a": 0.5, "b": [0, 1], "c": [None, 1]}
    assert found["parity"] is None


def test_folder_holds_what_a_device_needs_and_no_leftovers(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"model.onnx", "card.json", "certificate.json", "runtime.py"} == names


def test_no_card_without_parity(model, folder, tmp_path, monkeypatch):
    (tmp_path / "card.json").write_text("old")
    bad = Certificate("00", 1e-3, (Comparison(1, 250, 2.0, 0.1),))
    content = (folder / "model.onnx").read_bytes()

    def written(_model, path, *, example):
        path.write_bytes(content)
        return path

    monkeypatch.setattr(folder_module, "export_onnx", written)
    monkeypatch.setattr(folder_module, "parity", lambda *_: bad)
    with pytest.raises(ProtocolError, match="differs from the model by 2 mmHg"):
        export_folder(model, tmp_path, metrics={})
    assert not (tmp_path / "card.json").exists()


def test_room_names_are_lazy_and_complete():
    for name in capnet.export.__all__:
        assert getattr(capnet.export, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        capnet.export.nothing  # noqa: B018
