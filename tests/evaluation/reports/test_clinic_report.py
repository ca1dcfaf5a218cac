"""What the report of somebody's own clinic adds to that of a benchmark."""

import math
import re

import numpy as np
import pytest

from capnet.evaluation import benchmark_report, evaluate, render_report
from capnet.evaluation.reports import clinic_report as module
from capnet.evaluation.reports.clinic_report import ClinicNotes, with_clinic
from tests.evaluation.conftest import make_beats, numbers, waves, with_controls

pytestmark = pytest.mark.usefixtures("unpainted")

NOTES = ClinicNotes(
    name="here",
    virtual=True,
    simultaneous=False,
    changes={"a": (2.0, -4.0), "b": (-4.0, math.nan), "c": (50.0, 60.0)},
    minutes={"a": 8.0, "b": 20.0, "c": 300.0},
    left_out={"c": "heart rate is 80 % off", "d": "there is no reference recording"},
    split="Split by subject: so and so.",
)


def page(notes, *, people=6):
    beats = make_beats([3] * people)
    rows = [waves(beats, "net", error=2.0), numbers(beats, "minus 8")]
    rows = with_controls(rows, beats)
    evaluation = evaluate(rows, beats, resamples=100, seed=0)
    plain = benchmark_report({"exact": evaluation}, {})
    text = render_report(with_clinic(plain, evaluation, notes))
    text = re.sub(r"data:[a-z/+]*;base64,[A-Za-z0-9+/=]*", "", text)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "|", text))


def test_what_changed_is_averaged_over_those_with_a_label():
    text = page(NOTES)
    assert "heart rate by 3.0 bpm" in text
    assert "mean pressure (line against aorta) by 4.0 mmHg" in text
    assert "8 to 20 minutes apart" in text
    assert "heart rate is 80 % off" in text
    assert "there is no reference recording" in text
    assert NOTES.split in text
    assert not re.search(r"\b(nan|None)\b", text)


@pytest.mark.parametrize(("people", "said"), [(6, True), (19, True), (20, False)])
def test_intervals_over_few_people_are_said_to_be_too_narrow(people, said):
    assert ("so few people are too narrow" in page(NOTES, people=people)) == said


def test_a_large_clinic_lists_those_furthest_off(monkeypatch):
    beats = make_beats([2] * 6)
    off = np.repeat([1.0, -9.0, 3.0, 0.0, -5.0, 2.0], 2)
    net = waves(beats, "net")
    net = net.replace(csbp=net.csbp + off)
    rows = with_controls([net, numbers(beats, "minus 8")], beats)
    evaluation = evaluate(rows, beats, resamples=100)
    monkeypatch.setattr(module, "_MOST", 3)
    plain = benchmark_report({"exact": evaluation}, {})
    report = with_clinic(plain, evaluation, NOTES)
    table = report.sections[1].tables[0]
    assert [row[0] for row in table.rows] == ["v001", "v004", "v002"]
    assert [row[-1].split()[0] for row in table.rows] == ["-9.0", "-5.0", "+3.0"]
    assert "those 3 of 6 with the largest of net (k = 0)" in table.caption
