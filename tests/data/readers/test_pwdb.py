"""The door of PWDB: one virtual person, one beat of each site, no time lost."""

import numpy as np
import pytest

from capnet.data.readers import read_record
from capnet.data.readers.pwdb import read_pwdb_person
from capnet.errors import RecordError
from capnet.hemodynamics.pwdb_release import read_pwdb_release
from tests.fakes.make_pwdb_release import make_release


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("pwdb"))


def test_a_person_is_one_beat_of_each_site(release):
    record = read_pwdb_person(release.folder, subject="2")
    assert next(iter(record.channels)) == "aortic_root"
    assert record.find("aortic") == "aortic_root"
    assert record.find("ppg") == "ppg"
    assert (record.subject, record.reference_type) == ("2", "simulated")
    assert record.sync == "trusted"
    wave = release.waves["Radial", "P"][1]
    radial = record.channels["radial"]
    np.testing.assert_allclose(radial.values, [float(f"{v:.5g}") for v in wave])
    assert (radial.sampling_rate, radial.unit) == (500.0, "mmHg")
    assert record.channels["ppg"].unit == "NU"
    assert np.isfinite(record.channels["ppg"].values).all()


def test_delays_between_sites_are_those_of_the_release(release):
    record = read_pwdb_person(release.folder, subject="3")
    waves = read_pwdb_release(release.folder, subjects=[3])
    for site in ("aortic_root", "radial", "femoral"):
        assert record.channels[site].start == waves.start[site][0]


def test_channels_are_chosen_by_site(release):
    record = read_pwdb_person(
        release.folder, channels=["ppg_radial", "brachial"], subject="1"
    )
    assert list(record.channels) == ["ppg_radial", "brachial"]


def test_a_folder_is_read_by_the_one_door(release):
    record = read_record(release.folder, subject="1")
    assert record.age is not None
    assert "pwdb_model_configs.csv" in record.files


@pytest.mark.parametrize("subject", [None, "", "0", "5000", "two", "-1", "1e2"])
def test_who_is_read_must_be_said(release, subject):
    with pytest.raises(RecordError, match="4 virtual people"):
        read_pwdb_person(release.folder, subject=subject)


@pytest.mark.parametrize("channels", [["wrist"], "radial", [], ["ppg_ear"]])
def test_unknown_channels_are_refused(release, channels):
    with pytest.raises(RecordError, match="no such channels"):
        read_pwdb_person(release.folder, channels=channels, subject="1")


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(RecordError, match="pwdb_haemod_params"):
        read_pwdb_person(tmp_path, subject="1")
