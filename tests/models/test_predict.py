"""From a record to a prediction in one call."""

import numpy as np
import pytest

import capnet
from capnet.errors import RecordError
from capnet.models.predict import Predictor, predict
from capnet.prediction import NO_CUFF
from capnet.records import Cuff, Record, Signal
from capnet.signal.beats import beats_of
from tests.fakes.make_record import RATE, channels
from tests.fakes.people import tiny_model


@pytest.fixture(scope="module")
def record():
    made = channels(20.0, 70.0, np.random.default_rng(0))
    unit = {"II": "mV", "ABP": "mmHg", "PLETH": "NU"}
    signals = {name: Signal(made[name], RATE, unit[name]) for name in unit}
    plain = Record(subject="made-up", channels=signals, age=50.0)
    return plain.with_cuffs([Cuff(time=0.0, sbp=120, dbp=75)], "cuff SBP/DBP")


@pytest.fixture(scope="module")
def beats(record):
    return beats_of(record)


@pytest.fixture(scope="module")
def model():
    return tiny_model(name="tiny")


def test_a_deep_model_is_a_predictor(model):
    assert isinstance(model, Predictor)
    assert not isinstance(object(), Predictor)


def test_a_record_gives_what_its_beats_give(model, record, beats):
    whole, cut = predict(model, record), predict(model, beats)
    assert whole.accepted.sum() > 10
    np.testing.assert_array_equal(whole.waveform, cut.waveform)
    np.testing.assert_array_equal(whole.time, beats.time)
    assert whole.calibration == "cuff SBP/DBP"


def test_beats_before_the_first_reading_have_no_answer(model, record):
    late = record.with_cuffs([Cuff(time=10.0, sbp=120, dbp=75)], "cuff SBP/DBP")
    answer = predict(model, late)
    early = answer.time < 10.0
    assert early.any()
    assert not answer.accepted[early].any()
    assert answer.accepted[~early].any()
    assert NO_CUFF in answer.reason[early]


def test_without_a_reading_there_is_no_scale(model, record):
    with pytest.raises(RecordError, match=r"'made-up' has no pressure.*with_cuff"):
        predict(model, record.with_cuffs([], "none"))


def test_the_root_of_the_package_offers_it():
    assert capnet.predict is predict
