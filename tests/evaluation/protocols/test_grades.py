"""Letters of IEEE 1708 and BHS."""

import numpy as np
import pytest

from capnet.errors import ShapeError
from capnet.evaluation.protocols.grades import BHS_SHARES, Bhs, Ieee1708
from capnet.evaluation.protocols.iso81060_2 import Iso81060Part2


def errors(*parts: tuple[int, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """So many readings with such an error, of as many people."""
    error = np.concatenate([np.full(n, size) for n, size in parts])
    reference = np.full(len(error), 120.0)
    return reference + error, reference, np.arange(len(error))


@pytest.mark.parametrize(
    ("size", "grade"),
    [(0, "A"), (5, "A"), (-5, "A"), (5.01, "B"), (-6, "B"), (7, "C"), (7.01, "D")],
)
def test_ieee_grades_by_the_mean(size, grade):
    found = Ieee1708().compare(*errors((100, float(size))))
    assert found.grade == grade
    assert found.values["MAD (mmHg)"] == pytest.approx(abs(size))
    assert f"numerically grade {grade}" in found.text
    assert found.inside is None


@pytest.mark.parametrize("grade", ["A", "B", "C"])
def test_bhs_grades_at_their_borders(grade):
    a, b, c = (round(x) for x in BHS_SHARES[grade])
    rows = [(a, 5.0), (b - a, -10.0), (c - b, 15.0), (100 - c, 30.0)]
    assert Bhs().compare(*errors(*rows)).grade == grade
    for i in range(3):  # one reading worse in any of the three shares
        worse = list(rows)
        worse[i] = (worse[i][0] - 1, worse[i][1])
        worse[i + 1] = (worse[i + 1][0] + 1, worse[i + 1][1])
        lower = {"A": "B", "B": "C", "C": "D"}[grade]
        assert Bhs().compare(*errors(*worse)).grade == lower


def test_bhs_wants_all_three_shares():
    found = Bhs().compare(*errors((90, 1.0), (10, 40.0)))
    assert found.grade == "B"
    assert list(found.values.values()) == pytest.approx([90, 90, 90])
    assert Bhs().compare(*errors((80, 1.0), (20, 40.0))).grade == "D"


@pytest.mark.parametrize("rule", [Ieee1708(), Bhs()])
def test_subjects_are_counted_and_order_does_not_matter(rule):
    predicted, reference, _ = errors((30, 3.0), (10, 8.0), (4, -20.0))
    subject = np.arange(44) % 11
    found = rule.compare(predicted, reference, subject, quantity="map")
    rows = np.random.default_rng(0).permutation(44)
    again = rule.compare(predicted[rows], reference[rows], subject[rows])
    assert found.values == pytest.approx(again.values)
    assert (found.n, found.wanted_n, found.enough) == (11, 85, False)
    assert found.text.startswith("MAP, numerical comparison with")
    assert "fewer than the 85" in found.text


@pytest.mark.parametrize("rule", [Ieee1708(), Bhs()])
def test_refusals(rule):
    predicted, reference, subject = errors((5, 1.0))
    with pytest.raises(ShapeError, match="NaN"):
        rule.compare(predicted * np.nan, reference, subject)
    with pytest.raises(ShapeError, match="empty"):
        rule.compare(predicted[:0], reference[:0], subject[:0])
    with pytest.raises(ShapeError, match="subject has 2 rows"):
        rule.compare(predicted, reference, subject[:2])


def test_a_mean_of_exactly_the_border_keeps_its_grade():
    reference = np.round(np.arange(800, 1600) / 10, 1)
    rows = np.round(reference + 5, 1), reference, np.arange(800)
    assert np.abs(rows[0] - rows[1]).max() > 5
    assert Ieee1708().compare(*rows).grade == "A"
    assert Bhs().compare(*rows).grade == "A"
    assert Iso81060Part2(1).compare(*rows).inside
