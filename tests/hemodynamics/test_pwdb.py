import dataclasses
import re

import jaxtyping
import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError
from capnet.hemodynamics.arteries import impedance
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.pwdb import load_pwdb_waves, pwdb_quality
from capnet.hemodynamics.wall import stiffness
from capnet.units import MMHG
from tests.fakes.make_pwdb import make_pwdb, make_pwdb_waves
from tests.fakes.make_pwdb_release import make_geometry


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_pwdb_waves(make_pwdb(tmp_path_factory.mktemp("pwdb")), shift=4.0)


@pytest.fixture
def spoilt(tmp_path):
    return make_pwdb_waves(make_pwdb(tmp_path))


def _impedance(body):
    beta = stiffness(body.outlet_radius, body.k1, body.k2, body.k3)
    whole = impedance(body.outlet_radius, beta, body.blood.density)
    return whole[:, body.network.terminals]


def test_people_come_in_the_order_of_their_numbers_with_their_own_bodies(folder):
    cohort = Cohort.from_pwdb(folder)
    assert cohort.index.tolist() == [1, 3, 7]
    assert cohort.age.tolist() == [50.0, 25.0, 75.0]
    np.testing.assert_allclose(cohort.bodies.k3[:, 5], [1e5, 5e4, 1.5e5])
    picked = Cohort.from_pwdb(folder, [7, 3])
    assert picked.index.tolist() == [7, 3]
    assert picked.age.tolist() == [75.0, 25.0]
    np.testing.assert_allclose(picked.bodies.k3[:, 5], [1.5e5, 5e4])
    np.testing.assert_allclose(picked["mbp"], cohort["mbp"][[2, 1]], rtol=0, atol=1e-12)


def test_units_and_pressures_are_si(folder):
    cohort = Cohort.from_pwdb(folder)
    body = cohort.bodies
    np.testing.assert_allclose(body.k1, 3e5)
    np.testing.assert_allclose(body.k2, -1350.0)
    np.testing.assert_allclose(body.reference_pressure, cohort["dbp"] * MMHG)
    np.testing.assert_allclose(body.outflow_pressure, 33.2 * MMHG)
    np.testing.assert_allclose(cohort["len"], 1.0)
    np.testing.assert_allclose(cohort["dia"], 1.0)
    assert (cohort["arm_stiffness"] == 1).all()
    assert (np.diff(cohort["pwv"][[1, 0, 2]]) > 0).all()


def test_beds_match_their_arteries_and_keep_their_resistance(folder):
    body = Cohort.from_pwdb(folder).bodies
    beds, matched = body.beds, _impedance(body)
    np.testing.assert_allclose(1 / (1 / beds.total[:2]).sum(axis=1), 2e8)
    np.testing.assert_allclose(beds.proximal[:2], matched[:2])
    narrow = body.network.terminals.tolist().index(25)
    assert beds.total[2, narrow] == pytest.approx(1e6)
    assert beds.proximal[2, narrow] == pytest.approx(0.9e6)
    assert (beds.distal > 0).all()


def test_inflow_has_the_volumes_and_times_asked_for(folder):
    cohort = Cohort.from_pwdb(folder)
    inflow = cohort.bodies.inflow
    np.testing.assert_allclose(
        inflow.output, cohort["sv"] * cohort["hr"] / 60e6, rtol=1e-12
    )
    # a beat lasts a whole number of milliseconds, more than 60 / HR
    longer = inflow.period * 1e3 - 60e3 / cohort["hr"]
    assert ((longer > 0) & (longer <= 1)).all()
    np.testing.assert_allclose(inflow.period * 1e3, np.round(inflow.period * 1e3))
    back = np.trapezoid(np.minimum(inflow.flow, 0), inflow.time, axis=1) * 1e6
    np.testing.assert_allclose(-back, 0.73, rtol=2e-3)  # and up to 0.15 % for the beat
    peak = inflow.time[np.arange(3), inflow.flow.argmax(axis=1)]
    np.testing.assert_allclose(peak, 0.079, atol=0.62e-3)
    end = inflow.time[:, -1]
    np.testing.assert_allclose(end, inflow.period - 1e-3)


