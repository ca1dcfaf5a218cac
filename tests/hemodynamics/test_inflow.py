import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics.inflow import Ejection


def _ejection(**changes):
    values = {"hr": 70.0, "sv": 70.0, "lvet": 282.0, "pft": 79.0, "rfv": 0.73} | changes
    return Ejection(**{name: np.array([value]) for name, value in values.items()})


def test_volumes_and_times_are_those_asked_for():
    ejection = _ejection(sv=65.0, rfv=1.5, pft=90.0)
    time, flow = ejection.polygon()
    assert np.trapezoid(flow, time) * 1e6 == pytest.approx(65.0)
    assert np.trapezoid(np.minimum(flow, 0), time) * 1e6 == pytest.approx(-1.5)
    assert time[0, flow[0].argmax()] == pytest.approx(0.090)
    assert flow[0, 0] == flow[0, -1] == 0.0


def test_fourier_coefficients_agree_with_sampling():
    ejection = _ejection()
    time, flow = ejection.polygon()
    n = 2**16
    grid = np.arange(n) / n * ejection.period[0]
    sampled = np.fft.rfft(np.interp(grid, time[0], flow[0], right=0.0))[:31] / n
    exact = ejection.harmonics(30)[0]
    np.testing.assert_allclose(exact, sampled, atol=1e-6 * abs(exact[1]))
    assert exact[0].real == pytest.approx(ejection.output[0])


def test_an_ejection_longer_than_the_beat_is_refused():
    with pytest.raises(ConfigError, match=r"subject 0 .*220\.0 bpm.*Narrow"):
        _ejection(hr=220.0)
