"""The arterial tree: which artery joins which, how long and how wide.

The packaged tree has 116 arteries (the circle of Willis and both palmar arches
included) and is the one of PWDB (Charlton 2019, doi:10.1152/ajpheart.00218.2019),
whose geometry was adapted from Mynard and Smolich 2015.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache, cached_property
from importlib.resources import files
from typing import Final, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int

from capnet.errors import ConfigError, ShapeError
from capnet.types import Site

__all__ = [
    "SITES",
    "Location",
    "Network",
    "Probe",
    "Tree",
    "load_network",
    "parse_sites",
    "split",
]

PerSegment = Float[np.ndarray, " segment"]
Nodes = Int[np.ndarray, " segment"]


class Location(NamedTuple):
    """A place along an artery.

    Attributes:
        segment: Number of the artery, from 1, as the table numbers them.
        fraction: Position along it, 0 at the inlet and 1 at the outlet.
    """

    segment: int
    fraction: float


_SAME_PLACE: Final = 1e-6
"""Fraction of an artery below which two places are one."""

SITES: Final[Mapping[Site, Location]] = {
    "aortic_root": Location(1, 0.0),
    "carotid": Location(15, 0.5),
    "brachial": Location(21, 0.75),
    "radial": Location(22, 0.5),
    "digital": Location(112, 1.0),
    "femoral": Location(46, 0.0),
}
"""Where waves are taken: the recording sites of PWDB, left side of the body."""


@dataclass(frozen=True, eq=False)
class Network:
    """Arteries between nodes. Loops are allowed as long as blood can leave them.

    Attributes:
        name: Name of each artery.
        inlet: Node where each artery begins. Shape (segment,).
        outlet: Node where each artery ends. Shape (segment,).
        length: Metres. Shape (segment,).
        inlet_radius: Metres, at diastolic pressure. Shape (segment,).
        outlet_radius: Metres, at diastolic pressure. Shape (segment,).
        sites: Places with a name of their own. Every other place can be written
            ``"artery name@fraction"``, see `locate`.

    Raises:
        ShapeError: If the columns do not have one row a segment.
        ConfigError: If a segment has no length or radius, a site lies nowhere, or the
            arteries do not form one tree (with loops) that starts at one node and
            drains everywhere.
    """

    name: tuple[str, ...]
    inlet: Nodes
    outlet: Nodes
    length: PerSegment
    inlet_radius: PerSegment
    outlet_radius: PerSegment
    sites: Mapping[str, Location] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.name)
        for column in ("inlet", "outlet", "length", "inlet_radius", "outlet_radius"):
            if len(getattr(self, column)) != n:
                msg = f"{column} has {len(getattr(self, column))} rows; name has {n}."
                raise ShapeError(msg)
        if n == 0:
            msg = "the network has no segment; wanted at least one artery."
            raise ConfigError(msg)
        self._check_sizes()
        self._check_topology()
        for site, location in self.sites.items():
            self._check_location(site, location)

    def label(self, segment: int) -> str:
        """Return how messages call the artery in this row."""
        return f"segment {segment + 1} ({self.name[segment]!r})"

    def _check_sizes(self) -> None:
        for column in ("length", "inlet_radius", "outlet_radius"):
            values = getattr(self, column)
            bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
            if len(bad):
                msg = (
                    f"{self.label(int(bad[0]))} has {column} {values[bad[0]]:g} m; "
                    "wanted a positive number. Correct it in the table."
                )
                raise ConfigError(msg)
        loops = np.flatnonzero(self.inlet == self.outlet)
        if len(loops):
            msg = (
                f"{self.label(int(loops[0]))} begins and ends at node "
                f"{self.inlet[loops[0]]}; wanted two different nodes."
            )
            raise ConfigError(msg)

    def _check_topology(self) -> None:
        roots = sorted(set(self.inlet.tolist()) - set(self.outlet.tolist()))
        if len(roots) != 1:
            msg = (
                f"the network starts at nodes {roots}; wanted exactly one node that "
                "no artery runs into. Turn an artery round or remove one."
            )
            raise ConfigError(msg)
        fed = _reach(roots, zip(self.inlet.tolist(), self.outlet.tolist(), strict=True))
        for segment, node in enumerate(self.inlet.tolist()):
            if node not in fed:
                msg = (
                    f"{self.label(segment)} cannot be reached from the root node "
                    f"{roots[0]}; connect its inlet node {node} or remove it."
                )
                raise ConfigError(msg)
        leaves = set(self.outlet.tolist()) - set(self.inlet.tolist())
        upstream = zip(self.outlet.tolist(), self.inlet.tolist(), strict=True)
        drained = _reach(leaves, upstream)
        for segment, node in enumerate(self.outlet.tolist()):
            around = zip(self.inlet.tolist(), self.outlet.tolist(), strict=True)
            if node not in drained and self.inlet[segment] in _reach([node], around):
                msg = (
                    f"{self.label(segment)} is part of a loop without an outlet, from "
                    f"node {self.inlet[segment]} to {node}; wanted an artery that "
                    "leaves the loop. Add one, or turn this one round."
                )
                raise ConfigError(msg)
        ends = self.outlet[self.terminals].tolist()
        twice = [node for node in ends if ends.count(node) > 1]
        if twice:
            found = [
                self.label(int(v)) for v in np.flatnonzero(self.outlet == twice[0])
            ]
            msg = (
                f"{' and '.join(found)} end at the same terminal node {twice[0]}; "
                "wanted one vascular bed an artery. Add a short artery behind them."
            )
            raise ConfigError(msg)

    def _check_location(self, site: str, location: Location) -> None:
        if not (1 <= location.segment <= len(self) and 0.0 <= location.fraction <= 1.0):
            msg = (
                f"site {site!r} is at {location.fraction:g} of segment "
                f"{location.segment}; wanted a fraction in 0..1 of a segment in "
                f"1..{len(self)}."
            )
            raise ConfigError(msg)

    def locate(self, site: str) -> Location:
        """Return where a site is.

        Args:
            site: Name of one of ``sites``, or the name of an artery and how far along
                it, 0 at its inlet and 1 at its outlet: ``"Left Radial Artery@0.3"``.

        Raises:
            ConfigError: If there is no such site or artery, several arteries have
                that name, or the fraction is not within 0..1.
        """
        if site in self.sites:
            return self.sites[site]
        artery, at, where = site.rpartition("@")
        rows = [row for row, name in enumerate(self.name) if name == artery]
        try:
            fraction = float(where)
        except ValueError:
            fraction = math.nan
        if len(rows) == 1 and 0.0 <= fraction <= 1.0:
            return Location(rows[0] + 1, fraction)
        if not at:
            found = "there is no site of that name"
        elif not rows:
            near = get_close_matches(artery, self.name, cutoff=0.5)
            hint = f"; there is {', '.join(near)}" if near else ""
            found = f"there is no artery {artery!r}{hint}"
        elif len(rows) > 1:
            found = f"{', '.join(map(self.label, rows))} share a name"
        else:
            found = f"{where!r} is no fraction in 0..1"
        named = f"one of {', '.join(self.sites)}, or " if self.sites else ""
        msg = (
            f"wanted {named}an artery and a fraction of its length such as "
            f"'{self.name[0]}@0.5', not {site!r}: {found}."
        )
        raise ConfigError(msg)

    def same(self, other: "Network") -> bool:
        """Tell whether another network has the same arteries between the same nodes."""
        return self is other or (
            self.name == other.name
            and np.array_equal(self.inlet, other.inlet)
            and np.array_equal(self.outlet, other.outlet)
        )

    def __len__(self) -> int:
        return len(self.name)

    @cached_property
    def root(self) -> int:
        """Node where the heart ejects."""
        return int(np.setdiff1d(self.inlet, self.outlet)[0])

    @cached_property
    def terminals(self) -> Int[np.ndarray, " terminal"]:
        """Rows of the arteries that end in a vascular bed. Shape (terminal,)."""
        return np.flatnonzero(~np.isin(self.outlet, self.inlet))

    @cached_property
    def nodes(self) -> tuple[int, ...]:
        """All nodes, in ascending order."""
        return tuple(sorted({*self.inlet.tolist(), *self.outlet.tolist()}))

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, str]],
        sites: Mapping[str, Location] | None = None,
    ) -> Self:
        """Build a network from rows of a table with the packaged file's columns."""
        table = list(rows)

        def column(key: str) -> list[str]:
            return [row[key] for row in table]

        return cls(
            name=tuple(column("name")),
            inlet=np.array(column("inlet_node"), dtype=np.int64),
            outlet=np.array(column("outlet_node"), dtype=np.int64),
            length=np.array(column("length_m"), dtype=np.float64),
            inlet_radius=np.array(column("inlet_radius_m"), dtype=np.float64),
            outlet_radius=np.array(column("outlet_radius_m"), dtype=np.float64),
            sites=dict(sites or {}),
        )

    def __repr__(self) -> str:
        return (
            f"Network({len(self)} arteries, {len(self.nodes)} nodes, "
            f"{len(self.terminals)} vascular beds)"
        )


