"""Ranges are kept to, and draws do not depend on company."""

from types import SimpleNamespace

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics.ranges import check_ranges, draw_ranges

LIMITS = {"size": (0.0, 2.0), "rate": (-1.0, 1.0)}


@pytest.mark.parametrize(
    "size", [(1.5, 0.5), (-0.1, 1.0), (0.0, 2.1), (np.nan, 1.0), (0.0, np.inf)]
)
def test_ranges_upside_down_or_beyond_their_limits_are_refused(size):
    with pytest.raises(ConfigError, match=r"a foot has size .* 0 <= low <= high <= 2"):
        check_ranges("a foot", SimpleNamespace(size=size, rate=(0.0, 0.0)), LIMITS)


def test_draws_lie_between_and_do_not_depend_on_company():
    family = SimpleNamespace(size=(0.5, 2.0), rate=(0.3, 0.3))
    check_ranges("a foot", family, LIMITS)
    many = draw_ranges(family, LIMITS, 500, np.random.default_rng(1))
    few = draw_ranges(family, LIMITS, 5, np.random.default_rng(1))
    assert list(many) == ["size", "rate"]
    np.testing.assert_array_equal(many["size"][:5], few["size"])
    np.testing.assert_array_equal(many["rate"], 0.3)
    assert (many["size"].min(), many["size"].max()) == pytest.approx(
        (0.5, 2.0), abs=0.02
    )
