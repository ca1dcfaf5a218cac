"""Holm's correction against statsmodels, and its laws."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from capnet.errors import ConfigError
from capnet.evaluation.statistics.holm import holm


def test_as_statsmodels_has_it():
    generator = np.random.default_rng(0)
    for n in (1, 2, 5, 40):
        p = generator.uniform(0, 0.3, n) ** 2
        _, expected, _, _ = multipletests(p, method="holm")
        np.testing.assert_allclose(holm(list(p)), expected, atol=1e-15)


def test_one_question_needs_no_correction():
    assert holm([0.03]) == (0.03,)
    assert holm([]) == ()


def test_order_does_not_matter_and_ties_stay_ties():
    assert holm([0.04, 0.01, 0.04]) == (0.08, 0.03, 0.08)
    assert holm([0.9, 0.8]) == (1.0, 1.0)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_no_probability(bad):
    with pytest.raises(ConfigError, match="from 0 to 1"):
        holm([0.1, bad])
