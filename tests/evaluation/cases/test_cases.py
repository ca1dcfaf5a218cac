"""Cases: the numbers of a person follow from that person's rows alone."""

import json
from dataclasses import fields

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.evaluation import cases, evaluate
from capnet.evaluation.cases.case_of import case, case_of
from capnet.evaluation.cases.shown import shown_row
from capnet.evaluation.judgement import judge_evaluation
from capnet.evaluation.truth import truth_of
from capnet.prediction import DISCLAIMER
from tests.evaluation.conftest import (
    make_beats,
    numbers,
    refuse,
    waves,
    with_controls,
)

WHO = "v003"


@pytest.fixture
def people():
    """Eight men of 50 with 25 beats each."""
    beats = make_beats([25] * 8)
    return beats.replace(features={"male": np.ones(len(beats))})


@pytest.fixture
def answer(people):
    return waves(people, "net", error=2.0, spread=3.0, k=5)


def with_ends(prediction, half=8.0):
    found = np.stack(
        [getattr(prediction, f"c{n}") for n in ("sbp", "dbp", "map", "pp")]
    )
    return prediction.replace(low=found.T - half, high=found.T + half, coverage=0.9)


def test_numbers_are_means_over_the_answered_beats(people, answer):
    mine = people.subject == WHO
    hidden = mine & (people.beat < 5)
    found = case_of(with_ends(refuse(answer, hidden)), people, WHO)
    kept = mine & ~hidden
    sbp = found.number("sbp")
    assert sbp.estimate == pytest.approx(answer.csbp[kept].mean())
    assert sbp.truth == pytest.approx(truth_of(people).pressures[kept, 0].mean())
    assert sbp.error == pytest.approx(sbp.estimate - sbp.truth)
    assert sbp.high - sbp.low == pytest.approx(16)
    assert (found.beats, found.answered) == (25, 20)
    assert found.refused == {"too noisy": 5}
    assert found.coverage == 0.9


def test_pulse_pressure_is_the_difference(people, answer):
    found = case_of(answer, people, WHO)
    sbp, dbp, pp = (found.number(n).estimate for n in ("sbp", "dbp", "pp"))
    assert pp == pytest.approx(sbp - dbp)


def test_the_order_of_the_rows_does_not_count(people, answer):
    order = np.random.default_rng(0).permutation(len(people))
    answer = with_ends(answer)
    arrays = {
        f.name: value[order]
        for f in fields(answer)
        if isinstance(value := getattr(answer, f.name), np.ndarray)
    }
    one = case_of(answer, people, WHO).to_dict()
    other = case_of(answer.replace(**arrays), people.take(order), WHO).to_dict()
    assert_alike(one, other)


