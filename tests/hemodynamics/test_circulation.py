"""What a heart ejects follows from filling, breath and state; reservoirs decay."""

import numpy as np
import pytest

from capnet.hemodynamics.circulation import (
    Body,
    Tone,
    corner_of,
    lead_on,
    locate,
    no_contractions,
    weight_of,
)
from capnet.hemodynamics.episodes import Episode
from capnet.hemodynamics.transients import EJECTIONS, LEVELS, TONES

GRID = (len(LEVELS), len(TONES), len(EJECTIONS))
TAU = 1.5
STILL = Tone(*(np.zeros(0) for _ in range(3)), np.zeros((0, 4)), np.zeros((0, 5)))


def _body(**changes):
    """A heart of 1 Hz and 70 ml; every state decays alike, the bed goes with R."""
    shape = (*GRID, 2)
    resistance = np.array(TONES)
    area = np.full(shape, 0.1) * resistance[:, None, None]
    tail = np.full(shape, 0.4) * resistance[:, None, None]
    whole = 70.0 * (0.1 + 0.4 * TAU)
    usual = Body(
        *(1.0, 70.0, 0.3, 0.1, 0.0, 0.0, whole, 1),
        *(np.full(GRID[:2], TAU), tail, area, resistance),
    )
    return usual._replace(**changes)


def _led(r_peak, *, body=None, tone=STILL, ectopic=(), phase=None):
    """Contractions at these times, after a regular train at rest."""
    body = body or _body()
    beats = no_contractions(len(r_peak), 2)
    beats.r_peak[:] = r_peak
    beats.phase[:] = 0.0 if phase is None else phase
    beats.ectopic[list(ectopic)] = True
    rested = 70.0 * 0.4 / -np.expm1(-1.0 / TAU)
    state = np.array([-1.0, -0.9, 1.0, TAU, 0.0, rested, rested])
    lead_on(body, tone, np.arange(len(r_peak)), beats, state)
    return beats


@pytest.mark.parametrize("level", [0.475, 0.65, 0.8, 1.3, 1.6, 1.9])
def test_states_are_mixed_so_that_what_is_linear_is_exact(level):
    cell, place = locate(np.array(TONES), level, 1.1, 0.93)
    corners = [corner_of(c, cell) for c in range(8)]
    weights = [weight_of(c, place) for c in range(8)]
    assert sum(weights) == pytest.approx(1.0)
    grids = (LEVELS, TONES, EJECTIONS)
    for axis, wanted in enumerate((level, 1.1, 0.93)):
        found = sum(
            w * grids[axis][at[axis]] for w, at in zip(weights, corners, strict=True)
        )
        assert found == pytest.approx(wanted)


def test_beyond_the_grid_the_last_known_state_holds():
    for level, known in ((0.1, 0.475), (5.0, 1.9)):
        for one, other in zip(
            locate(np.array(TONES), level, 1.0, 1.0),
            locate(np.array(TONES), known, 1.0, 1.0),
            strict=True,
        ):
            np.testing.assert_allclose(one, other)
    # an episode may reach these, and no more
    Episode("all of it", 0.0, 9.0, 1.0, 1.0, hr=1.9, spread=0.0)
    assert locate(np.array(TONES), 1.0, 9.0, 9.0)[1][1:] == pytest.approx([1.0, 1.0])


def test_at_rest_nothing_changes():
    beats = _led(np.arange(20.0))
    np.testing.assert_allclose(beats.volume, 70.0)
    np.testing.assert_allclose(beats.level, 1.0)
    np.testing.assert_allclose(beats.ejection, 1.0)
    np.testing.assert_allclose(beats.onset - beats.r_peak, 0.1)
    np.testing.assert_allclose(beats.size, 70.0)
    np.testing.assert_allclose(beats.carried, beats.carried[0, 0])
    np.testing.assert_allclose(beats.drift, 0.0, atol=1e-12)


def test_volume_follows_filling():
    """1 - exp(-(RR - d) / 0.25 s), d of 1.25 ejection times."""
    gaps = np.array([1.0, 0.6, 1.4, 0.45])
    beats = _led(np.cumsum(gaps) - 1.0)
    filled = 1.0 - np.exp(-(gaps - 1.25 * 0.3) / 0.25)
    np.testing.assert_allclose(beats.volume, 70.0 * filled / filled[0])
    np.testing.assert_allclose(beats.ejection, (filled / filled[0]) ** 0.35)
    assert beats.volume[1] < 70.0 < beats.volume[2]


def test_an_ectopic_beat_is_weaker_and_later():
    sinus, odd = _led([0.0, 0.7]), _led([0.0, 0.7], ectopic=[1])
    assert odd.volume[1] == pytest.approx(0.85 * sinus.volume[1])
    assert odd.onset[1] - sinus.onset[1] == pytest.approx(0.03)


def test_inspiration_takes_stroke_volume():
    """Its height is a quarter of a cycle; see `RespirationDraw`."""
    beats = _led(np.arange(4.0), body=_body(stroke=0.05), phase=np.arange(4) / 4)
    np.testing.assert_allclose(beats.volume / 70.0, [1.0, 0.95, 1.0, 1.05])


def test_the_pre_ejection_period_varies_as_asked_and_has_a_floor():
    late = [_led(np.arange(4000.0), body=_body(pep_sd=s)) for s in (0.004, 0.2)]
    pep = late[0].onset - late[0].r_peak
    assert pep.mean() == pytest.approx(0.1, abs=3e-4)
    assert pep.std() == pytest.approx(0.004, rel=0.05)
    assert (late[1].onset - late[1].r_peak).min() == pytest.approx(0.03)


def _state(**logs):
    names = ("hr", "sv", "tone", "ejection", "pep")
    effects = np.array([[np.log(logs.get(name, 1.0)) for name in names]])
    return STILL._replace(times=np.array([[-9.0, 1.0, 1e6, 1.0]]), effects=effects)


def test_the_working_pressure_follows_flow_through_resistance_in_seconds():
    beats = _led(np.arange(200.0) / 1.25, tone=_state(hr=1.25, sv=0.9, tone=1.3))
    np.testing.assert_allclose(beats.tone, 1.3)
    np.testing.assert_allclose(beats.level[-1], 1.25 * 0.9 * 1.3)
    np.testing.assert_allclose(beats.volume[-1], 0.9 * 70.0)
    flow = beats.level / 1.3 - 1.25 * 0.9
    late = beats.r_peak
    np.testing.assert_allclose(
        flow[5:40] / flow[5], np.exp(-(late[5:40] - late[5]) / 5.0), rtol=1e-6
    )
    np.testing.assert_allclose(
        _led([0.0], tone=_state(pep=0.7, ejection=0.8)).onset, 0.07
    )


def test_the_level_of_the_bed_is_followed_in_a_quarter_of_a_minute():
    """Twice the resistance, twice the volume held: that much is taken off, slowly."""
    beats = _led(np.arange(150.0), tone=_state(tone=2.0))
    held = 70.0 * (0.1 + 0.4 * TAU)
    np.testing.assert_allclose(
        beats.drift, held * (1.0 - np.exp(-(beats.r_peak + 1.0) / 15.0)), rtol=1e-9
    )


def test_what_is_carried_decays_and_adds_up():
    beats = _led([0.0, 0.8, 1.9])
    gap = np.diff(beats.onset)
    left = beats.carried[:-1, 0] * np.exp(-gap / TAU)
    np.testing.assert_allclose(beats.carried[1:, 0], left + 0.4 * beats.size[1:])
