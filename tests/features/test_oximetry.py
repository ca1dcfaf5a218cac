"""Oximetry of beats: Beer and Lambert, the textbook's line, what is abstained."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ShapeError
from capnet.features import oximetry_of_beats, saturation
from capnet.hemodynamics.oximetry import ratio_of_saturation, transmit

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=30)
PHASE = np.linspace(0.0, 1.0, 65)
PULSE = (PHASE**0.5 * np.exp(-4.0 * PHASE) * (1.0 - PHASE)) * 4.0


def light(saturation_, perfusion=0.02):
    n = len(saturation_)
    return transmit(
        np.tile(PULSE / PULSE.max(), (n, 1)),
        saturation=np.array(saturation_)[:, None],
        perfusion=np.full(n, perfusion),
    )


def test_the_ratio_is_that_of_beer_and_lambert():
    true = np.array([0.7, 0.85, 0.97, 1.0])
    red, infrared = light(true)
    found = oximetry_of_beats(red, infrared)
    np.testing.assert_allclose(found.ratio, ratio_of_saturation(true), rtol=1e-9)


def test_perfusion_is_pulse_height_over_level():
    red, infrared = light([0.97], perfusion=0.03)
    found = oximetry_of_beats(red, infrared)
    assert found.perfusion[0] == pytest.approx(3.0, rel=0.03)


@pytest.mark.parametrize(("ratio", "spo2"), [(0.4, 100.0), (1.0, 85.0), (1.6, 70.0)])
def test_the_line_of_the_textbook(ratio, spo2):
    # Webster 1997: 85 % where both colours pulsate alike.
    assert saturation(np.array([ratio]))[0] == pytest.approx(spo2)


def test_beyond_the_line_the_ratio_stays_and_the_saturation_goes():
    size = np.array([0.3, 1.0, 1.7])[:, None]
    infrared = np.exp(-0.02 * np.tile(PULSE, (3, 1)))
    found = oximetry_of_beats(np.exp(-0.02 * size * PULSE), infrared)
    np.testing.assert_allclose(found.ratio, size[:, 0], rtol=1e-9)
    assert np.isnan(found.spo2[[0, 2]]).all()
    assert found.spo2_reason[0] == "ratio outside 0.4 to 1.6"
    assert found.spo2[1] == pytest.approx(85.0)


@CALM
@given(st.floats(1e-3, 1e5), st.floats(1e-3, 1e5), st.floats(-0.01, 0.01))
def test_gains_and_a_drift_of_the_level_change_no_ratio(red_gain, other, drift):
    red, infrared = light([0.9])
    sloped = np.exp(drift * PHASE)
    one = oximetry_of_beats(red, infrared)
    two = oximetry_of_beats(red_gain * red * sloped, other * infrared * sloped)
    np.testing.assert_allclose(one.ratio, two.ratio, rtol=1e-6)


def test_what_cannot_be_read_says_why():
    red, infrared = (np.repeat(x, 6, axis=0) for x in light([0.9]))
    rng = np.random.default_rng(0)
    red[0, 3] = np.nan
    infrared[1, 3] = np.nan
    red[2] -= red[2].mean()
    infrared[3] = 1.0
    red[4] = np.exp(0.02 * rng.standard_normal(65))
    found = oximetry_of_beats(red, infrared)
    assert [*found.ratio_reason] == [
        "samples missing",
        "samples missing",
        "no light level (AC-coupled or not positive)",
        "perfusion below 0.02 %",
        "red and infrared do not pulsate alike",
        "",
    ]
    assert (np.isfinite(found.ratio) == (found.ratio_reason == "")).all()
    assert (np.isfinite(found.perfusion) == (found.perfusion_reason == "")).all()
    assert np.isfinite(found.perfusion[[0, 2, 4]]).all()


@pytest.mark.usefixtures("unchecked")
def test_batch_is_one_by_one_and_none_is_none():
    red, infrared = light([0.75, 0.9, 0.97])
    whole = oximetry_of_beats(red, infrared)
    for row in range(3):
        one = oximetry_of_beats(red[row : row + 1], infrared[row : row + 1])
        assert one.ratio[0] == pytest.approx(whole.ratio[row], rel=1e-12)
    assert len(oximetry_of_beats(red[:0], infrared[:0]).ratio) == 0
    with pytest.raises(ShapeError, match="wanted the same"):
        oximetry_of_beats(red, infrared[:2])


@CALM
@given(st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=9, max_size=9))
def test_any_light_gives_a_ratio_or_a_reason(values):
    rows = np.array(values)[None]
    found = oximetry_of_beats(rows, rows)
    assert ((found.ratio_reason == "") == np.isfinite(found.ratio)).all()
