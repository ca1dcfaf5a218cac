"""Splits by subject: nobody is on both sides.

They follow from the seed and the order in which people come in the table; folds
(`capnet.data.folds`) from the names alone.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from capnet.errors import ConfigError
from capnet.records import Beats
from capnet.types import Labels

__all__ = [
    "FewShotSplit",
    "Groups",
    "few_shot_split",
    "fingerprints",
    "hold_out",
    "in_groups",
    "merged",
]

Groups = Iterable[Collection[str]]
"""People who stay together, as `capnet.data.duplicates` answers them."""


def fingerprints(subjects: Labels) -> list[str]:
    """Return 12 hexadecimal digits for each subject: to compare, not to recognise.

    A model keeps those of the people it was adapted to, so that nobody is tested on
    them unawares. They have no key: who guesses a name can prove it. So give
    pseudonyms (`capnet.data.pseudonym`) to real people first, as a clinic's folder
    does.
    """
    return [hashlib.sha256(str(s).encode()).hexdigest()[:12] for s in subjects]


@dataclass(frozen=True)
class FewShotSplit:
    """Who of a target clinic is used for what; the three groups are disjoint.

    Attributes:
        pool: Subjects whose labels may be drawn.
        unlabelled: Subjects whose inputs, never labels, may be seen.
        test: Held-out subjects.
    """

    pool: Shaped[np.ndarray, " pool"]
    unlabelled: Shaped[np.ndarray, " unlabelled"]
    test: Shaped[np.ndarray, " test"]

    def draw(self, k: int, *, seed: int) -> Labels:
        """Draw k labelled subjects from the pool.

        Raises:
            ConfigError: If the pool is smaller than k, or k is negative.
        """
        if not 0 <= k <= len(self.pool):
            msg = (
                f"k = {k} labelled subjects were asked for; the pool has "
                f"{len(self.pool)}. Choose 0 <= k <= {len(self.pool)} or enlarge the "
                "target clinic (clinic.n)."
            )
            raise ConfigError(msg)
        rng = np.random.default_rng([seed, k])
        return np.sort(rng.choice(self.pool, size=k, replace=False))


def few_shot_split(
    beats: Beats, *, pool: float, unlabelled: float, seed: int, groups: Groups = ()
) -> FewShotSplit:
    """Split the subjects of a target clinic into pool, unlabelled and test.

    Without groups the shares are exact; else they end where a group does.

    Args:
        beats: The clinic.
        pool: Share of the subjects that may give labels.
        unlabelled: Share whose inputs alone may be seen.
        seed: Of the permutation.
        groups: People who stay together.

    Raises:
        ConfigError: If the shares leave nobody for one of the groups.
    """
    mixed = np.random.default_rng(seed).permutation(beats.subjects)
    subjects, ends = in_groups(mixed, groups)
    first = round(pool * len(subjects))
    second = first + round(unlabelled * len(subjects))
    first, second = _nearest(ends, first), _nearest(ends, second)
    if not 0 < first < second < len(subjects):
        msg = (
            f"shares pool={pool:g} and unlabelled={unlabelled:g} of {len(subjects)} "
            "subjects leave an empty group; wanted positive shares with a sum below 1 "
            f"({len(ends)} people or groups who stay together can be dealt)."
        )
        raise ConfigError(msg)
    return FewShotSplit(subjects[:first], subjects[first:second], subjects[second:])


def hold_out(
    beats: Beats, *, share: float, seed: int, groups: Groups = ()
) -> tuple[Beats, Beats]:
    """Split by subject into the rest and a held-out share.

    Args:
        beats: Of everybody.
        share: Held out; with groups, as near as they allow.
        seed: Of the permutation.
        groups: People who stay together.

    Raises:
        ConfigError: If one side would be empty.
    """
    mixed = np.random.default_rng(seed).permutation(beats.subjects)
    subjects, ends = in_groups(mixed, groups)
    held = _nearest(ends, round(share * len(subjects)))
    if not 0 < held < len(subjects):
        msg = (
            f"holding out {share:g} of {len(subjects)} subjects leaves one side empty; "
            "wanted a share between 0 and 1 and more subjects "
            f"({len(ends)} people or groups who stay together can be dealt)."
        )
        raise ConfigError(msg)
    return beats.of(subjects[held:]), beats.of(subjects[:held])


def in_groups(subjects: Labels, groups: Groups) -> tuple[Labels, list[int]]:
    """Put people who stay together beside the first of them.

    Args:
        subjects: In any order. Shape (subject,).
        groups: People who stay together; others may be among them.

    Returns:
        Everybody, in the same order without groups, and the numbers of people after
        which the order may be cut: the ends of the groups, the last among them.
    """
    of_group = {name: i for i, group in enumerate(merged(groups)) for name in group}
    units: dict[int | str, list[int]] = {}
    for row, name in enumerate(map(str, subjects)):
        units.setdefault(of_group.get(name, name), []).append(row)
    ends = np.cumsum([len(rows) for rows in units.values()]).tolist()
    return subjects[[row for rows in units.values() for row in rows]], ends


def _nearest(ends: list[int], wanted: int) -> int:
    """Return the cut nearest to the one that is wanted."""
    return min([0, *ends], key=lambda end: abs(end - wanted))


def merged(groups: Groups) -> tuple[frozenset[str], ...]:
    """Join groups that share somebody; groups of one are left out."""
    leader: dict[str, str] = {}

    def head(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for group in groups:
        if isinstance(group, str):
            msg = f"a group is {group!r}; wanted a set of names: {{'a', 'b'}}."
            raise ConfigError(msg)
        names = [str(name) for name in group]
        for name in names:
            leader.setdefault(name, name)
            leader[head(name)] = head(names[0])
    joined: dict[str, set[str]] = {}
    for name in leader:
        joined.setdefault(head(name), set()).add(name)
    return tuple(
        frozenset(names) for names in sorted(joined.values(), key=min) if len(names) > 1
    )
