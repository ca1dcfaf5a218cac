"""What is frozen in a benchmark: who is for what, whose labels are drawn, and hashes.

A hash here is of content, not of bytes: numbers are rounded far below what any score
could tell but far above what another order of summation in double precision changes.
One command gives the same hash on any number of threads. Another processor or library
may still move a number across a rounding edge, so that a hash which differs there says
"not the same bits", not "wrong".
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from capnet.data.splits import FewShotSplit
from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.cohort import Cohort, stream
from capnet.records import Beats
from capnet.types import Labels

__all__ = [
    "LabelDraw",
    "beats_hash",
    "cohort_hash",
    "label_draws",
    "split_by_number",
    "words_hash",
]

_FORMAT: Final = "capnet content 1"
_DECIMALS: Final[Mapping[str, int]] = {
    "cuff": 3,  # mmHg
    "reference": 3,
    "waves": 3,
    "truth": 3,
    "ppg": 4,  # pulse heights
    "time": 6,  # s
    "duration": 6,
    "features": 6,
    "age": 6,  # years
    "raw": 3,  # the sensor's unit
    "start": 4,  # samples
    "stop": 4,
}
_WORDS: Final = ("subject", "beat", "cuff_site", "accepted", "reason")
_NAN: Final = np.iinfo(np.int64).min


class LabelDraw(NamedTuple):
    """The k people whose labels one draw shows.

    Attributes:
        k: How many.
        draw: Which draw, from 0.
        subjects: Who, sorted. Shape (k,).
    """

    k: int
    draw: int
    subjects: Labels


def split_by_number(
    beats: Beats, *, pool: int, unlabelled: int, seed: int, name: str
) -> FewShotSplit:
    """Split the subjects of a clinic by numbers: pool, unlabelled, the rest for tests.

    Args:
        beats: The clinic.
        pool: How many subjects may give labels.
        unlabelled: Of how many the inputs alone may be seen.
        seed: Not negative.
        name: Of the clinic: clinics with one seed are permuted differently.

    Raises:
        ConfigError: If a group would be empty.
    """
    subjects = stream(seed, name, "split").permutation(np.sort(beats.subjects))
    first, second = pool, pool + unlabelled
    if not 0 < first < second < len(subjects):
        msg = (
            f"clinic {name!r} has {len(subjects)} subjects; {pool} for labels and "
            f"{unlabelled} without leave an empty group. Wanted positive numbers and "
            "somebody to test on; change split.* or enlarge the clinic (n)."
        )
        raise ConfigError(msg)
    return FewShotSplit(subjects[:first], subjects[first:second], subjects[second:])


def label_draws(
    split: FewShotSplit, *, shots: Sequence[int], draws: int, seed: int, name: str
) -> tuple[LabelDraw, ...]:
    """Draw k people of the pool, several times for each k.

    A draw depends on the seed, the clinic, k and its number alone.

    Args:
        split: Of the clinic.
        shots: The k, each positive.
        draws: How many draws of each, at least one.
        seed: Not negative.
        name: Of the clinic.

    Raises:
        ConfigError: If the pool is too small for a k, or nothing is to be drawn.
    """
    wrong = [k for k in shots if not 0 < k <= len(split.pool)]
    if wrong or draws < 1 or not shots:
        msg = (
            f"k = {[*shots]} were asked for, {draws} draws each; the pool of {name!r} "
            f"has {len(split.pool)}. Wanted 0 < k <= {len(split.pool)} and at least "
            "one draw."
        )
        raise ConfigError(msg)
    return tuple(
        LabelDraw(
            k,
            draw,
            np.sort(
                stream(seed, name, "labels", f"k {k}", f"draw {draw}").choice(
                    split.pool, size=k, replace=False
                )
            ),
        )
        for k in shots
        for draw in range(draws)
    )


def words_hash(content: object) -> str:
    """Hash what JSON can hold: words, whole numbers, lists and mappings of them."""
    text = json.dumps([_FORMAT, content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def beats_hash(beats: Beats) -> str:
    """Hash a table of beats: every row that an estimator or a judge reads.

    Pressures count to 0.001 mmHg, the PPG to 0.0001 of its height, times to 1 us, ages
    to 1e-6 years, raw windows to 0.001 of their unit, places in them to 1e-4 samples.

    Raises:
        ShapeError: If a number is infinite.
    """
    digest = hashlib.sha256()

    def add(name: str, values: np.ndarray, decimals: int) -> None:
        head = [name, values.shape, decimals]
        digest.update(json.dumps(head).encode())
        digest.update(_whole(name, values, decimals).tobytes())

    words = {name: getattr(beats, name).astype(str).tolist() for name in _WORDS}
    words["kind"] = [beats.calibration, beats.reference_type]
    digest.update(json.dumps([_FORMAT, words], sort_keys=True).encode())
    for name, decimals in _DECIMALS.items():
        values = getattr(beats, name)
        if isinstance(values, Mapping):
            for key in sorted(values):
                add(f"{name}.{key}", values[key], decimals)
        elif values is not None:
            add(name, values, decimals)
    return digest.hexdigest()


def cohort_hash(cohort: Cohort) -> str:
    """Hash what was drawn of people: index, age and parameters to 9 digits."""
    drawn = {"age": cohort.age, **cohort.parameters}
    content = {
        "index": cohort.index.tolist(),
        **{name: [f"{v:.8e}" for v in values] for name, values in drawn.items()},
    }
    return words_hash(content)


def _whole(name: str, values: np.ndarray, decimals: int) -> np.ndarray:
    """Return numbers as whole multiples of a quantum, the same on every machine."""
    scaled = np.asarray(values, dtype=np.float64) * 10.0**decimals
    if np.isinf(scaled).any():
        msg = f"{name} holds an infinite number; wanted finite ones, or NaN."
        raise ShapeError(msg)
    whole = np.rint(np.nan_to_num(scaled)).astype(np.int64)
    return np.where(np.isnan(scaled), _NAN, whole).astype("<i8")
