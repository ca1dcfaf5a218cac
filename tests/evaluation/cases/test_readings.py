"""When a new reading is due: its age, and what has drifted since."""

import numpy as np
import pytest

from capnet.evaluation.cases.readings import (
    MAX_AGE,
    MAX_HR_DRIFT,
    MAX_SHAPE_DRIFT,
    reading_start,
    recalibration_due,
)
from tests.evaluation.conftest import pulse


def asked(n=20, *, minutes=5.0, hr=None, wave=None, cuff=None):
    steady = pulse(np.full(n, 120.0), np.full(n, 75.0))
    return recalibration_due(
        np.linspace(0, 60 * minutes, n),
        np.tile([120.0, 75.0], (n, 1)) if cuff is None else cuff,
        np.full(n, 70.0) if hr is None else hr,
        steady if wave is None else wave,
    )


def test_a_young_reading_of_a_steady_person_holds():
    found = asked()
    assert not found.due
    assert found.reasons == ()
    assert found.age == pytest.approx(300)
    assert found.hr_drift == pytest.approx(0)
    assert found.shape_drift == pytest.approx(0)
    assert "Assumption" in found.assumption


@pytest.mark.parametrize(("factor", "due"), [(0.99, False), (1.01, True)])
def test_an_old_reading_is_due(factor, due):
    found = asked(minutes=factor * MAX_AGE / 60)
    assert found.due is due
    assert any("minutes old" in why for why in found.reasons) is due


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("factor", "due"), [(0.9, False), (1.1, True)])
def test_a_drift_of_heart_rate_is_due(factor, due, sign):
    hr = np.repeat([70.0, 70.0 * (1 + sign * factor * MAX_HR_DRIFT)], 10)
    found = asked(hr=hr)
    assert found.due is due
    assert found.hr_drift == pytest.approx(sign * factor * MAX_HR_DRIFT)


def test_only_the_shape_of_the_pulse_counts_and_not_its_height():
    higher = pulse(np.linspace(120, 180, 20), np.full(20, 75.0))
    assert asked(wave=higher).shape_drift == pytest.approx(0)
    other = pulse(np.full(20, 120.0), np.full(20, 75.0))
    other[10:] = np.roll(other[10:], 16, axis=1)
    found = asked(wave=other)
    assert found.shape_drift > MAX_SHAPE_DRIFT
    assert found.due


def test_a_new_reading_starts_anew():
    cuff = np.repeat([[120.0, 75.0], [130.0, 80.0]], [15, 5], axis=0)
    found = asked(minutes=60, cuff=cuff)
    assert reading_start(cuff) == 15
    assert found.age == pytest.approx(3600 * 4 / 19)
    assert not found.due


def test_without_a_reading_one_is_due():
    cuff = np.full((20, 2), np.nan)
    found = asked(cuff=cuff)
    assert found.due
    assert found.age is None
    assert "no pressure reading" in found.reasons[0]
    cuff[:10] = 120, 75  # and one that has been lost
    assert reading_start(cuff) is None


def test_a_single_beat_has_no_drift():
    found = asked(n=1)
    assert (found.hr_drift, found.shape_drift) == (None, None)
    assert not found.due


def test_unknown_times_and_numbers_alone_give_no_age_and_no_shape():
    found = recalibration_due(
        np.full(4, np.nan), np.tile([120.0, 75.0], (4, 1)), np.full(4, 70.0), None
    )
    assert found.age is None
    assert found.shape_drift is None
    assert found.due is None  # nobody can say that it is not
    assert found.text.startswith("not known")
    fast = np.array([60.0, 60.0, 90.0, 90.0])
    due = recalibration_due(
        np.full(4, np.nan), np.tile([120.0, 75.0], (4, 1)), fast, None
    )
    assert due.due is True
    assert due.text == "due: heart rate has changed by +50 % since"


def test_refused_beats_do_not_drift():
    wave = pulse(np.full(20, 120.0), np.full(20, 75.0))
    wave[::3] = np.nan
    assert asked(wave=wave).shape_drift == pytest.approx(0)
