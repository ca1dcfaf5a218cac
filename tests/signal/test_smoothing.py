"""The filter without torch, and the front end read from it, are those of the graph."""

import numpy as np
import pytest

from capnet.signal.frontend import RATE, beats_of_windows, smooth
from capnet.signal.smoothing import beat_shapes, smoothed, smoothed_rows


@pytest.fixture(scope="module")
def channel():
    rng = np.random.default_rng(4)
    time = np.arange(round(60 * RATE)) / RATE
    wave = np.sin(2 * np.pi * 1.1 * time) + 0.4 * np.sin(2 * np.pi * 2.2 * time + 1.0)
    return 7.0 + wave + 0.05 * rng.standard_normal(len(time)) + 0.02 * time


def test_a_channel_is_smoothed_as_by_the_front_end(channel):
    level = channel[0]
    graph = smooth((channel - level)[None])[0] + level
    np.testing.assert_allclose(smoothed(channel, sampling_rate=RATE), graph, atol=2e-6)
    rows = channel[: 20 * 300].reshape(20, 300)
    np.testing.assert_allclose(smoothed_rows(rows), smooth(rows), atol=1e-5)
    single = smoothed_rows(rows.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, smoothed_rows(rows), atol=2e-6)


def test_a_missing_sample_takes_half_a_filter_with_it(channel):
    torn = channel.copy()
    torn[3000] = np.nan
    missing = np.flatnonzero(np.isnan(smoothed(torn, sampling_rate=RATE)))
    assert missing.tolist() == list(range(2950, 3051))


def test_shapes_of_beats_are_those_of_the_graph(channel):
    rng = np.random.default_rng(5)
    start = np.sort(rng.uniform(100.0, 7000.0, 50))
    stop = start + rng.uniform(50.0, 200.0, 50)
    begin = np.floor(start).astype(int) - 60
    raw = channel[begin[:, None] + np.arange(330)]
    graph = beats_of_windows(raw, start - begin, stop - begin)
    found = beat_shapes(smoothed(channel, sampling_rate=RATE), start, stop)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, graph, atol=2e-5)
    assert found.max() == 1.0


def test_what_lacks_a_foot_or_samples_is_nan(channel):
    smooth_channel = smoothed(channel, sampling_rate=RATE)
    smooth_channel[1000:1100] = np.nan
    start = np.array([np.nan, 10.0, 950.0, -3.0, 7400.0])
    stop = np.array([100.0, np.nan, 1050.0, 90.0, 7600.0])
    assert np.isnan(beat_shapes(smooth_channel, start, stop)).all()
    known = beat_shapes(smooth_channel, np.array([200.0]), np.array([300.0]))
    assert np.isfinite(known).all()
