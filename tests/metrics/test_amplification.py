"""R2 of the amplification is zero for brachial SBP minus the right constant."""

import numpy as np
import pytest

from capnet.errors import ShapeError
from capnet.metrics.amplification import (
    amplification,
    amplification_r2,
    per_subject_amplification_r2,
)
from capnet.metrics.error import r2


@pytest.fixture
def people() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    aortic = 120 + 15 * generator.standard_normal(300)
    return aortic, aortic + 9 + 4 * generator.standard_normal(300)


def test_the_right_constant_scores_zero_though_r2_flatters(people):
    aortic, arm = people
    guess = arm - amplification(arm, aortic).mean()
    assert amplification_r2(guess, aortic, arm) == pytest.approx(0, abs=1e-12)
    assert r2(guess, aortic) > 0.9
    assert amplification_r2(guess + 2, aortic, arm) < 0
    assert amplification_r2(aortic, aortic, arm) == 1.0


def test_invariant_under_shift_scale_and_order(people):
    aortic, arm = people
    guess = aortic + np.random.default_rng(1).standard_normal(300)
    expected = amplification_r2(guess, aortic, arm)
    assert amplification_r2(guess + 5, aortic + 5, arm + 5) == pytest.approx(expected)
    assert amplification_r2(2 * guess, 2 * aortic, 2 * arm) == pytest.approx(expected)
    back = amplification_r2(guess[::-1].copy(), aortic[::-1].copy(), arm[::-1].copy())
    assert back == pytest.approx(expected)


def test_refusals(people):
    aortic, arm = people
    with pytest.raises(ShapeError, match="reference is constant"):
        amplification_r2(aortic[:4], np.full(4, 120.0), np.full(4, 130.0))
    with pytest.raises(ShapeError, match="wanted the same"):
        amplification_r2(aortic, aortic, arm[:5])
    with pytest.raises(ShapeError, match="NaN"):
        amplification(np.full(300, np.nan), aortic)


def test_every_subject_weighs_the_same_in_the_r2_of_the_amplification():
    generator = np.random.default_rng(3)
    subject = np.repeat(np.arange(12), 3)
    aortic = 120 + 10 * generator.standard_normal(36)
    arm = aortic + 9 + 4 * generator.standard_normal(36)
    guess = aortic + 2 * generator.standard_normal(36)
    equal = per_subject_amplification_r2(guess, aortic, arm, subject)
    assert equal == pytest.approx(amplification_r2(guess, aortic, arm))
    rows = np.append(np.arange(36), np.repeat([0, 1, 2], 20))
    again = per_subject_amplification_r2(
        guess[rows], aortic[rows], arm[rows], subject[rows]
    )
    assert again == pytest.approx(equal)
    assert amplification_r2(guess[rows], aortic[rows], arm[rows]) != pytest.approx(
        equal
    )
