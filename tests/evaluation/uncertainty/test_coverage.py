"""Coverage is counted by subject, with an interval, and claims what it may."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from capnet.errors import ProtocolError, ShapeError
from capnet.evaluation.truth import truth_of
from capnet.evaluation.uncertainty.coverage import LEAST, QUANTITIES, coverage
from tests.evaluation.conftest import make_beats, numbers


def told(beats, *, half=6.0, error=4.0, seed=0, nominal=0.9):
    """Answers with errors of a known SD and intervals of a known width."""
    rng = np.random.default_rng(seed)
    true = truth_of(beats).pressures
    middle = true + error * rng.normal(size=true.shape)
    said = numbers(beats, "told")
    return said.replace(
        csbp=middle[:, 0],
        cdbp=middle[:, 1],
        cmap=middle[:, 2],
        cpp=middle[:, 3],
        low=middle - half,
        high=middle + half,
        coverage=nominal,
    )


@pytest.fixture(scope="module")
def beats():
    return make_beats([1, 2, 5, 9] * 30)


@pytest.fixture(scope="module")
def said(beats):
    return told(beats)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_it_is_the_mean_over_subjects_of_their_share(beats, said, quantity):
    column = QUANTITIES.index(quantity)
    true = truth_of(beats).pressures[:, column]
    held = (said.low[:, column] <= true) & (true <= said.high[:, column])
    shares = [held[beats.subject == s].mean() for s in beats.subjects]
    found = coverage(said, beats, quantity=quantity)
    assert found.overall == pytest.approx(np.mean(shares), abs=1e-12)
    assert found.width == pytest.approx(12.0)
    assert found.interval.low < found.overall < found.interval.high
    assert (found.everybody.subjects, found.everybody.beats) == (120, len(beats))


@pytest.mark.parametrize(("hits", "n"), [(90, 100), (57, 60), (100, 100), (0, 60)])
def test_one_beat_a_subject_has_nearly_the_interval_of_clopper_and_pearson(hits, n):
    beats = make_beats([1] * n)
    said = told(beats, error=0.0)
    away = np.where(np.arange(n) >= hits, 100.0, 0.0)[:, None]
    said = said.replace(low=said.low + away, high=said.high + away)
    found = coverage(said, beats)
    exact = binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert found.interval.low == pytest.approx(exact.low, abs=0.004)
    assert found.interval.high == pytest.approx(exact.high, abs=0.004)


def test_beats_that_fail_together_are_one_failure():
    """Copies of a beat tell nothing new: the interval stays as wide."""
    one, many = make_beats([1] * 80), make_beats([10] * 80)
    single = told(one, seed=3)
    copied = told(many, error=0.0)
    off = np.repeat(single.csbp - truth_of(one).pressures[:, 0], 10)
    sbp = truth_of(many).pressures[:, 0] + off
    low, high = copied.low.copy(), copied.high.copy()
    low[:, 0], high[:, 0] = sbp - 6.0, sbp + 6.0
    copied = copied.replace(csbp=sbp, low=low, high=high)
    a, b = coverage(single, one), coverage(copied, many)
    assert a.overall == pytest.approx(b.overall)
    np.testing.assert_allclose(a.interval, b.interval, atol=0.01)


def test_its_own_interval_covers():
    """Of simulated people whose beats fail together and apart: 95 % of the time."""
    rng = np.random.default_rng(5)
    beats = make_beats([3] * 100)
    base, hits, times = told(beats, error=0.0), 0, 80
    for _ in range(times):
        share = rng.beta(9, 1, 100)  # each person's own coverage, mean 0.9
        held = rng.random(300) < np.repeat(share, 3)
        away = np.where(held, 0.0, 100.0)[:, None]
        moved = base.replace(low=base.low + away, high=base.high + away)
        found = coverage(moved, beats)
        hits += found.interval.low <= 0.9 <= found.interval.high
    assert hits / times >= 0.9


def test_the_order_of_rows_does_not_matter(beats):
    mixed = np.random.default_rng(1).permutation(len(beats))
    rng = np.random.default_rng(2)
    low = 100 + rng.normal(size=(len(beats), 4))
    said = told(beats).replace(low=low, high=low + 30.0)
    other = beats.take(mixed)
    turned = told(other).replace(low=low[mixed], high=low[mixed] + 30.0)
    a, b = coverage(said, beats), coverage(turned, other)
    assert a.overall == pytest.approx(b.overall)
    np.testing.assert_allclose(a.interval, b.interval)


def test_wider_intervals_hold_more(beats):
    found = [coverage(told(beats, half=h), beats).overall for h in (1, 4, 8, 100)]
    assert found == sorted(found)
    assert found[-1] == 1.0


def test_a_group_of_few_shows_an_interval_and_no_claim(beats, said):
    few = np.isin(beats.subject, beats.subjects[: LEAST - 1])
    groups = np.where(few, "few", "many")
    found = coverage(said, beats, groups=groups)
    few, many = found.groups
    assert (few.group, many.group) == ("few", "many")
    assert few.claim == "too few to tell"
    assert few.interval.low < few.share < few.interval.high
    assert many.claim != "too few to tell"


def test_a_group_calibrated_on_few_has_no_claim_either(beats, said):
    groups = np.where(np.isin(beats.subject, beats.subjects[:60]), "a", "b")
    found = coverage(said, beats, groups=groups, calibrated={"a": 300, "b": 49})
    a, b = found.groups
    assert a.claim != "too few to tell"
    assert b.claim == "too few to tell"
    assert (a.calibrated, b.calibrated, found.everybody.calibrated) == (300, 49, 349)
    assert coverage(said, beats, calibrated=20).everybody.claim == "too few to tell"


@pytest.mark.parametrize(
    ("half", "claim"),
    [(6.58, "as stated"), (2.0, "too low"), (40.0, "higher than stated")],
)
def test_what_is_claimed_follows_from_the_interval(beats, half, claim):
    """Errors of SD 4 mmHg: 1.645 SDs hold 90 %."""
    assert coverage(told(beats, half=half), beats).everybody.claim == claim


def test_under_shift_too_few_are_held_and_it_is_said():
    home, away = make_beats([1] * 400, seed=1), make_beats([1] * 400, seed=2)
    at_home = coverage(told(home, half=6.58), home)
    shifted = told(away, half=6.58)
    shifted = shifted.replace(low=shifted.low + 5.0, high=shifted.high + 5.0)
    found = coverage(shifted, away)
    assert at_home.everybody.claim == "as stated"
    assert found.everybody.claim == "too low"
    assert found.overall < at_home.overall


def test_intervals_without_ends_are_counted_and_have_no_width(beats, said):
    open_ended = said.replace(
        low=np.full_like(said.low, -np.inf), high=np.full_like(said.high, np.inf)
    )
    found = coverage(open_ended, beats)
    assert found.overall == 1.0
    assert found.width is None
    assert found.everybody.infinite == 1.0


def test_refused_beats_do_not_count(beats, said):
    gone = np.zeros(len(beats), dtype=bool)
    gone[::3] = True
    nan = np.where(gone[:, None], np.nan, 1.0)
    some = said.replace(
        accepted=~gone,
        reason=np.where(gone, "noise", ""),
        low=said.low * nan,
        high=said.high * nan,
    )
    kept = beats.take(~gone)
    alone = told(kept).replace(low=said.low[~gone], high=said.high[~gone])
    assert coverage(some, beats).overall == coverage(alone, kept).overall


def test_it_is_strict_json_and_prints(beats, said):
    groups = np.where(beats.age > 0, "all", "none")
    found = coverage(said, beats, groups=groups)
    back = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert back["everybody"]["share"] == found.overall
    assert "intervals stated to hold 90%" in str(found)
    assert "width 12.0 mmHg" in str(found)


def test_what_cannot_be_counted_is_refused(beats, said):
    with pytest.raises(ProtocolError, match="answers without intervals"):
        coverage(numbers(beats, "bare"), beats)
    with pytest.raises(ProtocolError, match="quantity is 'aix'; wanted one of sbp"):
        coverage(said, beats, quantity="aix")
    with pytest.raises(ShapeError, match="groups has 3 rows"):
        coverage(said, beats, groups=np.array(["a"] * 3))
    with pytest.raises(ProtocolError, match="beats that are not the 5 reference"):
        coverage(said, beats.take(np.arange(5)))
    mixed = beats.take(np.random.default_rng(0).permutation(len(beats)))
    with pytest.raises(ProtocolError, match="wanted the same subject and beat"):
        coverage(said, mixed)
    with pytest.raises(ProtocolError, match="calibrations are never pooled"):
        coverage(said.replace(calibration="cuff MAP/DBP"), beats)
    nothing = said.replace(low=said.low * np.nan, high=said.high * np.nan)
    with pytest.raises(ProtocolError, match="no SBP interval on a beat"):
        coverage(nothing, beats)
