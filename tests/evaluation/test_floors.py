"""The gate of floors: what a deep row needs beside it, and nothing more."""

import re

import jaxtyping
import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.floors import (
    CONTROLS,
    REQUIRED,
    WITH_LABELS,
    allowed_inputs,
    check_floors,
    demanded_floors,
    missing_floors,
)
from capnet.evaluation.reports.floors_section import floors_section
from tests.evaluation.conftest import make_beats, numbers, refuse, waves, with_controls

ALWAYS = {"mean", "shuffled labels"}
CUFF = ALWAYS | {"last cuff", "cuff posterior"}
NUMBERS = CUFF | {"peripheral - constant", "OLS"}
PULSE = NUMBERS | {"GTF", "moving average", "ridge", "SVR"}


def deep(beats, *, k=0, inputs=(), seen="", method="net"):
    return waves(beats, method, k=k).replace(inputs=inputs, seen=seen)


def families(rows, beats, *, k=0):
    return {d.family for d in demanded_floors(rows, beats) if d.k == k}


def without_reading(beats):
    return beats.replace(cuff=np.full((len(beats), 2), np.nan), calibration="none")


@pytest.fixture
def beats():
    return make_beats([2] * 12)


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        ((), NUMBERS),
        (("cuff",), CUFF | {"peripheral - constant"}),
        (("cuff", "hr", "age"), NUMBERS),
        (("cuff", "ppg"), PULSE),
        (("cuff", "ppg", "hr", "age"), PULSE),
        # Without the cuff no floor of it, but the controls: others can look at it.
        (("ppg",), CUFF),
        (("age",), CUFF),
        (("pressure wave",), PULSE - {"peripheral - constant", "OLS"}),
    ],
)
def test_inputs_decide_what_is_demanded(beats, inputs, wanted):
    assert families([deep(beats, inputs=inputs)], beats) == wanted


def test_each_way_to_a_floor_is_demanded(beats):
    row = deep(beats, inputs=("cuff", "ppg", "pressure wave"))
    ridges = [d for d in demanded_floors([row], beats) if d.family == "ridge"]
    assert {d.inputs for d in ridges} == set(REQUIRED["ridge"])


def test_without_any_reading_the_mean_and_shuffled_labels_are_enough(beats):
    blind = without_reading(beats)
    for inputs in ((), ("ppg", "hr"), ("cuff", "ppg")):
        assert families([deep(blind, inputs=inputs)], blind) == ALWAYS
    found = demanded_floors([deep(blind, k=5, inputs=("ppg",))], blind)
    assert {(d.family, d.k) for d in found if d.k} == {("mean", 5)}
    assert allowed_inputs(deep(blind), blind) == frozenset()


def test_an_unknown_heart_rate_asks_for_no_ols(beats):
    slow = beats.replace(duration=np.full(len(beats), np.nan))
    assert families([deep(slow, inputs=("cuff", "hr"))], slow) == NUMBERS - {"OLS"}


def test_labels_ask_for_floors_with_the_same_labels(beats):
    rows = [deep(beats, k=k, inputs=("cuff", "ppg")) for k in (0, 5, 20)]
    for k in (5, 20):
        assert families(rows, beats, k=k) == set(WITH_LABELS)
    assert families([deep(beats, k=5)], beats, k=5) == {"peripheral - constant"}
    assert families([deep(beats, k=5)], beats, k=0) == NUMBERS
    assert families([deep(beats, k=5, inputs=("ppg",))], beats, k=5) == {"mean"}


def test_no_deep_row_no_demand(beats):
    floor = numbers(beats, "arm - 8")
    assert demanded_floors([floor, floor.replace(role="control")], beats) == ()
    silent = refuse(deep(beats), np.ones(len(beats), dtype=bool))
    check_floors([silent, floor], beats)


@pytest.mark.parametrize("inputs", [(), ("cuff", "ppg"), ("ppg", "pressure wave")])
@pytest.mark.parametrize("k", [0, 7])
def test_each_demanded_row_is_needed(beats, inputs, k):
    rows = with_controls([deep(beats, k=k, inputs=inputs, seen="a" * bool(k))], beats)
    check_floors(rows, beats)
    for lost in range(1, len(rows)):
        rest = [*rows[:lost], *rows[lost + 1 :]]
        (missing,) = missing_floors(rest, beats)
        assert (missing.family, missing.k) == (rows[lost].family, rows[lost].k)
        with pytest.raises(ProtocolError, match="lack 1 rows"):
            evaluate(rest, beats, resamples=100)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"role": "Deep"}, "says role 'Deep'; wanted one of deep, floor, control"),
        ({"role": "claim"}, "says role 'claim'"),
        ({"inputs": ("PPG", "cuff")}, "says inputs 'PPG'; wanted a tuple of words"),
        ({"inputs": "ppg"}, "says inputs 'ppg'; wanted a tuple of words among"),
        ({"inputs": ("finger",)}, "says inputs 'finger'"),
        ({"k": -3}, "says k = -3; wanted the number"),
        ({"seen": "abc"}, "says labels of 'abc' at k = 0"),
    ],
)
def test_odd_words_do_not_open_the_gate(beats, monkeypatch, said, why):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    odd = deep(beats, inputs=("cuff", "ppg")).replace(**said)
    with pytest.raises(ProtocolError, match=re.escape(why)):
        evaluate([odd], beats, resamples=100)
    with pytest.raises(ProtocolError, match=re.escape(why)):
        missing_floors([numbers(beats, "arm - 8"), odd], beats)


