import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ConfigError
from capnet.signal.derivatives import savitzky_golay

RATE = 125.0


@pytest.mark.parametrize("derivative", range(5))
@pytest.mark.parametrize("degree", [4, 5, 6])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_exact_on_polynomials(derivative, degree, seed):
    coefficients = np.random.default_rng(seed).uniform(-3.0, 3.0, degree + 1)
    wave = np.polynomial.Polynomial(coefficients)
    time = np.arange(150) / RATE
    found = savitzky_golay(
        wave(time), sampling_rate=RATE, derivative=derivative, window=0.2, degree=degree
    )
    expected = wave.deriv(derivative)(time) if derivative else wave(time)
    inner = slice(12, -12)  # 25 samples
    scale = np.abs(wave(time)).max() * (RATE / 12.0) ** derivative
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-10 * scale)
    assert np.isnan(found[:12]).all()
    assert np.isnan(found[-12:]).all()


def test_half_a_window_around_a_gap_is_missing_and_nothing_else():
    x = np.random.default_rng(0).standard_normal(400)
    torn = x.copy()
    torn[200:210] = np.nan
    settings_ = {"sampling_rate": RATE, "derivative": 2, "window": 0.1, "degree": 3}
    whole, found = savitzky_golay(x, **settings_), savitzky_golay(torn, **settings_)
    assert np.isnan(found[194:216]).all()
    far = np.r_[6:194, 216:394]
    np.testing.assert_array_equal(found[far], whole[far])


def test_unit_is_per_second():
    rates = {}
    for rate in (125.0, 500.0):
        time = np.arange(round(2 * rate)) / rate
        rates[rate] = savitzky_golay(
            np.sin(6.0 * time),
            sampling_rate=rate,
            derivative=1,
            window=0.04,
            degree=2,
        )[round(rate)]
    assert rates[125.0] == pytest.approx(6.0 * np.cos(6.0), rel=0.01)
    assert rates[500.0] == pytest.approx(rates[125.0], rel=0.01)


def test_a_large_offset_costs_no_digits():
    x = np.round(np.sin(np.arange(300) / 9.0) * 2**10) / 2**10
    kwargs = {"sampling_rate": RATE, "derivative": 3, "window": 0.1, "degree": 4}
    found = savitzky_golay(x + 2.0**30, **kwargs)
    np.testing.assert_allclose(found, savitzky_golay(x, **kwargs), rtol=1e-9)


@pytest.mark.parametrize(
    ("derivative", "window", "degree"),
    [(5, 0.2, 6), (-1, 0.2, 3), (3, 0.2, 2), (2, 0.02, 4), (1, np.nan, 3), (1, 1, 10)],
)
def test_what_does_not_fit_is_refused(derivative, window, degree):
    with pytest.raises(ConfigError, match="wanted"):
        savitzky_golay(
            np.ones(200),
            sampling_rate=RATE,
            derivative=derivative,
            window=window,
            degree=degree,
        )


def test_a_window_longer_than_the_channel_answers_nothing():
    found = savitzky_golay(
        np.ones(20), sampling_rate=RATE, derivative=0, window=5.0, degree=3
    )
    assert np.isnan(found).all()
