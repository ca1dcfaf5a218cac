"""Waves: clinical units, labels, who converged, and the numbers read from them."""

from dataclasses import replace

import numpy as np
import pytest

from capnet.errors import ConfigError, ShapeError, UnitError
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.simulation import simulate
from capnet.hemodynamics.spectra import Spectra
from capnet.hemodynamics.waves import Waves, check_sampling_rate
from capnet.prediction import DISCLAIMER
from capnet.units import MMHG
from tests.hemodynamics.people import arteries, network, textbook


def test_the_room_offers_the_function_whatever_was_imported_before():
    import capnet.hemodynamics as room
    import capnet.hemodynamics.clinics  # noqa: F401

    assert all(callable(getattr(room, name)) for name in room.__all__)


@pytest.fixture(scope="module")
def waves():
    return simulate(textbook(), solver=LinearSolver(order=1), sampling_rate=500.0)


@pytest.fixture(scope="module")
def phantom():
    """One subject made of three tubes, at rest without an outflow pressure."""
    tree = network([1, 2, 2], [2, 3, 4])
    bodies = arteries(tree)
    cohort = Cohort(np.zeros(1, np.int64), np.full(1, np.nan), {}, bodies=bodies)
    return simulate(cohort, solver=LinearSolver(harmonics=8), sampling_rate=500.0)


def spoilt(waves, *, broken=(), loud=(), stuck=()):
    """Spoil some subjects: no answer, three times the pressure, a large residual."""
    pressure, residual = waves.spectra.pressure.copy(), waves.spectra.residual.copy()
    pressure[list(loud)] *= 3
    pressure[list(broken)] = np.nan
    residual[list(broken)] = np.nan
    residual[list(stuck)] = 40.0 * waves.tolerance
    spectra = replace(waves.spectra, pressure=pressure, residual=residual)
    return replace(waves, spectra=spectra)


# Reading


def test_beats_are_nan_after_their_end(waves):
    beat = waves.pressure("aortic_root")
    assert beat.shape == waves.flow("radial").shape == (6, len(waves.time))
    known = np.isfinite(beat).sum(axis=1)
    np.testing.assert_array_equal(known, np.ceil(waves.period * 500 - 1e-6))


def test_waves_are_periodic_and_exact_between_samples(waves):
    times = np.tile(waves.time[:100], (6, 1))
    later = times + 3 * waves.period[:, None]
    np.testing.assert_allclose(waves.at("radial", times), waves.at("radial", later))
    np.testing.assert_allclose(
        waves.at("radial", times), waves.pressure("radial")[:, :100]
    )


def test_mean_is_that_of_the_wave(waves):
    steps = np.arange(64) / 64 * waves.period[:, None]
    np.testing.assert_allclose(
        waves.at("brachial", steps).mean(axis=1), waves.mean("brachial")
    )


def test_levels_agree_with_each_other(waves):
    levels = waves.levels("radial")
    np.testing.assert_array_equal(levels.sbp, waves.systolic("radial"))
    np.testing.assert_array_equal(levels.dbp, waves.diastolic("radial"))
    np.testing.assert_allclose(levels.map, waves.mean("radial"))
    assert ((levels.form_factor > 0.3) & (levels.form_factor < 0.5)).all()


@pytest.mark.physics
def test_area_is_in_mm2_and_swells_with_the_pressure(waves):
    """At the root the wall is elastic but for 0.02 s: the lumen follows pressure."""
    area, pressure = waves.area("aortic_root"), waves.pressure("aortic_root")
    body = waves.cohort.arteries()
    reference = np.pi * body.inlet_radius[:, 0] ** 2 * 1e6
    assert (np.nanmax(area, axis=1) > reference).all()
    np.testing.assert_allclose(np.nanmean(area, axis=1), reference, rtol=0.15)
    for lumen, p in zip(area, pressure, strict=True):
        known = np.isfinite(lumen)
        assert np.corrcoef(lumen[known], p[known])[0, 1] > 0.98


@pytest.mark.physics
def test_age_raises_aortic_pulse_pressure_and_lowers_amplification(waves):
    aortic = waves.systolic("aortic_root") - waves.diastolic("aortic_root")
    arm = waves.systolic("brachial") - waves.diastolic("brachial")
    assert (np.diff(aortic) > 0).all()
    assert (np.diff(arm / aortic) < 0).all()
    np.testing.assert_allclose(
        arm / aortic, [1.49, 1.45, 1.36, 1.27, 1.20, 1.14], atol=0.015
    )


@pytest.mark.physics
def test_peripheral_waves_come_later_and_flow_is_what_the_heart_gives(waves):
    steepest = lambda site: np.nanargmax(np.diff(waves.pressure(site), axis=1), axis=1)
    assert (steepest("radial") > steepest("brachial")).all()
    assert (steepest("brachial") > steepest("aortic_root")).all()
    output = waves.spectra.flow[:, waves.spectra.row("aortic_root"), 0].real
    np.testing.assert_allclose(output, waves.cohort.arteries().inflow.output)


