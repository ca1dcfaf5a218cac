"""Folds by subject: who trains, who chooses, who is tested, and nobody twice.

People who must stay together (duplicates, virtual neighbours, several records of one
person) come as groups; groups that share a person are one. A fold is drawn from names
alone: it does not depend on the order of the rows nor on how many beats anybody has.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from jaxtyping import Float, Shaped

from capnet.data.frozen import words_hash
from capnet.data.splits import Groups, fingerprints, merged
from capnet.errors import ConfigError, ProtocolError, RecordError
from capnet.files import write_atomic
from capnet.hemodynamics.cohort import stream
from capnet.records import Beats

__all__ = [
    "Fold",
    "Names",
    "bands",
    "check_disjoint",
    "k_fold",
    "leave_one_domain_out",
    "load_split",
    "nested_folds",
    "same_source",
    "save_split",
]

Names = Shaped[np.ndarray, " _"]
"""Subjects, one a row or one each."""

_FORMAT: Final = "capnet split 1"
_PARTS: Final = ("train", "validation", "test")
_LARGEST: Final = 1 << 28
"""Bytes of a split's file; 10 folds of 100,000 subjects take 15 MB."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Who is used for what; the three groups are disjoint.

    Attributes:
        name: Of the fold, unique within its split.
        train: Subjects to learn from.
        validation: Subjects to choose settings on; may be empty.
        test: Held-out subjects.
    """

    name: str
    train: Shaped[np.ndarray, " train"]
    validation: Shaped[np.ndarray, " validation"]
    test: Shaped[np.ndarray, " test"]

    def parts(self, beats: Beats) -> tuple[Beats, Beats, Beats]:
        """Return the beats to learn from, to choose settings on, and to test on."""
        return beats.of(self.train), beats.of(self.validation), beats.of(self.test)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part} {len(getattr(self, part))}" for part in _PARTS)
        return f"Fold({self.name!r}: {sizes} subjects)"


def k_fold(
    subjects: Beats | Names,
    *,
    folds: int,
    seed: int,
    groups: Groups = (),
    strata: Mapping[str, str] | None = None,
    validation: float = 0.0,
) -> tuple[Fold, ...]:
    """Test everybody exactly once.

    Without groups, folds differ by at most one subject, in all and in each stratum.
    Groups are dealt first, the largest to the emptiest fold, so that folds are as
    equal as the groups allow.

    Args:
        subjects: Beats, or names (repetitions do not count).
        folds: How many, at least 2.
        seed: Not negative.
        groups: People who stay together; others may be among them.
        strata: Stratum of each subject, see `bands`; one for all by default.
        validation: Share of those not tested that chooses settings, 0 to below 1.

    Raises:
        ConfigError: If there are too few people or groups, somebody has no stratum, or
            the seed is negative.
    """
    people = _People.of(subjects, groups, strata)
    _check_folds(folds, people.units, "folds")
    order = _stream(seed, "k-fold", str(folds)).permutation(len(people.units))
    dealt = people.deal(order.tolist(), folds)
    found = []
    for i in range(folds):
        rest = [u for j in range(folds) if j != i for u in dealt[j]]
        train, chosen = people.hold(rest, validation, f"fold {i}")
        found.append(people.fold(f"fold {i}", train, chosen, dealt[i]))
    return tuple(found)


def nested_folds(
    subjects: Beats | Names,
    *,
    outer: int,
    inner: int,
    seed: int,
    groups: Groups = (),
    strata: Mapping[str, str] | None = None,
) -> tuple[Fold, ...]:
    """Choose settings on inner folds of what each outer fold leaves.

    Args:
        subjects: Beats, or names.
        outer: How many times people are held out for the test, at least 2.
        inner: How many times the rest is divided, at least 2.
        seed: Not negative.
        groups: People who stay together.
        strata: Stratum of each subject.

    Returns:
        ``outer * inner`` folds named ``outer 0, inner 1``; those of one outer fold have
        the same test. Train and validation together are what the chosen settings are
        fitted on in the end.

    Raises:
        ConfigError: See `k_fold`.
    """
    groups, found = tuple(groups), []
    held = k_fold(subjects, folds=outer, seed=seed, groups=groups, strata=strata)
    for i, away in enumerate(held):
        parts = k_fold(
            away.train, folds=inner, seed=seed + i, groups=groups, strata=strata
        )
        found += [
            Fold(f"outer {i}, inner {j}", part.train, part.test, away.test)
            for j, part in enumerate(parts)
        ]
    return tuple(found)


def leave_one_domain_out(
    subjects: Names,
    domains: Names,
    *,
    seed: int,
    groups: Groups = (),
    strata: Mapping[str, str] | None = None,
    validation: float = 0.0,
) -> tuple[Fold, ...]:
    """Test on each domain in turn what was learnt on the others.

    Whoever is of the tested domain, or in a group with somebody who is, is neither
    learnt from nor chosen on, wherever else he was seen.

    Args:
        subjects: Whose row it is. Shape (row,).
        domains: Where it was recorded. Shape (row,).
        seed: Not negative; of the validation.
        groups: People who stay together.
        strata: Stratum of each subject.
        validation: Share of those not tested that chooses settings, 0 to below 1.

    Returns:
        One fold a domain, by its name.

    Raises:
        ConfigError: If there are not two domains, or nobody is left to learn from.
    """
    if len(subjects) != len(domains):
        msg = f"{len(subjects)} subjects and {len(domains)} domains; wanted one a row."
        raise ConfigError(msg)
    names = np.unique(np.asarray(domains))
    if len(names) < 2:
        msg = (
            f"there is {len(names)} domain; wanted at least 2 to leave one out. Join "
            "the data of several clinics."
        )
        raise ConfigError(msg)
    people = _People.of(np.asarray(subjects), groups, strata)
    found = []
    for name in map(str, names):
        here = {str(s) for s in np.asarray(subjects)[np.asarray(domains) == name]}
        rest = [u for u, unit in enumerate(people.units) if not here.intersection(unit)]
        if not rest:
            msg = (
                f"without domain {name!r} nobody is left to learn from: everybody was "
                "seen there, or is in a group with somebody who was."
            )
            raise ConfigError(msg)
        order = _stream(seed, "leave one domain out", name).permutation(rest)
        train, chosen = people.hold(order.tolist(), validation, f"domain {name!r}")
        fold = people.fold(name, train, chosen, [])
        found.append(Fold(name, fold.train, fold.validation, np.array(sorted(here))))
    return tuple(found)


def bands(
    subjects: Names, values: Float[np.ndarray, " _"], *, edges: Sequence[float]
) -> dict[str, str]:
    """Return the band of each subject: ``0`` below the first edge, and so on.

    Args:
        subjects: Whose row it is. Shape (row,).
        values: For example age, or the cuff's SBP; a subject's median counts. NaN where
            unknown; subjects without any value are a band of their own. Shape (row,).
        edges: Ascending, where bands begin.

    Returns:
        Strata for `k_fold`.
    """
    names, which = np.unique(np.asarray(subjects), return_inverse=True)
    found: dict[str, str] = {}
    for i, name in enumerate(names):
        known = values[which == i]
        known = known[np.isfinite(known)]
        band = (
            int(np.searchsorted(edges, np.median(known), "right")) if len(known) else -1
        )
        found[str(name)] = "unknown" if band < 0 else str(band)
    return found


def same_source(subjects: Names, source: Names) -> tuple[frozenset[str], ...]:
    """Group subjects whose rows have the same source.

    Args:
        subjects: Whose row it is. Shape (row,).
        source: For example the person behind several records, or the file.
            Shape (row,).
    """
    by_source: dict[str, set[str]] = {}
    for subject, word in zip(subjects, source, strict=True):
        by_source.setdefault(str(word), set()).add(str(subject))
    return merged(by_source.values())


def check_disjoint(folds: Iterable[Fold], *, groups: Groups = ()) -> None:
    """Refuse folds in which anybody, or anybody's group, is on two sides.

    Args:
        folds: Each is looked at alone.
        groups: People who stay together.

    Raises:
        ProtocolError: If somebody is; the message names a fold and how many.
    """
    together = merged(groups)
    of_group = {name: i for i, group in enumerate(together) for name in group}
    for fold in folds:
        seen: dict[object, str] = {}
        for part in _PARTS:
            for name in map(str, getattr(fold, part)):
                unit = of_group.get(name, name)
                if seen.setdefault(unit, part) != part:
                    kind = "a group" if name in of_group else "a subject"
                    msg = (
                        f"{fold.name!r} has {kind} ({name!r}) in {seen[unit]} and in "
                        f"{part}; wanted nobody on two sides. Draw the split with "
                        "groups=."
                    )
                    raise ProtocolError(msg)


def save_split(
    path: str | Path, folds: Sequence[Fold], subjects: Beats | Names
) -> Path:
    """Write folds to a JSON file, whole or not at all.

    People are named by their fingerprints (`capnet.data.splits.fingerprints`), and the
    file says by hashes which people it is of and what was decided.

    Args:
        path: Of the file.
        folds: With names of their own.
        subjects: The data that the split belongs to: beats, or names.

    Returns:
        The path.

    Raises:
        ProtocolError: If somebody is on two sides, or not among the subjects.
        ConfigError: If two folds share a name, or two subjects a fingerprint.
    """
    check_disjoint(folds)
    known = _fingerprinted(subjects)
    if len({fold.name for fold in folds}) < len(folds) or not folds:
        msg = f"{len(folds)} folds share names; wanted folds, each with its own name."
        raise ConfigError(msg)
    code = {name: mark for mark, name in known.items()}
    rows = []
    for fold in folds:
        named = {part: [str(s) for s in getattr(fold, part)] for part in _PARTS}
        lost = [s for part in _PARTS for s in named[part] if s not in code]
        if lost:
            msg = (
                f"{fold.name!r} has {len(lost)} subjects that are not in the data; "
                "save a split with the data that it was drawn from."
            )
            raise ProtocolError(msg)
        marks = {part: sorted(code[s] for s in named[part]) for part in _PARTS}
        rows.append({"name": fold.name, **marks})
    content = {
        "format": _FORMAT,
        "subjects": len(known),
        "data": words_hash(sorted(known)),
        "folds": rows,
    }
    text = json.dumps({**content, "hash": words_hash(content)}, indent=1)
    return write_atomic(Path(path), (text + "\n").encode())


def load_split(path: str | Path, subjects: Beats | Names) -> tuple[Fold, ...]:
    """Read the folds that `save_split` wrote, for the same people.

    Args:
        path: Of the file.
        subjects: The data: beats, or names.

    Raises:
        RecordError: If the file is missing, damaged, or was changed after it was
            written (its hash tells; who wants to deceive can write a new one).
        ProtocolError: If it belongs to other people, or has somebody on two sides.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST:
            _unreadable(path, "the file is too large")
        content: Any = json.loads(path.read_bytes())
        said = content.pop("hash")
        kind, rows = content["format"], content["folds"]
        count, data = int(content["subjects"]), str(content["data"])
        named = [(str(row["name"]), [set(row[p]) for p in _PARTS]) for row in rows]
        real = words_hash(content)
    except RecordError:
        raise
    except (
        *(OSError, ValueError, KeyError, TypeError, AttributeError),
        *(RecursionError, OverflowError),
    ) as error:
        _unreadable(path, f"{type(error).__name__}")
    if kind != _FORMAT or real != said:
        _unreadable(path, "its content is not what its hash says: it was changed")
    known = _fingerprinted(subjects)
    if words_hash(sorted(known)) != data:
        msg = (
            f"{path.name} is a split of {count} other subjects than the {len(known)} "
            "given; wanted exactly those it was drawn from. Give the same data, or "
            "draw another split."
        )
        raise ProtocolError(msg)
    if len({name for name, _ in named}) < len(named) or not named:
        _unreadable(path, "its folds are none, or share names")
    if not all(known.keys() >= marks for _, parts in named for marks in parts):
        _unreadable(path, "it names people that are not of its own data")

    def people(marks: set[str]) -> np.ndarray:
        return np.array(sorted(known[mark] for mark in marks), dtype=np.str_)

    folds = tuple(Fold(name, *map(people, parts)) for name, parts in named)
    check_disjoint(folds)
    return folds


