"""Words follow the intervals: wins, ties and losses are called so."""

from dataclasses import replace

import pytest

from capnet.evaluation import Interval, compare_with_aami, evaluate, verdict_lines
from capnet.evaluation.paired import Paired, correct
from capnet.evaluation.verdict import comparison_line
from tests.evaluation.conftest import make_beats, numbers, waves, with_controls


def verdict(*, deep: float, floor: float, n: int = 40) -> str:
    beats = make_beats([2] * n)
    rows = [
        waves(beats, "net", spread=deep, seed=1),
        waves(beats, "ridge", spread=floor, seed=2, role="floor"),
    ]
    (line,) = verdict_lines(evaluate(with_controls(rows, beats), beats, resamples=200))
    return line


def test_a_win_a_tie_and_a_loss():
    assert "better than the floor" in verdict(deep=1, floor=5)
    assert "worse than the floor" in verdict(deep=5, floor=1)
    tie = verdict(deep=4.0, floor=4.05)
    assert "a tie: the interval holds zero" in tie
    assert "better" not in tie


def test_a_win_among_many_questions_must_be_surer():
    pair = Paired(
        *(("net", 5), ("ridge", 5), "sbp_rmse", 3.0, 4.0, -1.0),
        *(Interval(-1.9, -0.1), 40, 80, 0.03),
    )
    assert comparison_line(pair).endswith("-0.10, p = 0.030, n = 40 subjects")
    one, *_ = correct([pair, replace(pair, p_value=0.04)])
    assert "p = 0.060 (Holm, 2 questions)" in comparison_line(one)
    assert one.outcome == "tied"


def test_a_negligible_difference_is_a_tie_with_its_reason():
    beats = make_beats([2] * 40)
    rows = [
        waves(beats, "net", error=1.0),
        waves(beats, "ridge", error=1.01, role="floor"),
    ]
    (line,) = verdict_lines(evaluate(with_controls(rows, beats), beats, resamples=200))
    assert "a tie: a difference under 0.05 is negligible" in line


def test_few_subjects_are_undecided():
    line = verdict(deep=1, floor=5, n=3)
    assert "undecided: too few subjects" in line
    assert "no interval" in line


def test_one_line_a_k_with_the_rest_counted(predictions, beats):
    weak = waves(beats, "GRU", spread=9.0, seed=11, k=10)
    lines = verdict_lines(evaluate([*predictions, weak], beats, resamples=200))
    assert [line.split(",")[0] for line in lines] == ["k = 0", "k = 10"]
    assert lines[1].endswith("The other deep rows at this k: 1 lost.")
    assert "of ridge (k = 10)" in lines[1]


def test_asked_pairs_do_not_change_the_verdict(predictions, beats, evaluation):
    asked = [(("net", 10), "arm - 8"), (("net", 10), "shuffled")]
    more = evaluate(predictions, beats, resamples=200, compare=asked)
    assert verdict_lines(more) == verdict_lines(evaluation)


def test_nothing_deep_nothing_claimed(beats):
    (line,) = verdict_lines(evaluate([numbers(beats, "arm - 8")], beats, resamples=100))
    assert "nothing to claim" in line


@pytest.mark.parametrize(
    ("bias", "sd", "side"),
    [(5, 8, "inside"), (-5.1, 2, "outside"), (0, 8.1, "outside")],
)
def test_aami_is_a_numerical_comparison(bias, sd, side):
    text = compare_with_aami(bias, sd, subjects=84)
    assert f"numerically {side} the AAMI limits, n = 84" in text
    assert "fewer than the 85" in text
    assert "meets" not in text
    assert "fewer" not in compare_with_aami(bias, sd, subjects=85)
    assert compare_with_aami(None, sd, subjects=85) is None
