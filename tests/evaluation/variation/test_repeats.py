"""Means over seeds: with the subjects' chance and that of the seeds."""

import json
from functools import cache

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.reports.strata_section import repeats_section
from capnet.evaluation.variation.repeats import repeats
from tests.evaluation.conftest import kept, make_beats, refuse, waves, with_controls

BEATS = kept(make_beats([2] * 30))


@pytest.fixture
def beats():
    return BEATS


@cache
def study(seed, *, error=0.0, beats=BEATS):
    rows = [
        waves(beats, "net", spread=2.0, error=error, seed=seed),
        waves(beats, "ridge", spread=4.0, role="floor"),
    ]
    return evaluate(with_controls(rows, beats), beats, resamples=200)


def test_one_repeat_is_the_evaluation_itself():
    once = study(1)
    found = repeats([once])
    row = found.rows[0]
    assert row.mean == pytest.approx(once.score("net").values["sbp_rmse"])
    assert row.interval == pytest.approx(once.score("net").intervals["sbp_rmse"])
    assert row.spread is None
    assert "subjects alone" in row.note
    assert found.rows[-1].p_value is None


def test_the_same_three_times_has_no_spread_and_the_same_interval():
    once = study(1)
    row = repeats([once] * 3).rows[0]
    assert row.spread == pytest.approx(0, abs=1e-12)
    assert row.interval == pytest.approx(once.score("net").intervals["sbp_rmse"])


def test_the_mean_and_the_spread_are_those_of_the_values():
    done = [study(seed, error=seed / 2) for seed in (1, 2, 3, 4)]
    row = repeats(done).rows[0]
    values = [e.score("net").values["sbp_rmse"] for e in done]
    assert list(row.values) == pytest.approx(values)
    assert row.mean == pytest.approx(np.mean(values))
    assert row.spread == pytest.approx(np.std(values, ddof=1))
    same = repeats([done[1]] * 4).rows[0]
    width = row.interval.high - row.interval.low
    assert width > same.interval.high - same.interval.low


def test_order_of_the_repeats_does_not_matter():
    done = [study(seed) for seed in (1, 2, 3)]
    one, other = repeats(done).rows[0], repeats(done[::-1]).rows[0]
    assert one.interval == pytest.approx(other.interval)


def test_deep_rows_meet_the_best_floor_and_are_corrected():
    done = [study(seed) for seed in (1, 2, 3)]
    pair = repeats(done).rows[-1]
    assert (pair.method, pair.against) == (("net", 0), ("ridge", 0))
    expected = [
        e.score("net").values["sbp_rmse"] - e.score("ridge").values["sbp_rmse"]
        for e in done
    ]
    assert list(pair.values) == pytest.approx(expected)
    assert pair.interval.high < 0
    assert pair.p_value < 0.05
    assert pair.p_holm == pair.p_value
    back = repeats(done, pairs=[("ridge", "net")]).rows[-1]
    assert back.p_value == pytest.approx(pair.p_value, rel=1e-6)
    assert back.mean == pytest.approx(-pair.mean)


def test_the_p_value_agrees_with_the_interval(beats):
    for spread in (1.0, 3.0, 4.5, 8.0):
        done = []
        for seed in (1, 2, 3):
            rows = [
                waves(beats, "a", spread=spread, seed=seed, role="floor"),
                waves(beats, "b", spread=4.0, seed=9, role="floor"),
            ]
            done.append(evaluate(rows, beats, resamples=100))
        pair = repeats(done, pairs=[("a", "b")]).rows[-1]
        low, high = pair.interval
        assert (pair.p_value < 0.05) == (low > 0 or high < 0)


def test_strict_json_and_a_section():
    found = repeats([study(seed) for seed in (1, 2)])
    told = found.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    section = repeats_section(found)
    assert len(section.tables) == 2
    assert "2 times" in section.paragraphs[0]
    assert "net" in str(found)
    assert "reference simulated, calibration exact" in str(found)


def test_refusals(beats):
    with pytest.raises(ProtocolError, match="no evaluations"):
        repeats([])
    other = make_beats([2] * 31)
    with pytest.raises(ProtocolError, match="repeat 1 is of other beats"):
        repeats([study(1), study(1, beats=other)])
    rows = [waves(beats, "late", spread=1.0, role="floor")]
    late = evaluate([*study(1).predictions, *rows], beats, resamples=100)
    with pytest.raises(ProtocolError, match=r"'late' .* in every repeat"):
        repeats([late, study(1)], pairs=[("late", "ridge")])


def test_methods_that_share_no_beat_in_a_repeat_have_no_difference(beats):
    half = beats.subject < "v015"
    rows = [
        waves(beats, n, spread=2.0, seed=s, role="floor")
        for n, s in (("a", 1), ("b", 2))
    ]
    apart = [refuse(rows[0], half), refuse(rows[1], ~half)]
    done = [evaluate(r, beats, resamples=100) for r in (rows, apart)]
    with pytest.raises(ProtocolError, match="'a' and 'b' share no beat"):
        repeats(done, pairs=[("a", "b")])
