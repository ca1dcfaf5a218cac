"""`import capnet` is light; what is missing is said with the way out."""

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import capnet

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    *("torch", "pytorch_lightning", "peft", "onnx", "onnxruntime", "onnxscript"),
    *("matplotlib", "neurokit2", "pandas", "wfdb", "sklearn", "jinja2", "rich"),
    *("hydra", "omegaconf", "IPython", "numba", "xarray", "h5netcdf", "h5py", "yaml"),
)

BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def run(code, *options):
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def said(code):
    """Run code in a fresh interpreter and return what it printed as JSON."""
    done = run(code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_import_capnet_loads_nothing_heavy():
    done = run("import capnet", "-X", "importtime")
    assert done.returncode == 0, done.stderr
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "capnet" in loaded
    heavy = {name for name in loaded if name.split(".")[0] in HEAVY}
    assert heavy == set()


def test_the_rooms_load_nothing_heavy():
    code = """
import importlib, json, pkgutil, sys
import capnet
for room in pkgutil.iter_modules(capnet.__path__):
    importlib.import_module(f"capnet.{room.name}")
json.dump(sorted({name.split(".")[0] for name in sys.modules}), sys.stdout)
"""
    assert set(said(code)) & set(HEAVY) == set()


ROOMS = sorted(module.name for module in pkgutil.iter_modules(capnet.__path__))


def test_every_room_is_there_after_import_capnet_alone():
    code = f"""
import json, sys
import capnet
before = dir(capnet)
names = [getattr(capnet, room).__name__ for room in {ROOMS!r}]
json.dump([before, names], sys.stdout)
"""
    before, names = said(code)
    assert names == [f"capnet.{room}" for room in ROOMS]
    assert set(ROOMS) <= set(before)
    assert len(set(before)) == len(before)


@pytest.mark.parametrize("room", ["metrics", "records", "errors"])
def test_a_room_is_loaded_alone(room):
    code = f"""
import json, sys
import capnet
capnet.{room}
json.dump(sorted({{name.split(".")[0] for name in sys.modules}}), sys.stdout)
"""
    assert set(said(code)) & set(HEAVY) == set()


@pytest.mark.parametrize("name", capnet.__all__)
def test_every_convenience_is_the_one_of_its_room(name):
    value = getattr(capnet, name)
    assert callable(value)
    assert getattr(sys.modules[value.__module__], name) is value
    assert name in dir(capnet)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'capnet' has no attribute 'cap'"):
        capnet.cap  # noqa: B018


@pytest.mark.parametrize(
    ("name", "package"), [("load_model", "torch"), ("predict", "neurokit2")]
)
def test_a_missing_package_is_said_with_the_command_that_installs_it(name, package):
    code = f"""
{BLOCKER.format(blocked={package})}
import json
import capnet
from capnet.errors import MissingExtraError
found = ""
try:
    capnet.{name}
except MissingExtraError as error:
    found = str(error)
json.dump(found, sys.stdout)
"""
    assert said(code) == (
        f"capnet.{name} needs the package {package!r}, which is not installed. "
        "Install it with: pip install 'capnet[all]'"
    )


def test_beats_are_cut_without_torch():
    code = f"""
{BLOCKER.format(blocked={"torch"})}
import json
from capnet.features import feature_table
from capnet.signal import beats_of, judge_windows
json.dump("torch" in sys.modules, sys.stdout)
"""
    assert said(code) is False


def test_the_classics_need_no_extra_at_all():
    code = f"""
{BLOCKER.format(blocked=set(HEAVY))}
import json
import numpy as np
import capnet
time = np.arange(1000) / 100
radial = 90 + 20 * np.sin(2 * np.pi * 1.2 * time)
aortic = capnet.gtf(radial, sampling_rate=100.0, cuff=(128.0, 77.0))
json.dump([len(radial), bool(np.isfinite(np.asarray(aortic)).any())], sys.stdout)
"""
    assert said(code) == [1000, True]
