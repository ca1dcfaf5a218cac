import numpy as np

from capnet.signal.frontend import RATE
from capnet.signal.rises import steep_rises
from tests.signal import pulses


def train(seconds=30.0, period=0.8):
    time = np.arange(round(seconds * RATE)) / RATE
    shape = {"rise": 0.08, "second": 0.6, "when": 0.47, "spread": 0.09}
    return pulses.pulse(time / period, **shape)


def test_one_rise_a_pulse():
    found = steep_rises(train(), sampling_rate=RATE)
    np.testing.assert_allclose(np.diff(found) / RATE, 0.8, atol=0.017)
    assert len(found) in (37, 38)


def test_an_artefact_hides_at_most_its_own_surroundings():
    wave = train()
    before = steep_rises(wave, sampling_rate=RATE)
    wave[1000:1010] += 40.0
    after = steep_rises(wave, sampling_rate=RATE)
    far = np.abs(before - 1005) > 2.0 * RATE
    assert np.isin(before[far], after).all()


def test_nothing_rises_in_a_flat_or_missing_wave():
    assert len(steep_rises(np.ones(1000), sampling_rate=RATE)) == 0
    assert len(steep_rises(np.full(1000, np.nan), sampling_rate=RATE)) == 0
    assert len(steep_rises(np.ones(1), sampling_rate=RATE)) == 0
