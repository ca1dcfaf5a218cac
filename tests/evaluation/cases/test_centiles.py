"""Centiles: the published numbers, the Gaussian, and when there is none."""

import json
from pathlib import Path

import jaxtyping
import pytest
from scipy.stats import norm

from capnet.errors import ShapeError
from capnet.evaluation.cases.centiles import AGES, SOURCE, TABLE, centile


@pytest.mark.parametrize(
    ("quantity", "age", "mean", "sd"),
    # McEniery et al. 2005, Table 1, men: the decades 20-29, 50-59 and 70-79
    [
        ("sbp", 25, 105, 8),
        ("pp", 25, 30, 6),
        ("sbp", 55, 115, 9),
        ("pp", 75, 42, 7),
    ],
)
def test_the_published_mean_is_the_median(quantity, age, mean, sd):
    found = centile(quantity, float(mean), age=float(age), sex="male")
    assert (found.mean, found.sd) == (mean, sd)
    assert found.centile == pytest.approx(50)
    assert found.source == SOURCE
    assert "McEniery et al. 2005" in SOURCE
    assert "Gaussian" in SOURCE


@pytest.mark.parametrize("age", [15.0, 31.5, 60.0, 85.0])
@pytest.mark.parametrize("quantity", ["sbp", "pp"])
def test_a_centile_is_that_of_the_gaussian(quantity, age):
    for value in (20.0, 60.0, 110.0, 133.0):
        found = centile(quantity, value, age=age, sex="male")
        expected = 100 * norm.cdf(value, found.mean, found.sd)
        assert found.centile == pytest.approx(expected, abs=1e-9)


def test_between_decades_mean_and_sd_lie_on_a_line():
    found = centile("sbp", 100.0, age=50.0, sex="male")
    assert (found.mean, found.sd) == (114.0, 9.0)


def test_ends_of_an_interval_have_centiles_of_their_own():
    found = centile("sbp", 115.0, age=55.0, sex="male", ends=(106.0, 124.0))
    assert found.ends == pytest.approx((100 * norm.cdf(-1), 100 * norm.cdf(1)))
    assert found.text == "50 (16 to 84)"


def test_the_tails_are_not_dressed_as_numbers():
    assert centile("sbp", 60.0, age=55.0, sex="male").text == "below 1"
    assert centile("sbp", 190.0, age=55.0, sex="male").text == "above 99"


@pytest.mark.parametrize(
    ("age", "sex", "words"),
    [
        (50.0, "female", "'female'"),
        (50.0, "", "the sex is not known"),
        (None, "male", "the age is not known"),
        (float("nan"), "male", "the age is not known"),
        (14.9, "male", "age 14.9 is outside the table (15 to 85 years)"),
        (85.1, "male", "age 85.1 is outside"),
    ],
)
def test_without_a_table_there_is_no_centile_but_a_reason(age, sex, words):
    found = centile("pp", 40.0, age=age, sex=sex)
    assert found.centile is None
    assert found.mean is None
    assert words in found.reason
    assert found.text.startswith("none: ")
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("calibration", "given"),
    [
        ("cuff SBP/DBP", True),
        ("exact", True),
        ("cuff MAP/DBP", False),
        ("invasive SBP/DBP", False),
        ("none", False),
    ],
)
def test_mmhg_of_another_source_have_no_centile(calibration, given):
    found = centile("sbp", 115.0, age=55.0, sex="male", calibration=calibration)
    assert (found.centile is not None) is given
    assert (calibration in found.reason) is not given


def test_more_pressure_is_a_higher_centile():
    found = [
        centile("pp", float(v), age=40.0, sex="male").centile for v in range(20, 60)
    ]
    assert found == sorted(found)


def test_what_is_no_pressure_is_refused(monkeypatch):
    with pytest.raises(ShapeError, match="nan; wanted a pressure"):
        centile("sbp", float("nan"), age=40.0, sex="male")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ShapeError, match="no centiles of 'dbp'"):
        centile("dbp", 80.0, age=40.0, sex="male")


@pytest.mark.data
def test_the_table_is_the_one_at_hand(shared_data):
    path = Path(shared_data).parent / "tables" / "targets_by_age.json"
    if not path.exists():
        pytest.skip("the table is not here")
    told = json.loads(path.read_text())
    assert tuple(told["age"]) == AGES
    for name, key in (("sbp", "SBP_a"), ("pp", "PP_a")):
        assert [list(column) for column in TABLE[name]] == told[key]