class Probe(NamedTuple):
    """Where a site lies in a tree that was cut there.

    Attributes:
        piece: Row of the piece of artery.
        at_inlet: Whether the site is the piece's inlet (else its outlet).
    """

    piece: int
    at_inlet: bool


@dataclass(frozen=True, eq=False)
class Tree:
    """A network whose arteries are cut where waves are taken.

    Attributes:
        network: The pieces; the first ones keep the row of their artery.
        parent: Row of the artery that each piece belongs to. Shape (piece,).
        begin, end: Fractions of the artery between which it lies. Shape (piece,).
        probes: Where each site lies.
    """

    network: Network
    parent: Int[np.ndarray, " piece"]
    begin: Float[np.ndarray, " piece"]
    end: Float[np.ndarray, " piece"]
    probes: Mapping[str, Probe]


def split(network: Network, locations: Mapping[str, Location]) -> Tree:
    """Cut arteries where waves are taken, so that each site becomes a node.

    Args:
        network: The whole arteries.
        locations: Where the sites are; several may lie in one artery, or at one place.
            Places within 1e-6 of the artery from each other or from an end are one.

    Raises:
        ConfigError: If a location does not exist.
    """
    wanted: dict[int, set[float]] = {}
    for site, location in locations.items():
        network._check_location(site, location)
        wanted.setdefault(location.segment - 1, set()).add(location.fraction)
    places = {row: _distinct(fractions) for row, fractions in wanted.items()}
    inlet, outlet = network.inlet.tolist(), network.outlet.tolist()
    parent = list(range(len(network)))
    begin, end = [0.0] * len(network), [1.0] * len(network)
    pieces: dict[int, list[int]] = {}
    fresh = max(network.nodes) + 1
    for row, place in places.items():
        pieces[row] = [row]
        for fraction in sorted(set(place.values()) - {0.0, 1.0}):
            before = pieces[row][-1]
            pieces[row].append(len(parent))
            inlet.append(fresh)
            outlet.append(outlet[before])
            parent.append(row)
            begin.append(fraction)
            end.append(1.0)
            outlet[before], end[before] = fresh, fraction
            fresh += 1
    probes = {
        site: Probe(segment_pieces[0], at_inlet=True)
        if fraction == 0.0
        else Probe(next(p for p in segment_pieces if end[p] == fraction), False)
        for site, (segment, written) in locations.items()
        for segment_pieces in [pieces[segment - 1]]
        for fraction in [places[segment - 1][written]]
    }
    rows, first, last = np.array(parent), np.array(begin), np.array(end)
    taper = (network.outlet_radius - network.inlet_radius)[rows]
    tree = Network(
        name=tuple(network.name[row] for row in parent),
        inlet=np.array(inlet, dtype=np.int64),
        outlet=np.array(outlet, dtype=np.int64),
        length=network.length[rows] * (last - first),
        inlet_radius=network.inlet_radius[rows] + taper * first,
        outlet_radius=network.inlet_radius[rows] + taper * last,
    )
    return Tree(tree, rows, first, last, probes)


