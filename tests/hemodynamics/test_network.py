import dataclasses

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
    tree = load_network()
    assert parse_sites(["radial", "radial"], tree) == ("radial",)
    with pytest.raises(ConfigError, match="not 'ankle'"):
        parse_sites(["radial", "ankle"], tree)
    with pytest.raises(ConfigError, match="no sites were named"):
        parse_sites([], tree)
    with pytest.raises(ConfigError, match=r"segment in 1\.\.116"):
        split(tree, {"radial": Location(117, 0.5)})
    with pytest.raises(ConfigError, match=r"string 'radial'; wanted .* \['radial'\]"):
        parse_sites("radial", tree)


def test_any_place_can_be_written():
    tree = load_network()
    written = "Left Radial Artery@0.3"
    assert tree.locate(written) == Location(22, 0.3)
    assert tree.locate("radial") == SITES["radial"]
    assert parse_sites([written, "radial"], tree) == (written, "radial")
    small = network([1, 2], [2, 3])
    assert small.locate("artery 2@1") == Location(2, 1.0)


@pytest.mark.parametrize(
    ("site", "message"),
    [
        ("Left Radial Artery@1.2", "'1.2' is no fraction"),
        ("Left Radial Artery@wrist", "'wrist' is no fraction"),
        ("Left Radial Artery@nan", "'nan' is no fraction"),
        (
            "Left Radal Artery@0.5",
            "no artery 'Left Radal Artery'; there is Left",
        ),
        ("wrist", "there is no site of that name"),
    ],
)
def test_places_that_do_not_exist_are_refused(site, message):
    with pytest.raises(ConfigError, match=message):
        load_network().locate(site)


def test_an_artery_whose_name_is_shared_cannot_be_written():
    good = network([1, 2], [2, 3])
    twins = dataclasses.replace(good, name=("tube", "tube"))
    with pytest.raises(ConfigError, match=r"segment 1 .*segment 2 .*share a name"):
        twins.locate("tube@0.5")


def test_named_sites_of_a_network_must_lie_in_it():
    good = network([1, 2], [2, 3])
    named = dataclasses.replace(good, sites={"middle": Location(2, 0.5)})
    assert parse_sites(["middle"], named) == ("middle",)
    with pytest.raises(ConfigError, match=r"site 'end' is at 0\.5 of segment 3"):
        dataclasses.replace(good, sites={"end": Location(3, 0.5)})


def test_several_cuts_in_one_artery():
    tree = network([1, 2, 2], [2, 3, 4])
    places = {
        "end": Location(2, 1.0),
        "late": Location(2, 0.75),
        "early": Location(2, 0.25),
        "again": Location(2, 0.25),
        "start": Location(2, 0.0),
    }
    pieces = split(tree, places)
    assert len(pieces.network) == 5
    mine = np.flatnonzero(pieces.parent == 1)
    np.testing.assert_allclose(pieces.begin[mine], [0.0, 0.25, 0.75])
    np.testing.assert_allclose(pieces.end[mine], [0.25, 0.75, 1.0])
    inner = pieces.network
    assert (inner.inlet[mine[1:]] == inner.outlet[mine[:-1]]).all()
    assert inner.outlet[mine[-1]] == tree.outlet[1]
    for site, (_, fraction) in places.items():
        probe = pieces.probes[site]
        edge = pieces.begin if probe.at_inlet else pieces.end
        assert edge[probe.piece] == fraction
        assert pieces.parent[probe.piece] == 1


def test_places_that_differ_by_rounding_are_one():
    tree = network([1, 2, 2], [2, 3, 4])
    third, start, end = Location(2, 0.3), Location(2, 0.0), Location(2, 1.0)
    near = {
        "third": third,
        "again": Location(2, 0.1 + 0.2),
        "before": Location(2, 0.3 - 1e-8),
        "start": start,
        "beginning": Location(2, 1e-9),
        "end": end,
        "ending": Location(2, 0.9999999999),
    }
    pieces = split(tree, near)
    assert len(pieces.network) == 4
    assert pieces.network.length.min() > 0.29 * tree.length[1]
    for one, others in (
        ("third", ("again", "before")),
        ("start", ("beginning",)),
        ("end", ("ending",)),
    ):
        assert {pieces.probes[other] for other in others} == {pieces.probes[one]}
    apart = split(tree, {"third": third, "later": Location(2, 0.301)})
    assert len(apart.network) == 5
    reverse = split(tree, dict(reversed(near.items())))
    assert dict(reverse.probes) == dict(pieces.probes)
