import numpy as np
import pytest
import torch

from capnet.errors import ConfigError
from capnet.signal.fir import LinearPhaseFIR, lowpass_taps


def taps():
    return lowpass_taps(cutoff=10.0, sampling_rate=125.0, n_taps=101)


def test_taps_are_symmetric_and_keep_the_mean():
    found = taps()
    assert np.array_equal(found, found[::-1])
    assert found.sum() == pytest.approx(1.0, abs=1e-15)


def test_amplitude_is_half_at_the_cut_off():
    time = np.arange(101) / 125.0
    gain = abs((taps() * np.exp(-2j * np.pi * 10.0 * time)).sum())
    assert gain == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("n_taps", "cutoff"), [(100, 10.0), (101, 0.0), (101, 62.5)])
def test_impossible_filters_are_refused(n_taps, cutoff):
    with pytest.raises(ConfigError, match="wanted"):
        lowpass_taps(cutoff=cutoff, sampling_rate=125.0, n_taps=n_taps)


def test_asymmetric_taps_are_refused():
    with pytest.raises(ConfigError, match="symmetric"):
        LinearPhaseFIR(np.array([1.0, 2.0, 3.0]))


def test_batch_equals_one_by_one():
    rows = torch.randn(7, 300, generator=torch.Generator().manual_seed(0))
    module = LinearPhaseFIR(taps())
    single = torch.cat([module(row[None]) for row in rows])
    torch.testing.assert_close(module(rows), single)


def test_matches_convolution_and_has_no_delay():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(400)
    expected = np.convolve(np.pad(x, 50, mode="edge"), taps(), mode="valid")
    found = LinearPhaseFIR(taps())(torch.from_numpy(x[None].astype(np.float32)))
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-6)


def test_streamed_interior_equals_whole():
    x = torch.randn(1, 1000, generator=torch.Generator().manual_seed(1))
    module = LinearPhaseFIR(taps())
    whole = module(x)
    for begin in range(50, 900, 61):
        part = module(x[:, begin - 50 : begin + 61 + 50])[:, 50:111]
        end = begin + part.shape[1]
        if end + 50 <= 1000:
            torch.testing.assert_close(part, whole[:, begin:end], atol=1e-6, rtol=0)


def test_is_no_weight():
    assert LinearPhaseFIR(taps()).state_dict() == {}
    assert "101" in repr(LinearPhaseFIR(taps()))
