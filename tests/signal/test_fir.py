import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ConfigError
from capnet.signal.fir import FIRStream, filter_fir
from capnet.signal.linear_phase import LinearPhaseFIR
from capnet.signal.taps import bandpass_taps, highpass_taps, lowpass_taps


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


def bandpass():
    return bandpass_taps(low=0.5, high=8.0, sampling_rate=125.0, n_taps=401)


def gain(taps, frequency, rate=125.0):
    time = np.arange(len(taps)) / rate
    return abs((taps * np.exp(-2j * np.pi * frequency * time)).sum())


def test_high_and_band_pass_are_symmetric_and_remove_a_constant():
    for found in (
        highpass_taps(cutoff=0.5, sampling_rate=125.0, n_taps=401),
        bandpass(),
    ):
        assert np.array_equal(found, found[::-1])
        assert found.sum() == pytest.approx(0.0, abs=1e-15)


def test_half_the_amplitude_is_left_at_the_edges():
    high = highpass_taps(cutoff=2.0, sampling_rate=125.0, n_taps=401)
    assert gain(high, 2.0) == pytest.approx(0.5, abs=0.01)
    assert gain(high, 6.0) == pytest.approx(1.0, abs=0.005)
    assert gain(bandpass(), 8.0) == pytest.approx(0.5, abs=0.01)
    assert gain(bandpass(), 4.0) == pytest.approx(1.0, abs=0.005)
    assert gain(bandpass(), 12.0) < 0.005


def test_a_band_upside_down_is_refused():
    with pytest.raises(ConfigError, match="low < high"):
        bandpass_taps(low=8.0, high=0.5, sampling_rate=125.0, n_taps=401)


def test_infinite_taps_are_refused():
    with pytest.raises(ConfigError, match="infinite"):
        filter_fir(np.ones(9), np.array([np.inf, 1.0, np.inf]))


def test_numpy_and_the_graph_agree_on_a_band_pass():
    x = np.random.default_rng(2).standard_normal(900)
    x[300] = np.nan
    row = torch.from_numpy(x[None].astype(np.float32))
    found = LinearPhaseFIR(bandpass())(row)[0].numpy()
    np.testing.assert_allclose(found, filter_fir(x, bandpass()), atol=1e-5)


def test_the_graph_is_exported_as_it_is(tmp_path):
    import onnxruntime

    from capnet.export.onnx import _quiet

    module, path = LinearPhaseFIR(bandpass()).eval(), tmp_path / "bandpass.onnx"
    x = torch.randn(3, 700, generator=torch.Generator().manual_seed(0))
    dim = torch.export.Dim
    with _quiet():
        torch.onnx.export(
            module,
            (x,),
            str(path),
            dynamo=True,
            input_names=["x"],
            dynamic_shapes=({0: dim("batch"), 1: dim("time", min=500)},),
            verbose=False,
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for shape in ((3, 700), (1, 901)):
        y = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
        found = session.run(None, {"x": y.numpy()})[0]
        np.testing.assert_allclose(found, module(y).numpy(), atol=1e-5)


def test_filter_is_the_convolution():
    x = np.random.default_rng(0).standard_normal(2500)
    for n in (3, 51, 101):
        h = lowpass_taps(cutoff=10.0, sampling_rate=125.0, n_taps=n)
        expected = np.convolve(np.pad(x, n // 2, mode="edge"), h, mode="valid")
        np.testing.assert_allclose(filter_fir(x, h), expected, atol=1e-14)


def test_a_gap_spoils_half_a_filter_and_not_one_bit_more():
    x = np.random.default_rng(1).standard_normal(3000) + 1e6
    torn = x.copy()
    torn[1200:1300] = np.nan
    whole, found = filter_fir(x, taps()), filter_fir(torn, taps())
    spoilt = np.zeros(3000, dtype=bool)
    spoilt[1150:1350] = True
    assert np.isnan(found[spoilt]).all()
    np.testing.assert_array_equal(found[~spoilt], whole[~spoilt])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(0, 130), max_size=12),
    half=st.integers(0, 60),
)
def test_stream_equals_batch(seed, sizes, half):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(sum(sizes)) + 100.0
    x[rng.random(len(x)) < 0.01] = np.nan
    h = rng.standard_normal(half + 1)
    h = np.concatenate([h[:0:-1], h])
    stream = FIRStream(h)
    parts = [stream.push(part) for part in np.split(x, np.cumsum(sizes))]
    parts.append(stream.finish())
    joined = np.concatenate(parts)
    expected = filter_fir(x, h) if len(x) else np.zeros(0)
    np.testing.assert_allclose(joined, expected, atol=1e-10)
    assert len(stream.finish()) == 0


def test_a_stream_is_as_new_after_its_end():
    stream = FIRStream(taps())
    x = np.random.default_rng(3).standard_normal(300)
    first = np.concatenate([stream.push(x), stream.finish()])
    second = np.concatenate([stream.push(x[:1]), stream.push(x[1:]), stream.finish()])
    np.testing.assert_allclose(first, second, atol=1e-12)


def test_a_stream_keeps_no_more_than_a_filter():
    stream = FIRStream(taps())
    for _ in range(20):
        stream.push(np.ones(997))
        assert len(stream._kept) == 100
