"""Groups are of subjects; each is what judging it alone would give."""

import json
from dataclasses import replace

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.reports.strata_section import strata_section
from capnet.evaluation.truth import Truth, truth_of
from capnet.evaluation.variation.strata import UNKNOWN, Stratum, strata
from tests.evaluation.conftest import make_beats, numbers, refuse, waves


@pytest.fixture
def people() -> Truth:
    truth = truth_of(make_beats([1 + i % 3 for i in range(60)]))
    person = np.unique(truth.subject, return_inverse=True)[1]
    return replace(
        truth,
        age=np.array([30.0, 50.0, 70.0, np.nan])[person % 4],
        sex=np.array(["female", "male", ""])[person % 3],
        features={"quality": person / 60.0},
        groups={"site": np.where(person < 6, "small", "large")},
    )


@pytest.fixture
def found(people) -> tuple[Stratum, ...]:
    beats = make_beats([1 + i % 3 for i in range(60)])
    rows = [waves(beats, "GTF", spread=3.0, role="floor"), numbers(beats, "arm")]
    return strata(evaluate(rows, people, resamples=100), "GTF")


def test_each_line_says_of_whom_and_by_what_truth(found):
    for group in found:
        words = f"n = {group.subjects} subjects, reference simulated, calibration exact"
        assert words in str(group)
        assert (group.to_dict()["reference_type"], group.calibration) == (
            "simulated",
            "exact",
        )


def test_each_variable_holds_every_subject_once(found):
    variables = {s.variable for s in found}
    assert variables == {
        *("age", "sex", "heart rate", "central BP class", "amplification"),
        *("quality", "site"),
    }
    for variable in variables:
        mine = [s for s in found if s.variable == variable]
        assert sum(s.subjects for s in mine) == 60
        assert sum(s.beats for s in mine) == 120


def test_a_group_is_what_judging_it_alone_gives(found, people):
    beats = make_beats([1 + i % 3 for i in range(60)])
    (women,) = (s for s in found if s.group == "female")
    rows = people.sex == "female"
    p = waves(beats, "GTF", spread=3.0, role="floor")
    cut = {k: v[rows] for k, v in vars(p).items() if isinstance(v, np.ndarray)}
    alone = evaluate([p.replace(**cut)], people.take(rows), resamples=100).scores[0]
    assert women.value == pytest.approx(alone.values["sbp_rmse"])
    assert women.interval == pytest.approx(alone.intervals["sbp_rmse"])


def test_small_and_unknown_groups_say_so(found):
    by = {(s.variable, s.group): s for s in found}
    assert by["age", UNKNOWN].subjects == 15
    small = by["site", "small"]
    assert (small.few, small.note) == (True, "n = 6, fewer than 20: no claim")
    assert by["site", "large"].note == ""
    thirds = [s.subjects for s in found if s.variable == "quality"]
    assert thirds == [20, 20, 20]


def test_classes_of_pressure_are_of_the_reference(people):
    ends = people.pressures.copy()
    person = np.unique(people.subject, return_inverse=True)[1]
    ends[:, 0] = np.array([105.0, 120.0, 129.0, 131.0])[person % 4]
    ends[:, 1] = np.array([70.0, 70.0, 92.0, np.nan])[person % 4]
    truth = replace(people, pressures=ends, reference=None)
    beats = make_beats([1 + i % 3 for i in range(60)])
    scored = evaluate([numbers(beats, "arm")], truth, resamples=100)
    classes = {
        s.group: s.subjects
        for s in strata(scored, "arm")
        if s.variable == "central BP class"
    }
    assert classes == {"optimal": 15, "between": 15, "hypertension": 30}


def test_a_person_of_two_groups_is_in_neither(people):
    site = people.groups["site"].copy()
    site[np.flatnonzero(people.subject == "v001")[0]] = "small"
    site[people.subject == "v000"] = "large"
    site[np.flatnonzero(people.subject == "v059")[0]] = "small"
    beats = make_beats([1 + i % 3 for i in range(60)])
    truth = replace(people, groups={"site": site})
    scored = evaluate([numbers(beats, "arm")], truth, resamples=100)
    groups = {
        s.group: s.subjects for s in strata(scored, "arm") if s.variable == "site"
    }
    assert groups == {"large": 54, "small": 5, UNKNOWN: 1}


def test_strict_json_and_a_section(found):
    told = [s.to_dict() for s in found]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    section = strata_section({"GTF": found})
    assert len(section.tables[0].rows) == len(found)
    assert "Cheng" in " ".join(section.paragraphs)
    assert section.figures[0].png.startswith(b"\x89PNG")
    assert "nan" not in str(section.tables)


def test_unknown_names_are_refused(people):
    beats = make_beats([1 + i % 3 for i in range(60)])
    scored = evaluate([numbers(beats, "arm")], people, resamples=100)
    with pytest.raises(ProtocolError, match="no row for 'leg'"):
        strata(scored, "leg")
    with pytest.raises(ProtocolError, match="'accuracy' is not known"):
        strata(scored, "arm", "accuracy")


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        (
            [0.0] * 9 + [5.0] * 3,
            {"middle third (0 to 0)": 9, "highest third (5 to 5)": 3},
        ),
        (
            [0.0] * 3 + [5.0] * 9,
            {"lowest third (0 to 0)": 3, "middle third (5 to 5)": 9},
        ),
        ([2.0] * 12, {"all alike": 12}),
        ([1.0, 2.0] + [np.nan] * 10, {"too few to cut": 2, UNKNOWN: 10}),
    ],
)
def test_tied_values_stay_together_under_a_name_that_is_true(values, groups):
    beats = make_beats([2] * 12)
    truth = replace(truth_of(beats), features={"quality": np.repeat(values, 2)})
    scored = evaluate([numbers(beats, "arm")], truth, resamples=100)
    found = {
        s.group: s.subjects for s in strata(scored, "arm") if s.variable == "quality"
    }
    assert found == groups


def test_a_group_that_a_method_refuses_stays_in_the_table(people):
    beats = make_beats([1 + i % 3 for i in range(60)])
    men = refuse(numbers(beats, "arm"), people.sex != "male")
    found = strata(evaluate([men], people, resamples=100), "arm")
    women = next(s for s in found if s.group == "female")
    assert (women.subjects, women.asked, women.beats, women.value) == (0, 20, 0, None)
    assert women.note == "n = 0: no interval; answered for 0 of 20 subjects"
    assert "answered for 0 of 20" in str(strata_section({"arm": found}).tables)


def test_subjects_are_those_behind_the_value(people):
    beats = make_beats([1 + i % 3 for i in range(60)])
    scored = evaluate([numbers(beats, "arm")], people, resamples=100)
    large = [s for s in strata(scored, "arm", "sbp_tracking") if s.group == "large"]
    assert (large[0].subjects, large[0].asked) == (36, 54)
