import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics.arteries import LEFT_ARM
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.hybrid import AORTA, OLUFSEN, WallLaw, hybrid, with_wall
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.network import load_network
from capnet.hemodynamics.nonlinear import NonlinearSolver
from capnet.hemodynamics.simulation import simulate
from capnet.hemodynamics.wall import K1, K2, compliance, pulse_wave_speed, stiffness
from capnet.units import MMHG
from tests.hemodynamics.people import arteries, network, textbook

SITES = ("aortic_root", "brachial", "radial", "digital")


@pytest.fixture(scope="module")
def cohort():
    return Cohort.sample(200, seed=5)


@pytest.fixture(scope="module")
def small(cohort):
    return dataclasses.replace(cohort, bodies=hybrid(cohort.arteries()))


def _storage(bodies, pressure):
    """Compliance of all arteries and beds at one pressure, by a fine midpoint rule."""
    total = bodies.beds.compliance.sum(axis=1)
    for x in (np.arange(200) + 0.5) / 200:
        radius = bodies.inlet_radius + x * (bodies.outlet_radius - bodies.inlet_radius)
        beta = stiffness(radius, bodies.k1, bodies.k2, bodies.k3)
        give = compliance(
            pressure[:, None], bodies.reference_pressure[:, None], radius, beta
        )
        total = total + (give * bodies.length).sum(axis=1) / 200
    return total


def test_the_aorta_and_the_left_arm_stay_what_they_were(cohort, small):
    before, after = cohort.arteries().take(slice(3)), small.bodies.take(slice(3))
    whole = before.network
    assert set(after.network.sites) == set(SITES)
    names = list(after.network.name)
    for row in (*AORTA, *LEFT_ARM):
        k = names.index(whole.name[row])
        for name in ("length", "inlet_radius", "outlet_radius", "k3"):
            np.testing.assert_array_equal(
                getattr(after, name)[:, k], getattr(before, name)[:, row]
            )
    for site in SITES:
        old, new = whole.locate(site), after.network.locate(site)
        assert names[new.segment - 1] == whole.name[old.segment - 1]
        assert new.fraction == old.fraction
    fingers = [whole.terminals.tolist().index(v) for v in (111, 112, 113, 114)]
    kept = [
        after.network.terminals.tolist().index(names.index(whole.name[v]))
        for v in (111, 112, 113, 114)
    ]
    np.testing.assert_array_equal(
        after.beds.compliance[:, kept], before.beds.compliance[:, fingers]
    )


def test_what_was_cut_off_keeps_one_centimetre(cohort, small):
    whole, after = cohort.arteries(), small.bodies
    k = after.network.name.index("Left Common Carotid Artery")
    np.testing.assert_allclose(after.length[:, k], 0.01, rtol=1e-12)
    assert after.network.name.count("Left Common Iliac Artery") == 1
    taper = whole.outlet_radius[:, 14] - whole.inlet_radius[:, 14]
    end = whole.inlet_radius[:, 14] + taper * 0.01 / 0.139
    np.testing.assert_allclose(after.outlet_radius[:, k], end)


def _means(bodies, sites):
    """Mean pressure and flow of first order: that of steady flow."""
    n = len(bodies)
    cohort = Cohort(np.arange(n), np.full(n, 50.0), {}, bodies=bodies)
    spectra = LinearSolver(order=1, harmonics=4).solve(cohort, sites)
    return spectra.pressure[:, :, 0].real, spectra.flow[:, :, 0].real


def test_mean_pressure_and_so_resistance_are_conserved(cohort, small):
    rows = slice(40)
    pressure, flow = _means(cohort.arteries().take(rows), SITES)
    after, through = _means(small.bodies.take(rows), SITES)
    assert np.abs(after - pressure).max() < 0.01 * MMHG
    np.testing.assert_allclose(through, flow, rtol=5e-4)


