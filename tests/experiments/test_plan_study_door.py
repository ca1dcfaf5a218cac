"""The study planner's door on a handful of people."""

import json

import numpy as np
import pandas as pd
import pytest

from capnet.evaluation.statistics.planning import (
    ErrorParts,
    bias_half_width,
    rmse_half_width,
    sd_half_width,
)
from tests.experiments.conftest import assert_refused, open_door

TINY = ("source.n=80", "clinic.n=40", "clinic.solver.kind=linear", "days=2")
TINY += ("ppg_sites=[finger]",)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan") / "run"
    return open_door("plan_study", *TINY, folder=folder).check()


@pytest.fixture(scope="module")
def said(run):
    return json.loads((run.folder / "plan.json").read_text())


def test_it_leaves_a_plan_and_a_picture(run):
    left = {name for name in run.files if not name.startswith(".hydra")}
    assert left == {"plan.csv", "plan.json", "plan.png", "plan_study.log"}
    assert run.last_line == str(run.folder / "plan.json")
    assert "Planned from virtual people" in " ".join(run.out.split())


def test_the_people_are_enough_and_one_fewer_are_not(run, said):
    table = pd.read_csv(run.folder / "plan.csv")
    assert len(table) == 2 * 3 * 3
    parts = {p["cuff"]: ErrorParts(**p["parts"]) for p in said["places"]}
    for _, row in table.iterrows():
        part, m = parts[row["cuff"]], int(row["readings"])
        sd = part.sd(m)
        widths = {
            "bias": lambda n, sd=sd: bias_half_width(sd, n),
            "sd": lambda n, sd=sd: sd_half_width(sd, n),
            "rmse": lambda n, sd=sd, b=part.bias: rmse_half_width(b, sd, n),
        }
        for what, width in widths.items():
            assert width(int(row[what])) <= row["half_width"]
            assert width(int(row[what]) - 1) > row["half_width"]


def test_more_readings_need_no_more_people(run):
    table = pd.read_csv(run.folder / "plan.csv")
    for _, rows in table.groupby(["cuff", "half_width"]):
        needed = rows.sort_values("readings")[["bias", "sd", "rmse"]].to_numpy()
        assert (np.diff(needed, axis=0) <= 0).all()


def test_the_reference_has_the_error_of_the_catheter(said, tmp_path):
    # Zero 3 mmHg and level 2 cm: about 3.4 mmHg; 40 people know it badly.
    for place in said["places"]:
        assert 2.2 < place["parts"]["reference"] < 5.0
    perfect = open_door(
        "plan_study", *TINY, "catheter=perfect", folder=tmp_path / "run"
    ).check()
    other = json.loads((perfect.folder / "plan.json").read_text())
    for one, exact in zip(said["places"], other["places"], strict=True):
        assert exact["parts"]["reference"] == 0.0
        for name in ("shape", "persistent", "repeat"):
            assert exact["parts"][name] == one["parts"][name]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("+cuffs.ankle=clinic", ["'ankle': 'clinic'", "brachial, radial"]),
        ("cuffs=null", ["cuffs is None"]),
        ("cuffs.radial=golden", ["golden"]),
        ("ppg_sites=[toe]", ["ppg_site"]),
        ("ppg_sites=[]", ["ppg_sites is empty"]),
        ("days=1", ["days = 1"]),
        ("readings=[0]", ["readings has 0"]),
        ("readings=3", ["wanted a list of numbers"]),
        ("half_widths=[wide]", ["half_widths is 'wide'"]),
        ("catheter=golden", ["golden"]),
    ],
)
def test_bad_input_is_one_clear_line(door, asked, words):
    assert_refused(door("plan_study", *TINY, asked), *words)
