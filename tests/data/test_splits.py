"""Splits by subject: nobody is on both sides, and everybody is on one."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from capnet.data.splits import few_shot_split, hold_out, in_groups
from capnet.errors import ConfigError
from tests.fakes.make_beats import make_beats

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=50)

SEEDS = st.integers(0, 2**32 - 1)


@CALM
@given(
    people=st.integers(3, 60),
    per_subject=st.integers(1, 3),
    pool=st.floats(0.01, 0.98),
    unlabelled=st.floats(0.01, 0.98),
    seed=SEEDS,
)
def test_three_groups_part_the_people(people, per_subject, pool, unlabelled, seed):
    beats = make_beats(people * per_subject, per_subject=per_subject)
    first, both = round(pool * people), round(unlabelled * people)
    assume(0 < first < first + both < people)
    split = few_shot_split(beats, pool=pool, unlabelled=unlabelled, seed=seed)
    groups = [{*split.pool}, {*split.unlabelled}, {*split.test}]
    assert sum(map(len, groups)) == people
    assert set.union(*groups) == {*beats.subjects}
    assert [len(group) for group in groups[:2]] == [first, both]


@CALM
@given(people=st.integers(4, 60), seed=SEEDS, draw=SEEDS, data=st.data())
def test_who_is_drawn_is_of_the_pool_and_never_of_the_test(people, seed, draw, data):
    beats = make_beats(people, per_subject=1)
    split = few_shot_split(beats, pool=0.5, unlabelled=0.25, seed=seed)
    k = data.draw(st.integers(0, len(split.pool)))
    drawn = split.draw(k, seed=draw)
    assert len({*drawn}) == k
    assert {*drawn} <= {*split.pool}
    assert not {*drawn} & ({*split.test} | {*split.unlabelled})
    np.testing.assert_array_equal(drawn, split.draw(k, seed=draw))


def test_a_split_is_its_seed():
    beats = make_beats(60, per_subject=1)
    one, same, other = (
        few_shot_split(beats, pool=0.25, unlabelled=0.25, seed=seed)
        for seed in (6, 6, 7)
    )
    np.testing.assert_array_equal(one.test, same.test)
    assert {*one.test} != {*other.test}
    assert {*one.draw(5, seed=0)} != {*one.draw(5, seed=1)}


def test_a_split_does_not_depend_on_how_many_beats_people_have():
    few, many = make_beats(20, per_subject=1), make_beats(60, per_subject=3)
    settings = {"pool": 0.3, "unlabelled": 0.3, "seed": 1}
    np.testing.assert_array_equal(
        few_shot_split(few, **settings).test, few_shot_split(many, **settings).test
    )


def test_everyone_is_drawn_sooner_or_later():
    split = few_shot_split(
        make_beats(20, per_subject=1), pool=0.5, unlabelled=0.25, seed=0
    )
    seen = {name for seed in range(60) for name in split.draw(3, seed=seed)}
    assert seen == {*split.pool}


@pytest.mark.parametrize("k", [-1, 6, 3000])
def test_more_than_the_pool_is_refused(k):
    split = few_shot_split(
        make_beats(20, per_subject=1), pool=0.25, unlabelled=0.25, seed=0
    )
    with pytest.raises(
        ConfigError,
        match=rf"k = {k} labelled .* the pool has 5\. Choose 0 <= k <= 5.*clinic\.n",
    ):
        split.draw(k, seed=0)


@pytest.mark.parametrize(
    ("pool", "unlabelled"), [(0, 0.5), (0.5, 0), (0.5, 0.5), (0.9, 0.9), (-0.2, 0.5)]
)
def test_an_empty_group_is_refused(pool, unlabelled):
    with pytest.raises(ConfigError, match="of 20 subjects leave an empty group"):
        few_shot_split(
            make_beats(20, per_subject=1), pool=pool, unlabelled=unlabelled, seed=0
        )


@CALM
@given(people=st.integers(2, 40), share=st.floats(0.01, 0.99), seed=SEEDS)
def test_hold_out_parts_the_people_and_loses_no_beat(people, share, seed):
    assume(0 < round(share * people) < people)
    beats = make_beats(2 * people)
    rest, held = hold_out(beats, share=share, seed=seed)
    assert not {*rest.subject} & {*held.subject}
    assert len(rest) + len(held) == len(beats)
    assert len(held.subjects) == round(share * people)
    again, _ = hold_out(beats, share=share, seed=seed)
    np.testing.assert_array_equal(rest.subject, again.subject)


@pytest.mark.parametrize("share", [0.0, 0.01, 1.0, -0.5, 1.5])
def test_holding_out_nobody_or_everybody_is_refused(share):
    with pytest.raises(ConfigError, match="leaves one side empty"):
        hold_out(make_beats(20, per_subject=1), share=share, seed=0)


# Groups

PAIRS = st.lists(st.sets(st.integers(0, 39), min_size=2, max_size=5), max_size=6)


def named(groups):
    names = make_beats(40, per_subject=1).subjects
    return [{str(names[i]) for i in group} for group in groups]


@CALM
@given(groups=PAIRS, seed=SEEDS)
def test_groups_stay_on_one_side(groups, seed):
    beats, groups = make_beats(40, per_subject=1), named(groups)
    rest, held = hold_out(beats, share=0.3, seed=seed, groups=groups)
    split = few_shot_split(beats, pool=0.4, unlabelled=0.3, seed=seed, groups=groups)
    for sides in (
        (rest.subjects, held.subjects),
        (split.pool, split.unlabelled, split.test),
    ):
        assert sorted(np.concatenate(sides)) == sorted(beats.subjects)
        for group in groups:
            assert sum(bool(group & {*side.tolist()}) for side in sides) == 1


def test_without_groups_the_numbers_are_those_of_ever():
    beats = make_beats(10, per_subject=1)
    order = np.random.default_rng(3).permutation(beats.subjects)
    rest, held = hold_out(beats, share=0.25, seed=3)
    np.testing.assert_array_equal(held.subjects, np.sort(order[:2]))
    split = few_shot_split(beats, pool=0.3, unlabelled=0.25, seed=3)
    np.testing.assert_array_equal(split.pool, order[:3])
    np.testing.assert_array_equal(split.unlabelled, order[3:5])
    strangers = [{"x", "y"}, {str(order[0]), "z"}]
    same, ends = in_groups(order, strangers)
    np.testing.assert_array_equal(same, order)
    assert ends == [*range(1, 11)]
    assert len(rest.subjects) == 8


def test_one_group_of_all_cannot_be_split():
    beats = make_beats(10, per_subject=1)
    everybody = [set(beats.subjects.tolist())]
    with pytest.raises(ConfigError, match="1 people or groups"):
        hold_out(beats, share=0.5, seed=0, groups=everybody)
    with pytest.raises(ConfigError, match="1 people or groups"):
        few_shot_split(beats, pool=0.4, unlabelled=0.3, seed=0, groups=everybody)
