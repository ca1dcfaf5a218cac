"""Criteria 1 and 2 and the dead band."""

import jaxtyping
import numpy as np
import pytest
from scipy.stats import norm

from capnet.errors import ConfigError, ShapeError
from capnet.evaluation.protocols.iso81060_2 import (
    InvasiveDeadBand,
    Iso81060Part2,
    largest_sd,
)

BIAS, SD = "bias (mmHg)", "SD (mmHg)"


@pytest.fixture
def beats() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    subject = np.repeat(np.arange(90), 1 + np.arange(90) % 5)
    reference = 120 + 15 * generator.standard_normal(len(subject))
    person = 4 * generator.standard_normal(90)[subject]
    error = -2 + person + 3 * generator.standard_normal(len(subject))
    return reference + error, reference, subject


def test_the_derived_table_is_the_one_that_is_quoted():
    # Second-hand: the values of the printed table of criterion 2 as they are quoted.
    table = [6.95, 6.87, 6.65, 6.25, 5.64, 4.81]
    assert [round(largest_sd(b), 2) for b in range(6)] == table


@pytest.mark.parametrize("bias", [0.0, 0.3, 2.5, 5.0, 9.0])
def test_at_the_largest_sd_exactly_85_percent_are_within_10(bias):
    spread = largest_sd(bias)
    within = norm.cdf(10, bias, spread) - norm.cdf(-10, bias, spread)
    assert within == pytest.approx(0.85, abs=1e-12)
    assert largest_sd(-bias) == spread


def test_a_larger_bias_leaves_a_smaller_sd():
    table = [largest_sd(b) for b in np.linspace(0, 9.9, 50)]
    assert (np.diff(table) < 0).all()
    with pytest.raises(ConfigError, match="wanted less than 10"):
        largest_sd(-10.0)


def test_criterion_1_pools_and_criterion_2_takes_subjects(beats):
    predicted, reference, subject = beats
    error = predicted - reference
    first = Iso81060Part2(1).compare(*beats)
    assert first.values == pytest.approx({BIAS: error.mean(), SD: error.std(ddof=1)})
    assert first.limits == {BIAS: 5.0, SD: 8.0}
    means = [error[subject == s].mean() for s in np.unique(subject)]
    second = Iso81060Part2(2).compare(*beats)
    assert second.values == pytest.approx(
        {BIAS: error.mean(), SD: np.std(means, ddof=1)}
    )
    assert second.limits[SD] == pytest.approx(largest_sd(error.mean()))
    assert first.inside
    assert second.inside
    assert (first.n, first.wanted_n, first.enough) == (90, 85, True)
    assert "derived" in second.note


@pytest.mark.parametrize("criterion", [1, 2])
def test_more_bias_or_more_spread_is_outside(criterion, beats):
    predicted, reference, subject = beats
    rule = Iso81060Part2(criterion)
    assert rule.compare(predicted - 3.5, reference, subject).inside is False
    wide = reference + 3 * (predicted - reference)
    assert rule.compare(wide, reference, subject).inside is False


def test_the_words_never_claim(beats):
    text = Iso81060Part2(1).compare(*beats, quantity="dbp").text
    assert text.startswith("DBP, numerical comparison with AAMI/ISO 81060-2, ")
    assert "n = 90 subjects" in text
    few = str(Iso81060Part2(1).compare(*(c[:20] for c in beats)))
    assert "fewer than the 85" in few
    for word in ("meets", "passes", "validated", "complies"):
        assert word not in text + few


def test_one_reading_has_a_bias_and_no_verdict():
    one = np.array([121.0])
    found = Iso81060Part2(1).compare(one, one - 2, np.array(["a"]))
    assert found.inside is None
    assert found.values == {BIAS: 2.0}
    assert "not computed" in found.text


def test_dead_band_by_hand():
    errors = InvasiveDeadBand().errors(
        np.array([103.0, 108.0, 91.0, 100.0]), np.full(4, 100.0), np.full(4, 5.0)
    )
    np.testing.assert_array_equal(errors, [0, 3, -4, 0])


def test_a_band_of_nothing_is_criterion_1_and_a_wider_one_never_hurts(beats):
    predicted, reference, subject = beats
    rule, zero = InvasiveDeadBand(), np.zeros(len(subject))
    plain = rule.compare(predicted, reference, subject, band=zero)
    assert plain.values == pytest.approx(Iso81060Part2(1).compare(*beats).values)
    sizes = [
        np.abs(rule.errors(predicted, reference, zero + width)).sum()
        for width in (0, 1, 3, 10, 100)
    ]
    assert (np.diff(sizes) < 0).all()
    assert sizes[-1] == 0.0
    assert "second-hand" in plain.note


def test_refusals(beats, monkeypatch):
    predicted, reference, subject = beats
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ConfigError, match="criterion is 3"):
        Iso81060Part2(3)
    with pytest.raises(ShapeError, match="NaN"):
        Iso81060Part2(1).compare(predicted * np.nan, reference, subject)
    with pytest.raises(ShapeError, match="subject has 2 rows"):
        Iso81060Part2(2).compare(predicted, reference, subject[:2])
    with pytest.raises(ShapeError, match="never negative"):
        InvasiveDeadBand().errors(predicted, reference, -np.ones(len(subject)))
