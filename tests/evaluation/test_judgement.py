"""A judgement is what follows from predictions and truth, and what was handed in."""

import json

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.alignment import domain_alignment
from capnet.evaluation.audits.circular import Candidate, Circularity
from capnet.evaluation.audits.leakage import Leakage
from capnet.evaluation.judgement import judge_evaluation
from capnet.evaluation.protocols.compare import compare_protocols
from capnet.evaluation.reports.benchmark import benchmark_report
from capnet.evaluation.reports.report import render_report
from capnet.evaluation.uncertainty.coverage import coverage
from capnet.evaluation.uncertainty.risk_coverage import risk_coverage
from capnet.evaluation.variation.shift import shift_table
from capnet.evaluation.variation.strata import strata
from tests.evaluation.conftest import make_beats, numbers, refuse, waves, with_controls


def sure(prediction, truth, *, half=8.0):
    """The same answers with intervals of this half width, and an honest doubt."""
    values = np.stack([getattr(prediction, f"c{x}") for x in ("sbp", "dbp", "map")], 1)
    values = np.concatenate([values, prediction.cpp[:, None]], axis=1)
    doubt = np.abs(prediction.csbp - truth.reference.max(axis=1))
    return prediction.replace(
        low=values - half, high=values + half, coverage=0.9, doubt=doubt
    )


@pytest.fixture(scope="module")
def people():
    return make_beats([2] * 60).replace(age=np.repeat(np.linspace(20.0, 89.0, 60), 2))


@pytest.fixture(scope="module")
def evaluation(people):
    rows = [
        sure(waves(people, "net", spread=3.0), people, half=0.5),
        waves(people, "net", spread=2.0, k=5, seed=7),
        waves(people, "worse", spread=9.0, k=5, seed=8),
        waves(people, "good floor", spread=2.5, role="floor", seed=9),
        waves(people, "late floor", spread=0.1, role="floor", k=20, seed=10),
    ]
    return evaluate(with_controls(rows, people), people, resamples=100)


def test_the_best_deep_row_and_the_floor_with_no_more_labels(evaluation):
    judged = judge_evaluation(evaluation)
    assert [m.key for m in judged.methods] == [("net", 5), ("good floor", 0)]
    best = evaluation.best_floor(5)
    assert judged.methods[1].key == best.key


def test_each_part_is_what_its_own_function_says(evaluation, people):
    keys = [("net", 0), "worse"]
    judged = judge_evaluation(evaluation, methods=keys)
    net, worse = judged.methods
    said, truth = evaluation.prediction(("net", 0)), evaluation.reference
    assert net.comparisons == compare_protocols(said, people)
    assert net.strata == strata(evaluation, ("net", 0))
    assert net.coverage.everybody == coverage(said, truth).everybody
    bands = {g.group: g.subjects for g in net.coverage.groups}
    assert bands == {
        "under 40 years": 18,
        "40 to under 60 years": 17,
        "60 years and over": 25,
    }
    assert net.risk_coverage.to_dict() == risk_coverage(said, truth).to_dict()
    assert worse.coverage is None
    assert worse.risk_coverage is None


def test_intervals_that_say_nothing_are_no_intervals(evaluation, people):
    empty = np.full((len(people), 4), np.nan)
    rows = [
        p.replace(low=empty, high=empty, coverage=0.9, doubt=empty[:, 0])
        if p.role == "deep"
        else p
        for p in evaluation.predictions
    ]
    judged = judge_evaluation(evaluate(rows, people, resamples=100))
    assert all(m.coverage is None and m.risk_coverage is None for m in judged.methods)


def test_without_deep_rows_the_best_floor_is_shown(people):
    rows = [
        waves(people, "a", spread=3.0, role="floor"),
        waves(people, "b", spread=1.0, role="floor", seed=2),
    ]
    judged = judge_evaluation(evaluate(rows, people, resamples=100))
    assert [m.method for m in judged.methods] == ["b"]


@pytest.mark.usefixtures("unpainted")
def test_nobody_answers(people):
    gone = np.ones(len(people), dtype=bool)
    rows = [refuse(waves(people, "mute", role="floor"), gone)]
    judged = judge_evaluation(evaluate(rows, people, resamples=100))
    assert judged.methods == ()
    page = render_report(benchmark_report({"exact": judged}, {}))
    assert "too noisy" in page
    with pytest.raises(ProtocolError, match="'mute'"):
        judge_evaluation(judged.evaluation, methods=["mute"])


@pytest.mark.usefixtures("unpainted")
def test_everything_is_told_by_page_and_twin(evaluation, people):
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 30, 4)), rng.normal(size=(2, 30, 4))
    seen = evaluation.prediction(("net", 0))
    circular = Circularity(
        flagged=True,
        score=0.2,
        threshold=1.0,
        kind="a made-up filter",
        taps=5,
        noise=0.1,
        left=0.22,
        n_subjects=24,
        n_beats=48,
        target="wave",
        candidates=(Candidate("a made-up filter", 0.22),),
        assumed=(),
        seed=0,
    )
    others = people.replace(subject=np.char.add("away ", people.subject))
    away = [waves(others, "good floor", spread=4.0, role="floor")]
    judged = judge_evaluation(
        evaluation,
        methods=[("net", 0)],
        leakage=Leakage((), ("who is on both sides",)),
        circularity=circular,
        alignment=domain_alignment(
            (before[0], before[1] + 2), (after[0], after[1]), permutations=100
        ),
        shift=shift_table(evaluation, evaluate(away, others, resamples=100)),
        elsewhere={"people at home": coverage(seen, people)},
    )
    told = judged.to_dict()
    json.dumps(told, allow_nan=False)
    asked = ("circularity", "leakage", "alignment", "shift", "elsewhere")
    assert all(told[name] for name in asked)
    assert [told[name] for name in ("budget", "repeats")] == [None] * 2
    report = benchmark_report({"exact": judged}, {})
    titles = " | ".join(section.title for section in report.walk())
    for title in ("Agreement", "Groups", "How sure", "Refused", "beats", "alignment"):
        assert title in titles
    assert "people at home" in render_report(report)
    assert "may not be called measured" in report.verdict[0]
    assert any("too narrow" in line for line in report.verdict)


@pytest.mark.usefixtures("unpainted")
def test_a_plain_evaluation_is_judged_on_its_own(people):
    evaluation = evaluate([numbers(people, "arm - 8")], people, resamples=100)
    plain = benchmark_report({"exact": evaluation}, {})
    judged = benchmark_report({"exact": judge_evaluation(evaluation)}, {})
    assert plain.to_dict() == judged.to_dict()
