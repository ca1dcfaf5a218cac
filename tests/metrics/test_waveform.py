"""Only the time shift is free, and it is found exactly."""

import numpy as np
import pytest

from capnet.errors import ShapeError
from capnet.metrics.waveform import (
    align,
    foot_lateness,
    foot_positions,
    lateness,
    score_waves,
    shape_rmse,
    timing_error,
    timing_errors,
    waveform_rmse,
    waveform_rmse_foot_aligned,
    waveform_rmse_unaligned,
    waveform_rmses,
)

PHASE = np.arange(64) / 64


@pytest.fixture
def reference() -> np.ndarray:
    generator = np.random.default_rng(0)
    height = generator.uniform(30, 60, (20, 1))
    return 80 + height * np.exp(-(((PHASE - 0.25) / 0.12) ** 2))


@pytest.fixture
def predicted(reference) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal(reference.shape)
    return reference + 2 * noise + 3


def test_a_circular_shift_is_forgiven_and_reported(predicted, reference):
    expected = waveform_rmses(predicted, reference)["wave_rmse"]
    for points in (-20, -1, 3, 31):
        turned = np.roll(predicted, points, axis=1)
        found = waveform_rmses(turned, reference)["wave_rmse"]
        np.testing.assert_allclose(found, expected, atol=1e-9)
    late = timing_errors(np.roll(reference, 4, axis=1), reference, np.full(20, 0.8))
    np.testing.assert_allclose(late, 4 / 64 * 800, atol=1e-9)


@pytest.mark.parametrize("points", [0.25, 1.5, -2.7])
def test_a_fractional_shift_is_found(points, reference):
    late = 80 + 40 * np.exp(-(((PHASE - 0.4 - points / 64) / 0.12) ** 2))
    there = 80 + 40 * np.exp(-(((PHASE - 0.4) / 0.12) ** 2))
    found = lateness(late[None], there[None])
    assert found[0] == pytest.approx(points, abs=0.05)
    assert waveform_rmse(late[None], there[None]) < 0.1
    assert timing_error(late[None], there[None], np.array([0.64])) == pytest.approx(
        abs(points) * 10, abs=0.5
    )


def test_no_other_shift_on_a_fine_grid_is_better(predicted, reference):
    best = waveform_rmses(predicted, reference)["wave_rmse"]
    for shift in np.arange(-32, 32, 0.1):
        other = predicted - align(reference, np.full(20, shift))
        assert (best <= np.sqrt(np.mean(other**2, axis=1)) + 1e-9).all()


def test_smoothing_does_not_flatter_a_noisy_prediction(reference):
    noise = 3 * np.random.default_rng(2).standard_normal(reference.shape)
    size = np.sqrt(np.mean(noise**2))
    assert waveform_rmse(reference + noise, reference) > 0.98 * size


def test_order_of_the_three_scores(predicted, reference):
    scores = waveform_rmses(np.roll(predicted, 2, axis=1), reference)
    assert (scores["shape_rmse"] <= scores["wave_rmse"] + 1e-12).all()
    assert (scores["wave_rmse"] <= scores["wave_rmse_unaligned"] + 1e-12).all()


def test_shape_does_not_see_the_mean_and_scales_with_the_unit(predicted, reference):
    expected = shape_rmse(predicted, reference)
    assert shape_rmse(predicted + 11, reference) == pytest.approx(expected)
    assert shape_rmse(3 * predicted, 3 * reference) == pytest.approx(3 * expected)
    assert waveform_rmse(reference + 11, reference) == pytest.approx(11)
    assert waveform_rmse_unaligned(reference - 7, reference) == pytest.approx(7)


def test_batch_is_one_by_one_in_any_order(predicted, reference):
    whole = waveform_rmses(predicted, reference)["wave_rmse"]
    single = [
        waveform_rmse(predicted[i : i + 1], reference[i : i + 1]) for i in range(20)
    ]
    np.testing.assert_allclose(whole, single, atol=1e-12)
    assert waveform_rmse(predicted, reference) == pytest.approx(np.mean(single))
    assert waveform_rmse(
        predicted[::-1].copy(), reference[::-1].copy()
    ) == pytest.approx(np.mean(single))


