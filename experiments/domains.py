"""The domains of the frozen benchmark, and the manifest of their hashes."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from capnet.data.duplicates import virtual_neighbours
from capnet.data.frozen import (
    LabelDraw,
    beats_hash,
    cohort_hash,
    label_draws,
    split_by_number,
    words_hash,
)
from capnet.data.splits import FewShotSplit, hold_out
from capnet.errors import ConfigError
from capnet.hemodynamics import Clinic
from capnet.hemodynamics.visits import Visit
from capnet.models.inputs import true_pressures
from capnet.records import Beats
from capnet.types import Calibration
from experiments.stages import observe, people

__all__ = [
    "FORMAT",
    "HASHED",
    "Source",
    "Target",
    "check_apart",
    "differences",
    "manifest",
    "manifest_hash",
    "source_of",
    "target_of",
    "who",
]

FORMAT: Final = "capnet-cap-v1"
HASHED: Final = (
    "SHA-256 of content. Clinics: their settings. People: index, age and every drawn "
    "parameter, to 9 digits. Beats: who, which, accepted or why not, pressures to "
    "0.001 mmHg, PPG to 0.0001 of its height, raw windows to 0.001, times to 1 us. "
    "Splits and draws: the names of the people. The same command on the same machine "
    "gives the same digits, with any number of threads; on another one numbers differ "
    "by 1e-11 mmHg or so and one may round the other way: then compare the means and "
    "SDs, which are not hashed."
)
"""What the hashes of a manifest are over, for whoever reads it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Source:
    """Where everything is learnt: a clinic, a fifth of it held out.

    Attributes:
        clinic: The clinic.
        visit: Waves of its people.
        train, held_out: Beats by calibration; nobody is in both.
    """

    clinic: Clinic
    visit: Visit
    train: Mapping[Calibration, Beats]
    held_out: Mapping[Calibration, Beats]


@dataclass(frozen=True, eq=False)
class Target:
    """Where everything is judged: another clinic.

    Attributes:
        clinic: The clinic.
        visit: Waves of its people.
        beats: By calibration.
        split: Whose labels may be drawn, whose inputs may be seen, who is held out.
        draws: Who is labelled, by k and draw.
    """

    clinic: Clinic
    visit: Visit
    beats: Mapping[Calibration, Beats]
    split: FewShotSplit
    draws: tuple[LabelDraw, ...]

    def test(self, calibration: Calibration) -> Beats:
        """Return the held-out people's beats."""
        return self.beats[calibration].of(self.split.test)

    def everybody_else(self, calibration: Calibration) -> Beats:
        """Return the beats of all who are not held out, for a reference level."""
        others = np.concatenate([self.split.pool, self.split.unlabelled])
        return self.beats[calibration].of(others)


def check_apart(clinics: Sequence[Clinic]) -> None:
    """Refuse clinics that share a name or a seed: their people would be the same.

    Raises:
        ConfigError: If two of them do.
    """
    for what in ("name", "seed"):
        values = [getattr(clinic, what) for clinic in clinics]
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            names = ", ".join(c.name for c in clinics if getattr(c, what) == twice[0])
            msg = (
                f"the clinics {names} share the {what} {twice[0]!r}; wanted one each, "
                "so that no person, sensor or cuff is drawn twice."
            )
            raise ConfigError(msg)


def source_of(
    clinic: Clinic,
    calibrations: Sequence[Calibration],
    *,
    held_out: float,
    seed: int,
    show: bool | None,
) -> Source:
    """Simulate and observe the source once a calibration, and hold people out.

    Virtual neighbours stay on one side; independent draws have none.
    """
    visit = people(clinic, show=show)
    train, held = {}, {}
    names = np.array([f"virtual-{clinic.name}-{i}" for i in visit.cohort.index])
    alike = virtual_neighbours(visit.cohort, subject=names)
    for c in calibrations:
        beats = observe(clinic, visit, c, draws=1, radial_every=0)
        train[c], held[c] = hold_out(beats, share=held_out, seed=seed, groups=alike)
    return Source(clinic, visit, train, held)