def test_the_message_tells_what_is_wrong_with_the_near_ones(beats):
    rows = with_controls([deep(beats, k=5, inputs=("cuff", "ppg"), seen="abc")], beats)
    moved = []
    for p in rows:
        if p.family == "ridge" and p.k == 5:
            p = p.replace(seen="xyz")
        elif p.family == "GTF":
            p = p.replace(inputs=("cuff",))
        moved.append(p)
    with pytest.raises(ProtocolError) as caught:
        check_floors(moved, beats)
    text = str(caught.value)
    assert "'made-up ridge' does not count: labels of xyz" in text
    assert "'made-up ridge' does not count: k = 0" in text
    assert "'made-up GTF' does not count: inputs cuff" in text
    assert "lack 2 rows" in text


def test_order_of_rows_does_not_matter(beats):
    rows = with_controls([deep(beats, k=5, inputs=("cuff", "ppg"))], beats)
    check_floors(rows[::-1], beats)
    assert set(demanded_floors(rows, beats)) == set(demanded_floors(rows[::-1], beats))


def test_the_message_lists_all_and_says_how(beats):
    with pytest.raises(ProtocolError) as caught:
        check_floors([deep(beats, k=5, inputs=("cuff", "ppg"), seen="abc")], beats)
    text = str(caught.value)
    for family in PULSE:
        assert f"{family!r}" in text
    assert "(capnet.models.CuffPosterior())" in text
    assert "(capnet.models.Ridge(source='ppg'))" in text
    assert (
        "'ridge' of cuff and ppg fitted on the same 5 labelled subjects (abc)" in text
    )
    assert "of 12 subjects" in text


def test_labels_of_other_people_do_not_count(beats):
    row = deep(beats, k=5, seen="abc")
    rows = with_controls([row], beats)
    moved = [p.replace(seen="xyz") if p.k and p.role != "deep" else p for p in rows]
    (missing,) = missing_floors(moved, beats)
    assert (missing.family, missing.seen) == ("peripheral - constant", "abc")
    # Who does not say whose labels it saw cannot ask for the same ones.
    check_floors([p.replace(seen="") if p.role == "deep" else p for p in moved], beats)


def test_other_k_other_inputs_and_other_roles_do_not_count(beats):
    rows = with_controls([deep(beats, inputs=("cuff", "ppg"))], beats)
    ridge = next(p for p in rows if p.family == "ridge")
    rest = [p for p in rows if p.family != "ridge"]
    for other in (
        ridge.replace(k=3),
        ridge.replace(inputs=("cuff", "hr", "age")),
        ridge.replace(role="deep", inputs=("cuff",)),
        ridge.replace(family="Ridge regression"),
    ):
        assert [d.family for d in missing_floors([*rest, other], beats)] == ["ridge"]
    # The verdict is against floors: a floor called a control would be in nobody's way.
    posed = [*rest, ridge.replace(role="control")]
    with pytest.raises(ProtocolError, match="'made-up ridge' does not count: role 'co"):
        check_floors(posed, beats)
    calm = [p.replace(role="control") if p.family in CONTROLS else p for p in rows]
    check_floors(calm, beats)


def test_a_floor_answers_what_the_deep_row_answers(beats):
    rows = with_controls([deep(beats)], beats)
    first = np.arange(len(beats)) < 3
    shy = [refuse(p, first) if p.family == "last cuff" else p for p in rows]
    with pytest.raises(ProtocolError, match="'made-up last' is silent on 3 beats"):
        check_floors(shy, beats)
    # Where the deep row is silent, too, or nobody knows the truth, nothing is lost.
    check_floors([refuse(shy[0], first), *shy[1:]], beats)
    truth = beats.reference.copy()
    truth[first] = np.nan
    check_floors(shy, beats.replace(reference=truth))


def test_beats_without_a_reading_ask_no_floor_of_the_cuff(beats):
    cuff = beats.cuff.copy()
    cuff[:4] = np.nan
    some = beats.replace(cuff=cuff)
    rows = with_controls([deep(some)], some)
    kept = [
        refuse(p, np.arange(len(some)) < 4) if p.family in CONTROLS and p.inputs else p
        for p in rows
    ]
    check_floors(kept, some)


def test_the_section_names_who_answers_each_demand(beats):
    rows = with_controls([deep(beats, k=5)], beats)
    scored = evaluate(rows, beats, resamples=100)
    (table,) = floors_section(scored).tables
    assert {row[0] for row in table.rows} == NUMBERS
    assert {row[3] for row in table.rows} == {p.method for p in rows[1:]}
    bare = evaluate([numbers(beats, "arm - 8")], beats, resamples=100)
    assert floors_section(bare).tables == ()
