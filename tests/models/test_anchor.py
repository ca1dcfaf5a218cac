"""Laws of holding the mean of an estimate to a measured one."""

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.models.anchor import NO_MEAN, anchor_mean
from capnet.prediction import Prediction
from tests.fakes.people import make_people


def answered(beats):
    assert beats.reference is not None
    return Prediction.from_waveform("x", beats, beats.reference, role="deep")


def with_means(beats, mean):
    return beats.replace(features={**beats.features, "cuff_map": mean})


def test_mean_becomes_the_measured_one_and_the_shape_stays():
    beats = make_people(5, beats=1)
    mean = np.linspace(80.0, 110.0, len(beats))
    beats = with_means(beats, mean)
    before = answered(beats)
    after = anchor_mean(before, beats)
    np.testing.assert_allclose(after.cmap, mean)
    np.testing.assert_allclose(after.cpp, before.cpp)
    assert after.method == "x, mean held to the measured one"
    assert after.role == "control"


def test_anchoring_twice_is_anchoring_once():
    beats = with_means(make_people(4, beats=1), np.full(4, 95.0))
    once = anchor_mean(answered(beats), beats)
    np.testing.assert_allclose(anchor_mean(once, beats).csbp, once.csbp)


def test_a_beat_whose_reading_has_no_mean_is_refused_with_a_reason():
    mean = np.array([90.0, np.nan, 92.0])
    beats = with_means(make_people(3, beats=1), mean)
    after = anchor_mean(answered(beats), beats)
    assert after.accepted.tolist() == [True, False, True]
    assert after.reason[1] == NO_MEAN
    assert np.isnan(after.csbp[1])


def test_no_mean_at_all_and_no_waves_are_errors():
    beats = make_people(3, beats=1)
    with pytest.raises(ProtocolError, match="met no measured mean"):
        anchor_mean(answered(beats), beats)
    numbers = Prediction.from_pressures("n", beats, np.full((3, 4), 90.0), role="floor")
    with pytest.raises(ProtocolError, match="has no waves"):
        anchor_mean(numbers, with_means(beats, np.full(3, 90.0)))
