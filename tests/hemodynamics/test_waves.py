import numpy as np
import pytest

from capnet.errors import ConfigError, ShapeError, UnitError
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.simulation import simulate
from capnet.hemodynamics.waves import Waves
from tests.hemodynamics.people import textbook


def test_the_room_offers_the_function_whatever_was_imported_before():
    import capnet.hemodynamics as room
    import capnet.hemodynamics.clinics  # noqa: F401

    assert all(callable(getattr(room, name)) for name in room.__all__)


@pytest.fixture(scope="module")
def waves():
    return simulate(textbook(), solver=LinearSolver(), sampling_rate=500.0)


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
    np.testing.assert_allclose(output, waves.cohort.arteries().ejection.output)


def test_volume_pulse_runs_from_zero_to_one(waves):
    pulse = waves.ppg("digital")
    assert np.nanmin(pulse) == pytest.approx(0.0, abs=1e-3)
    assert np.nanmax(pulse) == pytest.approx(1.0, abs=1e-3)
    with pytest.raises(ShapeError, match="wanted 'digital'"):
        waves.ppg("radial")


def test_take_concatenate_frame(waves):
    parts = [waves.take(slice(0, 2)), waves.take(np.arange(2, 6))]
    again = Waves.concatenate(parts)
    np.testing.assert_array_equal(again.spectra.pressure, waves.spectra.pressure)
    assert "radial_sbp" in waves.to_frame()
    assert "6 virtual people" in repr(waves)


def test_plausible_reports_what_it_dropped(waves):
    assert waves.plausible().kept.all()
    broken = waves.spectra.pressure.copy()
    broken[1] *= 3
    broken[4] = np.nan
    spectra = type(waves.spectra)(waves.sites, waves.period, broken, waves.spectra.flow)
    verdict = Waves(waves.cohort, spectra, 500.0).plausible()
    assert verdict.dropped == {
        "aortic SBP is not below 195 mmHg": 1,
        "the solver gave no finite pressure": 1,
    }
    assert "kept 4 of 6" in repr(verdict)
    with pytest.raises(ShapeError, match="waves of 6 people; wanted 2"):
        Cohort.sample(2, seed=0).plausible(waves)


def test_progress_and_errors():
    seen = []
    cohort = Cohort.sample(5, seed=0)
    only = simulate(
        cohort,
        solver=LinearSolver(batch_size=2),
        sites=["radial"],
        sampling_rate=100.0,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(2, 5), (4, 5), (5, 5)]
    with pytest.raises(ConfigError, match="'carotid' was not simulated"):
        only.pressure("carotid")
    with pytest.raises(UnitError, match="positive number"):
        simulate(cohort, solver=LinearSolver(), sampling_rate=0.0)
