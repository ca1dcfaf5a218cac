"""Refusing the doubtful lowers the risk exactly as far as the doubt knows something."""

import json

import numpy as np
import pytest

from capnet.errors import ConfigError, ProtocolError
from capnet.evaluation.truth import truth_of
from capnet.evaluation.uncertainty.risk_coverage import risk_coverage
from tests.evaluation.conftest import make_beats, numbers


def asked(beats, error, doubt):
    said = numbers(beats, "asked")
    true = truth_of(beats).pressures
    return said.replace(csbp=true[:, 0] + error, doubt=doubt)


@pytest.fixture(scope="module")
def beats():
    return make_beats([1, 3] * 60)


@pytest.fixture(scope="module")
def error(beats):
    return 5.0 * np.random.default_rng(1).normal(size=len(beats))


def by_subject(beats, error):
    """Mean over subjects of their mean squared error, as the definition says."""
    squares = [
        np.mean(error[beats.subject == s] ** 2) for s in np.unique(beats.subject)
    ]
    return np.sqrt(np.mean(squares))


def test_a_doubt_that_is_the_error_is_the_best_there_is(beats, error):
    found = risk_coverage(asked(beats, error, np.abs(error)), beats)
    assert found.aurc == pytest.approx(found.aurc_best)
    assert found.ratio < 0.75
    assert found.helps
    assert [p.coverage for p in found.curve] == sorted(p.coverage for p in found.curve)


def test_a_doubt_that_knows_nothing_helps_nothing(beats, error):
    doubt = np.random.default_rng(2).random(len(beats))
    found = risk_coverage(asked(beats, error, doubt), beats)
    low, high = found.interval
    assert low < 1.0 < high
    assert not found.helps
    assert found.aurc > found.aurc_best


def test_a_constant_doubt_refuses_nothing(beats, error):
    found = risk_coverage(asked(beats, error, np.full(len(beats), 0.5)), beats)
    assert len(found.curve) == 1
    assert (found.kept, found.ratio) == (1.0, 1.0)
    assert found.aurc == found.full
    assert found.interval == (1.0, 1.0)


