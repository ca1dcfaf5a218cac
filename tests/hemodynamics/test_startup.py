import numpy as np
import pytest

from capnet.hemodynamics.startup import DURATION, last_beat

STEPS, STEP = 800, 1e-3


def _pulse(time, foot):
    """Steepest 40 ms after its foot."""
    phase = ((time - foot) / (STEPS * STEP)) % 1.0
    return np.where(phase < 0.1, np.sin(5 * np.pi * phase) ** 2, (1.0 - phase) / 0.9)


def _run(foot, *, drift=0.0):
    """A pulse that rises at its foot, and a drift; sample k at time (k + 1) step."""
    time = (np.arange(int(DURATION / STEP)) + 1) * STEP
    pulse = _pulse(time, foot)
    return np.stack([1e4 + 2e3 * pulse + drift * time, pulse])


@pytest.mark.parametrize("foot", [0.0, 0.05, 0.13, 0.4])
def test_a_settled_wave_is_its_own_last_beat(foot):
    waves, change = last_beat(_run(foot), steps=STEPS, step=STEP)
    assert change < 1e-6
    pulse = _pulse(np.arange(STEPS) * STEP, foot)
    # the straight line meets the last sample, 2 ms before the end
    np.testing.assert_allclose(waves[0], 1e4 + 2e3 * pulse, atol=8.0)
    np.testing.assert_allclose(waves[1], pulse, atol=4e-3)


def test_what_has_not_settled_is_told_and_closed():
    waves, change = last_beat(_run(0.1, drift=100.0), steps=STEPS, step=STEP)
    assert change == pytest.approx(100.0 * 0.8)
    first = int(0.1 / STEP)  # the foot, where the beat was cut
    last, before = waves[0, first - 2], waves[0, first - 4]  # samples are 2 ms apart
    assert 2 * last - before == pytest.approx(waves[0, first], abs=0.5)


def test_an_upstroke_after_the_end_does_not_count():
    """Beats of 0.8 s: the ninth begins at 6.4 s plus the foot, steepest 40 ms later."""

    def mean(foot):
        waves, _ = last_beat(_run(foot, drift=100.0), steps=STEPS, step=STEP)
        return waves[0].mean()

    seen, missed = mean(0.055), mean(0.059)
    assert mean(0.05) == pytest.approx(seen, abs=5.0)
    assert missed == pytest.approx(seen - 100.0 * 0.8, abs=5.0)