def test_one_by_one_is_the_same_as_all_at_once(folder):
    whole = Cohort.from_pwdb(folder).bodies
    for row, number in enumerate((1, 3, 7)):
        alone = Cohort.from_pwdb(folder, [number]).bodies
        np.testing.assert_array_equal(alone.length[0], whole.length[row])
        np.testing.assert_array_equal(alone.beds.distal[0], whole.beds.distal[row])
        np.testing.assert_allclose(
            alone.inflow.harmonics(20)[0], whole.inflow.harmonics(20)[row], rtol=1e-9
        )


def test_waves_know_when_they_were_taken(folder):
    waves = load_pwdb_waves(folder, [7, 1])
    assert waves.index.tolist() == [7, 1]
    assert "2 people at 500 Hz: aortic_root, carotid" in repr(waves)
    lag = waves.start["brachial"] - waves.start["aortic_root"]
    np.testing.assert_allclose(lag, 30 * 2e-3)
    times = waves.times("femoral")
    assert times.shape == waves.flow.shape
    np.testing.assert_allclose(np.diff(times), 2e-3)
    with pytest.raises(ConfigError, match="no waves at 'radial'; wanted aortic_root"):
        waves.times("radial")
    with pytest.raises(ConfigError, match=r"waves_500Hz\.npz has no subject 3"):
        load_pwdb_waves(folder, [3])


def test_quality_tells_the_artefacts(folder):
    quality = pwdb_quality(folder)
    assert quality.index.tolist() == [1, 3, 7]
    assert quality.negative_distal.tolist() == [False, False, True]
    assert np.isfinite(quality.root_mean).tolist() == [True, False, True]
    assert quality.mismatched.tolist() == [True, False, True]
    np.testing.assert_allclose(quality.root_mean[[0, 2]], 90.0, atol=1e-4)
    assert (quality.settled > quality.mbp - 40).all()
    assert (quality.deficit > 0).all()
    frame = quality.to_frame()
    assert {"index", "deficit", "sound"} <= set(frame.columns)
    assert "3 people, 2 with waves" in repr(quality)


def test_quality_does_without_waves(tmp_path):
    quality = pwdb_quality(make_pwdb(tmp_path), [3])
    assert np.isnan(quality.root_mean).all()
    assert not quality.mismatched.any()
    assert len(quality) == 1


@pytest.mark.parametrize(
    "name", ["pwdb_geometry.npz", "pwdb_model_configs.csv", "Q_template.csv"]
)
@pytest.mark.parametrize("kept", [None, 0.5])
def test_missing_and_truncated_files_are_named(spoilt, name, kept):
    path = spoilt / name
    whole = path.read_bytes()
    path.unlink()
    if kept is not None:
        path.write_bytes(whole[: int(kept * len(whole))])
        if name == "Q_template.csv":
            path.write_bytes(whole[: int(0.2 * len(whole))])
    with pytest.raises(RecordError, match=name):
        Cohort.from_pwdb(spoilt)


def test_a_missing_column_and_a_hole_are_named(spoilt):
    path = spoilt / "pwdb_model_configs.csv"
    text = path.read_text()
    path.write_text(text.replace("dbp [mmHg]", "dbp"))
    with pytest.raises(RecordError, match=r"configs\.csv lacks the columns dbp \[mmHg"):
        Cohort.from_pwdb(spoilt)
    path.write_text(text.replace("600,150", "600,", 1))
    with pytest.raises(RecordError, match=r"line 2 \(subject 3\): b1 .* is ''"):
        Cohort.from_pwdb(spoilt)
    path.write_text(text.replace("0.0025", "0.004", 1))
    with pytest.raises(RecordError, match=r"viscosity .*one value for all subjects"):
        Cohort.from_pwdb(spoilt)
    path.write_text(text.replace("600,150", "400,150"))
    with pytest.raises(RecordError, match=r"b0 .* is 400; wanted 600"):
        Cohort.from_pwdb(spoilt)
    path.write_text(text.replace(",79,", ",400,"))
    with pytest.raises(RecordError, match=r"subject 1 has .*pft 400.*wanted"):
        Cohort.from_pwdb(spoilt)


