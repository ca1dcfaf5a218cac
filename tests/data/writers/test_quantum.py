"""Steps of 16 bits: as fine as the values allow, and round."""

from decimal import Decimal

import numpy as np
import pytest

from capnet.data.writers.quantum import STEPS, Scale, plain, scale_of
from capnet.errors import RecordError


@pytest.mark.parametrize("seed", range(40))
def test_the_finest_round_step_that_holds_all_values(seed):
    rng = np.random.default_rng(seed)
    spread = 10.0 ** rng.uniform(-4.0, 4.0)
    middle = float(rng.choice([0.0, 1.0, -30.0])) * spread
    values = middle + spread * rng.uniform(-1.0, 1.0, 200)
    values[7] = np.nan
    scale = scale_of(values, characters=20, where="x")
    assert scale.quantum.as_tuple().digits in {(1,), (2,), (5,)}
    assert float(scale.low) <= np.nanmin(values)
    assert np.nanmax(values) <= float(scale.high)
    present = values[np.isfinite(values)]
    steps = scale.steps(present)
    assert np.abs(steps.astype(int)).max() <= STEPS
    back = float(scale.centre) + steps * float(scale.quantum)
    np.testing.assert_allclose(back, present, rtol=0, atol=0.501 * float(scale.quantum))
    # The next finer step would be too fine; a round centre costs up to 500 steps.
    finer = scale.quantum * (
        Decimal("0.5") if scale.quantum.as_tuple().digits != (5,) else Decimal("0.4")
    )
    assert np.nanmax(values) - np.nanmin(values) > 2 * (STEPS - 500) * float(finer)
    assert scale.centre % (1000 * scale.quantum) == 0


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-1e-7], [1e5, 1e5 + 1e-3]])
def test_flat_and_nearly_flat_values(values):
    scale = scale_of(np.array(values), characters=12, where="x")
    assert float(scale.low) <= min(values) <= max(values) <= float(scale.high)


def test_ends_that_are_too_long_to_write_make_the_step_coarser():
    values = np.array([123_456.0, 123_456.001])
    fine = scale_of(values, characters=20, where="x")
    coarse = scale_of(values, characters=8, where="x")
    assert fine.quantum < coarse.quantum
    assert max(len(plain(end)) for end in (coarse.low, coarse.high)) <= 8
    with pytest.raises(RecordError, match=r"'x' spans .* 8 characters can say"):
        scale_of(np.array([1e12]), characters=8, where="channel 'x'")


def test_decimals_are_written_plainly():
    assert plain(Decimal("1E+3")) == "1000"
    assert plain(Decimal("-0.0500")) == "-0.05"
    assert plain(Decimal(-320)) == "-320"
    assert Scale(Decimal("0.5"), Decimal(100)).high == Decimal(16_100)
