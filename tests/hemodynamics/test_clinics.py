import dataclasses
import inspect

import numpy as np
import pytest

from capnet.errors import ConfigError, ProtocolError, ShapeError
from capnet.hemodynamics import (
    Catheter,
    Clinic,
    CuffModel,
    LinearSolver,
    Population,
    Sensor,
    clinics,
)
from capnet.signal.frontend import beats_of_windows
from capnet.signal.gate import judge_beats

CLINIC = Clinic(
    name="test",
    population=Population.older_clinic(),
    solver=LinearSolver(order=1, harmonics=20),
    sensor=Sensor.clinic(),
    cuff=CuffModel.clinic(),
    pep_mean=0.095,
    pep_sd=0.015,
    n=24,
    seed=7,
)


@pytest.fixture(scope="module")
def visit():
    return CLINIC.simulate()


@pytest.fixture(scope="module")
def waves(visit):
    return visit.pulse


@pytest.fixture(scope="module")
def beats(visit):
    return CLINIC.observe(visit, calibration="cuff SBP/DBP")


def _with(sensor):
    return dataclasses.replace(CLINIC, sensor=sensor)


def test_beats_are_complete(waves, beats):
    assert len(beats) == len(waves)
    assert beats.accepted.mean() > 0.9
    good = beats.usable()
    assert np.isfinite(good.ppg).all()
    assert np.isfinite(good.waves["radial"]).all()
    np.testing.assert_allclose(good.duration, 60 / good.features["hr"], atol=0.03)
    assert ((good.features["pat"] > 0.12) & (good.features["pat"] < 0.4)).all()
    pep = beats.truth["pep"]
    assert (abs(pep - CLINIC.pep_mean) <= 2.2 * CLINIC.pep_sd + 1e-12).all()
    assert (good.features["pat"] > good.truth["pep"]).all()
    assert beats.raw.dtype == np.float32
    assert beats.subject[0].startswith("virtual-test-")
    assert beats.reference_type == "simulated"


def test_reference_and_radial_are_the_simulated_waves(waves, beats):
    np.testing.assert_allclose(
        beats.reference.mean(axis=1), waves.mean("aortic_root"), rtol=1e-9
    )
    np.testing.assert_allclose(
        beats.waves["radial"].max(axis=1), beats.truth["radial_sbp"], atol=0.6
    )
    lowest = beats.waves["radial"].argmin(axis=1)
    assert (np.minimum(lowest, 64 - lowest) <= 3).all()


def test_observing_is_reproducible_and_draws_differ(visit, beats):
    again = CLINIC.observe(visit, calibration="cuff SBP/DBP")
    np.testing.assert_array_equal(again.raw, beats.raw)
    np.testing.assert_array_equal(again.cuff, beats.cuff)
    other = CLINIC.observe(visit, calibration="cuff SBP/DBP", draw=1)
    assert not np.allclose(other.raw, beats.raw)
    assert not np.allclose(other.cuff, beats.cuff)
    np.testing.assert_array_equal(other.reference, beats.reference)


def test_a_person_is_the_same_in_any_selection(visit, beats):
    rows = np.array([5, 2])
    some = CLINIC.observe(visit.take(rows), calibration="cuff SBP/DBP")
    np.testing.assert_array_equal(some.subject, beats.subject[rows])
    np.testing.assert_array_equal(some.raw, beats.raw[rows])
    np.testing.assert_allclose(some.cuff, beats.cuff[rows])


def test_exact_calibration_is_the_truth_at_the_site(visit):
    exact = CLINIC.observe(visit, calibration="exact", cuff_site="radial")
    np.testing.assert_array_equal(exact.cuff[:, 0], exact.truth["radial_sbp"])
    np.testing.assert_array_equal(exact.cuff[:, 1], exact.truth["radial_dbp"])
    assert set(exact.cuff_site) == {"radial"}


def test_a_finger_without_a_pulse_is_refused_with_its_reason(visit):
    dead = dataclasses.replace(
        CLINIC, sensor=Sensor(0.0, 0.0, (), (0.0, 0.0), (50.0, 50.0), 0.0)
    )
    beats = dead.observe(visit, calibration="exact")
    lost = np.isnan(beats.start) | np.isnan(beats.stop)
    assert not beats.accepted.any()
    np.testing.assert_array_equal(beats.reason == "no pulse foot", lost)


def test_the_gate_judges_virtual_beats_as_it_judges_others(visit, waves, beats):
    loud = dataclasses.replace(CLINIC.sensor, noise=(0.25, 0.25))
    for seen in (beats, _with(loud).observe(visit, calibration="exact")):
        wave = beats_of_windows(seen.raw, seen.start, seen.stop)
        expected = judge_beats(
            seen.raw,
            seen.start,
            seen.stop,
            wave,
            subject=seen.subject,
            rr=waves.period,
            pat=seen.features["pat"],
        )
        radial = np.isfinite(seen.waves["radial"]).all(axis=1)
        np.testing.assert_array_equal(seen.reason[radial], expected[radial])
    assert (seen.reason == "noise").sum() > len(seen) / 2


