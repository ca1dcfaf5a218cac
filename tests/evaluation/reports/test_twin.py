"""The JSON twin of a report says what the page says, and follows its schema."""

import copy
import hashlib
import json
import math
import re
from html import unescape
from itertools import chain
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ProtocolError
from capnet.evaluation import (
    Evaluation,
    FigureBlock,
    Report,
    Section,
    benchmark_report,
    evaluate,
    render_report,
    write_report,
)
from capnet.evaluation.judgement import judge_evaluation
from capnet.evaluation.reports.plain import plain
from capnet.evaluation.reports.report import MAX_BYTES, twin_of
from capnet.evaluation.reports.schema import report_schema
from tests.evaluation.conftest import make_beats, waves, with_controls

PROVENANCE = {"seed": 0, "broken": math.nan, "file": Path("a/b"), 3: np.float64(0.5)}


@pytest.fixture(scope="module")
def validator():
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    beats = make_beats([2] * 12)
    rows = [waves(beats, "net", spread=4.0), waves(beats, "a", role="floor")]
    rows += [waves(beats, "net", spread=2.0, k=5)]
    return evaluate(with_controls(rows, beats), beats, resamples=100)


@pytest.fixture(scope="module")
def report(judged) -> Report:
    return benchmark_report({"exact": judged}, PROVENANCE)


@pytest.fixture(scope="module")
def told(report, tmp_path_factory) -> dict:
    path = write_report(tmp_path_factory.mktemp("twin") / "report.html", report)
    return json.loads(twin_of(path).read_text("utf-8"), parse_constant=pytest.fail)


def test_the_twin_follows_its_schema(told, validator):
    validator.validate(told)
    assert told["provenance"] == {"seed": 0, "broken": None, "file": "a/b", "3": 0.5}


def test_the_twin_holds_the_unrounded_numbers(told, judged):
    numbers = told["numbers"]["evaluations"]["exact"]
    assert numbers["evaluation"] == json.loads(json.dumps(judged.to_dict()))
    assert numbers == json.loads(json.dumps(judge_evaluation(judged).to_dict()))


def test_page_and_twin_say_the_same(report):
    page = unescape(render_report(report))
    told = report.to_dict()
    sections = [s for outer in told["sections"] for s in (outer, *outer["parts"])]
    words = [*told["verdict"], *told["limits"], told["title"], told["disclaimer"]]
    for s in sections:
        words += [s["title"], *s["paragraphs"]]
        words += [figure["alt"] for figure in s["figures"]]
        for table in s["tables"]:
            words += [table["caption"], *table["columns"], *chain(*table["rows"])]
    missing = [word for word in words if word not in page]
    assert missing == []
    pictures = [f.png for s in report.walk() for f in s.figures]
    hashes = [f["sha256"] for s in sections for f in s["figures"]]
    assert hashes == [hashlib.sha256(png).hexdigest() for png in pictures]
    assert len(re.findall("<img ", page)) == len(hashes) > 3


@pytest.mark.parametrize(
    "path",
    [
        ("verdict",),
        ("sections", 0, "title"),
        ("sections", 1, "parts", 0, "tables", 0, "rows"),
        ("sections", 1, "parts", 0, "figures", 0, "sha256"),
        ("numbers", "evaluations", "exact", "evaluation"),
        ("numbers", "evaluations", "exact", "evaluation", "methods", 0, "values"),
        ("numbers", "evaluations", "exact", "refused", "gate"),
        ("numbers", "evaluations", "exact", "leakage"),
    ],
)
def test_the_schema_misses_nothing(told, validator, path):
    broken = copy.deepcopy(told)
    place = broken
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    assert not validator.is_valid(broken)
    place[path[-1]] = 7
    assert not validator.is_valid(broken)


def test_a_changed_schema_is_nobody_elses():
    report_schema()["$defs"].clear()
    assert report_schema()["$defs"]


def test_other_pages_have_twins_of_their_own(tmp_path):
    report = Report("t", "s", (), (), {}, ())
    for name in ("report.html", "case.html", "check.html"):
        write_report(tmp_path / name, report)
    left = sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".json")
    assert left == ["case.report.json", "check.report.json", "report.json"]


def test_what_is_too_large_leaves_both_old_files(tmp_path, validator):
    path = write_report(tmp_path / "report.html", Report("old", "", (), (), {}, ()))
    big = FigureBlock(bytes(MAX_BYTES), "c", "a")
    large = Report("new", "", (), (Section("s", figures=(big,)),), {}, ())
    with pytest.raises(ProtocolError, match="Leave out figures"):
        write_report(path, large)
    twin = json.loads(twin_of(path).read_text())
    validator.validate(twin)
    assert twin["title"] == "old"


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
things = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
)


@settings(max_examples=40, deadline=None)
@given(things)
def test_plain_values_are_strict_json(value):
    said = plain(value)
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert plain(said) == said


def test_arrays_become_lists():
    array = np.array([[1.0, np.nan], [np.inf, 2.0]], dtype=np.float32)
    assert plain({"a": array}) == {"a": [[1.0, None], [None, 2.0]]}
