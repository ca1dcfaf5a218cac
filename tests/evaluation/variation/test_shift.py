"""Home and away: other people, the same methods, one calibration."""

import json
from dataclasses import replace

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.reports.strata_section import shift_section
from capnet.evaluation.truth import truth_of
from capnet.evaluation.variation.shift import shift_table
from tests.evaluation.conftest import make_beats, numbers, waves


def clinic(name, *, error=0.0, n=40, seed=0, **changes):
    beats = make_beats([2] * n, seed=seed)
    beats = beats.replace(subject=np.char.add(name, beats.subject))
    rows = [
        waves(beats, "GTF", spread=2.0, error=error, role="floor"),
        numbers(beats, f"arm of {name}"),
        numbers(beats, "arm"),
    ]
    rows = [p.replace(**changes) for p in rows]
    return evaluate(rows, replace(truth_of(beats), **changes), resamples=200)


def test_rows_are_those_of_both():
    home, away = clinic("h"), clinic("a", error=6.0, seed=1)
    found = shift_table(home, away)
    assert [r.method for r in found.rows] == [("GTF", 0), ("arm", 0)]
    gtf = found.rows[0]
    assert gtf.home == home.score("GTF").values["sbp_rmse"]
    assert gtf.away == away.score("GTF").values["sbp_rmse"]
    assert gtf.home_interval == home.score("GTF").intervals["sbp_rmse"]
    assert gtf.difference == pytest.approx(gtf.away - gtf.home)
    assert 0 < gtf.interval.low < gtf.difference < gtf.interval.high


def test_the_way_back_is_the_other_sign():
    home, away = clinic("h"), clinic("a", error=3.0, seed=1)
    there, back = shift_table(home, away).rows[0], shift_table(away, home).rows[0]
    assert back.difference == -there.difference
    expected = (-there.interval.high, -there.interval.low)
    assert back.interval == pytest.approx(expected)


def test_the_difference_is_less_sure_than_each():
    row = shift_table(clinic("h"), clinic("a", seed=1)).rows[0]
    width = row.interval.high - row.interval.low
    assert width > row.home_interval.high - row.home_interval.low
    assert width > row.away_interval.high - row.away_interval.low


def test_kinds_of_truth_are_told_and_few_people_too():
    beats = make_beats([2] * 10, seed=1)
    beats = beats.replace(subject=np.char.add("a", beats.subject))
    truth = replace(truth_of(beats), reference_type="catheter")
    away = evaluate([numbers(beats, "arm")], truth, resamples=100)
    found = shift_table(clinic("h"), away)
    assert "simulated at home and catheter away" in found.note
    assert "(reference simulated) and away (reference catheter)" in str(found)
    assert found.rows[0].few
    told = found.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    section = shift_section(found)
    assert section.paragraphs[-1].startswith("The reference is simulated at home")
    assert len(section.tables[0].rows) == 1


def test_refusals():
    home = clinic("h")
    with pytest.raises(ProtocolError, match=r"40 subjects .* the first '\w+';"):
        shift_table(home, home)
    with pytest.raises(ProtocolError, match="that of the calibrations"):
        shift_table(home, clinic("a", calibration="cuff SBP/DBP"))
    other = evaluate([numbers(make_beats([2] * 9), "leg")], make_beats([2] * 9))
    with pytest.raises(ProtocolError, match="no method with the same k"):
        shift_table(home, other)
