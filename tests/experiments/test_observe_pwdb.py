"""The door that turns the Pulse Wave Database into beats."""

import numpy as np
import pytest

from capnet.data.stores.table import load_beats
from tests.experiments.conftest import assert_refused, open_door


@pytest.mark.data
@pytest.mark.parametrize("site", ["brachial", "femoral"])
def test_people_of_the_database_become_beats(shared_data, tmp_path, site):
    folder = shared_data / "pwdb"
    run = open_door(
        "observe_pwdb", f"folder={folder}", f"site={site}", folder=tmp_path / "run"
    ).check()
    assert {"beats_exact.npz", "quality.csv"} <= run.files
    beats = load_beats(run.folder / "beats_exact.npz")
    assert run.last_line == str(run.folder / "beats_exact.npz")
    assert set(beats.waves) == {site}
    assert beats.reference_type == "simulated"
    assert len(beats) == len(beats.subjects) > 2000
    amplified = np.ptp(beats.waves[site], axis=1) > np.ptp(beats.reference, axis=1)
    assert amplified.mean() > 0.9
    assert ((beats.truth["ptt"] > 0.03) & (beats.truth["ptt"] < 0.2)).all()


def test_a_folder_without_the_database_is_refused(tmp_path):
    run = open_door("observe_pwdb", f"folder={tmp_path}", folder=tmp_path / "run")
    assert_refused(run, str(tmp_path), error="RecordError")


def test_a_site_must_be_a_word(tmp_path):
    run = open_door(
        "observe_pwdb", f"folder={tmp_path}", "site=3", folder=tmp_path / "run"
    )
    assert_refused(run, "site is 3")
