import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics.cuffs import CuffModel, apply_cuff


def _draw(cuff, n=20000, *, day=0):
    return cuff.draw(
        n, np.random.default_rng([1, day]), person=np.random.default_rng(2)
    )


def test_errors_have_the_bias_spread_and_correlation_asked_for():
    draw = _draw(CuffModel.clinic())
    assert draw.sbp_error.mean() == pytest.approx(-4, abs=0.15)
    assert draw.dbp_error.mean() == pytest.approx(4, abs=0.15)
    assert draw.sbp_error.std() == pytest.approx(7, rel=0.03)
    assert draw.dbp_error.std() == pytest.approx(6, rel=0.03)
    both = np.corrcoef(draw.sbp_error, draw.dbp_error)[0, 1]
    assert both == pytest.approx(0.4, abs=0.03)


def test_only_the_repeating_part_is_averaged_away():
    cuff = dataclasses.replace(CuffModel.clinic(), readings=1000)
    assert _draw(cuff, 2000).sbp_error.std() == pytest.approx(7 * 0.5**0.5, rel=0.07)
    days = [_draw(CuffModel.clinic(), day=day).sbp_error for day in (0, 1)]
    assert np.corrcoef(days)[0, 1] == pytest.approx(0.5, abs=0.03)


def test_pressures_keep_their_order():
    sbp, dbp = np.full(20000, 100.0), np.full(20000, 80.0)
    shown = apply_cuff(sbp, dbp, _draw(CuffModel.randomised()))
    assert (shown[:, 0] - shown[:, 1] >= 15 - 1e-9).all()
    exact = apply_cuff(sbp, dbp, _draw(CuffModel.exact()))
    np.testing.assert_array_equal(exact, np.stack([sbp, dbp], axis=1))


def test_bad_settings_are_refused():
    with pytest.raises(ConfigError, match="persistent is 2"):
        CuffModel(persistent=2.0)
    with pytest.raises(ConfigError, match="readings >= 1"):
        CuffModel(readings=0)
    for name in ("sbp_sd", "dbp_sd", "least_pulse", "height_sd"):
        for value in (np.nan, -1.0, np.inf):
            with pytest.raises(ConfigError, match=rf"{name} is .*; wanted 0 or more"):
                CuffModel(**{name: value})
    for name in ("sbp_bias", "dbp_bias"):
        with pytest.raises(ConfigError, match=f"{name} is nan; wanted a finite"):
            CuffModel(**{name: np.nan})


@pytest.mark.parametrize("readings", [1, 2, 5])
def test_the_mean_of_k_readings_keeps_what_lasts_and_a_kth_of_what_repeats(readings):
    cuff = CuffModel(sbp_sd=8.0, dbp_sd=6.0, persistent=0.3, readings=readings)
    share = 0.3 + 0.7 / readings
    draw = _draw(cuff)
    error = 4 * np.sqrt(2 / len(draw))
    assert draw.sbp_error.var() == pytest.approx(64 * share, rel=error)
    assert draw.dbp_error.var() == pytest.approx(36 * share, rel=error)
    days = [_draw(cuff, day=day).dbp_error for day in (0, 1)]
    assert np.cov(days)[0, 1] == pytest.approx(36 * 0.3, rel=2 * error)


def test_a_wrist_reads_low_by_the_column_of_blood_that_it_is_raised_by():
    cuff = CuffModel(height_sd=5.0, least_pulse=0.0)
    draw = _draw(cuff)
    assert draw.height.std() == pytest.approx(5.0, rel=4 / np.sqrt(2 * len(draw)))
    raised = dataclasses.replace(
        draw.take(np.arange(2)), height=np.array([10.0, -10.0])
    )
    sbp, dbp = np.full(2, 120.0), np.full(2, 80.0)
    shown = apply_cuff(sbp, dbp, raised, site="radial")
    np.testing.assert_allclose(shown[0], [120.0 - 7.72, 80.0 - 7.72], atol=0.01)
    np.testing.assert_allclose(shown[1], [120.0 + 7.72, 80.0 + 7.72], atol=0.01)
    level = apply_cuff(sbp, dbp, raised, site="brachial")
    np.testing.assert_array_equal(level, np.stack([sbp, dbp], axis=1))


def test_how_the_wrist_is_held_does_not_shift_the_other_draws():
    plain, held = CuffModel.clinic(), CuffModel.clinic()
    held = dataclasses.replace(held, height_sd=4.0)
    np.testing.assert_array_equal(_draw(plain).sbp_error, _draw(held).sbp_error)
    np.testing.assert_array_equal(_draw(held, 5).height, _draw(held, 9).height[:5])
    with pytest.raises(ConfigError, match="height_sd is -1"):
        CuffModel(height_sd=-1.0)