def test_compliance_is_conserved_where_pressure_is_the_same_everywhere(cohort):
    thin = Blood(viscosity=1e-7)
    whole = dataclasses.replace(cohort.arteries().take(slice(5)), blood=thin)
    few = hybrid(whole)
    flow = whole.inflow.output
    mean = flow / (1.0 / whole.beds.total).sum(axis=1) + whole.outflow_pressure
    np.testing.assert_allclose(_storage(few, mean), _storage(whole, mean), rtol=1e-5)
    resistance = 1.0 / (1.0 / few.beds.total).sum(axis=1)
    np.testing.assert_allclose(
        resistance, 1.0 / (1.0 / whole.beds.total).sum(axis=1), rtol=1e-5
    )


def test_compliance_is_conserved_within_one_percent_with_real_blood(cohort, small):
    whole, few = cohort.arteries(), small.bodies
    mean = cohort["mbp"] * MMHG
    np.testing.assert_allclose(_storage(few, mean), _storage(whole, mean), rtol=0.01)


def test_nothing_cut_off_is_the_same_body(cohort):
    body = cohort.arteries()
    assert hybrid(body, np.arange(len(body.network))) is body


def test_one_by_one_is_the_same_as_all_at_once(cohort, small):
    for row in (0, 57, 199):
        alone = hybrid(cohort.arteries().take(np.array([row])))
        for name in ("proximal", "distal", "compliance"):
            np.testing.assert_allclose(
                getattr(alone.beds, name)[0],
                getattr(small.bodies.beds, name)[row],
                rtol=1e-7,
            )
        assert alone.network is small.bodies.network


def test_people_stay_plausible_and_their_arms_another(cohort, small):
    solver = LinearSolver(harmonics=20)
    after = simulate(small, solver, SITES, sampling_rate=200.0)
    assert after.converged.all()
    assert after.plausible().kept.sum() >= 180
    rows = slice(20)
    before = simulate(cohort.take(rows), solver, SITES, sampling_rate=200.0)
    change = after.take(np.arange(20)).pressure("radial") - before.pressure("radial")
    apart = np.sqrt(np.nanmean(change**2))
    assert 0.5 < apart < 4.0


def test_both_solvers_agree_on_the_hybrid():
    people = textbook((35.0, 65.0))
    few = dataclasses.replace(people, bodies=hybrid(people.arteries()))
    linear = simulate(few, LinearSolver(), SITES, sampling_rate=200.0)
    nonlinear = simulate(few, NonlinearSolver(), SITES, sampling_rate=200.0)
    assert nonlinear.converged.all()
    for site in SITES:
        change = linear.pressure(site) - nonlinear.pressure(site)
        assert np.sqrt(np.nanmean(change**2)) < 0.3


def test_other_arteries_can_be_kept():
    body = textbook((45.0,)).arteries()
    few = hybrid(body, np.append(AORTA, 14))
    assert set(few.network.sites) == {"aortic_root", "carotid"}


def test_a_branch_is_its_bed_and_the_friction_behind_the_cut():
    body = arteries(network([1, 2, 2], [2, 3, 4]), k3=1e9, distal=1e8, proximal=1e7)
    few = hybrid(body, np.array([0]))
    lumen = np.pi * 5e-3**2
    friction = 8 * np.pi * body.blood.viscosity * 0.09 / lumen**2
    np.testing.assert_allclose(few.beds.total, 1.1e8 + friction, rtol=1e-5)
    beta = stiffness(np.array([5e-3]), np.array([K1]), np.array([K2]), np.array([1e9]))
    give = 2 * np.pi * 5e-3**2 / beta[0]
    np.testing.assert_allclose(few.beds.compliance, 1e-9 + 0.09 * give, rtol=1e-5)
    wave = body.blood.density * pulse_wave_speed(beta, body.blood.density)[0] / lumen
    np.testing.assert_allclose(
        few.beds.proximal, np.minimum(wave, 0.9 * few.beds.total), rtol=1e-5
    )