@pytest.mark.parametrize(
    "sensor", [Sensor.source(), Sensor.randomised(), Sensor.clinic()]
)
def test_the_gate_believes_nearly_all_of_a_usual_clinic(visit, sensor):
    beats = _with(sensor).observe(visit, calibration="exact")
    assert beats.accepted.mean() > 0.9


def test_a_beat_without_a_radial_foot_says_so(visit, waves, monkeypatch):
    def lost(waves, onset):
        return np.where(np.arange(len(waves)) == 3, np.nan, 0.1)

    monkeypatch.setattr(clinics, "_radial_foot", lost)
    beats = CLINIC.observe(visit, calibration="exact")
    assert np.flatnonzero(~beats.accepted).tolist() == [3]
    assert beats.reason[3] == "no foot of the radial pulse"
    assert np.isnan(beats.waves["radial"][3]).all()


def test_hash_changes_with_content_only():
    same = dataclasses.replace(
        CLINIC, solver=LinearSolver(order=1, harmonics=20, batch_size=3)
    )
    assert same.hash() == CLINIC.hash()
    assert len(CLINIC.hash()) == 16
    for change in (
        {"seed": 8},
        {"population": Population()},
        {"cuff": CuffModel.exact()},
        {"solver": LinearSolver(order=1, harmonics=21)},
    ):
        assert dataclasses.replace(CLINIC, **change).hash() != CLINIC.hash()


def test_hash_knows_every_setting_but_not_how_a_number_is_written():
    def changed(settings, name, value):
        return dataclasses.replace(settings, **{name: value})

    def other(value):
        """Return another value of the same kind."""
        if isinstance(value, bool):
            return not value
        if isinstance(value, tuple):
            return (*value[:-1], other(value[-1])) if value else ((5.0, 6.0),)
        return value + 1 if isinstance(value, int) else 1.01 * value + 0.01

    hashes = [CLINIC.hash()]
    for part in ("sensor", "cuff", "catheter", "apart", "solver"):
        settings = getattr(CLINIC, part)
        settings = Catheter() if part == "catheter" else settings
        hashes.append(changed(CLINIC, part, settings).hash())
        for field in dataclasses.fields(settings):
            value = getattr(settings, field.name)
            if field.metadata.get("content", True) and not isinstance(value, str):
                if field.name == "order":
                    value = 1
                some = changed(settings, field.name, other(value))
                hashes.append(changed(CLINIC, part, some).hash())
    for name, value in (("name", "t"), ("n", 25), ("pep_sd", 0.016)):
        hashes.append(changed(CLINIC, name, value).hash())
    for name, value in (("body", "hybrid"), ("ppg_site", "ear")):
        hashes.append(changed(CLINIC, name, value).hash())
    # catheter, and Catheter() itself, are listed once; sensor, cuff ... are CLINIC's
    assert hashes.count(hashes[0]) == 5
    assert len(set(hashes)) == len(hashes) - 4
    whole = dataclasses.replace(CLINIC.cuff, sbp_bias=-4, dbp_bias=4)
    assert changed(CLINIC, "cuff", whole).hash() == CLINIC.hash()
    zero = dataclasses.replace(CLINIC.sensor, rail=(0, 0), quantum=(-0.0, 0.0))
    assert changed(CLINIC, "sensor", zero).hash() == CLINIC.hash()


def test_what_comes_for_a_visit_by_mistake_is_refused(visit):
    bare = inspect.unwrap(Clinic.observe)  # as a user calls it, unchecked
    with pytest.raises(ConfigError, match=r"cuff at 'aortic_root'.*brachial, radial"):
        bare(CLINIC, visit, calibration="exact", cuff_site="aortic_root")
    with pytest.raises(ConfigError, match=r"Parietal Artery@1' was not simulated"):
        dataclasses.replace(CLINIC, ppg_site="ear").observe(visit, calibration="exact")
    with pytest.raises(ConfigError, match=r"hybrid bodies.*an ear; wanted.*finger"):
        dataclasses.replace(CLINIC, body="hybrid", ppg_site="ear")
    with pytest.raises(ShapeError, match="draw -1"):
        CLINIC.observe(visit, calibration="exact", draw=-1)


def test_errors(visit):
    with pytest.raises(ProtocolError, match="'exact' or 'cuff SBP/DBP'"):
        CLINIC.observe(visit, calibration="none")
    small = dataclasses.replace(CLINIC, n=3)
    with pytest.raises(ShapeError, match="has 3 people"):
        small.observe(visit, calibration="exact")
    with pytest.raises(ConfigError, match="is named 'a b'"):
        dataclasses.replace(CLINIC, name="a b")
    with pytest.raises(ConfigError, match=r"2\.5 SDs"):
        dataclasses.replace(CLINIC, pep_sd=0.1)
    with pytest.raises(ConfigError, match=r"PEP 95 .*up to 0\.25 s"):
        dataclasses.replace(CLINIC, pep_mean=95.0)
