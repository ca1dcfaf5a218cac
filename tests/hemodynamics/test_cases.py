import sys

import jaxtyping
import numpy as np
import pytest

from capnet.errors import ConfigError, MissingExtraError, RecordError
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.wall import pulse_wave_speed, relative_stiffness
from tests.fakes.make_network import BED, make_network


def _avolio(radius):
    """Thickness over radius."""
    return 0.2802 * np.exp(-505.3 * radius) + 0.1324 * np.exp(-11.14 * radius)


def _stiffness(body, fraction):
    radius = body.inlet_radius + fraction * (body.outlet_radius - body.inlet_radius)
    return relative_stiffness(radius, body.k1, body.k2, body.k3)[0], radius[0]


def test_a_case_is_one_person_with_what_the_file_says(tmp_path):
    cohort = Cohort.from_yaml(make_network(tmp_path))
    body = cohort.arteries()
    assert len(cohort) == 1
    assert np.isnan(cohort.age[0])
    assert body.network.name == ("parent", "left", "right")
    assert body.network.locate("left@0.5") == (2, 0.5)
    np.testing.assert_allclose(body.inlet_radius[0], [7.6e-3, 5.5e-3, 5.5e-3])
    whole, radius = _stiffness(body, 0.5)
    np.testing.assert_allclose(whole, 5e5 * 0.9e-3 / radius)
    assert body.blood.profile == 9.0
    assert body.blood.density == 1060.0
    assert body.reference_pressure[0] == body.outflow_pressure[0] == 0.0
    np.testing.assert_array_equal(body.beds.proximal[0], BED["R1"])
    np.testing.assert_array_equal(body.beds.distal[0], BED["R2"])
    assert not body.viscous.any()
    assert cohort["hr"][0] == pytest.approx(60 / 1.1)
    table = np.loadtxt(tmp_path / "fork_inlet.dat")
    volume = np.trapezoid(table[:, 1], table[:, 0])
    assert cohort["sv"][0] == pytest.approx(volume * 1e6, rel=1e-12)
    np.testing.assert_allclose(body.inflow.at(table[None, :, 0])[0], table[:, 1])


def test_the_geometry_at_another_pressure_is_given_in_two_lines(tmp_path):
    wide = {"R0": 8.6e-3, "h0": 1.032e-3}
    cohort = Cohort.from_yaml(
        make_network(tmp_path), overrides={"parent": wide}, reference_pressure=9467.0
    )
    body = cohort.arteries()
    assert body.reference_pressure[0] == 9467.0
    assert body.inlet_radius[0].tolist() == [8.6e-3, 5.5e-3, 5.5e-3]
    whole, _ = _stiffness(body, 0.0)
    assert whole[0] == pytest.approx(5e5 * 1.032 / 8.6)


def test_pressures_of_the_file_are_taken(tmp_path):
    def change(case):
        case["Pout"] = 500.0
        case["reference_pressure"] = 9e3

    body = Cohort.from_yaml(make_network(tmp_path, change=change)).arteries()
    assert (body.reference_pressure[0], body.outflow_pressure[0]) == (9e3, 500.0)


def test_without_a_thickness_the_wall_is_the_empirical_one(tmp_path):
    def change(case):
        for artery in case["network"]:
            del artery["h0"], artery["R0"]
            artery |= {"Rp": 6e-3, "Rd": 5e-3}

    body = Cohort.from_yaml(make_network(tmp_path, change=change)).arteries()
    for fraction, error in ((0.5, 1e-12), (0.0, 6e-3), (1.0, 6e-3)):
        whole, radius = _stiffness(body, fraction)
        np.testing.assert_allclose(whole, 5e5 * _avolio(radius), rtol=error)


def test_one_thickness_in_a_taper_is_exact_at_both_ends(tmp_path):
    def change(case):
        for artery in case["network"]:
            del artery["R0"]
            artery |= {"Rp": 6e-3, "Rd": 4.5e-3}

    body = Cohort.from_yaml(make_network(tmp_path, change=change)).arteries()
    for fraction, error in ((0.0, 1e-12), (1.0, 1e-12), (0.5, 0.0105)):
        whole, radius = _stiffness(body, fraction)
        np.testing.assert_allclose(whole, 5e5 * 0.9e-3 / radius, rtol=error)