def assert_alike(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_alike(one[key], other[key])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            assert_alike(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other)
    else:
        assert one == other


def test_beats_and_truth_say_the_same(people, answer):
    one, other = (case_of(answer, p, WHO).to_dict() for p in (people, truth_of(people)))
    assert one == other


def test_other_people_do_not_change_the_numbers(people, answer):
    elsewhere = people.subject != WHO
    moved = answer.replace(csbp=answer.csbp + np.where(elsewhere, 40.0, 0.0))
    one, other = (case_of(p, people, WHO) for p in (answer, moved))
    assert one.numbers == other.numbers
    assert one.centiles == other.centiles


def test_a_change_is_held_against_the_errors_of_the_others(people, answer):
    found = case_of(answer, people, WHO)
    change = next(c for c in found.changes if c.quantity == "sbp")
    mine = people.subject == WHO
    assert change.then == pytest.approx(answer.csbp[mine][:10].mean())
    assert change.now == pytest.approx(answer.csbp[mine][-10:].mean())
    errors = answer.csbp - truth_of(people).pressures[:, 0]
    others = np.setdiff1d(people.subjects, WHO)
    assert change.error.sd == pytest.approx(sd_of_ends(errors, people, others))
    assert (change.error.subjects, change.error.answers) == (7, 14)


def sd_of_ends(errors, people, who, size=10):
    """SD within people, from the first and the last answer of each."""
    apart = []
    for name in who:
        own = errors[people.subject == name]
        apart.append(own[-size:].mean() - own[:size].mean())
    return np.sqrt(np.square(apart).mean() / 2)


def test_errors_that_drift_make_a_change_harder_to_detect(people, answer):
    """Neighbouring answers agree, the first and the last do not."""
    sign = np.where(people.subject.astype("U9") > "v004", -1.0, 1.0)
    drift = answer.replace(csbp=answer.csbp + sign * people.beat)
    held, calm = (case_of(p, people, WHO).changes[0].error for p in (drift, answer))
    # 15 beats apart, so 15 mmHg: an SD within people of 15 / sqrt(2)
    assert held.sd == pytest.approx(15 / np.sqrt(2), rel=0.1)
    assert calm.sd < 2


def test_a_true_rise_is_beyond_measurement_error(people, answer):
    late = (people.subject == WHO) & (people.beat >= 12)
    rise = answer.replace(csbp=answer.csbp + 40.0 * late)
    found = {c.quantity: c for c in case_of(rise, people, WHO).changes}
    assert found["sbp"].change > 30
    assert found["sbp"].detectable is True


def test_a_new_reading_brings_its_own_error_into_the_change(people, answer):
    """Errors of readings count where a new one came between, and only there."""
    again = people.subject > "v001"  # six of eight are read anew in the middle
    late = people.beat >= 12
    cuff = np.where((again & late)[:, None], [130.0, 80.0], [120.0, 75.0])
    read = people.replace(cuff=cuff)
    step = np.where(people.subject > "v004", -20.0, 20.0) * (again & late)
    moved = answer.replace(csbp=answer.csbp + step)
    (start, *_), (last, *_) = (
        [c for c in case_of(moved, read, WHO).changes if c.since == since]
        for since in ("start", "last reading")
    )
    errors = moved.csbp - truth_of(people).pressures[:, 0]
    others = ["v002", "v004", "v005", "v006", "v007"]
    assert start.error.sd == pytest.approx(sd_of_ends(errors, people, others))
    assert start.error.detectable > 30
    assert start.detectable is False  # a step of 20 mmHg
    assert last.error.subjects == 7
    assert last.error.detectable < 10
    (once, *_) = case_of(moved, read, "v001").changes
    assert once.detectable is None  # one other person was read once
    assert "without a new reading in between, as here" in once.text


def test_a_new_reading_begins_a_second_comparison(people, answer):
    mine = people.subject == WHO
    cuff = np.where(mine[:, None], [120.0, 75.0], people.cuff)
    cuff[mine & (people.beat >= 15)] = 130.0, 80.0
    found = case_of(answer, people.replace(cuff=cuff), WHO)
    assert {c.since for c in found.changes} == {"start", "last reading"}
    since = {c.since: c for c in found.changes if c.quantity == "sbp"}
    assert since["last reading"].error.beats == 5
    assert since["last reading"].then == pytest.approx(answer.csbp[mine][15:20].mean())
    assert found.reading == (130.0, 80.0)
    assert len(found.course.readings) == 2


def test_a_single_reading_is_the_start(people, answer):
    cuff = np.tile([120.0, 75.0], (len(people), 1))
    found = case_of(answer, people.replace(cuff=cuff), WHO)
    assert {c.since for c in found.changes} == {"start"}
    assert "the only reading" in found.unchanged["last reading"]


def test_a_single_beat_cannot_change():
    beats = make_beats([1] * 8)
    found = case_of(waves(beats, "net"), beats, "v001")
    assert found.changes == ()
    assert "1 answered beats" in found.unchanged["start"]
    assert [w.which for w in found.waves] == ["middle"]


def test_without_enough_people_a_change_is_not_judged():
    beats = make_beats([25] * 3)
    (sbp, *_) = case_of(waves(beats, "net", spread=2.0), beats, "v001").changes
    assert sbp.detectable is None
    assert "2 people" in sbp.text


def test_without_a_truth_there_is_no_error_and_no_verdict_on_change():
    beats = make_beats([25] * 8, reference=False)
    answer = numbers(beats, "cuff minus 8")
    found = case_of(answer, beats, WHO)
    assert found.reference_type == "none"
    assert found.number("sbp").truth is None
    assert found.number("sbp").error is None
    assert found.waves == ()
    assert all(c.detectable is None for c in found.changes)
    json.dumps(found.to_dict(), allow_nan=False)


def test_waves_are_the_answered_beats_as_they_are(people, answer):
    mine = np.flatnonzero(people.subject == WHO)
    hidden = np.isin(np.arange(len(people)), mine[:2])
    found = case_of(refuse(answer, hidden), people, WHO)
    assert [w.which for w in found.waves] == ["first", "middle", "last"]
    first, middle, last = found.waves
    np.testing.assert_array_equal(first.estimate, answer.waveform[mine[2]])
    np.testing.assert_array_equal(first.truth, people.reference[mine[2]])
    np.testing.assert_array_equal(last.estimate, answer.waveform[mine[-1]])
    assert middle.estimate.max() == pytest.approx(np.median(answer.csbp[mine[2:]]))


def test_nobody_answered(people, answer):
    found = case_of(refuse(answer, people.subject == WHO), people, WHO)
    assert found.answered == 0
    assert all(n.estimate is None for n in found.numbers)
    assert (found.waves, found.changes, found.centiles) == ((), (), ())
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("male", "sex"), [(1.0, "male"), (0.0, "female"), (np.nan, "")]
)
def test_centiles_are_for_men_alone(people, answer, male, sex):
    people = people.replace(features={"male": np.full(len(people), male)})
    found = case_of(with_ends(answer), people, WHO)
    assert found.sex == sex
    assert [c.quantity for c in found.centiles] == ["sbp", "pp"]
    for c in found.centiles:
        assert (c.centile is not None) == (sex == "male")
        assert (c.reason == "") == (sex == "male")


