"""A model on disk is the same model, or an error that says what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from capnet.errors import RecordError
from capnet.models.checkpoint import load, save_model
from tests.fakes.people import bits, same_bits, tiny_model


@pytest.fixture
def model():
    made = tiny_model(name="tiny", role="control", k=3, info={"seed": 7})
    made.offset.fill_(1.25)
    made.gain.fill_(0.9)
    return made


@pytest.fixture
def folder(model, tmp_path):
    return save_model(model, tmp_path / "deep" / "model")


def change_config(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_loading_gives_the_same_bits(model, folder, people):
    loaded = load(folder)
    assert same_bits(bits(loaded), bits(model))
    np.testing.assert_array_equal(loaded.waves(people), model.waves(people))
    assert not loaded.training


def test_loading_gives_the_same_card(model, folder):
    loaded = load(folder)
    for name in ("name", "role", "k", "info"):
        assert getattr(loaded, name) == getattr(model, name), name
    assert loaded.net.config == model.net.config


def test_loading_leaves_the_random_state_to_the_caller(folder):
    """Nothing that is drawn while loading survives in the model."""
    torch.manual_seed(1)
    one = load(folder)
    torch.manual_seed(2)
    assert same_bits(bits(one), bits(load(folder)))


def test_saving_again_gives_the_same_files(model, folder, tmp_path):
    again = save_model(load(folder), tmp_path / "again")
    for name in ("model.safetensors", "model.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_only_plain_files(folder):
    assert sorted(p.name for p in folder.iterdir()) == [
        "model.json",
        "model.safetensors",
    ]


# What can be wrong -----------------------------------------------------------


def test_missing_folder(tmp_path):
    with pytest.raises(RecordError, match=r"no model at .*absent.*pretrain\.py"):
        load(tmp_path / "absent")


def test_missing_weights(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(RecordError, match=r"model\.safetensors is missing, damaged"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"not tensors at all", None])
def test_damaged_weights(folder, content):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    with pytest.raises(RecordError, match="is missing, damaged or does not fit"):
        load(folder)


def test_weights_of_another_size(folder):
    change_config(folder, net_config={"hidden": 7, "head": 5})
    with pytest.raises(RecordError, match=r"does not fit: .*\s+size mismatch"):
        load(folder)


def test_a_tensor_too_few(folder):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["offset"]
    save_file(tensors, path)
    with pytest.raises(RecordError, match=r"does not fit: .*\s+Missing key.*offset"):
        load(folder)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["net.output.bias", "gain"])
def test_weights_that_are_no_numbers(folder, bad, name):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors[name].fill_(bad)
    save_file(tensors, path)
    with pytest.raises(RecordError, match=f"NaN or infinity in '{name}'"):
        load(folder)


def test_other_format(folder):
    change_config(folder, format=2)
    with pytest.raises(RecordError, match="no model of format 1: other format"):
        load(folder)


@pytest.mark.parametrize("net", ["Transformer", ["BiLSTM"], None])
def test_unknown_network(folder, net):
    change_config(folder, net=net)
    with pytest.raises(RecordError, match=r"names network .*; known: \['BiLSTM'\]"):
        load(folder)


def test_unknown_setting_of_the_network(folder):
    change_config(folder, net_config={"hidden": 6, "head": 5, "layers": 2})
    with pytest.raises(RecordError, match=r"does not fit: .*layers"):
        load(folder)


def test_missing_field(folder):
    (folder / "model.json").write_text('{"format": 1}')
    with pytest.raises(RecordError, match="missing info, k, name, net, net_config"):
        load(folder)


@pytest.mark.parametrize("content", ["[]", "5", "null", '"format"'])
def test_json_that_is_no_card(folder, content):
    (folder / "model.json").write_text(content)
    with pytest.raises(RecordError, match="is no model of format 1: missing format"):
        load(folder)


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe\x00"])
def test_damaged_json(folder, content):
    (folder / "model.json").write_bytes(content)
    with pytest.raises(RecordError, match="cannot be read as JSON"):
        load(folder)


# Whole or not at all ---------------------------------------------------------


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_failing_write_leaves_the_old_files(folder, monkeypatch):
    before = files(folder)

    def full_disk(*_):
        raise OSError(28, "no space left")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save_model(tiny_model(seed=1), folder)
    assert files(folder) == before


def test_what_json_cannot_tell_leaves_the_old_files(folder):
    before = files(folder)
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_model(tiny_model(seed=1, info={"seed": {1, 2}}), folder)
    assert files(folder) == before


def test_saving_replaces(folder, people):
    other = tiny_model(seed=1)
    save_model(other, folder)
    assert same_bits(bits(load(folder)), bits(other))
