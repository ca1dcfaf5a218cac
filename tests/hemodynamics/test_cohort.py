import dataclasses
import json

import jaxtyping
import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError, ShapeError
from capnet.hemodynamics.arteries import Arteries, impedance
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.population import (
    Deviate,
    NormalAge,
    Population,
    Priors,
    Trend,
    UniformAge,
)
from capnet.hemodynamics.simulation import simulate
from capnet.hemodynamics.targets import mceniery_2005
from capnet.hemodynamics.wall import stiffness
from capnet.units import MMHG
from tests.hemodynamics.people import arteries, network, textbook


def _same(a, b):
    np.testing.assert_array_equal(a.index, b.index)
    np.testing.assert_array_equal(a.age, b.age)
    assert set(a.parameters) == set(b.parameters)
    for name, values in a.parameters.items():
        np.testing.assert_array_equal(values, b[name])


def test_sampling_is_reproducible_and_does_not_depend_on_n():
    many = Cohort.sample(50, seed=3)
    _same(many.take(slice(0, 7)), Cohort.sample(7, seed=3))
    assert not np.array_equal(many.age, Cohort.sample(50, seed=4).age)


def test_round_trip(tmp_path):
    cohort = Cohort.sample(5, seed=1, population=Population.older_clinic())
    cohort.save(tmp_path / "cohort.npz")
    again = Cohort.load(tmp_path / "cohort.npz")
    _same(cohort, again)
    assert json.loads(again.provenance[0])["seed"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["cohort.npz"]


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "cohort.npz"
    with pytest.raises(RecordError, match="cannot be read as a cohort"):
        Cohort.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(RecordError, match=r"written by Cohort\.save"):
        Cohort.load(path)


def _given(subjects=1):
    """People whose bodies were given and of whom little is known."""
    body = Arteries.concatenate([arteries(network([1, 2, 2], [2, 3, 4]))] * subjects)
    unknown = np.full(subjects, np.nan)
    hr = {"hr": np.full(subjects, 70.0)}
    return Cohort(np.arange(subjects), unknown, hr, bodies=body)


def test_given_bodies_are_those_that_are_simulated():
    cohort = _given(3)
    assert cohort.arteries() is cohort.bodies
    assert cohort.network is cohort.bodies.network
    assert len(cohort.take(slice(1, 3)).arteries()) == 2
    assert "3 virtual people, bodies given: Network(3 arteries" in repr(cohort)
    assert "mbp" not in repr(cohort)
    with pytest.raises(ConfigError, match="no parameter 'mbp'; there are age, hr"):
        cohort["mbp"]
    with pytest.raises(ShapeError, match="3 bodies; wanted 2"):
        Cohort(np.arange(2), np.ones(2), {}, bodies=cohort.bodies)


def test_derived_bodies_join_given_ones():
    drawn = textbook((30.0, 60.0))
    given = dataclasses.replace(drawn, bodies=drawn.arteries())
    both = Cohort.concatenate([drawn, given])
    assert len(both.arteries()) == 4
    np.testing.assert_array_equal(both.arteries().k3[:2], both.arteries().k3[2:])
    with pytest.raises(ShapeError, match="another network"):
        Cohort.concatenate([drawn, _given()])


def test_bodies_survive_the_round_trip(tmp_path):
    cohort = Cohort.sample(3, seed=1)
    cohort = dataclasses.replace(cohort, bodies=cohort.arteries())
    cohort.save(tmp_path / "cohort.npz")
    again = Cohort.load(tmp_path / "cohort.npz")
    _same(cohort, again)
    ours, theirs = cohort.bodies, again.bodies
    assert ours.network.same(theirs.network)
    assert dict(ours.network.sites) == dict(theirs.network.sites)
    assert ours.blood == theirs.blood
    for part in ("", "beds", "inflow"):
        a, b = (getattr(x, part) if part else x for x in (ours, theirs))
        for field in dataclasses.fields(a):
            if isinstance(getattr(a, field.name), np.ndarray):
                np.testing.assert_array_equal(
                    getattr(a, field.name), getattr(b, field.name)
                )


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_truncated_files_are_refused(tmp_path, kept):
    path = tmp_path / "cohort.npz"
    _given(2).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(RecordError, match=r"cohort\.npz cannot be read as a cohort"):
        Cohort.load(path)


def test_a_file_whose_bodies_mean_nothing_is_refused(tmp_path):
    path = tmp_path / "cohort.npz"
    _given().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["body_length"][0, 1] = -1.0
    np.savez(path, **arrays)
    with pytest.raises(RecordError, match=r"cohort\.npz .*segment 2 .*length is -1"):
        Cohort.load(path)


def _no_provenance(arrays):
    meta = json.loads(str(arrays["meta"]))
    del meta["provenance"]
    arrays["meta"] = np.array(json.dumps(meta))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_provenance, "provenance"),
        (lambda a: a.update(age=a["age"][:2]), r"age has shape \(2,\)"),
        (lambda a: a["parameter_hr"].__setitem__(1, 0.0), "subject 1 has hr 0"),
        (lambda a: a["parameter_pwv"].__setitem__(1, 80.0), "subject 1 .* 80.00 m/s"),
        (lambda a: a.pop("parameter_sv"), r"lacks \['sv'\]"),
    ],
)
def test_damaged_people_are_refused_by_file(tmp_path, spoil, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    path = tmp_path / "cohort.npz"
    Cohort.sample(3, seed=0).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    spoil(arrays)
    np.savez(path, **arrays)
    with pytest.raises(RecordError, match=rf"cohort\.npz cannot be read .*{message}"):
        Cohort.load(path)


def test_take_concatenate_and_frame():
    cohort = Cohort.sample(6, seed=0)
    halves = [cohort.take(np.arange(3)), cohort.take(np.arange(3, 6))]
    assert halves[1].index.tolist() == [3, 4, 5]
    _same(Cohort.concatenate(halves), cohort)
    assert len(cohort.to_frame()) == len(cohort) == 6
    assert "6 virtual people" in repr(cohort)
    with pytest.raises(ConfigError, match="no parameter 'bmi'"):
        cohort["bmi"]
    with pytest.raises(ShapeError, match="at least one"):
        Cohort.concatenate([])


def test_population_statistics():
    cohort = Cohort.sample(4000, seed=0, population=Population())
    assert 25 <= cohort.age.min() < 27
    assert 73 < cohort.age.max() <= 75
    older = Cohort.sample(4000, seed=0, population=Population.older_clinic())
    assert older.age.mean() == pytest.approx(64, abs=0.7)
    assert older["mbp"].mean() - cohort["mbp"].mean() == pytest.approx(5, abs=1)
    assert np.corrcoef(older["hr"], older["lvet"])[0, 1] < -0.5
    assert abs(np.corrcoef(cohort["hr"], cohort["lvet"])[0, 1]) < 0.05
    usual = Priors.calibrated().factor("arm_stiffness", older.age)
    assert np.log(older["arm_stiffness"] / usual).mean() == pytest.approx(
        np.log(1.15), abs=0.02
    )
    assert (cohort["pout"] == cohort["pout"][0]).all()


def test_priors_multiply_what_is_usual_and_leave_the_deviates():
    textbook = Cohort.sample(30, seed=4, population=Population())
    priors = Priors({"sv": Trend(0.2, -0.1), "arm_stiffness": Trend(-0.3)})
    changed = Cohort.sample(30, seed=4, population=Population(priors=priors))
    age = textbook.age
    factor = np.exp(0.2 - 0.1 * (age - 50.0) / 25.0)
    np.testing.assert_allclose(changed["sv"], factor * textbook["sv"])
    ratio = changed["arm_stiffness"] / textbook["arm_stiffness"]
    np.testing.assert_allclose(ratio, np.exp(-0.3))
    for name in set(textbook.parameters) - {"sv", "arm_stiffness"}:
        np.testing.assert_array_equal(changed[name], textbook[name])


def test_a_prior_needs_a_parameter():
    with pytest.raises(ConfigError, match="no prior is named 'dbp'"):
        Priors({"dbp": Trend(0.1)})


@pytest.mark.physics
@pytest.mark.parametrize("age", [25.0, 45.0, 75.0])
def test_calibrated_people_have_the_pressures_of_real_ones(age):
    """Means of McEniery 2005; aortic form factor within what catheters find."""
    population = dataclasses.replace(Population.calibrated(), age=UniformAge(age, age))
    waves = simulate(
        Cohort.sample(400, seed=1, population=population),
        sites=("aortic_root", "brachial"),
        sampling_rate=500.0,
    )
    real = {name: target.at(age) for name, target in mceniery_2005().items()}
    aorta, arm = waves.levels("aortic_root"), waves.levels("brachial")
    # bars of the calibration, and twice the error of a mean over 400 people
    assert abs(aorta.pp.mean() - real["aortic_pp"][0]) < 3.0 + 1.0
    assert abs(arm.sbp.mean() - real["brachial_sbp"][0]) < 3.0 + 1.0
    assert abs(arm.map.mean() - real["map"][0]) < 2.0 + 0.7
    mean, sd = real["pp_amplification"]
    assert abs((arm.pp / aorta.pp).mean() - mean) < sd + 0.02
    assert 0.40 < aorta.form_factor.mean() < 0.51


def test_stiffness_beds_and_resistance_are_what_was_drawn():
    cohort = Cohort.sample(40, seed=0, population=Population.older_clinic())
    arteries = cohort.arteries()
    beds = arteries.beds
    assert (beds.distal > 0).all()
    radius, blood = arteries.outlet_radius, arteries.blood
    beta = stiffness(radius, arteries.k1, arteries.k2, arteries.k3)
    matched = impedance(radius, beta, blood.density)
    matched = matched[:, arteries.network.terminals]
    np.testing.assert_array_equal(beds.proximal <= matched, np.True_)
    resistance = 1 / (1 / beds.total).sum(axis=1)
    wanted = (cohort["mbp"] - cohort["pout"]) * MMHG / arteries.inflow.output
    np.testing.assert_allclose(resistance, wanted, rtol=1e-12)


def test_fitted_stiffness_is_that_of_the_table():
    fitted = textbook().arteries().k3[:, 0]
    table = [538490, 655751, 846551, 1068251, 1334344, 1664774]  # g/s2/cm
    np.testing.assert_allclose(fitted * 10, table, rtol=0.01)


def test_bad_settings_are_refused():
    with pytest.raises(ConfigError, match="n is 0"):
        Cohort.sample(0, seed=0)
    with pytest.raises(ConfigError, match="15 <= low <= high <= 90"):
        UniformAge(60, 20)
    with pytest.raises(ConfigError, match="15 <= low"):
        NormalAge(50, 10, 5, 60)
    with pytest.raises(ConfigError, match="'bmi'"):
        Population(deviates={"bmi": Deviate()})
    with pytest.raises(ConfigError, match="one step only"):
        Population(
            deviates={
                "hr": Deviate(follows="mbp", slope=1.0),
                "mbp": Deviate(follows="hr", slope=1.0),
            }
        )
    wild = Population(deviates={"pwv": Deviate(mean=80.0)})
    with pytest.raises(ConfigError, match=r"pulse wave velocity of .* Narrow"):
        Cohort.sample(2, seed=0, population=wild)


def _with(cohort, row, **values):
    """The cohort with other numbers of one subject."""
    parameters = dict(cohort.parameters)
    for name, value in values.items():
        parameters[name] = parameters[name].copy()
        parameters[name][row] = value
    return dataclasses.replace(cohort, parameters=parameters)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hr": 0.0}, "subject 13 has hr 0; wanted a positive"),
        ({"mbp": 30.0}, r"subject 13 has a mean pressure \(mbp\) of 30 mmHg"),
        ({"pft": 400.0}, "subject 13 has heart rate .* peak flow at 400 ms"),
    ],
)
def test_who_cannot_be_is_called_by_index(values, message):
    some = Cohort.sample(20, seed=0).take(np.array([5, 13]))
    with pytest.raises(ConfigError, match=message):
        _with(some, 1, **values)


@pytest.mark.parametrize("pwv", [0.5, 80.0])
def test_a_speed_that_no_wall_has_is_refused_before_anything_is_computed(pwv):
    many = Cohort.sample(5000, seed=0)  # more than are checked at once
    many.check()
    wrong = _with(many, 4500, pwv=pwv)
    message = f"subject 4500 has a pulse wave velocity of {pwv:.2f} m/s; wanted 1"
    with pytest.raises(ConfigError, match=message):
        wrong.check()
    with pytest.raises(ConfigError, match=message):
        Cohort.concatenate([wrong])
    last = wrong.take(slice(4499, 4501))
    with pytest.raises(ConfigError, match=message):
        last.arteries()
    dataclasses.replace(last, bodies=many.take(slice(0, 2)).arteries()).check()
