"""Floors that a table of numbers allows."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from capnet.errors import ProtocolError
from capnet.evaluation.floors import check_floors
from capnet.evaluation.tables.floors import table_floors
from capnet.evaluation.truth import truth_of
from tests.evaluation.conftest import make_beats, numbers


@pytest.fixture
def truth():
    return truth_of(make_beats([1 + i % 4 for i in range(40)]))


def by_family(rows):
    return {(p.family, p.k): p for p in rows}


def test_they_are_what_the_gate_asks_for(beats):
    deep = [numbers(beats, "net", role="deep", k=k) for k in (0, 5)]
    truth = truth_of(beats)
    check_floors([*table_floors(truth, shots=[0, 5]), *deep], truth)
    with pytest.raises(ProtocolError, match="peripheral - constant"):
        check_floors([*table_floors(truth), *deep], truth)


def test_without_a_reading_only_the_mean_is_left(truth):
    blind = replace(truth, cuff=np.full_like(truth.cuff, np.nan))
    rows = table_floors(blind, shots=[4])
    assert {(p.family, p.k) for p in rows} == {
        ("mean", 0),
        ("shuffled labels", 0),
        ("mean", 4),
    }


def test_training_people_are_learnt_from_as_least_squares_does(truth):
    train = truth_of(make_beats([3] * 30, seed=5))
    train = replace(train, subject=np.char.add("t", train.subject))
    found = by_family(table_floors(truth, train))["cuff posterior", 0]
    model = LinearRegression().fit(train.cuff, train.pressures[:, :3])
    wanted = model.predict(truth.cuff)
    np.testing.assert_allclose(found.csbp, wanted[:, 0], atol=1e-8)
    np.testing.assert_allclose(found.cmap, wanted[:, 2], atol=1e-8)
    mean = by_family(table_floors(truth, train))["mean", 0]
    np.testing.assert_allclose(mean.cdbp, train.pressures[:, 1].mean())


def test_nobody_is_answered_by_what_they_taught(truth):
    """What one subject's truth is does not move that subject's own answers."""
    other = truth.pressures.copy()
    mine = truth.subject == truth.subject[7]
    other[mine] += 25.0
    before = by_family(table_floors(truth))
    after = by_family(table_floors(replace(truth, pressures=other)))
    for key, row in before.items():
        if key[0] == "shuffled labels":
            continue
        np.testing.assert_allclose(row.csbp[mine], after[key].csbp[mine], atol=1e-8)
        if key[0] != "last cuff":
            assert np.abs(row.csbp - after[key].csbp)[~mine].max() > 0.01


def test_order_of_beats_does_not_matter(truth):
    order = np.random.default_rng(0).permutation(len(truth))
    straight = by_family(table_floors(truth))
    mixed = by_family(table_floors(truth.take(order)))
    for key, row in straight.items():
        if key[0] != "shuffled labels":  # whose beat is lent goes by their order
            np.testing.assert_allclose(row.csbp[order], mixed[key].csbp, atol=1e-8)


def test_a_subject_counts_once(truth):
    """Beats that stand there ten times weigh no more."""
    train = truth_of(make_beats([2] * 20, seed=3))
    train = replace(train, subject=np.char.add("t", train.subject))
    rows = np.arange(len(train))
    more = train.take(np.concatenate([rows, *[rows[:2]] * 10]))
    for one, other in zip(
        table_floors(truth, train), table_floors(truth, more), strict=True
    ):
        if one.family != "shuffled labels":
            np.testing.assert_allclose(one.csbp, other.csbp, atol=1e-8)


def test_shuffled_labels_do_not_beat_the_cuff():
    truth = truth_of(make_beats([2] * 300, seed=8))
    found = by_family(table_floors(truth))
    error = {
        key[0]: np.sqrt(np.mean((row.csbp - truth.pressures[:, 0]) ** 2))
        for key, row in found.items()
    }
    assert error["shuffled labels"] > error["cuff posterior"]


def test_others_of_another_kind_or_the_same_people_are_refused(truth):
    with pytest.raises(ProtocolError, match="subjects of train are judged, too"):
        table_floors(truth, truth.take(truth.subject == truth.subject[0]))
    other = replace(truth, subject=np.char.add("t", truth.subject))
    with pytest.raises(ProtocolError, match="calibration of train"):
        table_floors(truth, replace(other, calibration="cuff SBP/DBP"))
    with pytest.raises(ProtocolError, match="learn from; wanted at least"):
        table_floors(truth.take(truth.subject == truth.subject[0]))
    with pytest.raises(ProtocolError, match="Bring those 3"):
        table_floors(truth, shots=[3], labelled=other)