@pytest.mark.parametrize("scale", ["invasive SBP/DBP", "cuff MAP/DBP", "none"])
def test_a_pressure_on_another_scale_has_no_centile(people, answer, scale):
    other = answer.replace(calibration=scale)
    found = case_of(other, people.replace(calibration=scale), WHO)
    assert [c.centile for c in found.centiles] == [None, None]
    assert all(f"the calibration is {scale!r}" in c.text for c in found.centiles)


def test_an_unknown_person_is_refused_with_a_few_of_the_known(people, answer):
    with pytest.raises(ProtocolError, match="no subject 'x' among 8; there are 'v000'"):
        case_of(answer, people, "x")
    with pytest.raises(ProtocolError, match="and 3 more"):
        case_of(answer, people, "x")


def test_the_best_deep_row_is_shown(people):
    rows = [
        waves(people, "net", error=4.0, k=5),
        waves(people, "net", error=1.0, k=10),
        numbers(people, "floor", error=0.0, k=0),
    ]
    evaluation = evaluate(with_controls(rows, people), people, resamples=100)
    for judged in (evaluation, judge_evaluation(evaluation)):
        found = case(judged, WHO)
        assert (found.method, found.k) == ("net", 10)
    assert case(evaluation, WHO, method=("net", 5)).k == 5
    assert case(evaluation, WHO, method="floor").role == "floor"


def test_rows_are_chosen_by_name_and_k(people):
    rows = [waves(people, "net", k=5), waves(people, "net", error=1.0, k=10)]
    assert shown_row(rows, people).k == 5
    assert shown_row(rows, people, method="net", k=10) is rows[1]
    with pytest.raises(ProtocolError, match="'net': 2 answer"):
        shown_row(rows, people, method="net")
    with pytest.raises(ProtocolError, match=r"none answers.*'net' \(k = 5\)"):
        shown_row(rows, people, method="other")
    floor = numbers(people, "floor")
    assert shown_row([floor], people) is floor


def test_without_a_truth_the_row_must_be_named():
    beats = make_beats([3] * 4, reference=False)
    rows = [numbers(beats, "one", role="deep"), numbers(beats, "two")]
    with pytest.raises(ProtocolError, match="nobody measured a truth"):
        shown_row(rows, beats)
    assert shown_row(rows, beats, method="one") is rows[0]


def test_a_case_says_what_it_is_not(people, answer):
    found = case_of(answer, people, WHO)
    assert DISCLAIMER in str(found)
    assert f"reference simulated, calibration {people.calibration}" in str(found)
    assert "No diagnosis" in found.to_dict()["disclaimer"]
    assert cases.__doc__ is not None
    with pytest.raises(ProtocolError, match="'hr' is not known"):
        found.number("hr")
