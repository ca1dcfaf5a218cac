"""Laws of pressure units."""

import pytest

from capnet.errors import UnitError
from capnet.units import MMHG, is_pressure, pressure_factor


def factor(unit):
    return pressure_factor(unit, where="channel 'ABP'")


def test_a_millimetre_of_mercury_is_a_column_of_mercury():
    # 13 595.1 kg/m3 of mercury, 9.80665 m/s2, 1 mm.
    assert pytest.approx(13595.1 * 9.80665 * 1e-3, rel=1e-7) == MMHG


def test_mmhg_is_its_own_unit():
    assert factor("mmHg") == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize(
    ("unit", "value", "mmhg"),
    [
        ("Pa", 101325.0, 760.0),
        ("kPa", 101.325, 760.0),
        ("hPa", 1013.25, 760.0),
        ("cmH2O", 1033.227, 760.0),
        ("kPa", 16.0, 120.01),
    ],
)
def test_known_values(unit, value, mmhg):
    assert value * factor(unit) == pytest.approx(mmhg, rel=1e-4)


def test_units_of_one_family_agree():
    assert 1000 * factor("Pa") == pytest.approx(factor("kPa"), rel=1e-15)
    assert 10 * factor("hPa") == pytest.approx(factor("kPa"), rel=1e-15)


@pytest.mark.parametrize("spelling", ["mmhg", "MMHG", "  mmHg ", "mmHg\n"])
def test_case_and_blanks_do_not_matter(spelling):
    assert factor(spelling) == factor("mmHg")


@pytest.mark.parametrize("unit", ["", "mV", "psi", "mmHg/s", "NU"])
def test_another_unit_is_refused_with_the_way_out(unit):
    with pytest.raises(UnitError, match=r"channel 'ABP' has unit .*mmHg, Pa.*header"):
        factor(unit)


def test_what_is_a_pressure():
    known = [*("mmHg", " KPA ", "cmH2O", "Pa", "hPa"), *("mV", "", "NU", "mm Hg/s")]
    assert [is_pressure(unit) for unit in known] == [True] * 5 + [False] * 4