def target_of(
    clinic: Clinic,
    calibrations: Sequence[Calibration],
    *,
    split: Mapping[str, int],
    shots: Sequence[int],
    draws: int,
    show: bool | None,
) -> Target:
    """Simulate and observe a target once a calibration, split it, draw the labels."""
    visit = people(clinic, show=show)
    beats = {
        c: observe(clinic, visit, c, draws=1, radial_every=0) for c in calibrations
    }
    groups = split_by_number(beats[calibrations[0]], **split, name=clinic.name)
    drawn = label_draws(
        groups, shots=shots, draws=draws, seed=split["seed"], name=clinic.name
    )
    return Target(clinic, visit, beats, groups, drawn)


def who(target: Target) -> dict[str, Any]:
    """Name the people of each group and of each draw."""
    groups = {g: getattr(target.split, g).tolist() for g in _GROUPS}
    return groups | {
        "labelled": {
            f"k {d.k}, draw {d.draw}": d.subjects.tolist() for d in target.draws
        }
    }


def manifest(
    source: Source, targets: Sequence[Target], *, locked: Clinic
) -> dict[str, Any]:
    """Say what the benchmark is in hashes; the locked clinic by its settings alone."""
    domains: dict[str, Any] = {
        source.clinic.name: _hashes(source.clinic, source.visit, source.train)
        | {
            "held out": {c: beats_hash(b) for c, b in source.held_out.items()},
        }
    }
    checks = {source.clinic.name: _checks(source.train)}
    for t in targets:
        domains[t.clinic.name], checks[t.clinic.name] = described(t)
    content = {
        "format": FORMAT,
        "clinics": domains,
        "locked": {"settings": locked.hash()},
    }
    said = {"hash": manifest_hash(content), **content}
    return said | {"hashed": HASHED, "checks": checks}


def manifest_hash(said: Mapping[str, Any]) -> str:
    """Hash what a manifest says, without its own hash and what is not hashed."""
    return words_hash({key: said[key] for key in said if key not in _ASIDE})


def described(target: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the hashes of a target, and the means and SDs of its pressures."""
    named = who(target)
    hashes = _hashes(target.clinic, target.visit, target.beats) | {
        "split": {g: words_hash(named[g]) for g in _GROUPS},
        "subjects": {g: len(named[g]) for g in _GROUPS},
        "draws": {name: words_hash(drawn) for name, drawn in named["labelled"].items()},
    }
    return hashes, _checks(target.beats)


def differences(found: Any, frozen: Any, where: str = "") -> Iterator[str]:
    """Yield the places where two manifests differ, hashed content only."""
    if isinstance(found, Mapping) and isinstance(frozen, Mapping):
        for key in sorted({*found, *frozen}):
            if not where and key in _ASIDE:
                continue
            inside = f"{where}/{key}" if where else str(key)
            yield from differences(found.get(key), frozen.get(key), inside)
    elif found != frozen:
        yield where


_ASIDE: Final = ("hash", "hashed", "checks")
"""Of a manifest: what is not compared."""
_GROUPS: Final = ("pool", "unlabelled", "test")


def _hashes(
    clinic: Clinic, visit: Visit, beats: Mapping[Calibration, Beats]
) -> dict[str, Any]:
    return {
        "settings": clinic.hash(),
        "drawn": clinic.n,
        "kept": len(visit),
        "people": cohort_hash(visit.cohort),
        "beats": {c: beats_hash(b) for c, b in beats.items()},
    }


def _checks(beats: Mapping[Calibration, Beats]) -> dict[str, str]:
    """Return what another machine can compare with a tolerance, mmHg."""
    seen = next(iter(beats.values())).usable()
    truth = true_pressures(seen)
    amplified = seen.truth["brachial_sbp"] - truth[:, 0]
    columns = {
        "aortic SBP": truth[:, 0],
        "aortic PP": truth[:, 3],
        "SBP amplification": amplified,
    }
    return {name: f"{v.mean():.2f} +- {v.std():.2f}" for name, v in columns.items()}
