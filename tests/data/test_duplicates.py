"""Recordings under two names are found, other people are not, whatever was done."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import resample_poly

from capnet.data.duplicates import Duplicates, find_duplicates, virtual_neighbours
from capnet.data.folds import check_disjoint, k_fold
from capnet.errors import ConfigError, ProtocolError, ShapeError
from capnet.hemodynamics import Cohort, Sensor, Train
from capnet.records import Beats, Record, Signal
from capnet.signal.beats import beats_of
from tests.fakes.people import make_people, refuse


@pytest.fixture(scope="module")
def records():
    """Half a minute of eight virtual people at a finger."""
    train = Train.draw(
        Cohort.sample(8, seed=3), seed=3, sensor=Sensor.clinic(), threads=1
    )
    return [train.record(i, duration=40.0, rates={"ppg": 125.0}) for i in range(8)]


def copied(record, change, *, rate=125.0):
    """The same recording under another name, its samples changed."""
    values = change(record.channels["ppg"].values.astype(float))
    return Record(f"copy of {record.subject}", {"ppg": Signal(values, rate, "NU")})


def noisy(decibel):
    def change(values):
        sd = values.std() * 10 ** (-decibel / 20)
        return values + sd * np.random.default_rng(0).standard_normal(len(values))

    return change


CHANGES = {
    "exact": lambda v: v,
    "shifted by a sample": lambda v: v[1:],
    "rescaled": lambda v: 7 - 0.0 + 300 * v,
    "30 dB": noisy(30),
    "20 dB": noisy(20),
    "begins later": lambda v: v[125 * 18 :],
    "ends earlier": lambda v: v[: 125 * 25],
    "all at once": lambda v: 5 * noisy(26)(v)[125 * 15 + 1 :] - 2,
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_recording_under_another_name_is_found_and_nobody_else(records, how):
    copies = [copied(record, CHANGES[how]) for record in records]
    found = find_duplicates([*records, *copies])
    assert {*found.groups} == {
        frozenset({record.subject, f"copy of {record.subject}"}) for record in records
    }
    assert found.unseen == ()


def test_another_sampling_rate_hides_nothing(records):
    twice = copied(records[0], lambda v: resample_poly(v - v.mean(), 2, 1), rate=250.0)
    assert len(find_duplicates([*records, twice]).groups) == 1


def test_the_delay_is_how_much_later_a_beat_is(records):
    late = copied(records[0], CHANGES["begins later"])
    (pair,) = find_duplicates([records[0], late]).pairs
    assert (pair.one, pair.other) == (late.subject, records[0].subject)
    assert pair.delay == pytest.approx(18.0, abs=1e-6)
    assert pair.distance < 1e-3 < pair.otherwise
    assert pair.beats > 10


def test_one_half_of_a_recording_is_no_copy_of_the_other(records):
    halves = [
        copied(records[0], lambda v: v[: 125 * 20]),
        replace(copied(records[0], lambda v: v[125 * 20 :]), subject="other half"),
    ]
    assert find_duplicates(halves).pairs == ()


def test_three_names_are_one_group(records):
    once = copied(records[1], CHANGES["20 dB"])
    twice = replace(copied(records[1], CHANGES["rescaled"]), subject="x")
    found = find_duplicates([*records[:3], once, twice])
    assert found.groups == (frozenset({records[1].subject, once.subject, "x"}),)
    frame = found.to_frame()
    assert len(frame) == len(found.pairs) >= 2
    assert {"one", "other", "beats", "distance", "delay"} <= {*frame.columns}


# Tables of beats


@pytest.fixture(scope="module")
def table():
    """400 people with a beat each, without raw samples."""
    return make_people(400, beats=1, seed=5)


def under(beats, **changes):
    names = np.array([f"copy of {name}" for name in beats.subject])
    return beats.replace(subject=names, **changes)


def test_nobody_is_anybody_elses_copy(table):
    found = find_duplicates(table)
    assert found.groups == ()
    assert "0 groups of 0 subjects" in repr(found)
    assert len(found.possible) < 20  # of 79,800: three parameters make people alike


@pytest.mark.parametrize("decibel", [60, 40, 30])
@pytest.mark.parametrize("turn", [0, 1, 2])
def test_copied_beats_are_found_scaled_turned_and_noisy(table, decibel, turn):
    few = table.take(np.arange(0, 400, 20))
    sd = few.ppg.std(axis=1, keepdims=True) * 10 ** (-decibel / 20)
    noise = np.random.default_rng(1).standard_normal(few.ppg.shape)
    changed = np.roll(3 + 0.5 * (few.ppg + sd * noise), turn, axis=1)
    found = find_duplicates(Beats.concatenate([table, under(few, ppg=changed)]))
    assert {*found.groups} == {frozenset({s, f"copy of {s}"}) for s in few.subject}


def test_across_a_split_only_pairs_of_both_sides_are_told(table):
    few = table.take(np.arange(0, 400, 40))
    both = Beats.concatenate([table, under(few)])
    one = {*table.subjects.tolist(), *(f"copy of {s}" for s in few.subjects[:4])}
    found = find_duplicates(both, across=one)
    assert {pair.one for pair in found.pairs} == {
        f"copy of {s}" for s in few.subjects[4:]
    }
    assert found.pairs == tuple(
        p for p in find_duplicates(both).pairs if p in found.pairs
    )


def test_a_side_without_beats_to_compare_has_no_pairs(table):
    both = Beats.concatenate([table, under(table.take(np.arange(0, 400, 40)))])
    assert find_duplicates(both, across=["nobody"]).pairs == ()


def test_what_is_known_beside_decides_about_noisy_single_beats(table):
    one = table.take(np.array([7]))
    sd = 0.04 * one.ppg.std()  # a distance between the two thresholds
    ppg = one.ppg + sd * np.random.default_rng(0).standard_normal(one.ppg.shape)
    same, other = under(one, ppg=ppg), under(one, ppg=ppg, cuff=one.cuff + 4.0)
    assert len(find_duplicates(Beats.concatenate([one, same])).pairs) == 1
    assert find_duplicates(Beats.concatenate([one, other])).pairs == ()


def test_who_cannot_be_compared_is_named(table):
    found = find_duplicates(refuse(table, [0, 3]))
    assert found.unseen == ("virtual-000", "virtual-003")


def test_nothing_has_no_duplicates(table):
    assert find_duplicates([]).pairs == ()
    assert find_duplicates(table.take(np.zeros(400, dtype=bool))).pairs == ()


def test_a_record_without_a_pulse_is_named(records):
    flat = Record("flat", {"ppg": Signal(np.ones(2000), 125.0, "NU")})
    none = Record("none", {"ecg": Signal(np.ones(2000), 125.0, "mV")})
    assert find_duplicates([records[0], flat, none]).unseen == ("flat", "none")


def test_groups_keep_copies_on_one_side(table):
    copies = under(table.take(np.arange(30)))
    everybody = Beats.concatenate([table.take(np.arange(60)), copies])
    groups = find_duplicates(everybody).groups
    assert len(groups) == 30
    check_disjoint(k_fold(everybody, folds=5, seed=0, groups=groups), groups=groups)
    with pytest.raises(ProtocolError, match="has a group"):
        check_disjoint(k_fold(everybody, folds=5, seed=0), groups=groups)


def test_an_answer_without_pairs_is_an_empty_table():
    assert len(Duplicates((), (), ()).to_frame()) == 0


def slightly_noisy(beats, level=0.01):
    sd = level * beats.ppg.std(axis=1, keepdims=True)
    noise = np.random.default_rng(4).standard_normal(beats.ppg.shape)
    return beats.replace(ppg=3.0 + 2.0 * np.roll(beats.ppg + sd * noise, 1, axis=1))


def unknown(beats, **changes):
    """The same beats, of which nothing else is known."""
    nothing = np.full(len(beats), np.nan)
    return beats.replace(age=nothing, cuff=np.stack([nothing] * 2, 1), **changes)


@pytest.fixture(scope="module")
def trains(records):
    """The records, cut; without raw samples."""
    table = Beats.concatenate([beats_of(record) for record in records])
    return unknown(table, raw=None, start=None, stop=None)


def in_any_order(beats):
    mixed = np.random.default_rng(2).permutation(len(beats))
    return beats.take(mixed).replace(time=beats.time, beat=beats.beat)


def renumbered(beats):
    return beats.replace(time=np.arange(len(beats), dtype=float))


ROWS = {
    "in another order": in_any_order,
    "without times": lambda b: b.replace(time=np.zeros(len(b))),
    "every other beat": lambda b: renumbered(b.take(np.arange(0, len(b), 2))),
    "three beats": lambda b: renumbered(b.take(np.arange(5, 8))),
    "another age": lambda b: b.replace(age=np.full(len(b), 33.0)),
}


@pytest.mark.parametrize("change", [lambda b: b, slightly_noisy])
@pytest.mark.parametrize("how", ROWS)
def test_rows_may_be_few_or_mixed(trains, how, change):
    names = trains.subjects[:3]
    copies = [under(change(ROWS[how](trains.of(names[[i]])))) for i in range(3)]
    found = find_duplicates(Beats.concatenate([trains, *copies]))
    assert {*found.groups} == {frozenset({s, f"copy of {s}"}) for s in names}


def test_other_cells_hide_no_copy_while_most_of_what_is_known_agrees(table):
    few = slightly_noisy(table.take(np.arange(0, 400, 40)))
    copies = under(few, age=few.age + 9.0, cuff=few.cuff + 5.0)
    found = find_duplicates(Beats.concatenate([table, copies]))
    assert {*found.groups} == {frozenset({s, f"copy of {s}"}) for s in few.subject}


def test_against_all_else_a_near_beat_is_only_possible(table):
    few = table.take(np.arange(0, 400, 40))
    without = {"reference": None, "reference_type": "none"}
    table, noisy = table.replace(**without), slightly_noisy(few.replace(**without))
    copies = under(noisy, age=few.age + 9.0, cuff=few.cuff + 5.0)
    found = find_duplicates(Beats.concatenate([table, copies]))
    assert found.groups == ()
    told = {frozenset({pair.one, pair.other}) for pair in found.possible}
    assert told >= {frozenset({s, f"copy of {s}"}) for s in few.subject}
    assert not found.to_frame().certain.any()


@pytest.mark.parametrize("seed", [1, 2])
def test_people_alike_but_for_a_jitter_of_their_beats_are_not_one(seed):
    assert find_duplicates(make_people(60, beats=12, seed=seed)).groups == ()


def test_an_arterial_line_stands_in_for_a_pulse(records):
    def line(record, subject, gain):
        values = 80 + gain * record.channels["ppg"].values
        return Record(subject, {"ABP": Signal(values, 125.0, "mmHg")})

    people = [line(record, record.subject, 40.0) for record in records]
    found = find_duplicates([*people, line(records[2], "x", 30.0)])
    assert found.groups == (frozenset({"x", records[2].subject}),)


# Virtual neighbours


def test_one_person_seen_by_two_clinics_is_his_own_neighbour():
    people = Cohort.sample(50, seed=1)
    both = Cohort.concatenate([people, people.take(np.array([3, 8]))])
    names = np.array([f"a-{i}" for i in range(50)] + ["b-3", "b-8"])
    found = virtual_neighbours(both, subject=names, distance=0.0)
    assert found == (frozenset({"a-3", "b-3"}), frozenset({"a-8", "b-8"}))


def test_neighbours_are_as_near_as_the_distance_says():
    people = Cohort.sample(40, seed=1)
    moved = people.take(np.array([5]))
    pwv = moved.parameters["pwv"] + 0.5 * people.parameters["pwv"].std()
    moved = replace(moved, parameters={**moved.parameters, "pwv": pwv})
    both, names = Cohort.concatenate([people, moved]), np.array([*map(str, range(41))])
    drawn = np.stack([both.age, *both.parameters.values()], axis=1)
    varied = drawn[:, drawn.std(axis=0) > 1e-9]
    step = (varied[40] - varied[5]) / varied.std(axis=0)
    apart = float(np.sqrt((step**2).mean()))
    near = virtual_neighbours(both, subject=names, distance=1.01 * apart)
    assert frozenset({"5", "40"}) in near
    assert virtual_neighbours(both, subject=names, distance=0.99 * apart) == ()


def test_neighbours_need_names_and_a_distance():
    people = Cohort.sample(3, seed=1)
    with pytest.raises(ShapeError, match="2 names of 3 people"):
        virtual_neighbours(people, subject=np.array(["a", "b"]), distance=0.1)
    with pytest.raises(ConfigError, match="distance is -1"):
        virtual_neighbours(people, subject=np.array([*"abc"]), distance=-1.0)
