"""The page of a case: every number of it, and no word of diagnosis."""

import json
import re

import numpy as np
import pytest

from capnet.evaluation.cases.case_of import case_of
from capnet.evaluation.reports.case_report import case_report, case_waves_figure
from capnet.evaluation.reports.report import render_report, write_report
from capnet.prediction import DISCLAIMER
from tests.evaluation.conftest import make_beats, numbers, refuse, waves

WORDS = ("hypertens", "hypotens", "normal", "patholog", "disease:", "diagnosed", "risk")


def words_of(page):
    """What a reader sees: no style, no tag, no picture."""
    page = re.sub(r"<style>.*?</style>", " ", page, flags=re.S)
    return re.sub(r"<[^>]*>", " ", page)


@pytest.fixture
def found():
    beats = make_beats([25] * 8)
    beats = beats.replace(features={"male": np.ones(len(beats))})
    answer = waves(beats, "net", error=2.0, spread=3.0, k=5)
    ends = np.stack([answer.csbp, answer.cdbp, answer.cmap, answer.cpp], axis=1)
    answer = answer.replace(low=ends - 9, high=ends + 9, coverage=0.9)
    return case_of(refuse(answer, beats.beat == 3), beats, "v003")


def test_the_page_has_every_part(found):
    text = words_of(render_report(case_report(found, {})))
    for part in (
        "Case: v003",
        "90 % interval",
        "smallest detectable change",
        "Bland &amp; Altman 1996",
        "Weir 2005",
        "indistinguishable from measurement error",
        "McEniery et al. 2005",
        "Gaussian",
        "Assumption",
        "refused: too noisy",
        "simulated",
        DISCLAIMER,
        "no diagnosis",
    ):
        assert part in text, part


def test_a_reading_of_unknown_age_is_neither_due_nor_not():
    beats = make_beats([25] * 8)
    beats = beats.replace(time=np.full(len(beats), np.nan))
    report = case_report(case_of(waves(beats, "net"), beats, "v003"), {})
    assert "Whether a new calibrating reading is due is not known" in report.verdict[-1]


def test_the_page_makes_no_diagnosis(found):
    text = words_of(render_report(case_report(found, {}))).lower()
    for word in WORDS:
        assert word not in text, word


def test_the_page_shows_the_numbers_of_the_case(found):
    text = words_of(render_report(case_report(found, {})))
    for number in found.numbers:
        assert f"{number.estimate:.1f}" in text
        assert f"{number.truth:.1f}" in text
    for c in found.changes:
        assert f"{c.error.detectable:.1f}" in text


def test_a_name_cannot_break_the_page():
    beats = make_beats([2] * 6)
    name = "<script>alert(1)</script>"
    beats = beats.replace(
        subject=np.where(beats.subject == "v001", name, beats.subject)
    )
    page = render_report(case_report(case_of(waves(beats, "net"), beats, name), {}))
    assert "<script>alert" not in page


def test_a_beat_that_looks_like_a_formula_is_drawn_as_it_is():
    beats = make_beats([3] * 6)
    beats = beats.replace(beat=np.array([rf"$\frac$ {i}" for i in range(18)]))
    found = case_of(waves(beats, "net"), beats, "v001")
    assert case_waves_figure(found).startswith(b"\x89PNG")


def test_without_truth_or_answer_the_page_still_stands():
    beats = make_beats([4] * 6, reference=False)
    answer = numbers(beats, "cuff minus 8")
    for prediction in (answer, refuse(answer, beats.subject == "v001")):
        text = words_of(
            render_report(case_report(case_of(prediction, beats, "v001"), {}))
        )
        assert "nan" not in text.split()
        assert "no diagnosis" in text
    assert "there is no estimate" in text


def test_the_twin_holds_the_case(found, tmp_path):
    path = write_report(tmp_path / "case.html", case_report(found, {"seed": 0}))
    assert path.stat().st_size < 1_000_000
    twin = json.loads((tmp_path / "case.report.json").read_text())
    assert twin["numbers"]["case"] == found.to_dict()