def _stream(seed: int, *names: str) -> np.random.Generator:
    if seed < 0:
        msg = f"seed is {seed}; wanted 0 or more."
        raise ConfigError(msg)
    return stream(seed, *names)


def _unreadable(path: Path, why: str) -> NoReturn:
    msg = (
        f"{path} is no split that can be believed ({why}); wanted a file as save_split "
        "writes it. Draw the split again from its seed and save it."
    )
    raise RecordError(msg)


def _fingerprinted(subjects: Beats | Names) -> dict[str, str]:
    """Return each subject's name by its fingerprint."""
    names = _names(subjects)
    known = dict(zip(fingerprints(np.array(names)), names, strict=True))
    if len(known) < len(names):
        msg = "two subjects share a fingerprint; rename one of them."
        raise ConfigError(msg)
    return known


def _names(subjects: Beats | Names) -> list[str]:
    rows = subjects.subject if isinstance(subjects, Beats) else subjects
    return [str(name) for name in np.unique(np.asarray(rows))]


def _check_folds(folds: int, units: Sequence[Sequence[str]], name: str) -> None:
    if not 2 <= folds <= len(units):
        count = sum(map(len, units))
        msg = (
            f"{name} = {folds} of {count} subjects in {len(units)} groups that stay "
            f"together (a group of one is a group); wanted 2 <= {name} <= "
            f"{len(units)}. Ask for fewer, or bring more people."
        )
        raise ConfigError(msg)


