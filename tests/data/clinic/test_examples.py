"""Example clinics: virtual people in the format of somebody's own."""

import json

import numpy as np
import pytest

from capnet.data.clinic.checkup import check_clinic
from capnet.data.clinic.examples import EXAMPLES, write_example_clinic
from capnet.data.clinic.folder import read_clinic
from capnet.errors import ConfigError
from tests.fakes.clinics import KEY, rows_of


@pytest.fixture(scope="module", params=sorted(EXAMPLES))
def example(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("clinic") / "example"
    return request.param, write_example_clinic(request.param, root, people=2, seed=3)


def test_an_example_has_nothing_wrong_with_it(example):
    _, root = example
    checkup = check_clinic(root, key=KEY)
    assert checkup.problems == ()
    assert len(checkup.subjects) == 2
    monitors = [r for r in checkup.records if r.role == "monitor"]
    assert all(r.accepted > 0.8 * r.beats for r in monitors)


def test_an_example_says_that_nobody_exists(example):
    kind, root = example
    settings = json.loads((root / "clinic.json").read_text())
    assert settings["virtual"] is True
    assert settings["name"] == kind
    wanted = {"catheter_lab": "simulated", "vitaldb_art_fem": "none"}
    assert settings["reference_type"] == wanted[kind]
    assert {row["subject"] for row in rows_of(root)} == {"virtual-01", "virtual-02"}


def test_the_aorta_is_apart_in_one_and_absent_in_the_other(example):
    kind, root = example
    records = [record for _, record in read_clinic(root, key=KEY).records()]
    has = [set(record.channels) for record in records]
    if kind == "catheter_lab":
        assert {"aortic" in names for names in has} == {True, False}
        assert not any({"aortic", "PLETH"} <= names for names in has)
        cuffs = [r.cuffs for r in records if r.cuffs]
        assert all(cuff.time < 0.0 for (cuff,) in cuffs)  # not simultaneous either
    else:
        assert all({"PLETH", "ART", "FEM"} <= names for names in has)
        assert not any("aortic" in names for names in has)


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_example_clinic("vitaldb_art_fem", tmp_path / name, people=1, seed=7)
    one, other = (
        next(read_clinic(tmp_path / name, key=KEY).records())[1] for name in ("a", "b")
    )
    for name, signal in one.channels.items():
        np.testing.assert_array_equal(signal.values, other.channels[name].values)


@pytest.mark.parametrize(
    ("kind", "people"), [("ward", 2), ("catheter_lab", 0), ("catheter_lab", -1)]
)
def test_what_cannot_be_written_is_refused(tmp_path, kind, people):
    with pytest.raises(ConfigError, match="catheter_lab, vitaldb_art_fem"):
        write_example_clinic(kind, tmp_path / "x", people=people, seed=0)
    assert not (tmp_path / "x").exists()


def test_a_clinic_is_never_overwritten(example):
    kind, root = example
    with pytest.raises(ConfigError, match="holds a clinic already"):
        write_example_clinic(kind, root, people=1, seed=0)
