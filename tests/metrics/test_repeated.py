"""Limits of agreement of several readings of each subject."""

import numpy as np
import pytest
import statsmodels.formula.api as smf
from pandas import DataFrame
from statsmodels.stats.anova import anova_lm

from capnet.errors import ShapeError
from capnet.metrics.agreement import limits_of_agreement
from capnet.metrics.repeated import (
    limits_of_agreement_repeated,
    limits_of_agreement_replicates,
)
from tests.metrics.published import published

BOTH = [limits_of_agreement_repeated, limits_of_agreement_replicates]


@pytest.fixture
def beats() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    subject = np.repeat(np.arange(40), 1 + np.arange(40) % 7)
    person = 6 * generator.standard_normal(40)[subject]
    reference = 120 + 10 * generator.standard_normal(len(subject))
    error = 1 + person + 4 * generator.standard_normal(len(subject))
    return reference + error, reference, subject


def test_cardiac_output_with_a_varying_truth():
    # Bland & Altman 2007 (J Biopharm Stat 17:571), section 3: bias 0.6022, variance
    # within 0.1707, in all 0.9813, limits -1.3395 to 2.5438.
    subject, rv, ic = published("1999_cardiac").T
    found = limits_of_agreement_repeated(rv, ic, subject)
    assert found.bias == pytest.approx(0.6021667, abs=5e-8)
    assert found.within**2 == pytest.approx(0.170714, abs=5e-7)
    assert found.sd**2 == pytest.approx(0.981336, abs=5e-7)
    assert (found.low, found.high) == pytest.approx((-1.3395, 2.5438), abs=5e-5)


def test_cardiac_output_with_a_constant_truth():
    # Bland & Altman 1999, section 5.2: 0.7092, variances within 0.1072 and 0.1379, SD
    # 1.0517, limits -1.3521 to 2.7705 (their last digits were rounded on the way).
    subject, rv, ic = published("1999_cardiac").T
    found = limits_of_agreement_replicates(rv, ic, subject)
    assert found.bias == pytest.approx(0.7092, abs=5e-5)
    assert found.predicted**2 == pytest.approx(0.1072, abs=5e-5)
    assert found.reference**2 == pytest.approx(0.1379, abs=5e-5)
    assert found.sd == pytest.approx(1.0517, abs=2e-4)
    assert (found.low, found.high) == pytest.approx((-1.3521, 2.7705), abs=5e-4)


def test_systolic_pressure_with_three_readings():
    # Bland & Altman 1999, section 5.1: -15.62, variances 37.408, 83.141 within and
    # 358.493 of the means, SD 20.95, limits -56.68 to 25.44 mmHg.
    subject, observer, machine = published("1999_sbp").T
    found = limits_of_agreement_replicates(observer, machine, subject)
    assert found.bias == pytest.approx(-15.62, abs=0.005)
    assert found.predicted**2 == pytest.approx(37.408, abs=5e-4)
    assert found.reference**2 == pytest.approx(83.141, abs=5e-4)
    assert found.means**2 == pytest.approx(358.493, abs=1e-3)
    assert found.sd == pytest.approx(20.95, abs=0.005)
    assert (found.low, found.high) == pytest.approx((-56.68, 25.44), abs=0.005)


def test_variances_agree_with_the_anova_of_statsmodels(beats):
    predicted, reference, subject = beats
    table = DataFrame({"error": predicted - reference, "subject": subject})
    anova = anova_lm(smf.ols("error ~ C(subject)", table).fit())
    between, within = anova["mean_sq"]
    found = limits_of_agreement_repeated(*beats)
    assert found.within**2 == pytest.approx(within, rel=1e-9)
    m = np.bincount(subject)
    typical = (m.sum() - np.sum(m**2) / m.sum()) / (len(m) - 1)
    assert found.between**2 == pytest.approx((between - within) / typical, rel=1e-9)
    assert found.sd**2 == pytest.approx(found.between**2 + within, rel=1e-9)


def test_the_spread_that_made_the_errors_is_found():
    generator = np.random.default_rng(2)
    subject = np.repeat(np.arange(3000), 4)
    person = 6 * generator.standard_normal(3000)[subject]
    error = person + 3 * generator.standard_normal(12000)
    found = limits_of_agreement_repeated(error, np.zeros(12000), subject)
    assert found.between == pytest.approx(6, rel=0.05)
    assert found.within == pytest.approx(3, rel=0.03)
    constant = np.random.default_rng(5).normal(120, 15, 3000)[subject]
    noise = 2 * generator.standard_normal((2, 12000))
    found = limits_of_agreement_replicates(
        constant + person + noise[0], constant + noise[1], subject
    )
    assert found.sd == pytest.approx(np.sqrt(36 + 4 + 4), rel=0.05)


@pytest.mark.parametrize("limits", BOTH)
def test_order_and_names_of_subjects_do_not_matter(limits, beats):
    rows = np.random.default_rng(0).permutation(len(beats[0]))
    predicted, reference, subject = (column[rows] for column in beats)
    names = np.array([f"s{99 - i}" for i in subject])
    np.testing.assert_allclose(limits(predicted, reference, names), limits(*beats))


@pytest.mark.parametrize("limits", BOTH)
def test_an_offset_moves_the_limits_and_a_unit_scales_them(limits, beats):
    predicted, reference, subject = beats
    found, moved = limits(*beats), limits(predicted + 3, reference, subject)
    assert moved[:3] == pytest.approx([x + 3 for x in found[:3]])
    assert moved[3:] == pytest.approx(found[3:])
    scaled = limits(7.5 * predicted, 7.5 * reference, subject)
    assert scaled == pytest.approx([7.5 * x for x in found])


def test_without_persons_it_is_the_plain_limits_of_agreement():
    generator = np.random.default_rng(4)
    error, zero = generator.standard_normal(20000), np.zeros(20000)
    found = limits_of_agreement_repeated(error, zero, np.arange(20000) // 10)
    plain = limits_of_agreement(error, zero)
    assert found[:3] == pytest.approx(plain, abs=0.02)
    assert found.between < 0.15


def test_persons_that_agree_too_well_have_no_negative_variance():
    error = np.array([-1.0, 1.0, -1.0, 1.0])
    found = limits_of_agreement_repeated(error, np.zeros(4), np.array([0, 0, 1, 1]))
    assert found.between == 0.0
    assert found.sd == found.within == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("limits", BOTH)
def test_refusals(limits, beats):
    predicted, reference, subject = beats
    with pytest.raises(ShapeError, match="4 beats of 4 subjects"):
        limits(predicted[:4], reference[:4], np.arange(4))
    with pytest.raises(ShapeError, match="4 beats of 1 subjects"):
        limits(predicted[:4], reference[:4], np.zeros(4))
    with pytest.raises(ShapeError, match="subject has 3 rows"):
        limits(predicted, reference, subject[:3])
    with pytest.raises(ShapeError, match="NaN"):
        limits(predicted * np.nan, reference, subject)
    with pytest.raises(ShapeError, match="empty"):
        limits(predicted[:0], reference[:0], subject[:0])
