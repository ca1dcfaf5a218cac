"""Models by name or path."""

import numpy as np
import pytest

from capnet.errors import RecordError
from capnet.models import zoo
from capnet.models.checkpoint import save_model
from capnet.models.zoo import load_model, names, shelf_of
from tests.fakes.people import bits, make_people, same_bits, tiny_model


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A package that comes with one model."""
    (tmp_path / "weights").mkdir()
    save_model(tiny_model(name="shipped"), tmp_path / "weights" / "bilstm-tiny")
    (tmp_path / "weights" / "README.md").write_text("no model")
    monkeypatch.setattr(zoo.resources, "files", lambda _: tmp_path)
    return tmp_path / "weights"


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_folder_is_loaded(tmp_path, kind):
    model = tiny_model(name="mine")
    folder = save_model(model, tmp_path / "mine")
    loaded = load_model(kind(folder))
    assert loaded.name == "mine"
    assert same_bits(bits(loaded), bits(model))


def test_names_are_the_folders_of_the_shelf(shelf):
    assert names() == ["bilstm-tiny"]


def test_every_name_loads(shelf):
    loaded = load_model("bilstm-tiny")
    assert loaded.name == "shipped"
    assert not loaded.training


def test_an_unknown_name_lists_the_known(shelf):
    with pytest.raises(RecordError, match=r"no model 'bilstm-tini'.*'bilstm-tiny'"):
        load_model("bilstm-tini")


def test_a_package_without_weights_has_no_names(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo.resources, "files", lambda _: tmp_path / "elsewhere")
    assert names() == []
    with pytest.raises(RecordError, match="the package has none"):
        load_model("bilstm-tiny")


def test_a_file_is_no_model(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"")
    with pytest.raises(RecordError, match=r"no model .*model\.pt.*no folder"):
        load_model(path)


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(RecordError, match=r"model\.json is missing"):
        load_model(tmp_path)


def test_models_of_the_package_load():
    for name in names():
        assert not load_model(name).training, name


@pytest.mark.parametrize("calibration", ["exact", "cuff SBP/DBP"])
def test_the_model_that_comes_with_the_package_says_how_sure_it_is(calibration):
    people = make_people(30, seed=5, calibration=calibration)
    said = load_model("bilstm-virtual").predict(people)
    assert said.coverage == 0.9
    assert np.isfinite(said.high - said.low).all()
    assert (said.high > said.low).all()
    assert ((said.doubt > 0) & (said.doubt < 1)).all()


def test_the_shelf_of_a_model_is_where_its_files_are(shelf, tmp_path):
    with shelf_of("bilstm-tiny") as home:
        assert home == shelf / "bilstm-tiny"
    with shelf_of(tmp_path) as home:
        assert home == tmp_path
    with pytest.raises(RecordError, match="there is no model 'none'"), shelf_of("none"):
        pass