# Indices


@pytest.mark.physics
def test_age_augments_the_aortic_pressure(waves):
    found = waves.augmentation()
    assert (np.diff(found.aix) > 0).all()
    assert (found.reason == "").all()
    coarse = replace(waves, sampling_rate=50.0).augmentation()
    np.testing.assert_array_equal(coarse.aix, found.aix)


@pytest.mark.physics
def test_the_pulse_goes_as_fast_as_was_drawn(waves):
    """Foot to foot it is a little faster than at the diastolic pressure."""
    speed = waves.pulse_wave_velocity()
    np.testing.assert_allclose(speed, waves.cohort["pwv"], rtol=0.06)
    backwards = waves.pulse_wave_velocity("femoral", "carotid")
    assert np.isnan(backwards).all()


def test_distances_are_lengths_of_arteries(waves, phantom):
    body = waves.cohort.arteries()
    assert (waves.distance("aortic_root") == 0).all()
    beyond = waves.distance("radial") - waves.distance("brachial")
    between = 0.25 * body.length[:, 20] + 0.5 * body.length[:, 21]
    np.testing.assert_allclose(beyond, between)
    assert phantom.distance("artery 3@0.5") == pytest.approx(0.15)


def test_the_shortest_way_round_a_loop_counts():
    tree = network([1, 2, 2, 3], [2, 3, 3, 4])
    bodies = arteries(tree)
    bodies = replace(bodies, length=np.array([[0.1, 0.3, 0.2, 0.1]]))
    cohort = Cohort(np.zeros(1, np.int64), np.full(1, np.nan), {}, bodies=bodies)
    looped = simulate(
        cohort, LinearSolver(harmonics=3), ["artery 4@1"], sampling_rate=500.0
    )
    assert looped.distance("artery 4@1") == pytest.approx(0.4)
    assert looped.distance("artery 2@0.5") == pytest.approx(0.25)


# The volume pulse


def test_volume_pulse_runs_from_zero_to_one(waves):
    pulse = waves.ppg("digital")
    assert np.nanmin(pulse) == pytest.approx(0.0, abs=1e-3)
    assert np.nanmax(pulse) == pytest.approx(1.0, abs=1e-3)
    with pytest.raises(ShapeError, match=r"end of an artery.*such as 'digital'"):
        waves.ppg("radial")


def test_volume_pulse_looks_to_the_bodies_for_the_pressure_behind_the_beds(waves):
    """What was drawn does not count where bodies are given."""
    cohort = waves.cohort
    wrong = dict(cohort.parameters) | {"pout": cohort["pout"] + 20.0}
    given = replace(cohort, parameters=wrong, bodies=cohort.arteries())
    pulse = replace(waves, cohort=given).ppg()
    np.testing.assert_array_equal(pulse, waves.ppg())


def test_a_phantom_has_a_volume_pulse_at_the_end_of_its_tubes(phantom):
    ends = simulate(
        phantom.cohort, sites=["artery 2@1", "artery 1@1"], sampling_rate=200.0
    )
    pulse = ends.ppg("artery 2@1")
    assert np.nanmax(pulse) == pytest.approx(1.0, abs=0.01)
    with pytest.raises(ShapeError, match="such as 'artery 2@1'"):
        ends.ppg("artery 1@1")


# Who converged


def test_everyone_converged_and_says_so(waves):
    assert waves.converged.all()
    assert (waves.residual * MMHG <= waves.tolerance).all()
    assert waves.reason.tolist() == [""] * 6
    assert "not converged" not in repr(waves)


def test_who_did_not_converge_is_told_with_a_reason(waves):
    bad = spoilt(waves, broken=[1], stuck=[3])
    assert bad.converged.tolist() == [True, False, True, False, True, True]
    assert bad.reason[1] == "the solver gave no finite wave"
    assert bad.reason[3] == "the solver did not converge within its tolerance"
    assert bad.failed.tolist() == [False, True, False, False, False, False]
    assert "2 not converged" in repr(bad)
    assert bad.to_frame()["converged"].sum() == 4
    assert np.isnan(bad.systolic("radial")[1])
    unknown = Waves(waves.cohort, waves.spectra, 500.0)
    assert not unknown.converged.any()


def test_a_cause_has_one_text_however_far_everybody_was_from_the_end(waves):
    bad = spoilt(waves, stuck=[0, 1, 2])
    residual = bad.spectra.residual * np.arange(1, 7)
    bad = replace(bad, spectra=replace(bad.spectra, residual=residual))
    assert len({*bad.reason[:3]}) == 1
    assert len({*bad.residual[:3]}) == 3


