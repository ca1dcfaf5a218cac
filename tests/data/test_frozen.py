"""Splits, draws and hashes of a frozen benchmark."""

import numpy as np
import pytest

from capnet.data.frozen import (
    beats_hash,
    cohort_hash,
    label_draws,
    split_by_number,
    words_hash,
)
from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics import Cohort
from tests.fakes.people import make_people

SPLIT = {"pool": 10, "unlabelled": 6, "seed": 6}


def drawn(name="dev", **changes):
    split = split_by_number(make_people(40), **SPLIT, name=name)
    asked = {"shots": [2, 5], "draws": 3, "seed": 6} | changes
    return split, label_draws(split, **asked, name=name)


def test_a_split_is_a_partition_of_the_people():
    split, _ = drawn()
    groups = [split.pool, split.unlabelled, split.test]
    assert [len(g) for g in groups] == [10, 6, 24]
    assert {*np.concatenate(groups)} == {*make_people(40).subjects}


def test_the_order_of_the_beats_makes_no_difference_to_the_split():
    people = make_people(40)
    mixed = people.take(np.random.default_rng(0).permutation(len(people)))
    one, other = (split_by_number(b, **SPLIT, name="dev") for b in (people, mixed))
    np.testing.assert_array_equal(one.test, other.test)


def test_clinics_of_one_seed_are_split_and_drawn_apart():
    """Not the same places in the pool either: nothing is shared but the recipe."""
    (one, first), (other, second) = drawn("dev"), drawn("test")
    assert not np.array_equal(one.pool, other.pool)
    places = [
        [np.flatnonzero(np.isin(s.pool, d.subjects)).tolist() for d in draws]
        for s, draws in ((one, first), (other, second))
    ]
    assert places[0] != places[1]


def test_draws_are_of_the_pool_and_do_not_depend_on_each_other():
    split, draws = drawn()
    assert [(d.k, d.draw) for d in draws] == [(k, i) for k in (2, 5) for i in range(3)]
    for d in draws:
        assert len({*d.subjects}) == d.k
        assert {*d.subjects} <= {*split.pool}
    assert len({tuple(d.subjects) for d in draws}) == len(draws)
    _, alone = drawn(shots=[5], draws=2)
    for d, same in zip(alone, draws[3:5], strict=True):
        np.testing.assert_array_equal(d.subjects, same.subjects)


def test_what_cannot_be_drawn_is_refused():
    people = make_people(12)
    with pytest.raises(ConfigError, match="12 subjects; 10 for labels and 6 without"):
        split_by_number(people, **SPLIT, name="dev")
    split, _ = drawn()
    for asked in ({"shots": [11]}, {"shots": [0]}, {"draws": 0}, {"shots": []}):
        given = {"shots": [2], "draws": 1} | asked
        with pytest.raises(ConfigError, match="the pool of 'dev' has 10"):
            label_draws(split, **given, seed=1, name="dev")


# Hashes ----------------------------------------------------------------------


def test_a_hash_of_beats_forgives_the_last_bits_alone():
    beats = make_people(6)
    noise = 1e-12 * np.random.default_rng(0).standard_normal(beats.ppg.shape)
    near = beats.replace(ppg=beats.ppg + noise, reference=beats.reference - noise)
    assert beats_hash(near) == beats_hash(beats)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: {"ppg": b.ppg + 1e-3},
        lambda b: {"reference": b.reference + 0.01},
        lambda b: {"cuff": b.cuff[:, ::-1]},
        lambda b: {"calibration": "cuff SBP/DBP"},
        lambda b: {"subject": b.subject[::-1]},
        lambda b: {"duration": b.duration + 1e-5},
        lambda b: {"raw": b.raw + np.float32(0.01)},
        lambda b: {"start": b.start + 0.01},
        lambda b: {"stop": b.stop + 0.01},
        lambda b: {"truth": {"brachial_sbp": b.cuff[:, 0]}},
        lambda b: {"waves": {"radial": b.reference}},
        lambda b: {"age": np.where(np.arange(len(b)) == 1, np.nan, b.age)},
    ],
)
def test_a_hash_of_beats_changes_with_what_is_read(change):
    beats = make_people(6)
    rng, place = np.random.default_rng(0), np.full(len(beats), 20.0)
    raw = rng.standard_normal((len(beats), 80)).astype(np.float32)
    beats = beats.replace(raw=raw, start=place, stop=place + 40)
    assert beats_hash(beats.replace(**change(beats))) != beats_hash(beats)


def test_a_hash_of_beats_tells_rows_and_names_apart():
    beats = make_people(6)
    order = np.arange(len(beats))[::-1]
    assert beats_hash(beats.take(order)) != beats_hash(beats)
    one = beats.replace(truth={"a": beats.age, "b": beats.duration})
    other = beats.replace(truth={"b": beats.age, "a": beats.duration})
    again = beats.replace(truth={"b": beats.duration, "a": beats.age})
    assert len({beats_hash(b) for b in (one, other)}) == 2
    assert beats_hash(again) == beats_hash(one)


def test_a_hash_knows_nan_and_refuses_infinity():
    beats = make_people(4)
    lost = beats.replace(age=np.full(len(beats), np.nan))
    assert beats_hash(lost) == beats_hash(lost.replace())
    assert beats_hash(lost) != beats_hash(beats.replace(age=0.0 * beats.age))
    with pytest.raises(ShapeError, match="age holds an infinite number"):
        beats_hash(beats.replace(age=beats.age + np.inf))


def test_a_hash_of_people_is_of_what_was_drawn():
    one, more = Cohort.sample(5, seed=1), Cohort.sample(9, seed=1)
    assert cohort_hash(one) == cohort_hash(more.take(slice(5)))
    assert cohort_hash(one) != cohort_hash(more)
    assert cohort_hash(one) != cohort_hash(Cohort.sample(5, seed=2))


def test_a_hash_of_words_is_pinned():
    """The format must not change unnoticed: every manifest would."""
    assert words_hash({"b": [1, "x"], "a": None}) == words_hash(
        {"a": None, "b": [1, "x"]}
    )
    assert words_hash(["virtual-dev-1"]).startswith(PINNED)


PINNED = "8d4c68294e0e6d21"
"""First digits of SHA-256 of '["capnet content 1", ["virtual-dev-1"]]'."""