def test_a_quick_bed_of_r1_alone_is_a_matched_resistance(tmp_path):
    def change(case):
        for artery in case["network"][1:]:
            del artery["R2"]
            artery |= {"R1": 3e9, "Cc": 1e-13}

    body = Cohort.from_yaml(make_network(tmp_path, change=change)).arteries()
    np.testing.assert_allclose(body.beds.total, 3e9)
    whole, radius = _stiffness(body, 1.0)
    speed = pulse_wave_speed(4 / 3 * whole, 1060.0)
    matched = 1060.0 * speed / (np.pi * radius**2)
    np.testing.assert_allclose(body.beds.proximal[0], matched[1:])


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path):
    path = make_network(tmp_path)
    text = path.read_text().replace("Cc: 3.7e-10", "Cc: 37e-11")
    assert "37e-11" in text
    path.write_text(text)
    body = Cohort.from_yaml(path).arteries()
    np.testing.assert_allclose(body.beds.compliance, 3.7e-10)


def _in(row, **values):
    return lambda case: case["network"][row].update(values)


def _without(row, *keys):
    return lambda case: [case["network"][row].pop(key) for key in keys]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_in(1, R0=-5e-3), r"fork.yaml, segment 2 \('left'\): R0 is -0.005"),
        (_in(1, R0=5.5), r"segment 2 .*5.5 m in radius; .*Give metres"),
        (_in(1, R0="wide"), r"segment 2 .*R0 is 'wide'; wanted a number"),
        (_in(1, R0=float("nan")), r"segment 2 .*R0 is nan"),
        (_in(1, Rp=5e-3), r"segment 2 .*has R0 and Rp or Rd"),
        (_without(1, "R0"), r"segment 2 .*Rp is missing"),
        (_without(0, "L"), r"segment 1 .*L is missing"),
        (_in(2, E=0.0), r"segment 3 .*E is 0; wanted more than 0"),
        (_in(2, h0=-1e-3), r"segment 3 .*h0 is -0.001"),
        (_in(2, hO=1e-3), r"segment 3 .*unknown key 'hO'"),
        (_in(1, Cc=3.7), r"segment 2 .*Cc is 3.7; wanted at most 1e-06"),
        (_in(1, R1=1e15), r"segment 2 .*R1 is 1e\+15; wanted at most 1e\+13"),
        (_in(2, E=5e11), r"segment 3 .*E is 5e\+11; wanted at most 1e\+09"),
        (_in(2, h0=0.9), r"segment 3 .*h0 is 0.9; wanted at most 0.02"),
        (_in(2, **{"visco-elastic": True}), "segment 3 .*visco-elastic is True.*only"),
        (_in(2, sn=1.5), r"segment 3 .*sn is 1.5; wanted a whole number"),
        (_in(0, gamma_profile=2), r"segment 2 .*gamma_profile is 9, and 2 in 'parent'"),
        (_in(1, Pext=100.0), r"segment 2 .*Pext is 100 Pa, and 0 in 'parent'"),
        (_in(1, outlet="reflection"), r"segment 2 .*outlet is 'reflection'"),
        (_in(1, inlet_impedance_matching=True), "segment 2 .*is not offered"),
        (_without(1, "R1", "Cc"), r"segment 2 .*terminal and lacks R1 and Cc"),
        (_without(1, "R2"), r"segment 2 .*R1 and Cc but no R2, with R1 Cc = 0.0252 s"),
        (_in(1, R2=-1.0), r"segment 2 .*R2 is -1"),
        (_in(2, tn=1), r"fork.yaml: the network starts at nodes"),
        (_in(1, label="right"), "several arteries 'right'"),
        (_in(1, label=""), "segment 2 has no label"),
        (
            lambda case: case.update(inflow="x"),
            "has the unknown key 'inflow'",
        ),
        (lambda case: case.pop("blood"), "says nothing of the blood"),
        (lambda case: case["blood"].pop("mu"), "blood: mu is missing"),
        (lambda case: case["blood"].update(mu=-1.0), "blood: viscosity of the blood"),
    ],
)
def test_impossible_networks_are_refused_by_file_and_segment(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        Cohort.from_yaml(make_network(tmp_path, change=change))


def test_a_loop_without_an_outlet_is_refused(tmp_path):
    def change(case):
        case["network"][1] |= {"sn": 2, "tn": 3}
        back = dict(case["network"][1], label="back", sn=3, tn=5)
        case["network"] += [back, dict(back, label="round", sn=5, tn=3)]

    with pytest.raises(ConfigError, match=r"fork\.yaml: segment .*loop without an out"):
        Cohort.from_yaml(make_network(tmp_path, change=change))


def test_overrides_must_name_arteries_and_keys(tmp_path, monkeypatch):
    path = make_network(tmp_path)
    with pytest.raises(ConfigError, match="no artery 'aorta' to override"):
        Cohort.from_yaml(path, overrides={"aorta": {"R0": 1e-2}})
    with pytest.raises(ConfigError, match=r"segment 1 .*unknown key 'radius'"):
        Cohort.from_yaml(path, overrides={"parent": {"radius": 1e-2}})
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ConfigError, match="overrides of 'left' are None; wanted"):
        Cohort.from_yaml(path, overrides={"left": None})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("0 1e-5\n0.5 2e-5\n1.0 2e-5\n", "ends with 2e-05 and begins with 1e-05"),
        ("0 1e-5\n0.5 2e-5\n0.5 1e-5\n", "row 3: time is 0.5 s"),
        ("0.1 1e-5\n0.5 2e-5\n0.6 1e-5\n", "row 1: time is 0.1 s"),
        ("0 1e-5 3\n0.5 2e-5 3\n0.6 1e-5 3\n", "3 rows and 3 columns"),
        ("0 1e-5\n0.5 nan\n0.6 1e-5\n", "all finite"),
        ("time flow\n", "cannot be read"),
    ],
)
def test_impossible_inflows_are_refused(tmp_path, table, message):
    path = make_network(tmp_path)
    (tmp_path / "fork_inlet.dat").write_text(table)
    with pytest.raises(RecordError, match=rf"fork_inlet\.dat.*{message}"):
        Cohort.from_yaml(path)