def test_a_protocol_that_stops_at_a_given_time_is_named_as_the_reason(waves):
    stopped = replace(spoilt(waves, broken=[1], stuck=[3]), settles=False)
    assert stopped.reason[3] == "PWDB's protocol stops at 6.5 s, settled or not"
    assert stopped.reason[1] == "the solver gave no finite wave"
    assert not stopped.converged[3]
    with pytest.raises(ShapeError, match="wanted one kind"):
        Waves.concatenate([waves, stopped])


def test_the_highest_harmonics_count_in_the_levels():
    """A wave of one high harmonic swings by four times its coefficient."""
    cohort = textbook((40.0,))
    coefficients = np.zeros((1, 1, 701), dtype=np.complex128)
    coefficients[0, 0, 0], coefficients[0, 0, 700] = 90.0 * MMHG, 10.0 * MMHG
    spectra = Spectra(
        sites=("radial",),
        period=np.ones(1),
        pressure=coefficients,
        flow=coefficients,
        area=coefficients,
        residual=np.zeros(1),
    )
    levels = Waves(cohort, spectra, 500.0).levels("radial")
    assert (levels.sbp[0], levels.dbp[0]) == pytest.approx((110.0, 70.0))


def test_plausible_reports_what_it_dropped(waves):
    assert waves.plausible().kept.all()
    verdict = spoilt(waves, broken=[4], loud=[1]).plausible()
    assert verdict.dropped == {
        "aortic SBP is not below 195 mmHg": 1,
        "the solver gave no finite pressure": 1,
    }
    assert "kept 4 of 6" in repr(verdict)
    with pytest.raises(ShapeError, match="waves of 6 people; wanted 2"):
        Cohort.sample(2, seed=0).plausible(waves)


def test_nobody_has_no_waves(waves):
    nobody = waves.take(np.zeros(6, dtype=np.bool_))
    assert nobody.pressure("radial").shape == (0, 0)
    assert nobody.converged.shape == nobody.augmentation().aix.shape == (0,)
    assert "0 virtual people" in repr(nobody)


# Joining and showing


def test_take_concatenate_frame(waves):
    parts = [waves.take(slice(0, 2)), waves.take(np.arange(2, 6))]
    again = Waves.concatenate(parts)
    np.testing.assert_array_equal(again.spectra.pressure, waves.spectra.pressure)
    assert (again.solver, again.tolerance) == (waves.solver, waves.tolerance)
    assert "radial_sbp" in waves.to_frame()
    assert "6 virtual people" in repr(waves)
    coarse = replace(parts[1], sampling_rate=100.0)
    with pytest.raises(ShapeError, match="wanted one kind"):
        Waves.concatenate([parts[0], coarse])
    with pytest.raises(ShapeError, match="wanted one kind"):
        Waves.concatenate([])


def test_a_phantom_prints_itself(phantom):
    said = repr(phantom)
    assert "1 given bodies, 500 Hz; mean SBP / DBP" in said
    assert said.count("mmHg") == 4
    lost = repr(spoilt(phantom, broken=[0]))
    assert "1 not converged" in lost
    assert "artery 1@0   -" in lost


def test_to_xarray_is_labelled(waves):
    data = waves.to_xarray()
    assert dict(data.sizes) == {"subject": 6, "site": 6, "time": len(waves.time)}
    for name, read in (("pressure", waves.pressure), ("area", waves.area)):
        np.testing.assert_array_equal(data[name].sel(site="radial"), read("radial"))
    np.testing.assert_array_equal(data["ppg"], waves.ppg())
    np.testing.assert_array_equal(data["hr"], waves.cohort["hr"])
    units = {name: data[name].attrs["units"] for name in ("pressure", "flow", "area")}
    assert units == {"pressure": "mmHg", "flow": "ml/s", "area": "mm2"}
    assert "virtual" in data.attrs["title"]
    assert data.attrs["comment"] == DISCLAIMER
    assert "LinearSolver" in data.attrs["solver"]
    assert data.attrs["sampling_rate_hz"] == 500.0
    assert bool(data["converged"].all())


def test_a_phantom_is_labelled_too(phantom):
    data = phantom.to_xarray()
    assert data["site"].values.tolist() == [*phantom.sites]
    assert "ppg" not in data


def test_what_does_not_fit_is_refused(waves):
    with pytest.raises(ShapeError, match="2 people, 6 waves"):
        Waves(Cohort.sample(2, seed=0), waves.spectra, 500.0)
    with pytest.raises(UnitError, match="wanted a positive number"):
        replace(waves, sampling_rate=-1.0)
    with pytest.raises(UnitError, match="wanted a positive number"):
        check_sampling_rate("500")
    with pytest.raises(ConfigError, match="'elbow' was not simulated"):
        waves.area("elbow")