@dataclass(frozen=True, eq=False)
class _People:
    """Units that stay together, and how many of each stratum are in them."""

    units: list[list[str]]
    strata: np.ndarray  # shape: (unit, stratum)

    @classmethod
    def of(
        cls,
        subjects: Beats | Names,
        groups: Groups,
        strata: Mapping[str, str] | None,
    ) -> "_People":
        names = _names(subjects)
        here = set(names)
        joined = [sorted(here.intersection(group)) for group in merged(groups)]
        several = [unit for unit in joined if len(unit) > 1]
        taken = {name for unit in several for name in unit}
        units = several + [[name] for name in names if name not in taken]
        units.sort()
        if strata is None:
            return cls(units, np.array([[len(unit)] for unit in units]))
        lost = [name for name in names if name not in strata]
        if lost:
            msg = (
                f"{len(lost)} of {len(names)} subjects have no stratum, {lost[0]!r} "
                "among them; give one for everybody (see `bands`)."
            )
            raise ConfigError(msg)
        words = {word: i for i, word in enumerate(sorted({strata[n] for n in names}))}
        counts = np.zeros((len(units), max(len(words), 1)), dtype=np.int64)
        for row, unit in enumerate(units):
            for name in unit:
                counts[row, words[strata[name]]] += 1
        return cls(units, counts)

    def in_order(self, order: Iterable[int]) -> list[int]:
        """Put large units first, then single people stratum by stratum."""
        size = self.strata.sum(axis=1)
        usual = self.strata.argmax(axis=1)
        return sorted(order, key=lambda u: (-size[u], usual[u]))

    def deal(self, order: Iterable[int], folds: int) -> list[list[int]]:
        """Give each unit to the fold with the fewest of its strata, then of all."""
        total = np.maximum(self.strata.sum(axis=0), 1)
        held = np.zeros((folds, self.strata.shape[1]))
        dealt: list[list[int]] = [[] for _ in range(folds)]
        for unit in self.in_order(order):
            mine = self.strata[unit]
            same = np.round(held @ (mine / total), 9)
            fold = int(np.lexsort((held.sum(axis=1), same))[0])
            held[fold] += mine
            dealt[fold].append(unit)
        return dealt

    def hold(
        self, units: Sequence[int], share: float, where: str
    ) -> tuple[list[int], list[int]]:
        """Part units into the rest and a share, evenly through the strata.

        A unit is taken where that brings the number taken nearer to the share of those
        looked at: single people are then taken at even steps.
        """
        if not 0.0 <= share < 1.0:
            msg = f"validation is {share:g}; wanted a share from 0 to below 1."
            raise ConfigError(msg)
        rest: list[int] = []
        taken: list[int] = []
        seen = got = 0
        for unit in self.in_order(units):
            size = int(self.strata[unit].sum())
            seen += size
            if share * seen - got >= 0.5 * size:
                got += size
                taken.append(unit)
            else:
                rest.append(unit)
        if not rest or (share > 0.0 and not taken):
            msg = (
                f"{where} leaves {seen} subjects in {len(units)} groups that stay "
                f"together, of whom a share of {share:g} is to choose settings: one "
                "side would be empty. Bring more people, or change validation."
            )
            raise ConfigError(msg)
        return rest, taken

    def fold(
        self, name: str, train: list[int], validation: list[int], test: list[int]
    ) -> Fold:
        parts = (
            np.array(sorted(n for u in part for n in self.units[u]), dtype=np.str_)
            for part in (train, validation, test)
        )
        return Fold(name, *parts)
