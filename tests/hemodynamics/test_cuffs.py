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
