"""Targets: what was measured hangs together, and says where it comes from."""

import json
from importlib.resources import files

import numpy as np
import pytest

from capnet.hemodynamics.targets import MCENIERY_REFERENCE, mceniery_2005


def test_pulse_pressure_is_systolic_less_diastolic():
    """Means of the same people, rounded to whole mmHg."""
    known = mceniery_2005()
    arm = known["brachial_sbp"].mean - known["brachial_dbp"].mean
    np.testing.assert_allclose(arm, known["brachial_pp"].mean, atol=1.01)
    aorta = known["aortic_sbp"].mean - known["brachial_dbp"].mean
    np.testing.assert_allclose(aorta, known["aortic_pp"].mean, atol=2.01)


def test_augmentation_index_is_augmentation_over_pulse_pressure():
    known = mceniery_2005()
    ratio = 100 * known["augmentation_pressure"].mean / known["aortic_pp"].mean
    np.testing.assert_allclose(ratio, known["augmentation_index"].mean, atol=4.0)


def test_a_decade_is_read_by_its_first_year():
    sbp = mceniery_2005()["brachial_sbp"]
    assert sbp.of_decade(20) == (124.0, 10.0)
    assert sbp.of_decade(80) == (130.0, 8.0)
    assert sbp.of_decade(0) is None
    assert sbp.unit == "mmHg"


def test_the_reference_type_is_said():
    table = files("capnet.hemodynamics") / "tables" / "mceniery_2005.json"
    said = json.loads(table.read_text("utf-8"))
    assert "tonometry" in said["note"]
    assert "not from a catheter" in said["note"]
    assert "10.1016/j.jacc.2005.07.037" in said["source"]
    assert "transfer function" in MCENIERY_REFERENCE
    with pytest.raises(TypeError):
        mceniery_2005()["mine"] = None
