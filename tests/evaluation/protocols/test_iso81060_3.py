"""Corrected SD and effective number of continuous readings."""

import numpy as np
import pytest

from capnet.errors import ShapeError
from capnet.evaluation.protocols.iso81060_3 import Iso81060Part3, effective_n

NAMES = ("bias (mmHg)", "corrected SD (mmHg)", "effective N")


def readings(
    people: int, each: int, between: float, within: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(people), each)
    error = between * generator.standard_normal(people)[subject]
    error = error + within * generator.standard_normal(len(subject))
    reference = 120 + 15 * generator.standard_normal(len(subject))
    return reference + error, reference, subject


def test_effective_n_is_kishs_design_effect():
    counts = np.full(20, 10)
    icc = 9 / (9 + 16)
    assert effective_n(counts, 3.0, 4.0) == pytest.approx(200 / (1 + 9 * icc))
    assert effective_n(counts, 0.0, 4.0) == pytest.approx(200)
    assert effective_n(counts, 3.0, 0.0) == pytest.approx(20)
    assert effective_n(counts, 0.0, 0.0) == 200


def test_the_mean_of_effective_n_readings_varies_as_the_bias_does():
    counts = np.array([1, 2, 3, 30])
    generator = np.random.default_rng(0)
    subject = np.repeat(np.arange(4), counts)
    person = 3 * generator.standard_normal((20000, 4))[:, subject]
    bias = (person + 4 * generator.standard_normal((20000, 36))).mean(axis=1)
    assert 25 / effective_n(counts, 3.0, 4.0) == pytest.approx(bias.var(), rel=0.03)


def test_many_beats_of_a_few_people_do_not_count_as_many():
    few, many = (
        Iso81060Part3().compare(*readings(n, each, 4.0, 4.0))
        for n, each in ((10, 400), (400, 10))
    )
    assert few.values["effective N"] < 30
    assert few.inside is False
    assert many.values["effective N"] > 500
    assert many.inside
    assert many.values["corrected SD (mmHg)"] == pytest.approx(32**0.5, rel=0.1)
    assert tuple(many.values) == tuple(many.limits) == NAMES
    assert "second-hand" in many.text
    assert many.wanted_n is None


def test_one_reading_each_is_counted_as_it_is():
    found = Iso81060Part3().compare(*readings(300, 1, 3.0, 4.0))
    assert found.values["effective N"] == 300
    assert found.values["corrected SD (mmHg)"] == pytest.approx(5, rel=0.1)


def test_one_subject_gives_a_bias_and_no_verdict():
    found = Iso81060Part3().compare(*readings(1, 50, 3.0, 4.0))
    assert found.inside is None
    assert tuple(found.values) == NAMES[:1]
    assert "One subject" in found.text


def test_refusals():
    predicted, reference, subject = readings(5, 3, 1.0, 1.0)
    with pytest.raises(ShapeError, match="subject has 2 rows"):
        Iso81060Part3().compare(predicted, reference, subject[:2])
    with pytest.raises(ShapeError, match="NaN"):
        Iso81060Part3().compare(predicted * np.nan, reference, subject)
