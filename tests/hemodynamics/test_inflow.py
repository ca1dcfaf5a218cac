import numpy as np
import pytest

from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.inflow import Ejection, Inflow


def _ejection(**changes):
    values = {"hr": 70.0, "sv": 70.0, "lvet": 282.0, "pft": 79.0, "rfv": 0.73} | changes
    return Ejection(**{name: np.array([value]) for name, value in values.items()})


def _inflow(time, flow, period=1.0):
    return Inflow(np.array([period]), np.array([time]), np.array([flow]))


def _sampled(inflow, count=30, n=2**16):
    """Fourier coefficients by brute force."""
    times = np.arange(n) / n * inflow.period[:, None]
    return np.fft.rfft(inflow.at(times), axis=1)[:, : count + 1] / n


def test_volumes_and_times_are_those_asked_for():
    inflow = _ejection(sv=65.0, rfv=1.5, pft=90.0).inflow()
    time, flow = inflow.time[0], inflow.flow[0]
    assert np.trapezoid(flow, time) * 1e6 == pytest.approx(65.0)
    assert np.trapezoid(np.minimum(flow, 0), time) * 1e6 == pytest.approx(-1.5)
    assert time[flow.argmax()] == pytest.approx(0.090)
    assert flow[0] == flow[-1] == 0.0
    assert inflow.output[0] == pytest.approx(65e-6 * 70 / 60, rel=1e-14)


@pytest.mark.parametrize(
    "inflow",
    [
        _ejection().inflow(),
        _inflow([0.0, 0.3, 0.5], [1e-5, 9e-5, -1e-5]),  # closes from -1e-5 to 1e-5
        _inflow([0.1, 0.3, 0.9], [2e-5, 9e-5, 1e-5], period=0.95),  # starts late
        _inflow([0.0, 0.4, 1.0], [1e-5, 9e-5, 1e-5]),  # a knot at both ends
    ],
    ids=["ejection", "open", "late", "full"],
)
def test_fourier_coefficients_agree_with_sampling(inflow):
    exact = inflow.harmonics(30)
    np.testing.assert_allclose(
        exact, _sampled(inflow), atol=2e-6 * abs(exact[0, 1]), rtol=0
    )
    assert exact[0, 0] == inflow.output[0]


def test_the_flow_is_periodic_and_linear_between_knots():
    inflow = _inflow([0.1, 0.3, 0.5], [0.0, 8e-5, 2e-5])
    times = np.array([[0.2, 0.5, 0.8, 0.0, -0.8, 3.2]])
    wanted = [4e-5, 2e-5, 1e-5, 2e-5 / 6, 4e-5, 4e-5]
    np.testing.assert_allclose(inflow.at(times)[0], wanted, atol=1e-18)


def test_a_shift_in_time_turns_the_harmonics():
    early = _inflow([0.0, 0.2, 0.5], [0.0, 8e-5, -1e-5])
    late = _inflow([0.25, 0.45, 0.75], [0.0, 8e-5, -1e-5])
    turn = np.exp(-2j * np.pi * 0.25 * np.arange(13))
    np.testing.assert_allclose(
        late.harmonics(12), early.harmonics(12) * turn, atol=1e-18
    )


def test_subjects_with_other_knots_are_joined_and_told_apart_again():
    few = _inflow([0.0, 0.3, 0.5], [1e-5, 9e-5, -1e-5])
    many = _ejection().inflow()
    both = Inflow.concatenate([few, many])
    for rows, alone in ((slice(0, 1), few), (slice(1, 2), many)):
        part = both.take(rows)
        np.testing.assert_allclose(
            part.harmonics(20), alone.harmonics(20), rtol=1e-9, atol=1e-18
        )
    with pytest.raises(ShapeError, match="at least one"):
        Inflow.concatenate([])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hr": 220.0}, r"subject 0 .*220\.0 bpm.*Narrow"),
        ({"hr": 0.0}, r"subject 0 has heart rate 0\.0 bpm"),
        ({"hr": -70.0}, r"subject 0 has heart rate -70\.0 bpm"),
        ({"hr": np.nan}, r"subject 0 has heart rate nan bpm"),
        ({"sv": -1.0}, r"stroke volume -1\.0 ml"),
        ({"pft": 300.0}, r"peak flow at 300 ms"),
        ({"lvet": np.inf}, r"ejection time inf ms"),
        ({"rfv": 0.0}, r"backflow 0\.00 ml"),
    ],
)
def test_an_impossible_ejection_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        _ejection(**changes)


@pytest.mark.parametrize(
    ("time", "flow", "period", "message"),
    [
        ([0.0, 0.5], [1e-5, 2e-5], 0.0, "subject 0 has a period of 0 s"),
        ([0.0, 0.5], [1e-5, 2e-5], np.nan, "subject 0 has a period of nan s"),
        ([0.0, np.nan], [1e-5, 2e-5], 1.0, "1 knots not finite"),
        ([0.0, 0.5], [1e-5, np.inf], 1.0, "1 knots not finite"),
        ([0.0, 1.5], [1e-5, 2e-5], 1.0, "rising times within 0 to 1 s"),
        ([0.5, 0.5], [1e-5, 2e-5], 1.0, "rising times within 0 to 1 s"),
        ([-0.1, 0.5], [1e-5, 2e-5], 1.0, "rising times within 0 to 1 s"),
        ([0.0, 1.0], [1e-5, 2e-5], 1.0, "jumps from 2e-05 to 1e-05 m3/s"),
        ([0.0, 0.5], [1e-5, -2e-5], 1.0, "mean inflow of -5e-06 m3/s"),
    ],
)
def test_an_impossible_inflow_is_refused(time, flow, period, message):
    with pytest.raises(ConfigError, match=message):
        _inflow(time, flow, period)


def test_subjects_are_called_by_their_index():
    good = _ejection()
    index = np.array([137])
    with pytest.raises(ConfigError, match="subject 137 has heart rate 0"):
        Ejection(0 * good.hr, good.sv, good.lvet, good.pft, good.rfv, index)
    flow = good.inflow()
    with pytest.raises(ConfigError, match="subject 137 has a period of 0 s"):
        Inflow(0 * flow.period, flow.time, flow.flow, index)


def test_shapes_are_checked():
    with pytest.raises(ShapeError, match=r"\(1, 1\); wanted .* at least two knots"):
        _inflow([0.0], [1e-5])
    with pytest.raises(ShapeError, match="2 rows of times; wanted 1"):
        _ejection().inflow().at(np.zeros((2, 4)))
