import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import UnitError
from capnet.records import Signal
from capnet.signal.grid import on_grid
from capnet.signal.resampling import resample

RATES = [124.945, 125.0, 250.0, 360.0, 500.0]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("new", RATES)
def test_no_time_shifts(rate, new):
    time = np.arange(round(12 * rate)) / rate
    phase = 2.0 * np.pi * 7.3
    found = resample(np.sin(phase * time), sampling_rate=rate, new_rate=new)
    fresh = np.arange(len(found)) / new
    inner = (fresh > 0.5) & (fresh < 11.5)
    np.testing.assert_allclose(found[inner], np.sin(phase * fresh[inner]), atol=3e-4)


@pytest.mark.parametrize("rate", [250.0, 500.0])
def test_a_symmetric_pulse_stays_symmetric(rate):
    """Linear phase: turned in time before or after is the same."""
    n = round(8 * rate) + 1
    x = np.random.default_rng(0).standard_normal(n)
    there = resample(x, sampling_rate=rate, new_rate=125.0)
    back = resample(x[::-1].copy(), sampling_rate=rate, new_rate=125.0)[::-1]
    inner = slice(60, -60)  # at the ends weights are cut off on one side more
    np.testing.assert_allclose(there[inner], back[inner], atol=2e-3)


def test_what_the_new_rate_cannot_hold_is_removed():
    time = np.arange(4000) / 500.0
    x = np.sin(2.0 * np.pi * 90.0 * time)
    found = resample(x, sampling_rate=500.0, new_rate=125.0)
    assert np.abs(found[60:-60]).max() < 1e-3


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 400),
    rates=st.tuples(st.sampled_from(RATES), st.sampled_from([*RATES, 62.5, 33.3])),
)
def test_the_answer_spans_the_samples_and_no_more(n, rates):
    rate, new = rates
    found = resample(np.full(n, 3.0), sampling_rate=rate, new_rate=new)
    last = (len(found) - 1) / new
    assert last <= (n - 1) / rate + 1e-6
    assert last + 1.0 / new > (n - 1) / rate
    np.testing.assert_allclose(found, 3.0, atol=1e-12)


def test_gaps_stay_and_the_same_rate_changes_nothing():
    x = np.random.default_rng(0).standard_normal(300)
    x[100:110] = np.nan
    np.testing.assert_array_equal(resample(x, sampling_rate=125.0, new_rate=125.0), x)
    found = resample(x, sampling_rate=125.0, new_rate=250.0)
    missing = np.flatnonzero(np.isnan(found)) / 250.0
    assert missing.min() > 99 / 125.0
    assert missing.max() < 110 / 125.0


def test_impossible_rates_are_refused():
    for rate, new in ((0.0, 125.0), (125.0, np.nan), (125.0, 0.01)):
        with pytest.raises(UnitError, match="wanted"):
            resample(np.ones(100), sampling_rate=rate, new_rate=new)


def test_a_long_record_has_the_values_of_its_beginning():
    """The same times, however the weights were come by (a table or one by one)."""
    x = np.random.default_rng(1).standard_normal(60_000)
    for rate in (124.945, 125.0):
        whole = resample(x, sampling_rate=rate, new_rate=100.0)
        part = on_grid(
            Signal(x[:3000], rate, "NU"), sampling_rate=100.0, start=0.0, stop=20.0
        )
        np.testing.assert_allclose(part, whole[:2000], atol=1e-10)
