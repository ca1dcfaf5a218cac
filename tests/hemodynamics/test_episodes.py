"""Episodes come and go as planned; people differ in how strongly they answer."""

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics.episodes import (
    Episode,
    Vasomotion,
    draw_episodes,
    envelope,
)
from capnet.hemodynamics.oscillations import oscillation


def test_an_episode_is_off_before_on_in_between_and_off_after():
    times = np.array([100.0, 20.0, 200.0, 50.0])
    found = [envelope(times, t) for t in (99.0, 110.0, 150.0, 200.0, 225.0, 251.0)]
    np.testing.assert_allclose(found, [0.0, 0.5, 1.0, 1.0, 0.5, 0.0], atol=1e-12)
    smooth = np.array([envelope(times, t) for t in np.arange(90.0, 260.0, 0.1)])
    assert np.abs(np.diff(smooth)).max() < 0.1 * np.pi / 2 / 20.0 * 1.01


def test_effects_are_the_factors_on_average_and_spread_as_asked():
    exercise = Episode.exercise(0.0, 300.0)
    draw = draw_episodes([exercise], 5000, np.random.default_rng(0))
    assert draw.effects[:, 0, 0].mean() == pytest.approx(np.log(exercise.hr), rel=0.01)
    strength = draw.effects[:, 0, 0] / np.log(exercise.hr)
    assert strength.std() == pytest.approx(0.2 * 0.954, rel=0.03)  # held at 2 SD
    # one strength a person, whatever the effect
    tone = draw.effects[:, 0, 2] / np.log(exercise.tone)
    np.testing.assert_allclose(tone, strength, rtol=1e-12)
    few = draw_episodes([exercise], 3, np.random.default_rng(0))
    np.testing.assert_array_equal(few.effects, draw.effects[:3])
    assert draw_episodes([], 4, np.random.default_rng(0)).effects.shape == (4, 0, 5)


def test_every_known_episode_can_be_had():
    kinds = [
        Episode.exercise,
        Episode.cold_pressor,
        Episode.vasopressor,
        Episode.nitroglycerin,
        Episode.standing,
    ]
    for kind in kinds:
        episode = kind(10.0, 300.0)
        assert (episode.start, episode.duration) == (10.0, 300.0)
    assert Episode.sleep(0.0, 3e4).hr < 1.0


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"rise": 500.0}, "rises in 500"),
        ({"tone": 3.0}, "tone 3"),
        ({"start": np.nan}, "start nan"),
        ({"spread": 0.9}, r"spread 0\.9"),
        ({"hr": 2.0, "sv": 1.2}, r"hr sv tone = 2\.4"),
        ({"hr": 1.5, "spread": 0.4}, r"by 2\.07474 in who answers most"),
        ({"sv": 0.55, "spread": 0.5}, "who answers most"),
    ],
)
def test_impossible_episodes_are_refused(settings, match):
    usual = {"name": "x", "start": 0.0, "duration": 100.0, "rise": 10.0, "fall": 10.0}
    with pytest.raises(ConfigError, match=match):
        Episode(**(usual | settings))


def test_tone_oscillates_as_much_as_asked():
    draw = Vasomotion().draw(5, np.random.default_rng(0))
    time = np.arange(0.0, 7200.0, 1.0)
    for row in range(5):
        lines = draw.lines.take(np.array([row]))
        swing = [oscillation(*(part[0] for part in lines), t) for t in time]
        wanted = np.hypot(draw.mayer[row], draw.slow[row])
        assert np.std(swing) == pytest.approx(wanted, rel=0.05)
    with pytest.raises(ConfigError, match=r"mayer 0 to 0\.5; wanted"):
        Vasomotion(mayer=(0.0, 0.5))