def test_a_flat_wave_is_not_turned(reference):
    flat = np.full_like(reference, 90.0)
    np.testing.assert_array_equal(lateness(flat, reference), 0)
    np.testing.assert_array_equal(lateness(reference, flat), 0)
    np.testing.assert_array_equal(lateness(reference, reference), 0)


def test_align_by_whole_points_is_a_roll_and_keeps_the_mean(reference):
    np.testing.assert_array_equal(
        align(reference, np.full(20, 5.0)), np.roll(reference, 5, axis=1)
    )
    turned = align(reference, np.linspace(-70, 70, 20))
    np.testing.assert_allclose(turned.mean(axis=1), reference.mean(axis=1))


@pytest.mark.parametrize("metric", [waveform_rmse, waveform_rmse_unaligned, shape_rmse])
def test_refuses_what_means_nothing(metric, reference):
    with pytest.raises(ShapeError, match=r"shape \(19, 64\), reference \(20, 64\)"):
        metric(reference[:19], reference)
    with pytest.raises(ShapeError, match="empty"):
        metric(reference[:0], reference[:0])
    broken = reference.copy()
    broken[3, 5] = np.nan
    with pytest.raises(ShapeError, match="the first in row 3"):
        metric(broken, reference)


def test_timing_refuses_other_durations(reference):
    with pytest.raises(ShapeError, match="duration has 3 rows for 20"):
        timing_error(reference, reference, np.ones(3))
    with pytest.raises(ShapeError, match="NaN"):
        timing_error(reference, reference, np.full(20, np.nan))


def test_feet_lie_where_the_tangent_meets_the_base():
    straight = np.clip((np.arange(64) - 10) / 8, 0, 1) * 40 + 80
    straight[18:] = 120 - 40 * (np.arange(46) / 46) ** 0.5
    np.testing.assert_allclose(foot_positions(straight[None]), [10.0], atol=0.1)


@pytest.mark.parametrize("points", [-30.5, -3.0, 0.4, 7.0, 20.25])
def test_the_foot_moves_with_its_wave(points, reference):
    moved = align(reference, np.full(20, points))
    late = foot_lateness(moved, reference)
    np.testing.assert_allclose(late, points, atol=0.1)
    whole = np.roll(reference, round(points), axis=1)
    np.testing.assert_allclose(
        foot_lateness(whole, reference), round(points), atol=1e-9
    )
    assert waveform_rmse_foot_aligned(whole, reference) == pytest.approx(0, abs=1e-9)


def test_the_best_shift_is_never_worse_than_the_feet(predicted, reference):
    scores = waveform_rmses(predicted, reference)
    assert (scores["wave_rmse"] <= scores["wave_rmse_foot"] + 1e-9).all()
    assert waveform_rmse_foot_aligned(predicted, reference) == pytest.approx(
        scores["wave_rmse_foot"].mean()
    )


def test_unit_and_level_do_not_move_a_foot(reference):
    found = foot_positions(reference)
    np.testing.assert_allclose(foot_positions(7.5 * reference - 400), found, atol=1e-8)


def test_a_flat_wave_has_no_foot_and_is_not_turned(reference):
    flat = np.full_like(reference, 90.0)
    assert np.isnan(foot_positions(flat)).all()
    np.testing.assert_array_equal(foot_lateness(flat, reference), 0)
    assert waveform_rmse_foot_aligned(flat, reference) == pytest.approx(
        waveform_rmse_unaligned(flat, reference)
    )


def test_single_precision_is_read_in_double_and_blocks_change_nothing(
    predicted, reference
):
    many, true = (
        np.tile(w, (120, 1)).astype(np.float32) for w in (predicted, reference)
    )
    whole = score_waves(many, true)
    alone = score_waves(many[:20].astype(np.float64), true[:20].astype(np.float64))
    for name, values in whole.items():
        np.testing.assert_allclose(values, np.tile(alone[name], 120), atol=1e-12)
    np.testing.assert_array_equal(lateness(many, true), whole["lateness"])
