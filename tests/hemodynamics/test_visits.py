import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics import (
    Apart,
    Catheter,
    Clinic,
    Cohort,
    CuffModel,
    LinearSolver,
    Population,
    Sensor,
    Visit,
)
from capnet.hemodynamics.cohort import stream
from capnet.hemodynamics.cuffs import apply_cuff
from capnet.hemodynamics.electronics import second_order
from capnet.hemodynamics.spectra import evaluate

CLINIC = Clinic(
    name="lab",
    population=Population.calibrated(),
    solver=LinearSolver(order=1, harmonics=16),
    sensor=Sensor.clinic(),
    cuff=CuffModel.clinic(),
    pep_mean=0.095,
    pep_sd=0.015,
    n=12,
    seed=3,
    apart=Apart(mbp_sd=5.0, hr_sd=0.04),
)


@pytest.fixture(scope="module")
def visit():
    return CLINIC.simulate()


def test_people_keep_their_vessels_and_change_their_state(visit):
    now, then = visit.cohort.arteries(), visit.reference.cohort.arteries()
    for name in ("length", "inlet_radius", "k3", "reference_pressure"):
        np.testing.assert_array_equal(getattr(now, name), getattr(then, name))
    np.testing.assert_array_equal(now.beds.compliance, then.beds.compliance)
    assert (np.abs(visit.reference.period / visit.pulse.period - 1) > 1e-3).all()
    change = visit.reference.mean("aortic_root") - visit.pulse.mean("aortic_root")
    drawn = visit.reference.cohort["mbp"] - visit.cohort["mbp"]
    np.testing.assert_allclose(change, drawn, atol=0.5)


def test_each_moment_is_another(visit):
    levels = [w.mean("brachial") for w in (visit.pulse, visit.reference, visit.cuff)]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (np.abs(levels[a] - levels[b]) > 1e-3).all()


def test_how_far_people_wander_is_what_was_asked():
    cohort = Cohort.sample(4000, seed=1, population=Population.calibrated())
    later = Apart(5.0, 0.04).at(cohort, "cuff", seed=1, n=len(cohort))
    # clipping at 2.2 SDs takes 3 % of the spread
    assert np.std(later["mbp"] - cohort["mbp"]) == pytest.approx(5.0, rel=0.05)
    assert np.std(np.log(later["hr"] / cohort["hr"])) == pytest.approx(0.04, rel=0.05)
    beats_faster = later["hr"] - cohort["hr"]
    np.testing.assert_allclose(later["lvet"] - cohort["lvet"], -1.7 * beats_faster)
    np.testing.assert_array_equal(later["sv"], cohort["sv"])


def test_nobody_depends_on_the_others():
    cohort = Cohort.sample(40, seed=1)
    rows = np.array([7, 3])
    apart = Apart(4.0, 0.02)
    whole = apart.at(cohort, "cuff", seed=5, n=40)
    some = apart.at(cohort.take(rows), "cuff", seed=5, n=40)
    for name in whole.parameters:
        np.testing.assert_array_equal(some[name], whole[name][rows])


def test_each_thing_is_measured_at_its_moment(visit):
    beats = CLINIC.observe(visit, calibration="exact")
    np.testing.assert_array_equal(beats.cuff[:, 0], visit.cuff.systolic("brachial"))
    np.testing.assert_allclose(
        beats.reference.mean(axis=1), visit.reference.mean("aortic_root"), rtol=1e-9
    )
    np.testing.assert_array_equal(
        beats.truth["aortic_sbp"], visit.pulse.systolic("aortic_root")
    )
    np.testing.assert_allclose(beats.features["hr"], 60.0 / visit.pulse.period)


def test_a_visit_at_once_has_one_set_of_waves():
    together = dataclasses.replace(CLINIC, apart=Apart()).simulate()
    assert together.reference is together.pulse
    some = together.take(np.array([1]))
    assert some.reference is some.pulse
    assert len(some) == 1
    assert "at once" in repr(some)


def test_a_catheter_errs_in_the_reference_and_nowhere_else(visit):
    true = CLINIC.observe(visit, calibration="exact")
    lab = dataclasses.replace(CLINIC, catheter=Catheter())
    seen = lab.observe(visit, calibration="exact")
    np.testing.assert_array_equal(seen.raw, true.raw)
    np.testing.assert_array_equal(seen.cuff, true.cuff)
    drawn = lab.catheter.draw(lab.n, stream(lab.seed, "draw 0", "catheter"))
    drawn = drawn.take(visit.cohort.index)
    shift = (seen.reference - true.reference).mean(axis=1)
    np.testing.assert_allclose(shift, drawn.offset, atol=1e-9)
    # each harmonic, at its own frequency in that person's beat, by the line's response
    order = np.arange(11)
    response = second_order(
        order / visit.reference.period[:, None], drawn.natural, drawn.damping
    )
    through, before = (np.fft.rfft(x.reference)[:, :11] for x in (seen, true))
    wanted = before * response
    off = np.abs(through - wanted)[:, 1:] / np.abs(before[:, 1:])
    assert off.max() < 1e-6
    # a light damped line overshoots
    assert np.ptp(seen.reference, axis=1).mean() > np.ptp(true.reference, axis=1).mean()
    again = lab.observe(visit, calibration="exact", draw=1)
    assert not np.allclose(again.reference, seen.reference)


@pytest.mark.parametrize("site", ["brachial", "radial"])
def test_a_cuff_keeps_what_lasts_and_hangs_at_its_site(visit, site):
    held = dataclasses.replace(CLINIC, cuff=CuffModel.wrist())
    person = stream(CLINIC.seed, "person", "cuff")
    drawn = held.cuff.draw(
        held.n, stream(CLINIC.seed, "draw 2", "cuff"), person=person
    ).take(visit.cohort.index)
    seen = held.observe(visit, calibration="cuff SBP/DBP", cuff_site=site, draw=2)
    true = visit.cuff.systolic(site), visit.cuff.diastolic(site)
    np.testing.assert_array_equal(seen.cuff, apply_cuff(*true, drawn, site=site))


@pytest.mark.parametrize("place", ["finger", "wrist", "ear"])
def test_the_pulse_is_taken_where_the_sensor_sits(place):
    clear = Sensor(0.0, 0.0, (), (0.0, 0.0), (0.0, 0.0), 0.0)
    there = dataclasses.replace(CLINIC, sensor=clear, ppg_site=place, apart=Apart())
    visit = there.simulate()
    beats = there.observe(visit, calibration="exact")
    assert beats.accepted.mean() > 0.7
    steps = np.arange(64) / 64 * visit.pulse.period[:, None]
    wave = evaluate(
        visit.pulse.volume_pulse(place), period=visit.pulse.period, times=steps
    )
    good = beats.accepted
    seen, wanted = (np.abs(np.fft.rfft(x[good])) for x in (beats.ppg, wave))
    np.testing.assert_allclose(
        seen[:, 2:4] / seen[:, 1:2], wanted[:, 2:4] / wanted[:, 1:2], atol=0.05
    )


def test_progress_counts_every_moment():
    seen = []
    CLINIC.simulate(progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (36, 36)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_errors(visit):
    with pytest.raises(ConfigError, match="0 to 15 mmHg"):
        Apart(mbp_sd=-1.0)
    with pytest.raises(ShapeError, match="same people"):
        Visit(visit.pulse, visit.reference.take(slice(3)), visit.cuff)
