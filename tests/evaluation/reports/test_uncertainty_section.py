"""The chapter on intervals and refusal says what was found, good or bad."""

import numpy as np
import pytest

from capnet.evaluation.reports.uncertainty_section import uncertainty_section
from capnet.evaluation.uncertainty.coverage import coverage
from capnet.evaluation.uncertainty.risk_coverage import risk_coverage
from tests.evaluation.conftest import make_beats, numbers


@pytest.fixture(scope="module")
def beats():
    return make_beats([2] * 60)


def said_of(beats, half):
    said = numbers(beats, "told")
    middle = np.stack([said.csbp, said.cdbp, said.cmap, said.cpp], axis=1)
    doubt = np.random.default_rng(0).random(len(beats))
    return said.replace(
        low=middle - half, high=middle + half, coverage=0.9, doubt=doubt
    )


def test_home_and_shift_stand_beside_each_other(beats):
    found = {
        "people at home": coverage(said_of(beats, 100.0), beats),
        "another clinic": coverage(said_of(beats, 0.1), beats),
    }
    section = uncertainty_section(found, None)
    (table,) = section.tables
    assert [row[0].split(":")[0] for row in table.rows] == [*found]
    assert [row[-1] for row in table.rows] == ["higher than stated", "too low"]
    assert any("LESS than stated" in p for p in section.paragraphs)
    assert any("single person" in p for p in section.paragraphs)
    assert not section.figures


def test_groups_have_rows_and_few_have_no_claim(beats):
    groups = np.where(np.isin(beats.subject, beats.subjects[:10]), "few", "many")
    found = coverage(said_of(beats, 10.0), beats, groups=groups)
    (table,) = uncertainty_section(found).tables
    told = {row[0]: row[-1] for row in table.rows}
    assert set(told) == {"everybody", "few", "many"}
    assert told["few"] == "too few to tell"


def test_the_curve_is_drawn_and_told(beats):
    risk = risk_coverage(said_of(beats, 1.0), beats)
    section = uncertainty_section(None, risk)
    (figure,) = section.figures
    assert figure.png.startswith(b"\x89PNG")
    assert f"{risk.full:.2f}" in figure.alt
    assert f"{risk.ratio:.2f}" in section.paragraphs[0]
    assert not section.tables


def test_without_either_it_says_so():
    section = uncertainty_section(None, None)
    assert section.paragraphs == (
        "The methods answer without intervals and without a doubt.",
    )
