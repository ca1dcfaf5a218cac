import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.arteries import (
    Arteries,
    carotid_femoral_speed,
    fit_stiffness,
    impedance,
)
from capnet.hemodynamics.beds import Beds
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.wall import stiffness
from tests.hemodynamics.people import arteries, inflow, network

FORK = network([1, 2, 2], [2, 3, 4])


def _spoilt(name, value):
    body = arteries(FORK)
    if name in ("proximal", "distal", "compliance"):
        array = getattr(body.beds, name).copy()
        array[0, 1] = value
        return {"beds": dataclasses.replace(body.beds, **{name: array})}
    array = getattr(body, name).copy()
    array[(0, 2) if array.ndim == 2 else 0] = value
    return {name: array}


@pytest.mark.parametrize("value", [0.0, -1e-3, np.nan, np.inf])
@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("length", "length"),
        ("inlet_radius", "inlet radius"),
        ("outlet_radius", "outlet radius"),
        ("proximal", "proximal of the bed"),
        ("distal", "distal of the bed"),
        ("compliance", "compliance of the bed"),
    ],
)
def test_what_is_not_positive_is_refused_by_subject_and_segment(name, called, value):
    message = rf"subject 0, segment 3 \('artery 3'\): {called} is "
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(arteries(FORK), **_spoilt(name, value))


def test_subjects_are_called_by_their_index():
    index = np.array([137])
    with pytest.raises(ConfigError, match=r"subject 137, segment 3 .* length is 0 m"):
        dataclasses.replace(arteries(FORK), **_spoilt("length", 0.0), index=index)
    with pytest.raises(ConfigError, match="subject 137 has outflow pressure nan"):
        dataclasses.replace(
            arteries(FORK), **_spoilt("outflow_pressure", np.nan), index=index
        )


@pytest.mark.parametrize("value", [-1e7, np.nan])
def test_a_wall_without_stiffness_is_refused(value):
    with pytest.raises(ConfigError, match=r"segment 3 .*stiffness Eh/R is"):
        dataclasses.replace(arteries(FORK), **_spoilt("k3", value))


@pytest.mark.parametrize("name", ["reference_pressure", "outflow_pressure"])
def test_pressures_may_be_zero_but_not_missing(name):
    body = arteries(FORK)
    dataclasses.replace(body, **_spoilt(name, 0.0))
    with pytest.raises(ConfigError, match=r"subject 0 has .* pressure nan Pa"):
        dataclasses.replace(body, **_spoilt(name, np.nan))


def test_shapes_are_checked():
    body = arteries(FORK)
    with pytest.raises(ShapeError, match=r"length has shape \(1, 3\); wanted \(1, 1"):
        dataclasses.replace(body, network=network([1], [2]))
    with pytest.raises(ShapeError, match=r"length has shape \(1, 3\); wanted \(2, 3"):
        dataclasses.replace(body, inflow=inflow(2))
    beds = Beds(*(np.ones((1, 1)),) * 3)
    with pytest.raises(ShapeError, match=r"proximal of the beds has shape \(1, 1\)"):
        dataclasses.replace(body, beds=beds)


def _flat(body):
    """Every array that has subjects."""
    return {
        **{
            name: getattr(body, name)
            for name in (
                *("length", "inlet_radius", "outlet_radius", "k3"),
                *("reference_pressure", "outflow_pressure"),
            )
        },
        **dataclasses.asdict(body.beds),
        **dataclasses.asdict(body.inflow),
    }


def test_take_and_concatenate_undo_each_other():
    whole = Cohort.sample(5, seed=0).arteries()
    parts = [whole.take(np.array([0, 1])), whole.take(slice(2, 5))]
    again = Arteries.concatenate(parts)
    assert (len(parts[0]), len(again)) == (2, 5)
    for name, values in _flat(whole).items():
        np.testing.assert_array_equal(_flat(again)[name], values)
    one = whole.take(whole.reference_pressure == whole.reference_pressure[3])
    np.testing.assert_array_equal(one.k3[0], whole.k3[3])


def test_only_like_bodies_are_joined():
    body = arteries(FORK)
    other = arteries(network([1, 2, 2], [2, 3, 5]))
    with pytest.raises(ShapeError, match="part 1 has another network than part 0"):
        Arteries.concatenate([body, other])
    thin = dataclasses.replace(body, blood=Blood(viscosity=1e-3))
    with pytest.raises(ShapeError, match="another blood"):
        Arteries.concatenate([body, thin])
    constant = dataclasses.replace(body, k1=0 * body.k1)
    with pytest.raises(ShapeError, match="another k1"):
        Arteries.concatenate([body, constant])
    with pytest.raises(ShapeError, match="at least one"):
        Arteries.concatenate([])


def test_the_fitted_stiffness_gives_the_speed_asked_for():
    body = Cohort.sample(6, seed=1).arteries()
    sizes = {k: getattr(body, k) for k in ("length", "inlet_radius", "outlet_radius")}
    wanted = np.linspace(5.0, 12.0, 6)
    k3 = fit_stiffness(
        **sizes, pwv=wanted, density=1060.0, index=np.arange(len(wanted))
    )
    speed = carotid_femoral_speed(**sizes, k3=k3, density=1060.0)
    np.testing.assert_allclose(speed, wanted, rtol=1e-12)
    slow = carotid_femoral_speed(**sizes, k3=k3, density=4 * 1060.0)
    np.testing.assert_allclose(slow, wanted / 2, rtol=1e-12)


def test_impedance_is_density_times_speed_over_area():
    radius = np.full((1, 1), 5e-3)
    beta = stiffness(radius, np.zeros(1), np.zeros(1), np.full((1, 1), 6e4))
    speed = np.sqrt(2 / 3 * 6e4 / 1060)
    wanted = 1060 * speed / (np.pi * 25e-6)
    assert impedance(radius, beta, 1060.0)[0, 0] == pytest.approx(wanted)
