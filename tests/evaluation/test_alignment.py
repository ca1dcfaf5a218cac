"""Domain alignment: an MMD that equals another implementation, and its null."""

import json

import numpy as np
import pytest
import torch

from capnet.adaptation.divergences import mmd
from capnet.errors import ConfigError, ShapeError
from capnet.evaluation.alignment import domain_alignment, kernel_mmd
from capnet.evaluation.reports.alignment_section import alignment_section


def samples(n=40, m=30, apart=0.0, features=6, seed=0):
    rng = np.random.default_rng(seed)
    target = rng.standard_normal((m, features))
    target[:, 0] += apart
    return rng.standard_normal((n, features)), target


@pytest.mark.parametrize("apart", [0.0, 0.7, 5.0])
def test_the_mmd_is_that_of_the_loss(apart):
    source, target = samples(apart=apart)
    other = mmd(torch.from_numpy(source), torch.from_numpy(target))
    # torch takes the lower median, numpy the middle of both
    assert kernel_mmd(source, target) == pytest.approx(float(other), abs=2e-4)


def test_the_mmd_does_not_mind_scale_place_or_order():
    source, target = samples(apart=1.0)
    found = kernel_mmd(source, target)
    order = np.random.default_rng(1).permutation(len(source))
    assert kernel_mmd(source[order], target) == pytest.approx(found, abs=1e-12)
    moved = kernel_mmd(3 * source + 100, 3 * target + 100)
    assert moved == pytest.approx(found, abs=1e-9)
    assert kernel_mmd(target, source) == pytest.approx(found, abs=1e-12)


def test_features_that_shrink_are_not_aligned():
    source, target = samples(apart=1.5)
    found = domain_alignment((source, target), (0.01 * source, 0.01 * target))
    assert found.after.mmd == pytest.approx(found.before.mmd, abs=1e-9)
    assert found.after.p_value == found.before.p_value


def test_the_p_value_is_never_zero():
    found = domain_alignment(*(samples(apart=9.0),) * 2, permutations=2000)
    assert found.before.p_value == pytest.approx(1 / 2001)
    assert "p < 0.001" in str(found)
    (table,) = alignment_section(found).tables
    assert [row[-2] for row in table.rows] == ["p < 0.001"] * 2


def test_the_mmd_grows_with_the_distance():
    found = [kernel_mmd(*samples(apart=a)) for a in (0.0, 1.0, 2.0, 4.0)]
    assert found == sorted(found)


def test_alike_domains_are_seldom_called_apart():
    called = [
        domain_alignment(*(samples(seed=s),) * 2, permutations=100, seed=s).before.apart
        for s in range(60)
    ]
    assert 0 <= np.mean(called) <= 0.15  # 5 % of the draws


def test_what_was_apart_and_came_together_is_told():
    found = domain_alignment(samples(apart=3.0), samples(apart=0.0), permutations=200)
    assert found.before.apart
    assert found.before.p_value == pytest.approx(1 / 201)
    assert not found.after.apart
    assert found.before.mmd > 10 * abs(found.after.mmd)
    assert "before (source only)" in str(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_same_features_give_the_same_view_twice():
    pair = samples(apart=1.0)
    found = domain_alignment(pair, pair)
    np.testing.assert_array_equal(found.before.source, found.after.source)
    assert found.before.mmd == found.after.mmd
    again = domain_alignment(pair, pair)
    assert found.before.p_value == again.before.p_value


def test_the_axes_are_the_directions_of_most_variance():
    source, target = samples(features=5)
    stretch = np.array([1.0, 9.0, 1.0, 4.0, 1.0])
    found = domain_alignment((source * stretch, target * stretch), (source, target))
    pooled = np.concatenate([source * stretch, target * stretch])
    view = np.concatenate([found.before.source, found.before.target])
    assert abs(np.corrcoef(view[:, 0], pooled[:, 1])[0, 1]) > 0.99
    assert 0.8 < found.explained <= 1.0


def test_a_single_feature_fills_one_axis():
    source, target = samples(features=1)
    found = domain_alignment((source, target), (source, target))
    assert np.all(found.before.source[:, 1] == 0)
    assert found.explained == pytest.approx(1.0)


def test_features_without_variance_are_no_distance():
    found = domain_alignment(*((np.ones((4, 3)), np.ones((5, 3))),) * 2)
    assert found.before.mmd == pytest.approx(0.0)
    assert not found.before.apart


def test_what_cannot_be_compared_is_refused():
    source, target = samples()
    with pytest.raises(ShapeError, match="two or more subjects"):
        kernel_mmd(source[:1], target)
    with pytest.raises(ShapeError, match="not finite"):
        kernel_mmd(np.where(source > 2, np.nan, source), target)
    with pytest.raises(ShapeError, match="the same subjects"):
        domain_alignment((source, target), (source[1:], target))
    with pytest.raises(ConfigError, match="permutations is 10"):
        domain_alignment((source, target), (source, target), permutations=10)


def test_a_name_is_no_formula():
    names = (r"a $\frac$ b", "adapted")
    found = domain_alignment(*(samples(),) * 2, names=names, permutations=100)
    assert alignment_section(found).figures[0].png.startswith(b"\x89PNG")


def test_the_section_says_both_numbers_and_draws_both_views():
    found = domain_alignment(samples(apart=3.0), samples(apart=0.0), permutations=100)
    section = alignment_section(found)
    (table,) = section.tables
    assert [row[0] for row in table.rows] == ["before", "after"]
    assert [row[-1] for row in table.rows] == ["apart", "not told apart"]
    (figure,) = section.figures
    assert figure.png.startswith(b"\x89PNG")
    assert "no proof" in section.paragraphs[0]