def test_impossible_bodies_are_named(spoilt):
    path = spoilt / "pwdb_geometry.npz"
    with np.load(path) as file:
        geo, subject = file["geo"], file["subject"]
    for column, value, message in ((4, -1e-3, "length, radii"), (1, 99, "nodes")):
        wrong = geo.copy()
        wrong[0, 14, column] = value
        np.savez(path, geo=wrong, subject=subject)
        with pytest.raises(
            RecordError, match=rf"geometry\.npz, subject 3, segment 15 .*{message}"
        ):
            Cohort.from_pwdb(spoilt)
        Cohort.from_pwdb(spoilt, [1, 7])
    np.savez(path, geo=geo[:, :50], subject=subject)
    with pytest.raises(RecordError, match=r"geo has shape \(3, 50, 8\)"):
        Cohort.from_pwdb(spoilt)
    np.savez(path, geo=geo)
    with pytest.raises(RecordError, match="lacks subject"):
        Cohort.from_pwdb(spoilt)


@pytest.mark.parametrize("subjects", [[2], [], [1, 1]])
def test_unknown_subjects_are_refused(folder, subjects):
    with pytest.raises(ConfigError, match=r"configs\.csv .*numbered 1 to 7"):
        Cohort.from_pwdb(folder, subjects)


@pytest.mark.parametrize(
    "subjects", [[1.9], "137", ["1"], [True], [[1], [3]], [[1], [1, 3]], [None]]
)
def test_what_is_no_list_of_numbers_is_refused(folder, subjects, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    wanted = rf"subjects is {re.escape(repr(subjects))}; wanted whole numbers"
    for read in (Cohort.from_pwdb, load_pwdb_waves):
        with pytest.raises(ConfigError, match=wanted):
            read(folder, subjects)


def _spoil_geometry(folder, rows):
    path = folder / "pwdb_geometry.npz"
    with np.load(path) as file:
        geo, subject = file["geo"], file["subject"]
    np.savez(path, geo=geo[rows], subject=subject[rows])


def test_bodies_without_parameters_and_parameters_without_bodies(spoilt):
    whole = Cohort.from_pwdb(spoilt)
    _spoil_geometry(spoilt, [0, 2])  # subjects 3 and 7
    for chosen in (None, [7, 1]):
        with pytest.raises(RecordError, match=r"geometry\.npz lacks subject 1 \(1 of"):
            Cohort.from_pwdb(spoilt, chosen)
    left = Cohort.from_pwdb(spoilt, [7, 3])
    np.testing.assert_array_equal(
        left.bodies.beds.distal, whole.bodies.beds.distal[[2, 1]]
    )
    np.testing.assert_array_equal(left.bodies.k3, whole.bodies.k3[[2, 1]])
    with pytest.raises(ConfigError, match="no subject 2 among 3 people"):
        Cohort.from_pwdb(spoilt, [2])


def test_a_table_that_lacks_a_line_is_refused(spoilt):
    whole = Cohort.from_pwdb(spoilt)
    path = spoilt / "pwdb_model_configs.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:1], *lines[2:]]) + "\n")  # without subject 3
    for chosen in (None, [3]):
        with pytest.raises(RecordError, match=r"configs\.csv lacks subject 3"):
            Cohort.from_pwdb(spoilt, chosen)
    left = Cohort.from_pwdb(spoilt, [7, 1])
    np.testing.assert_array_equal(
        left.bodies.beds.distal, whole.bodies.beds.distal[[2, 0]]
    )
    path.write_text("\n".join([*lines[:2], lines[3]]) + "\n")  # without subject 1
    with pytest.raises(RecordError, match=r"configs\.csv lacks subject 1"):
        load_pwdb_waves(spoilt)


def test_who_is_there_twice_is_refused(spoilt):
    path = spoilt / "pwdb_model_configs.csv"
    text = path.read_text()
    path.write_text(text + text.splitlines()[2] + "\n")
    with pytest.raises(RecordError, match=r"configs\.csv has subject 1 more than once"):
        Cohort.from_pwdb(spoilt, [7])
    path.write_text(text)
    _spoil_geometry(spoilt, [0, 1, 2, 2])
    with pytest.raises(RecordError, match=r"geometry\.npz has subject 7 more than"):
        Cohort.from_pwdb(spoilt, [1])


def test_a_table_cut_in_its_last_number_is_refused(spoilt):
    path = spoilt / "pwdb_model_configs.csv"
    text = path.read_text()
    assert text.endswith(",1.5e+06\n")
    for cut in (1, 2, 5, 7):  # to 1.5e+06, 1.5e+0, 1.5 and 1
        path.write_text(text[:-cut])
        with pytest.raises(
            RecordError, match=r"configs\.csv .*subject 7 without a new"
        ):
            Cohort.from_pwdb(spoilt)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("k3 [g/s^2/cm]", "-1e6", "k3 .* is -1e.06; wanted more than 0"),
        ("dbp [mmHg]", "-1e9", "dbp .* is -1e.09; wanted more than 0"),
        ("mbp [mmHg]", "0", "mbp .* is 0; wanted more than 0"),
        ("mbp [mmHg]", "33", "mbp .* is 33; wanted more than p_out"),
        ("hr [bpm]", "0", "hr .* is 0; wanted more than 0"),
        ("hr [bpm]", "1e-300", "hr .* is 1e-300; wanted 10 to 600"),
        ("hr [bpm]", "-70", "hr .* is -70; wanted more than 0"),
    ],
)
def test_parameters_that_mean_nothing_are_named(spoilt, name, value, wanted):
    path = spoilt / "pwdb_model_configs.csv"
    lines = path.read_text().splitlines()
    cells = lines[2].split(",")
    cells[[column.strip() for column in lines[0].split(",")].index(name)] = value
    path.write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]) + "\n")
    for read in (Cohort.from_pwdb, load_pwdb_waves, pwdb_quality):
        with pytest.raises(RecordError, match=rf"configs\.csv, subject 1: {wanted}"):
            read(spoilt)
    Cohort.from_pwdb(spoilt, [3, 7])