def _distinct(fractions: set[float]) -> dict[float, float]:
    """Return at which fraction each one is cut: rounding makes no piece of its own."""
    answer: dict[float, float] = {}
    last = 0.0
    for fraction in sorted(fractions):
        if fraction >= 1.0 - _SAME_PLACE:
            last = 1.0
        elif fraction > last + _SAME_PLACE:
            last = fraction
        answer[fraction] = last
    return answer


@cache
def load_network() -> Network:
    """Return the packaged tree of 116 arteries (left and right, head to foot)."""
    table = files("capnet.hemodynamics") / "tables" / "network_116_pwdb.csv"
    rows = csv.DictReader(table.read_text("utf-8").splitlines())
    return Network.from_rows(rows, {str(site): where for site, where in SITES.items()})


def parse_sites(sites: Sequence[str], network: Network) -> tuple[str, ...]:
    """Return the sites as a tuple, each once, after checking that each exists.

    Args:
        sites: Named sites of the network, or places such as ``"artery@0.3"``.
        network: Where they should be.

    Raises:
        ConfigError: If there is no site, one is not known, or a single string was
            given instead of a sequence.
    """
    if isinstance(sites, str):
        msg = f"sites is the string {sites!r}; wanted a sequence such as [{sites!r}]."
        raise ConfigError(msg)
    if not sites:
        msg = (
            f"no sites were named; wanted at least one of {', '.join(network.sites)}"
            f" or an artery and a fraction such as '{network.name[0]}@0.5'."
        )
        raise ConfigError(msg)
    for site in sites:
        network.locate(site)
    return tuple(dict.fromkeys(sites))


def _reach(start: Iterable[int], edges: Iterable[tuple[int, int]]) -> set[int]:
    """Return the nodes that can be reached along directed edges."""
    after: dict[int, list[int]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
    seen, queue = set(start), list(start)
    while queue:
        for node in after.get(queue.pop(), []):
            if node not in seen:
                seen.add(node)
                queue.append(node)
    return seen
