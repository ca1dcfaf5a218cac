"""Indices of a million beats are those of single waves."""

import numpy as np
import pytest

from capnet.errors import ShapeError
from capnet.metrics.indices import index_errors, wave_indices
from capnet.signal import augmentation, ejection_time, pressure_levels

PHASE = np.arange(64) / 64


def aortic(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Upstroke, late systolic shoulder and dicrotic wave, of many sizes."""
    generator = np.random.default_rng(seed)

    def bump(low: float, high: float, begin: float, end: float, width: float):
        centre = generator.uniform(begin, end, (n, 1))
        height = generator.uniform(low, high, (n, 1))
        return height * np.exp(-(((PHASE - centre) / width) ** 2))

    shape = bump(0.9, 1.1, 0.14, 0.18, 0.08) + bump(0.3, 1.1, 0.25, 0.31, 0.07)
    shape = shape + bump(0.2, 0.35, 0.45, 0.5, 0.07)
    duration = generator.uniform(0.65, 1.2, n)
    return 75 + generator.uniform(25, 60, (n, 1)) * shape, duration


def test_each_beat_is_read_as_the_function_for_single_waves_reads_it():
    waves, duration = aortic(60)
    found = wave_indices(waves, duration)
    for i in range(60):
        one, rate = waves[i : i + 1], 64 / duration[i]
        expected = (
            augmentation(one, sampling_rate=rate).aix[0],
            pressure_levels(one).form_factor[0],
            ejection_time(one, sampling_rate=rate).time[0],
        )
        got = [column[i] for column in found]
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    assert np.isfinite(found.aix).mean() > 0.7
    assert {"late", "early"} == {"late" if x > 0 else "early" for x in found.aix}


def test_a_beat_may_begin_anywhere_and_blocks_do_not_show():
    waves, duration = aortic(600)
    found = wave_indices(waves, duration)
    turned = wave_indices(np.roll(waves, 23, axis=1), duration)
    for a, b in zip(found, turned, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    part = wave_indices(waves[250:260], duration[250:260])
    for a, b in zip(found, part, strict=True):
        np.testing.assert_allclose(a[250:260], b, rtol=1e-12)


def test_unit_and_level_do_not_matter():
    waves, duration = aortic(50)
    found, scaled = wave_indices(waves, duration), wave_indices(2 * waves + 9, duration)
    for a, b in zip(found, scaled, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_what_cannot_be_read_abstains():
    waves, duration = aortic(6)
    waves[0, 5] = np.nan
    waves[1] = 90.0
    waves[2] = 90 + 20 * np.sin(2 * np.pi * PHASE)  # no notch
    duration[3], duration[4] = np.nan, 4.0
    found = wave_indices(waves, duration)
    assert np.isnan(found.aix[:5]).all()
    np.testing.assert_array_equal(np.isnan(found.ejection_time[[0, 1, 3, 4]]), True)
    np.testing.assert_array_equal(np.isnan(found.form_factor), [1, 1, 0, 0, 0, 0])
    assert found.form_factor[2] == pytest.approx(0.5)
    assert np.isfinite([column[5] for column in found]).all()
    assert wave_indices(waves[:0], duration[:0]).aix.shape == (0,)


def test_errors_are_zero_for_the_truth_and_nan_where_either_abstains():
    waves, duration = aortic(80)
    found = index_errors(waves, waves, duration)
    for name in ("aix_error", "form_factor_error", "ejection_time_error"):
        assert np.nanmax(np.abs(found[name])) == 0.0
    flat = waves.copy()
    flat[7] = 100.0
    assert all(np.isnan(v[7]) for v in index_errors(flat, waves, duration).values())
    assert all(np.isnan(v[7]) for v in index_errors(waves, flat, duration).values())


def test_the_ejection_time_of_a_slower_heart_is_longer_by_that():
    waves, duration = aortic(40)
    slow = wave_indices(waves, duration * 1.0005).ejection_time
    fast = wave_indices(waves, duration).ejection_time
    np.testing.assert_allclose(slow / fast, 1.0005, atol=2e-3)


def test_refusals():
    waves, duration = aortic(5)
    with pytest.raises(ShapeError, match="duration has 3 rows for 5"):
        wave_indices(waves, duration[:3])
    with pytest.raises(ShapeError, match="NaN"):
        index_errors(waves * np.nan, waves, duration)
    with pytest.raises(ShapeError, match="shape"):
        index_errors(waves[:4], waves, duration)
    with pytest.raises(ShapeError, match="empty"):
        index_errors(waves[:0], waves[:0], duration[:0])
