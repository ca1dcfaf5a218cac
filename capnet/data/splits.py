"""Splits by subject: nobody is on both sides."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from capnet.errors import ConfigError
from capnet.records import Beats
from capnet.types import Labels

__all__ = ["FewShotSplit", "few_shot_split", "fingerprints", "hold_out"]


def fingerprints(subjects: Labels) -> list[str]:
    """Return 12 hexadecimal digits for each subject: to compare, not to recognise.

    A model keeps those of the people it was adapted to, so that nobody is tested on
    them unawares, and no name leaves with it.
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
    beats: Beats, *, pool: float, unlabelled: float, seed: int
) -> FewShotSplit:
    """Split the subjects of a target clinic into pool, unlabelled and test.

    Args:
        beats: The clinic.
        pool: Share of the subjects that may give labels.
        unlabelled: Share whose inputs alone may be seen.
        seed: Of the permutation.

    Raises:
        ConfigError: If the shares leave nobody for one of the groups.
    """
    subjects = np.random.default_rng(seed).permutation(beats.subjects)
    first = round(pool * len(subjects))
    second = first + round(unlabelled * len(subjects))
    if not 0 < first < second < len(subjects):
        msg = (
            f"shares pool={pool:g} and unlabelled={unlabelled:g} of {len(subjects)} "
            "subjects leave an empty group; wanted positive shares with a sum below 1."
        )
        raise ConfigError(msg)
    return FewShotSplit(subjects[:first], subjects[first:second], subjects[second:])


def hold_out(beats: Beats, *, share: float, seed: int) -> tuple[Beats, Beats]:
    """Split by subject into the rest and a held-out share.

    Raises:
        ConfigError: If one side would be empty.
    """
    subjects = np.random.default_rng(seed).permutation(beats.subjects)
    held = round(share * len(subjects))
    if not 0 < held < len(subjects):
        msg = (
            f"holding out {share:g} of {len(subjects)} subjects leaves one side empty; "
            "wanted a share between 0 and 1 and more subjects."
        )
        raise ConfigError(msg)
    return beats.of(subjects[held:]), beats.of(subjects[:held])