def test_each_point_is_what_its_definition_says(beats, error):
    doubt = np.random.default_rng(3).random(len(beats))
    found = risk_coverage(asked(beats, error, doubt), beats)
    assert found.full == pytest.approx(by_subject(beats, error))
    for point in found.curve[:: len(found.curve) // 9]:
        rows = doubt <= point.doubt
        assert point.coverage == pytest.approx(rows.mean())
        assert point.risk == pytest.approx(by_subject(beats.take(rows), error[rows]))
        assert point.subjects == len(np.unique(beats.subject[rows]))
    assert 0.8 <= found.kept < 0.82
    here = next(p for p in found.curve if p.coverage >= 0.8)
    assert found.ratio == pytest.approx(here.risk / found.full)


def test_only_the_order_of_doubts_matters(beats, error):
    doubt = np.random.default_rng(4).random(len(beats))
    one = risk_coverage(asked(beats, error, doubt), beats)
    other = risk_coverage(asked(beats, error, np.exp(5 * doubt)), beats)
    assert one.ratio == other.ratio
    assert one.interval == other.interval
    assert one.aurc == other.aurc


def test_the_order_of_rows_does_not_matter(beats, error):
    doubt = np.random.default_rng(5).integers(0, 9, len(beats)) / 9.0  # with ties
    mixed = np.random.default_rng(6).permutation(len(beats))
    one = risk_coverage(asked(beats, error, doubt), beats)
    other = beats.take(mixed)
    two = risk_coverage(asked(other, error[mixed], doubt[mixed]), other)
    assert one.ratio == pytest.approx(two.ratio)
    np.testing.assert_allclose(one.interval, two.interval)


def test_the_interval_is_of_subjects_not_of_beats():
    """Ten copies of each beat tell nothing new."""
    one, many = make_beats([1] * 80), make_beats([10] * 80)
    rng = np.random.default_rng(7)
    error, doubt = 5 * rng.normal(size=80), rng.random(80)
    a = risk_coverage(asked(one, error, doubt), one)
    b = risk_coverage(asked(many, np.repeat(error, 10), np.repeat(doubt, 10)), many)
    assert a.ratio == pytest.approx(b.ratio)
    np.testing.assert_allclose(a.interval, b.interval)


def test_its_own_interval_holds_the_truth():
    """That of percentiles held it in 86 of 100 such draws.

    Errors grow with a doubt that is partly the person's, partly the beat's; among
    16,000 such people the ratio is 0.743.
    """
    beats = make_beats([1, 2, 3, 4] * 10)
    code = np.repeat(np.arange(40), [1, 2, 3, 4] * 10)
    held = []
    for seed in range(100):
        rng = np.random.default_rng(100 + seed)
        doubt = np.exp(rng.normal(0, 0.5, 40)[code] + rng.normal(0, 0.4, 100))
        size = 5.0 * doubt**0.8 * np.exp(rng.normal(0, 0.3, 100))
        said = asked(beats, size * rng.normal(size=100), doubt)
        low, high = risk_coverage(said, beats, resamples=100).interval
        held.append(low <= 0.743 <= high)
    assert np.mean(held) >= 0.91


def test_with_many_beats_the_curve_has_200_points():
    beats = make_beats([30] * 100)
    rng = np.random.default_rng(8)
    found = risk_coverage(asked(beats, rng.normal(size=3000), rng.random(3000)), beats)
    assert len(found.curve) == 200
    assert found.curve[-1].coverage == 1.0


def test_refused_beats_do_not_count(beats, error):
    doubt = np.random.default_rng(9).random(len(beats))
    gone = np.arange(len(beats)) % 4 == 0
    said = asked(beats, error, np.where(gone, 1.0, doubt)).replace(
        accepted=~gone, reason=np.where(gone, "noise", "")
    )
    kept = beats.take(~gone)
    alone = risk_coverage(asked(kept, error[~gone], doubt[~gone]), kept)
    assert risk_coverage(said, beats).ratio == pytest.approx(alone.ratio)


def test_with_fewer_than_five_subjects_there_is_no_interval():
    few = make_beats([4] * 4)
    rng = np.random.default_rng(10)
    found = risk_coverage(asked(few, rng.normal(size=16), rng.random(16)), few)
    assert found.interval is None
    assert not found.helps


def test_it_is_strict_json_and_prints(beats, error):
    doubt = np.random.default_rng(11).random(len(beats))
    doubt[3] = np.inf
    found = risk_coverage(asked(beats, error, doubt), beats)
    back = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert back["ratio"] == found.ratio
    assert back["curve"][-1]["doubt"] is None
    assert "least doubtful; ratio" in str(found)


def test_what_cannot_be_scored_is_refused(beats, error):
    said = asked(beats, error, np.abs(error))
    with pytest.raises(ProtocolError, match="answers without a doubt"):
        risk_coverage(said.replace(doubt=None), beats)
    unknown = said.replace(doubt=np.where(np.arange(len(beats)) == 2, np.nan, 1.0))
    with pytest.raises(ProtocolError, match="answers beat 2 without a doubt"):
        risk_coverage(unknown, beats)
    with pytest.raises(ConfigError, match=r"at is 80; wanted a share"):
        risk_coverage(said, beats, at=80)
    with pytest.raises(ProtocolError, match="answers 240 beats that are not the 5"):
        risk_coverage(said, beats.take(np.arange(5)))
    mixed = beats.take(np.random.default_rng(0).permutation(len(beats)))
    with pytest.raises(ProtocolError, match="wanted the same subject and beat"):
        risk_coverage(said, mixed)
    with pytest.raises(ProtocolError, match="calibrations are never pooled"):
        risk_coverage(said.replace(calibration="cuff MAP/DBP"), beats)
