"""Laws of names that are loaded on first use."""

import importlib
import sys

import pytest

import capnet
from capnet.errors import MissingExtraError
from capnet.lazy import loaded, on_first_use

ROOMS = (
    *("adaptation", "data", "evaluation", "export", "features", "hemodynamics"),
    *("models", "signal", "training"),
)


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_a_room_is_there_and_listed(room):
    module = getattr(capnet, room)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_is_hidden_by_a_module_of_the_same_name(room):
    module = importlib.import_module(f"capnet.{room}")
    for name in module.__all__:
        assert not hasattr(getattr(module, name), "__path__")
        assert type(getattr(module, name)).__name__ != "module"


def test_an_unknown_name_says_where_it_was_looked_for():
    with pytest.raises(AttributeError, match=r"'capnet\.models' has no attribute 'no'"):
        capnet.models.no  # noqa: B018


def test_a_name_is_loaded_once():
    load, names = on_first_use("capnet.metrics", {"rmse": "error"})
    first = load("rmse")
    assert capnet.metrics.rmse is first
    assert "rmse" in names()


def test_a_name_is_loaded_from_its_module():
    assert loaded("capnet.units", "MMHG", what="") == capnet.units.MMHG


def test_a_package_that_is_not_installed_is_one_error(monkeypatch):
    monkeypatch.delitem(sys.modules, "capnet.data.readers.wfdb", raising=False)
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(MissingExtraError, match=r"reading WFDB needs .*'wfdb'"):
        loaded("capnet.data.readers.wfdb", "read_wfdb", what="reading WFDB")
    with pytest.raises(ModuleNotFoundError, match="nowhere"):  # a fault of our own
        loaded("capnet.nowhere", "x", what="")
