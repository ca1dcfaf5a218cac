import numpy as np
import pytest

from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.network import (
    SITES,
    Location,
    Network,
    load_network,
    parse_sites,
    split,
)
from tests.hemodynamics.people import network


def test_packaged_network_is_complete():
    tree = load_network()
    assert len(tree) == 116
    assert len(tree.terminals) == 46
    assert len(tree.nodes) == 109
    assert tree.root == 1
    assert "116 arteries" in repr(tree)


def test_splitting_keeps_length_and_joins_radii():
    tree = load_network()
    pieces = split(tree, SITES)
    total = np.bincount(pieces.parent, weights=pieces.network.length)
    np.testing.assert_allclose(total, tree.length, rtol=1e-14)
    first = pieces.probes["carotid"].piece
    second = int(np.flatnonzero(pieces.parent == first)[1])
    assert pieces.network.outlet[first] == pieces.network.inlet[second]
    assert pieces.network.outlet_radius[first] == pieces.network.inlet_radius[second]
    assert pieces.probes["femoral"].at_inlet


def test_loops_that_drain_are_allowed():
    network([1, 2, 2, 3, 4], [2, 3, 4, 4, 5])


@pytest.mark.parametrize(
    ("inlet", "outlet", "message"),
    [
        ([1, 2, 3, 4, 2], [2, 3, 4, 3, 9], r"segment 3 .*loop without an outlet"),
        ([1, 3], [2, 4], r"starts at nodes \[1, 3\]"),
        ([1, 2, 3, 4, 4], [2, 5, 4, 3, 6], r"segment 3 .*cannot be reached"),
        ([1, 2], [2, 2], r"segment 2 .*begins and ends at node 2"),
        ([1, 1], [2, 2], r"segment 1 .*segment 2 .*same terminal node 2"),
    ],
)
def test_bad_topology_names_the_segment(inlet, outlet, message):
    with pytest.raises(ConfigError, match=message):
        network(inlet, outlet)


def test_bad_sizes_name_the_segment():
    good = network([1, 2], [2, 3])
    with pytest.raises(ConfigError, match=r"segment 2 .*inlet_radius -0.001 m"):
        Network(
            good.name,
            good.inlet,
            good.outlet,
            good.length,
            np.array([1e-3, -1e-3]),
            good.outlet_radius,
        )
    with pytest.raises(ShapeError, match="inlet has 2 rows; name has 1"):
        Network(
            good.name[:1],
            good.inlet,
            good.outlet,
            good.length,
            good.inlet_radius,
            good.outlet_radius,
        )


def test_sites_are_checked():
    assert parse_sites(["radial", "radial"]) == ("radial",)
    with pytest.raises(ConfigError, match="not 'ankle'"):
        parse_sites(["radial", "ankle"])
    with pytest.raises(ConfigError, match=r"segment in 1\.\.116"):
        split(load_network(), {"radial": Location(117, 0.5)})
    with pytest.raises(ConfigError, match="shares the inside of segment 21"):
        split(
            load_network(), {"radial": Location(21, 0.5), "brachial": Location(21, 0.7)}
        )