def test_cuts_that_lead_to_the_same_arteries_share_them_by_flow():
    ring = network([1, 2, 2, 3], [2, 3, 3, 4])
    wide = arteries(ring, k3=1e9)
    radius = wide.inlet_radius * np.array([1.0, 1.0, 2.0, 1.0])
    body = dataclasses.replace(wide, inlet_radius=radius, outlet_radius=radius)
    few = hybrid(body, np.array([0]))
    assert len(few.network.terminals) == 2
    narrow, broad = few.beds.compliance[0]
    assert broad / narrow == pytest.approx(16.0, rel=1e-3)
    flow = (1.0 / few.beds.total[0]).sum()
    before, after = (_means(v, ("artery 1@0",))[0] for v in (body, few))
    np.testing.assert_allclose(after, before, rtol=1e-6)
    assert flow < 1.0 / body.beds.total[0, 0]


def test_what_cannot_be_cut_is_named():
    body = textbook((45.0,)).arteries()
    with pytest.raises(ConfigError, match=r"segment 22 \('Left Radial.*no artery that"):
        hybrid(body, np.append(AORTA, 21))
    without = np.setdiff1d(np.concatenate([AORTA, LEFT_ARM]), [110])
    with pytest.raises(ConfigError, match=r"segment 111 .*runs into an artery"):
        hybrid(body, without)
    with pytest.raises(ConfigError, match=r"rows \[0, 116\] .*wanted some in 0\.\.115"):
        hybrid(body, np.array([0, 116]))
    other = arteries(network([1, 2, 2], [2, 3, 4]))
    with pytest.raises(ConfigError, match="is not the packaged network; name the rows"):
        hybrid(other)


def test_another_wall_keeps_the_pulse_through_the_aorta(cohort):
    before = cohort.arteries().take(slice(6))
    after = with_wall(before, OLUFSEN)

    def time(body, rows):
        radius = (body.inlet_radius + body.outlet_radius)[:, rows] / 2
        beta = stiffness(radius, body.k1[rows], body.k2[rows], body.k3[:, rows])
        return (body.length[:, rows] * np.sqrt(2 * 1060.0 / beta)).sum(axis=1)

    np.testing.assert_allclose(time(after, AORTA), time(before, AORTA), rtol=1e-9)
    fingers = LEFT_ARM[-10:]
    assert (time(after, fingers) < 0.9 * time(before, fingers)).all()
    factor = after.k3 / before.k3
    np.testing.assert_allclose(factor, factor[:, :1] * np.ones(116), rtol=1e-12)
    np.testing.assert_allclose(after.beds.total, before.beds.total, rtol=1e-12)
    # 2e7 g/s2/cm and -22.53 1/cm, Olufsen 1999
    assert (after.k1 == 2e6).all()
    assert (after.k2 == -2253.0).all()


def test_the_own_wall_changes_nothing(cohort):
    before = cohort.arteries().take(slice(4))
    after = with_wall(before, WallLaw(K1, K2))
    np.testing.assert_allclose(after.k3, before.k3, rtol=1e-9)
    np.testing.assert_allclose(after.beds.proximal, before.beds.proximal, rtol=1e-8)


def test_another_network_has_its_own_rows(cohort):
    small = hybrid(cohort.arteries())
    with pytest.raises(ConfigError, match=r"rows \[0, 1, .*0\.\.36 of Network"):
        with_wall(small, OLUFSEN)
    with_wall(small, OLUFSEN, along=np.array([0, 1]))


def test_a_wall_that_is_too_stiff_is_refused(cohort):
    with pytest.raises(ConfigError, match=r"row 0 takes .* ms through the aorta; with"):
        with_wall(cohort.arteries().take(slice(2)), WallLaw(1e9, 0.0))


def test_the_packaged_aorta_leads_from_the_heart_to_the_bifurcation():
    tree = load_network()
    assert tree.inlet[AORTA[0]] == tree.root
    np.testing.assert_array_equal(tree.outlet[AORTA[:-1]], tree.inlet[AORTA[1:]])
    behind = [
        tree.name[k] for k in np.flatnonzero(tree.inlet == tree.outlet[AORTA[-1]])
    ]
    assert sorted(behind) == ["Left Common Iliac Artery", "Right Common Iliac Artery"]