def test_a_heart_that_sucks_is_refused(tmp_path):
    path = make_network(tmp_path)
    (tmp_path / "fork_inlet.dat").write_text("0 -1e-5\n0.5 -2e-5\n1 -1e-5\n")
    with pytest.raises(ConfigError, match=r"fork\.yaml: .*mean inflow of -1\.5e-05"):
        Cohort.from_yaml(path)


def test_files_that_are_no_networks_are_refused(tmp_path):
    path = tmp_path / "case.yaml"
    with pytest.raises(RecordError, match=r"case\.yaml cannot be read"):
        Cohort.from_yaml(path)
    path.write_text("network: [1, 2")
    with pytest.raises(RecordError, match=r"case\.yaml cannot be read"):
        Cohort.from_yaml(path)
    path.write_text("- 1\n")
    with pytest.raises(RecordError, match="holds no network"):
        Cohort.from_yaml(path)


@pytest.mark.parametrize("cut", ["37e-11", "37e-1", "37."])
def test_a_file_that_may_be_cut_in_its_last_number_is_refused(tmp_path, cut):
    path = make_network(tmp_path)
    text = path.read_text()
    assert text.endswith("Cc: 3.7e-10\n")
    path.write_text(text.removesuffix("3.7e-10\n") + cut)
    with pytest.raises(RecordError, match=rf"fork\.yaml ends with '{cut}' and no new"):
        Cohort.from_yaml(path)
    path.write_text(text + "  inlet_impedance_matching: false")
    Cohort.from_yaml(path)


def test_without_pyyaml_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match="PyYAML"):
        Cohort.from_yaml(tmp_path / "case.yaml")


@pytest.mark.data
def test_benchmarks_load_or_say_why_not(shared_data):
    folder = shared_data / "boileau2015" / "models"
    sizes = {}
    for path in sorted(folder.rglob("*.yaml")):
        if path.stem != "circle_of_willis":
            body = Cohort.from_yaml(path).arteries()
            sizes[path.stem] = (len(body.network), len(body.network.terminals))
    assert sizes == {
        "adan56": (77, 31),
        "cca": (1, 1),
        "ibif": (3, 2),
        "invitro_model": (37, 16),
        "uta": (1, 1),
    }
    with pytest.raises(RecordError, match=r"inlet\.dat, row 15: time is 0\.0269"):
        Cohort.from_yaml(folder / "alastruey2007" / "circle_of_willis.yaml")


@pytest.mark.data
def test_the_empirical_wall_is_close_all_over_the_body(shared_data):
    path = shared_data / "boileau2015/models/boileau2015/adan56/adan56.yaml"
    body = Cohort.from_yaml(path).arteries()
    for fraction in (0.0, 0.5, 1.0):
        whole, radius = _stiffness(body, fraction)
        np.testing.assert_allclose(whole, 225e3 * _avolio(radius), rtol=0.02)
