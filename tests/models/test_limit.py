"""The information limit of a cuff: what linear methods reach, and cannot pass."""

import numpy as np
import pytest

from capnet.errors import ProtocolError, RecordError
from capnet.models.inputs import ALONE, Inputs, true_pressures
from capnet.models.limit import cuff_limit
from tests.models.fake_beats import make_beats

ERROR = np.array([[49.0, 17.0], [17.0, 36.0]])
BUMP = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)


def people(n, *, seed, left=2.0):
    """Central SBP is linear in arm, heart rate and arrival time; so is the arm."""
    rng = np.random.default_rng(seed)
    beats = make_beats(n, seed=seed)
    pat = rng.normal(0.2, 0.02, n)
    sbp = 120 - 600 * (pat - 0.2) + rng.normal(0, 9, n)
    dbp = 70 + 0.4 * (sbp - 120) + rng.normal(0, 6, n)
    top = 0.8 * sbp + 0.1 * dbp + 10 - 0.05 * beats.hr + left * rng.standard_normal(n)
    return beats.replace(
        cuff=np.stack([sbp, dbp], axis=1),
        features={"pat": pat},
        truth={"brachial_sbp": sbp, "brachial_dbp": dbp},
        reference=dbp[:, None] + BUMP * (top - dbp)[:, None],
    )


@pytest.fixture(scope="module")
def clinic():
    return people(3000, seed=0), people(3000, seed=1)


def test_the_parts_are_those_that_were_planted(clinic):
    found = cuff_limit(*clinic, ERROR)
    prior = np.array([[81.0, 0.4 * 81], [0.4 * 81, 0.16 * 81 + 36]])
    posterior = np.linalg.inv(np.linalg.inv(prior) + np.linalg.inv(ERROR))
    gain = np.array([0.8, 0.1])
    assert found.arm == pytest.approx(posterior[0, 0] ** 0.5, rel=0.03)
    assert found.cuff == pytest.approx((gain @ posterior @ gain) ** 0.5, rel=0.03)
    assert found.shape == pytest.approx(2.0, rel=0.04)
    assert found.together == pytest.approx(np.hypot(found.cuff, found.shape))


def test_a_linear_method_that_knows_the_clinic_ends_there(clinic):
    rng = np.random.default_rng(2)
    inputs = Inputs.learn(ALONE, clinic[0])
    design, target = [], []
    for beats in clinic:
        read = beats.cuff + rng.multivariate_normal([0, 0], ERROR, len(beats))
        design.append(np.c_[np.ones(len(beats)), inputs.of(beats), read])
        target.append(true_pressures(beats)[:, 0])
    slope = np.linalg.lstsq(design[0], target[0])[0]
    error = target[1] - design[1] @ slope
    limit = cuff_limit(*clinic, ERROR).together
    assert np.sqrt((error**2).mean()) == pytest.approx(limit, rel=0.04)


def test_without_an_error_the_shape_alone_is_left(clinic):
    found = cuff_limit(*clinic, np.zeros((2, 2)))
    assert (found.arm, found.cuff) == pytest.approx((0.0, 0.0), abs=1e-5)
    assert found.together == pytest.approx(found.shape)


def test_a_worse_cuff_leaves_more_and_a_useless_one_what_was_known_before(clinic):
    found = [cuff_limit(*clinic, f * ERROR).together for f in (0, 0.5, 1, 4)]
    assert found == sorted(found)
    useless = cuff_limit(*clinic, 1e9 * ERROR)
    assert useless.arm == pytest.approx(9.0, rel=0.03)  # arrival time tells the rest


def test_people_count_once_and_their_order_does_not(clinic):
    known, asked = (b.take(np.arange(200)) for b in clinic)
    mixed = known.take(np.arange(200)[::-1]), asked.take(np.arange(200)[::-1])
    one, other = cuff_limit(known, asked, ERROR), cuff_limit(*mixed, ERROR)
    assert other == pytest.approx(one)
    often = asked.take(np.array([0] * 50 + [*range(200)]))
    assert cuff_limit(known, often, ERROR) == pytest.approx(one, rel=2e-3)


def test_what_it_needs_is_named(clinic):
    known, asked = (b.take(np.arange(20)) for b in clinic)
    with pytest.raises(RecordError, match="no true pressure of the arm"):
        cuff_limit(known.replace(truth={}), asked, ERROR)
    with pytest.raises(RecordError, match="no feature 'pat'"):
        cuff_limit(known.replace(features={}), asked, ERROR)
    lost = asked.replace(reference=np.full((20, 64), np.nan))
    with pytest.raises(ProtocolError, match="none of those with a reference"):
        cuff_limit(known, lost, ERROR)
