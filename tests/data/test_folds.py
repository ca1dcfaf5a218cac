"""Laws of folds: nobody on two sides, everybody tested once, groups together."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.data.folds import (
    Fold,
    bands,
    check_disjoint,
    k_fold,
    leave_one_domain_out,
    load_split,
    nested_folds,
    same_source,
    save_split,
)
from capnet.data.frozen import words_hash
from capnet.data.splits import merged
from capnet.errors import ConfigError, ProtocolError, RecordError
from capnet.models.svr import SVR
from tests.fakes.make_beats import make_beats
from tests.fakes.people import make_people

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=60)
SEEDS = st.integers(0, 2**32 - 1)


def names(n):
    return np.array([f"p{i:03d}" for i in range(n)])


def everybody(fold):
    return [*fold.train, *fold.validation, *fold.test]


def assert_parts(fold, people):
    """Demand that everybody is in exactly one part."""
    assert sorted(everybody(fold)) == sorted(people)


# k-fold


@CALM
@given(
    n=st.integers(6, 80),
    folds=st.integers(2, 6),
    seed=SEEDS,
    kinds=st.integers(1, 4),
    share=st.sampled_from([0.0, 0.3]),
)
def test_everybody_is_tested_once_and_is_on_one_side(n, folds, seed, kinds, share):
    people = names(n)
    rng = np.random.default_rng(seed)
    kind_of = rng.integers(0, kinds, n).tolist()
    strata = {str(p): str(k) for p, k in zip(people, kind_of, strict=True)}
    found = k_fold(people, folds=folds, seed=seed, strata=strata, validation=share)
    for fold in found:
        assert_parts(fold, people)
    assert sorted(name for fold in found for name in fold.test) == [*people]
    sizes = [len(fold.test) for fold in found]
    assert max(sizes) - min(sizes) <= 1
    for kind in set(strata.values()):
        counts = [sum(strata[p] == kind for p in fold.test) for fold in found]
        assert max(counts) - min(counts) <= 1
        if share:
            for fold in found:
                rest = [*fold.train, *fold.validation]
                wanted = share * sum(strata[p] == kind for p in rest)
                held = sum(strata[p] == kind for p in fold.validation)
                assert abs(held - wanted) < 1.0 + 1e-9
    if share:
        for fold in found:
            rest = len(fold.train) + len(fold.validation)
            assert abs(len(fold.validation) - share * rest) <= 0.5 + 1e-9


@CALM
@given(seed=SEEDS, data=st.data())
def test_groups_stay_together_and_folds_are_as_equal_as_they_allow(seed, data):
    people = names(40)
    sizes = data.draw(st.lists(st.integers(2, 5), max_size=8))
    shuffled, groups = np.random.default_rng(seed).permutation(people), []
    for size in sizes:
        groups.append({*shuffled[:size].tolist()})
        shuffled = shuffled[size:]
    found = k_fold(people, folds=4, seed=seed, groups=groups, validation=0.25)
    check_disjoint(found, groups=groups)
    for fold in found:
        assert_parts(fold, people)
        for group in groups:
            sides = [group <= {*part} for part in (fold.train, fold.validation)]
            assert sum([*sides, group <= {*fold.test}]) == 1
    counts = [len(fold.test) for fold in found]
    assert max(counts) - min(counts) <= max([1, *sizes])


def test_a_fold_is_its_seed_and_neither_order_nor_number_of_beats():
    beats = make_beats(40, per_subject=2)
    mixed = beats.take(np.random.default_rng(0).permutation(40)[:35])
    one = k_fold(beats, folds=4, seed=3, validation=0.2)
    same = k_fold(np.concatenate([mixed.subject, beats.subject]), folds=4, seed=3)
    other = k_fold(beats, folds=4, seed=4)
    for a, b, c in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(a.test, b.test)
        assert {*a.test} != {*c.test}
        assert [len(part) for part in a.parts(beats)] == [
            2 * len(part) for part in (a.train, a.validation, a.test)
        ]


def test_the_first_folds_are_the_same_on_every_machine():
    found = k_fold(names(6), folds=3, seed=0)
    assert [fold.test.tolist() for fold in found] == FROZEN


FROZEN = [["p001", "p005"], ["p000", "p004"], ["p002", "p003"]]


@pytest.mark.parametrize("folds", [1, 0, 7])
def test_what_is_too_small_for_its_folds_is_refused(folds):
    with pytest.raises(ConfigError, match=rf"folds = {folds} of 6 .* 2 <= folds <= 6"):
        k_fold(names(6), folds=folds, seed=0)


def test_groups_count_when_people_are_too_few():
    groups = [{"p000", "p001", "p002"}, {"p003", "p004", "p005"}]
    assert len(k_fold(names(6), folds=2, seed=0, groups=groups)) == 2
    with pytest.raises(ConfigError, match=r"6 subjects in 2 groups .*<= 2"):
        k_fold(names(6), folds=3, seed=0, groups=groups)


@pytest.mark.parametrize("share", [0.01, 0.99, -0.1, 1.0])
def test_a_validation_that_leaves_a_side_empty_is_refused(share):
    with pytest.raises(ConfigError, match=r"validation"):
        k_fold(names(6), folds=3, seed=0, validation=share)


def test_everybody_needs_a_stratum():
    with pytest.raises(ConfigError, match=r"2 of 3 subjects have no stratum"):
        k_fold(names(3), folds=2, seed=0, strata={"p000": "a"})


def test_a_name_is_no_group():
    with pytest.raises(ConfigError, match=r"a group is 'p000'; wanted a set"):
        k_fold(names(4), folds=2, seed=0, groups=["p000"])


# Groups and bands


def test_groups_that_share_somebody_are_one():
    given_ = [{"a", "b"}, {"c"}, {"d", "e"}, ["b", "d"]]
    assert merged(given_) == (frozenset("abde"),)
    assert merged([{"a", "b"}, {"c", "d"}]) == (frozenset("ab"), frozenset("cd"))


def test_records_of_one_person_are_a_group():
    found = same_source(np.array(["r1", "r2", "r3", "r1"]), np.array([*"xyxx"]))
    assert found == (frozenset({"r1", "r3"}),)


def test_bands_go_by_the_median_and_know_the_unknown():
    who = np.array(["a", "a", "a", "b", "c"])
    values = np.array([30.0, 50.0, np.nan, 60.0, np.nan])
    assert bands(who, values, edges=[35.0, 60.0]) == {
        "a": "1",
        "b": "2",
        "c": "unknown",
    }


# Nested, and domains


@CALM
@given(n=st.integers(12, 40), seed=st.integers(0, 1000))
def test_inner_folds_never_see_the_outer_test(n, seed):
    people = names(n)
    groups = [{"p000", "p005"}, {"p001", "p002", "p003"}]
    found = nested_folds(people, outer=3, inner=2, seed=seed, groups=groups)
    assert [fold.name for fold in found[:3]] == [
        *("outer 0, inner 0", "outer 0, inner 1", "outer 1, inner 0")
    ]
    check_disjoint(found, groups=groups)
    for fold in found:
        assert_parts(fold, people)
    for first, second in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(first.test, second.test)
        assert sorted([*first.validation, *second.validation]) == sorted(
            {*people} - {*first.test}
        )
    tested = [name for fold in found[::2] for name in fold.test]
    assert sorted(tested) == [*people]


def test_whoever_was_seen_in_the_tested_domain_is_not_learnt_from():
    who = np.array(["a", "b", "c", "c", "d", "e", "f"])
    where = np.array([*"xxxyyyy"])
    one, other = leave_one_domain_out(who, where, seed=0, groups=[{"b", "e"}])
    assert (one.name, other.name) == ("x", "y")
    assert one.test.tolist() == ["a", "b", "c"]
    assert one.train.tolist() == ["d", "f"]  # c was in x, e is of b's group
    assert other.test.tolist() == ["c", "d", "e", "f"]
    assert other.train.tolist() == ["a"]


def test_domains_that_leave_nobody_are_refused():
    who = np.array(["a", "b"])
    with pytest.raises(ConfigError, match="there is 1 domain"):
        leave_one_domain_out(who, np.array(["x", "x"]), seed=0)
    with pytest.raises(ConfigError, match="nobody is left to learn from"):
        leave_one_domain_out(who, np.array(["x", "y"]), seed=0, groups=[{"a", "b"}])


# Files


def overlapping():
    return Fold("f", np.array(["a"]), np.array([], dtype=str), np.array(["a"]))


def test_an_overlap_is_refused():
    with pytest.raises(ProtocolError, match=r"'f' has a subject .* train and in test"):
        check_disjoint([overlapping()])
    fold = Fold("f", np.array(["a"]), np.array([], dtype=str), np.array(["b"]))
    check_disjoint([fold])
    with pytest.raises(ProtocolError, match="has a group"):
        check_disjoint([fold], groups=[{"a", "b"}])


def test_a_split_comes_back_from_its_file_and_names_nobody(tmp_path):
    beats = make_beats(40, per_subject=2)
    folds = k_fold(beats, folds=4, seed=1, validation=0.2)
    path = save_split(tmp_path / "split.json", folds, beats)
    back = load_split(path, beats.take(np.arange(40)[::-1]))
    for one, other in zip(folds, back, strict=True):
        assert one.name == other.name
        for part in ("train", "validation", "test"):
            assert {*getattr(one, part)} == {*getattr(other, part)}
    text = path.read_text(encoding="utf-8")
    assert not [name for name in beats.subjects if name in text]
    assert save_split(tmp_path / "again.json", back, beats).read_text() == text


def test_a_split_that_was_edited_is_refused(tmp_path):
    beats = make_beats(40, per_subject=2)
    path = save_split(tmp_path / "s.json", k_fold(beats, folds=4, seed=1), beats)
    content = json.loads(path.read_text())
    first = content["folds"][0]
    first["train"].append(first["test"].pop())
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError, match=r"s\.json .* it was changed"):
        load_split(path, beats)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "nonsense", '{"hash": 1, "format": 2}', "[" * 100_000]
)
def test_what_is_no_split_is_refused(tmp_path, text):
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(RecordError, match="no split that can be believed"):
        load_split(path, names(4))
    with pytest.raises(RecordError, match="no split that can be believed"):
        load_split(tmp_path / "nowhere.json", names(4))


def test_a_split_of_other_people_is_refused(tmp_path):
    folds = k_fold(names(6), folds=3, seed=0)
    path = save_split(tmp_path / "s.json", folds, names(6))
    with pytest.raises(ProtocolError, match="of 6 other subjects than the 7"):
        load_split(path, names(7))
    with pytest.raises(ProtocolError, match="not in the data"):
        save_split(path, folds, names(5))
    with pytest.raises(ConfigError, match="share names"):
        save_split(path, [folds[0], folds[0]], names(6))


# Canaries: who a beat belongs to helps only where a split leaks


def marked(*, watermark, n=60, beats=6):
    """People whose pressure follows from nothing but who they are."""
    rng, rows = np.random.default_rng(0), n * beats
    who = np.repeat(np.arange(n), beats)
    people = make_people(rows, beats=1)
    mark = rng.standard_normal((n, 64))[who] * (0.05 if watermark else 0.0)
    return people.replace(
        subject=np.array([f"p{i:03d}" for i in who]),
        beat=np.tile(np.arange(beats), n),
        age=np.full(rows, 50.0),
        cuff=np.array([120.0, 80.0]) + rng.normal(0, 0.2, (rows, 2)),
        ppg=people.ppg[:1] + 0.01 * rng.standard_normal((rows, 64)) + mark,
        reference=people.reference[:1] + rng.normal(0, 8, n)[who][:, None],
        features={"number": who.astype(float)},
    )


def by_subject(beats):
    return [fold.parts(beats)[::2] for fold in k_fold(beats, folds=3, seed=0)]


def by_beat(beats):
    part = np.random.default_rng(0).integers(0, 3, len(beats))
    return [(beats.take(part != i), beats.take(part == i)) for i in range(3)]


def rmse(pairs, answer):
    lost = [answer(a, b) - b.reference.max(axis=1) for a, b in pairs]
    return float(np.sqrt((np.concatenate(lost) ** 2).mean()))


def by_svr(learnt, asked):
    return SVR().fit(learnt).predict(asked).csbp


def by_number(learnt, asked):
    """Answer with the pressure of whoever has the nearest number."""
    apart = learnt.features["number"][:, None] - asked.features["number"]
    return learnt.reference.max(axis=1)[np.abs(apart).argmin(axis=0)]


def mean(learnt, asked):
    return np.full(len(asked), learnt.reference.max(axis=1).mean())


def test_a_watermark_of_the_subject_gains_nothing_on_held_out_people():
    plain, known = marked(watermark=False), marked(watermark=True)
    assert rmse(by_beat(known), by_svr) < 0.4 * rmse(by_beat(plain), by_svr)
    # Two noisy figures of 60 people: each within a tenth of what a mean achieves.
    for beats in (plain, known):
        assert rmse(by_subject(beats), by_svr) > 0.9 * rmse(by_subject(beats), mean)


def test_the_number_of_the_subject_gains_nothing_on_held_out_people():
    beats = marked(watermark=False)
    assert rmse(by_beat(beats), by_number) < 0.01 * rmse(by_beat(beats), mean)
    assert rmse(by_subject(beats), by_number) > rmse(by_subject(beats), mean)


def strange(content):
    content["folds"][0]["test"].append("f" * 12)


def twice(content):
    content["folds"].append(content["folds"][0])


def emptied(content):
    content["folds"] = []


@pytest.mark.parametrize(
    ("change", "why"),
    [(strange, "not of its own data"), (twice, "share names"), (emptied, "are none")],
)
def test_a_file_with_a_right_hash_and_wrong_folds_is_refused(tmp_path, change, why):
    people = np.array([f"p{i}" for i in range(12)])
    path = save_split(tmp_path / "s.json", k_fold(people, folds=3, seed=0), people)
    content = json.loads(path.read_text())
    del content["hash"]
    change(content)
    path.write_text(json.dumps({**content, "hash": words_hash(content)}))
    with pytest.raises(RecordError, match=why):
        load_split(path, people)


def test_a_negative_seed_is_refused():
    people = np.array([*"abcdef"])
    with pytest.raises(ConfigError, match="seed is -1"):
        k_fold(people, folds=2, seed=-1)
    with pytest.raises(ConfigError, match="seed is -1"):
        leave_one_domain_out(people, np.array([*"xxyyzz"]), seed=-1)
