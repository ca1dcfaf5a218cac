"""The runtime answers as the model does, alone, and refuses what it must."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from capnet.export.contract import INPUTS
from capnet.export.example import example_inputs
from capnet.export.runtime import ContractError, Runtime


@pytest.fixture(scope="module")
def runtime(folder):
    return Runtime(folder)


@pytest.fixture
def given():
    inputs = example_inputs(batch=4, time=300, seed=5)
    named = {p.name: x.numpy() for p, x in zip(INPUTS, inputs, strict=True)}
    return named | {"sampling_rate": 125.0}


def test_answers_as_the_model(runtime, model, given):
    answer = runtime.predict(**given)
    with torch.no_grad():
        wave, numbers = model(*(torch.as_tensor(given[p.name]) for p in INPUTS))
    np.testing.assert_allclose(answer.wave, wave.numpy(), atol=1e-3)
    np.testing.assert_allclose(answer.pressures, numbers.numpy(), atol=1e-3)


def test_one_by_one_is_the_batch(runtime, given):
    together = runtime.predict(**given)
    for i in range(4):
        one = {k: v[i : i + 1] for k, v in given.items() if k != "sampling_rate"}
        alone = runtime.predict(**one, sampling_rate=125)
        np.testing.assert_allclose(alone.wave[0], together.wave[i], atol=1e-4)


def test_gain_and_offset_of_the_sensor_do_not_matter(runtime, given):
    before = runtime.predict(**given).pressures
    after = runtime.predict(**(given | {"raw": 40 * given["raw"] + 900})).pressures
    np.testing.assert_allclose(after, before, atol=0.05)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("cuff", lambda x: (np.nan, 80)),
        ("cuff", lambda x: (80, 120)),
        ("cuff", lambda x: (400, 80)),
        ("start", lambda x: 20.0),
        ("stop", lambda x: 290.0),
        ("stop", lambda x: np.nan),
        ("raw", lambda x: np.where(np.arange(300) == 150, np.nan, x)),
    ],
)
def test_unanswerable_beats_are_nan_and_others_are_not_touched(
    runtime, given, name, change
):
    before = runtime.predict(**given)
    value = given[name].copy()
    value[1] = change(value[1])
    after = runtime.predict(**(given | {name: value}))
    assert np.isnan(after.wave[1]).all()
    assert np.isnan(after.pressures[1]).all()
    others = [0, 2, 3]
    np.testing.assert_allclose(after.wave[others], before.wave[others], atol=1e-4)


def test_missing_samples_out_of_reach_do_not_matter(runtime, given):
    raw = given["raw"].copy()
    raw[:, :2] = np.nan
    room = given["start"] > 60
    assert room.any()
    after = runtime.predict(**(given | {"raw": raw})).pressures
    np.testing.assert_allclose(
        after[room], runtime.predict(**given).pressures[room], atol=1e-4
    )


def test_wrong_rate_and_shapes_are_refused(runtime, given):
    with pytest.raises(ContractError, match="sampling rate is 100 Hz; the model was"):
        runtime.predict(**(given | {"sampling_rate": 100}))
    with pytest.raises(ContractError, match=r"age has shape \(3,\)"):
        runtime.predict(**(given | {"age": given["age"][:3]}))
    with pytest.raises(ContractError, match=r"cuff has shape \(4, 3\)"):
        runtime.predict(**(given | {"cuff": np.zeros((4, 3))}))


def test_changed_or_missing_files_are_refused(folder, tmp_path):
    with pytest.raises(ContractError, match=r"model\.onnx cannot be read"):
        Runtime(tmp_path)
    for name in ("model.onnx", "card.json"):
        shutil.copy(folder / name, tmp_path)
    with (tmp_path / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ContractError, match=r"has sha256 .*, the card speaks of"):
        Runtime(tmp_path)
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ContractError, match=r"card\.json is damaged"):
        Runtime(tmp_path)


def test_exported_folder_runs_without_the_library(folder, given, runtime, tmp_path):
    home = tmp_path / "device"
    shutil.copytree(folder, home)
    np.savez(tmp_path / "given.npz", **given)
    code = (
        "import sys, numpy as np\n"
        f"sys.path.insert(0, {str(home)!r})\n"
        "from runtime import Runtime\n"
        f"given = dict(np.load({str(tmp_path / 'given.npz')!r}))\n"
        "answer = Runtime().predict(**given)\n"
        f"np.save({str(tmp_path / 'wave.npy')!r}, answer.wave)\n"
        "print({'torch', 'capnet', 'onnx', 'scipy'} & set(sys.modules))\n"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "set()"
    expected = runtime.predict(**given).wave
    np.testing.assert_allclose(np.load(tmp_path / "wave.npy"), expected, atol=1e-5)
    assert json.loads((home / "card.json").read_text())["file"] == "model.onnx"
