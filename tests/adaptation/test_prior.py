"""Prior weights: what cheap covariates say about who the clinic's people are."""

import numpy as np
import pytest

from capnet.adaptation.prior import prior_weights
from capnet.errors import ProtocolError
from tests.fakes.people import make_people


@pytest.fixture(scope="module")
def source():
    return make_people(150, beats=1)


def older(beats, *, years):
    """The people of a population that are past an age."""
    return beats.take(beats.age > years)


def test_where_nothing_differs_weights_are_one(source):
    weights = prior_weights(source, source)
    np.testing.assert_allclose(weights.values, 1.0, atol=1e-6)
    assert weights.effective == pytest.approx(len(source))


def test_other_people_of_the_same_kind_change_little(source):
    weights = prior_weights(source, make_people(150, beats=1, seed=1))
    assert weights.values.mean() == pytest.approx(1.0)
    assert weights.effective > 0.7 * len(source)


def test_an_older_clinic_calls_for_older_people(source):
    clinic = older(make_people(200, beats=1, seed=1), years=60)
    weights = prior_weights(source, clinic)
    assert np.corrcoef(weights.values, source.age)[0, 1] > 0.5
    age = np.average(source.age, weights=weights.values)
    assert abs(age - clinic.age.mean()) < 0.3 * abs(
        source.age.mean() - clinic.age.mean()
    )
    assert weights.effective < 0.8 * len(source)


def test_weights_are_positive_and_bounded(source):
    clinic = make_people(5, beats=1, seed=1)
    far = clinic.replace(cuff=clinic.cuff + 60)
    weights = prior_weights(source, far)
    assert (weights.values >= 0).all()
    assert (weights.values <= 10).all()
    assert 1 <= weights.effective <= len(source)


def test_the_effective_size_is_that_of_the_weights(source):
    weights = prior_weights(source, make_people(40, beats=1, seed=1))
    values = weights.values
    assert weights.effective == pytest.approx(values.sum() ** 2 / (values**2).sum())


def test_the_size_of_the_clinic_does_not_matter_much(source):
    """Density ratios, not odds: twice the same people are the same people."""
    clinic = older(make_people(100, beats=1, seed=1), years=50)
    once = prior_weights(source, clinic)
    twice = prior_weights(source, clinic.take(np.tile(np.arange(len(clinic)), 2)))
    assert np.corrcoef(once.values, twice.values)[0, 1] > 0.98
    assert twice.values.mean() == pytest.approx(once.values.mean(), abs=0.05)


@pytest.mark.parametrize("side", ["source", "target", "both", "one beat"])
def test_unknown_ages_are_left_out(source, side):
    """They change nothing: age then says nothing about who is where."""
    clinic = older(make_people(100, beats=1, seed=1), years=50)
    nowhere = source.replace(age=np.full(len(source), np.nan))
    unknown = clinic.replace(age=np.full(len(clinic), np.nan))
    hidden = clinic.replace(
        age=np.where(np.arange(len(clinic)) == 3, np.nan, clinic.age)
    )
    pair = {
        "source": (nowhere, clinic),
        "target": (source, unknown),
        "both": (nowhere, unknown),
        "one beat": (source, hidden),
    }[side]
    weights = prior_weights(*pair)
    assert np.isfinite(weights.values).all()
    np.testing.assert_allclose(
        weights.values, prior_weights(nowhere, unknown).values, rtol=1e-9
    )


def test_no_label_is_read(source):
    clinic = make_people(30, beats=1, seed=1)
    blind = clinic.replace(reference=None, reference_type="none")
    np.testing.assert_array_equal(
        prior_weights(source, clinic).values, prior_weights(source, blind).values
    )


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_side(source, empty):
    pair = [source, source]
    pair[empty] = source.take(np.zeros(0, dtype=int))
    with pytest.raises(ProtocolError, match="need beats of both domains"):
        prior_weights(*pair)
