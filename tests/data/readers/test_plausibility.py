import numpy as np
import pytest

from capnet.data.readers.plausibility import (
    Extent,
    check_plausible,
    check_span,
    physical,
    shown_unit,
)
from capnet.errors import RecordError, UnitError
from capnet.records import Signal


@pytest.mark.parametrize(
    ("unit", "factor", "made"),
    [
        ("mmHg", 1.0, "mmHg"),
        ("KPA", 1000.0 / 133.322387415, "mmHg"),
        ("cmH2O", 98.0665 / 133.322387415, "mmHg"),
        ("V", 1e3, "mV"),
        ("uV", 1e-3, "mV"),
        ("\u00b5V", 1e-3, "mV"),
        ("\u03bcV", 1e-3, "mV"),
        ("mV", 1.0, "mV"),
        ("NU", 1.0, "NU"),
        ("Ohm", 1.0, "Ohm"),
    ],
)
def test_units_of_the_library(unit, factor, made):
    values = np.array([1.0, np.nan, -2.0])
    found, word = physical(values, unit, where="a.hea, channel 'x'")
    assert word == made
    np.testing.assert_allclose(found, values * factor)


@pytest.mark.parametrize("unit", ["", "  ", "m\x00V", "x" * 33])
def test_what_is_no_unit(unit):
    with pytest.raises(UnitError, match=r"a\.hea, channel 'x' has no unit"):
        physical(np.ones(2), unit, where="a.hea, channel 'x'")


def signal(values, unit="NU", rate=100.0, start=0.0):
    return Signal(np.asarray(values, dtype=float), rate, unit, start)


@pytest.mark.parametrize(
    ("name", "wave", "kind", "message"),
    [
        ("ABP", signal([80, 601], "mmHg"), RecordError, "sample 1 is 601 mmHg"),
        ("ABP", signal([-201, 90], "mmHg"), RecordError, "sample 0 is -201 mmHg"),
        ("ABP", signal([400, 500], "mmHg"), RecordError, "mean of samples 0 to 1"),
        ("ABP", signal([-100.0, -17.0], "mmHg"), RecordError, "mean .* is -58.5 mmHg"),
        ("CVP", signal([700.0], "mmHg"), RecordError, "700 mmHg"),
        ("II", signal([0.0, -1001.0], "mV"), RecordError, "sample 1 is -1001 mV"),
        ("ECG lead", signal([0.0, 1001.0], "mV"), RecordError, "sample 1 is 1001 mV"),
        ("photo", signal([10001.0], "mV"), RecordError, "sample 0 is 10001 mV"),
        ("SpO2", signal([1e4], "%"), RecordError, "sample 0 is 10000 %"),
        ("x", signal([np.nan, np.nan]), RecordError, "no valid sample"),
        ("x", signal([0.0, np.inf]), RecordError, "sample 1 is inf"),
        ("x", signal([1e300, -1e300]), RecordError, "sample 1 is -1e"),
        ("x", signal([0.0], rate=0.009), UnitError, r"0\.009 Hz"),
        ("x", signal([0.0], rate=1.1e5), UnitError, "110000 Hz"),
        ("x", signal([0.0], start=-3e6), RecordError, "31 days"),
        ("x", signal(np.zeros(26785), rate=0.01), RecordError, "31 days"),
        ("ABP", signal([90.0], "mV"), UnitError, "wanted a pressure"),
        ("fem", signal([90.0], "mmHq"), UnitError, r"in \[an unknown unit\]; wanted a"),
        ("II", signal([1.0], "mmHg"), UnitError, "wanted 'mV'"),
        ("ECG chest", signal([1.0], "mmHg"), UnitError, "wanted 'NU', 'mV'"),
        ("PLETH", signal([1.0], "mmHg"), UnitError, "'PLETH' is in mmHg"),
    ],
)
def test_what_no_device_gives(name, wave, kind, message):
    with pytest.raises(kind, match=message) as caught:
        check_plausible({"fine": signal([0.0]), name: wave}, where="a.hea")
    assert f"a.hea, channel {name!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "wave"),
    [
        ("ABP", signal([np.nan, 300.0, -40.0, 90.0], "mmHg")),  # flushed, opened
        ("ABP", signal([-34.5, -34.5], "mmHg")),  # the line is open
        ("ABP", signal([1.0, 2.0], "NU")),
        ("II", signal([320.0, 321.0], "mV")),  # the offset of electrodes
        ("PLETH", signal([4999.0], "mV")),  # a photodiode's 5 V
        ("PPG", signal([8388607.0], "NU")),
        ("PLETH", signal([0.2, 4.9], "V")),
        ("finger", signal([80.0, 120.0], "mmHg")),  # of a finger cuff
        ("CVP", signal([4.0, 4.0, 4.1], "mmHg")),
        ("ICP", signal([-2.0, -2.0], "mmHg")),
        ("Resp", signal([1.0, 1.1], "Ohm")),
        ("SpO2", signal([0.0, 98.0], "%")),
        ("HR", signal([-1.0, 511.0], "bpm")),
        ("ECG HR", signal([60.0, 61.0], "bpm")),
        ("cuff", signal([120.0], "mmHg", rate=0.01)),
    ],
)
def test_what_monitors_do_is_let_through(name, wave):
    check_plausible({name: wave}, where="a.hea")


@pytest.mark.parametrize("unit", ["Jane", "mmHg,Jane", "12.3.1950", "MRN4711"])
def test_a_unit_that_is_none_is_not_repeated(unit):
    for name, value in [("ABP", 90.0), ("II", 1.0), ("x", 1e12), ("x", -1e12)]:
        with pytest.raises((UnitError, RecordError)) as caught:
            check_plausible({name: signal([value], unit)}, where="a.hea")
        assert unit not in str(caught.value)
    assert shown_unit(" kPa ") == "kPa"
    assert shown_unit(unit) == "[an unknown unit]"


def test_nothing_is_no_record():
    with pytest.raises(RecordError, match="no channel that can be used"):
        check_plausible({}, where="a.hea")


@pytest.mark.parametrize(
    ("name", "unit", "span", "right"),
    [
        ("ABP", "mmHg", 9.9, False),
        ("ABP", "mmHg", 10.0, True),
        ("CVP", "mmHg", 0.9, False),
        ("CVP", "mmHg", 1.0, True),
        ("II", "mV", 0.09, False),
        ("II", "mV", 0.1, True),
        ("EEG", "mV", 0.01, True),
        ("PLETH", "NU", 1e-9, True),
    ],
)
def test_a_converter_must_have_room_for_the_wave(name, unit, span, right):
    if right:
        check_span(name, unit, span, where="a.hea")
        return
    with pytest.raises(UnitError, match=f"channel '{name}': its gain leaves"):
        check_span(name, unit, span, where="a.hea")


def test_an_extent_adds_up_over_any_division():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(500)
    values[rng.random(500) < 0.3] = np.nan
    whole = Extent.of(values)
    for edges in ([250], [1, 2, 3], [499], sorted(rng.integers(0, 500, 20))):
        total = Extent()
        for part in np.split(values, edges):
            total = total + (Extent.of(part) if len(part) else Extent())
        assert total.mean == pytest.approx(whole.mean, rel=1e-12)
        for name in ("count", "valid", "low", "high", "low_at", "high_at"):
            assert getattr(total, name) == getattr(whole, name)