@pytest.mark.parametrize("packed", [False, True])
def test_the_geometry_of_the_release_is_the_same(tmp_path, packed):
    whole = Cohort.from_pwdb(make_pwdb(tmp_path)).bodies
    make_geometry(tmp_path, packed=packed)
    found = Cohort.from_pwdb(tmp_path).bodies
    for name in ("length", "inlet_radius", "outlet_radius"):
        # five digits
        np.testing.assert_allclose(
            getattr(found, name), getattr(whole, name), rtol=1e-4
        )
    np.testing.assert_allclose(found.beds.total, whole.beds.total, rtol=1e-4)


def test_damaged_geometry_of_the_release_is_named(tmp_path):
    make_geometry(make_pwdb(tmp_path))
    path = tmp_path / "geo" / "pwdb_geo_0003.csv"
    text = path.read_text()
    for wrong, message in (
        (text.replace("peripheral_r", "r"), r"geo_0003\.csv: 116 lines under 'seg_no"),
        (text[: len(text) // 2], r"geo_0003\.csv: \d+ lines under"),
        (text[:-1], r"geo_0003\.csv: 115 lines under"),
        (text.replace("0.06,", "x,", 1), r"geo_0003\.csv has a cell that is no num"),
        (text.replace("0.06,", "", 1), r"geo_0003\.csv has a cell that is no num"),
        (text.replace("0.06,", "-0.06,", 1), "subject 3, segment 1 .*not positive"),
        (text.replace("s", "\u00e9", 1), r"geo_0003\.csv is no text"),
    ):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(RecordError, match=message):
            Cohort.from_pwdb(tmp_path)
    path.unlink()
    with pytest.raises(RecordError, match="geo lacks subject 3"):
        Cohort.from_pwdb(tmp_path)
    (tmp_path / "geo.zip").write_bytes(b"PK" + bytes(100))
    with pytest.raises(RecordError, match=r"geo\.zip cannot be read"):
        Cohort.from_pwdb(tmp_path)


def test_quality_of_waves_that_were_read_elsewhere(folder, tmp_path):
    make_pwdb(tmp_path)
    (tmp_path / "Q_template.csv").unlink()
    waves = load_pwdb_waves(folder, [7, 1])
    quality = pwdb_quality(tmp_path, waves=waves)
    there = pwdb_quality(folder)
    assert quality.mismatched.tolist() == there.mismatched.tolist()
    np.testing.assert_array_equal(quality.root_mean, there.root_mean)
    np.testing.assert_array_equal(quality.age, [50.0, 25.0, 75.0])


@pytest.mark.data
def test_the_inflow_is_what_was_simulated(shared_data):
    waves = load_pwdb_waves(shared_data / "pwdb")
    cohort = Cohort.from_pwdb(shared_data / "pwdb", waves.index.tolist())
    ours = cohort.bodies.inflow.at(waves.times("aortic_root")) * 1e6
    ours[np.isnan(waves.flow)] = np.nan
    error = np.sqrt(np.nanmean((waves.flow - ours) ** 2))
    assert error < 0.6  # ml/s of 400, most of it the ramp that was added
    for i in range(len(ours)):  # the same ramp
        beat = ours[i, ~np.isnan(ours[i])]
        following = 2 * beat[-1] - beat[-2]
        ours[i, : len(beat)] += np.linspace(0.0, beat[0] - following, len(beat))
    worst = np.sqrt(np.nanmean((waves.flow - ours) ** 2, axis=1)).max()
    assert worst < 0.4


@pytest.mark.data
def test_the_artefacts_of_the_real_database(shared_data):
    quality = pwdb_quality(shared_data / "pwdb")
    assert len(quality) == 4374
    assert quality.negative_distal.sum() == 501
    seen = np.isfinite(quality.root_mean)
    assert seen.sum() == 3498
    low = quality.root_mean[seen] - quality.mbp[seen]
    assert (low < -1).sum() == 381
    assert low.min() == pytest.approx(-12.41, abs=0.01)
    assert quality.mismatched.sum() == 13
    assert quality.earlier[quality.mismatched].all()
    assert quality.unsettled.sum() == 475
    assert np.std((quality.root_mean - quality.settled)[seen]) > 1.6
    assert np.std((quality.root_mean - quality.predicted_mean)[seen]) < 0.18


@pytest.mark.data
def test_bodies_derived_from_the_parameters_are_those_of_the_database(shared_data):
    """Our rules for geometry, stiffness and beds are PWDB's, to its rounding."""
    cohort = Cohort.from_pwdb(shared_data / "pwdb")
    given = cohort.bodies
    derived = dataclasses.replace(cohort, bodies=None).arteries()
    for name in ("length", "inlet_radius", "outlet_radius", "k3"):
        np.testing.assert_allclose(
            getattr(derived, name), getattr(given, name), rtol=1e-4
        )
    # its millimetre of mercury has 133.33 Pa
    np.testing.assert_allclose(derived.beds.total, given.beds.total, rtol=2e-4)
    np.testing.assert_allclose(
        derived.beds.compliance, given.beds.compliance, rtol=2e-4
    )
    np.testing.assert_allclose(derived.beds.proximal, given.beds.proximal, rtol=2e-4)
