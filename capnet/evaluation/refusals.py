"""Which beats got no answer, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction
from capnet.types import Flags, Labels

__all__ = ["MethodRefusals", "Refusals", "by_reason", "count_refusals"]

UNSAID = "no reason given"
"""What is counted where a beat was refused without a word."""


@dataclass(frozen=True)
class MethodRefusals:
    """Beats that the gate let through and a method did not answer.

    Attributes:
        method: Name.
        k: Labelled target subjects it has seen.
        reasons: Beats by reason, the most frequent first.
    """

    method: str
    k: int
    reasons: Mapping[str, int]


@dataclass(frozen=True)
class Refusals:
    """What became of all beats, before any was scored.

    Attributes:
        beats: In all.
        subjects: In all.
        gate: Beats refused before any method was asked, by reason, the most frequent
            first.
        silent_subjects: Subjects of whom the gate let no beat through.
        methods: What each method refused beyond that; only those that refused any.
    """

    beats: int
    subjects: int
    gate: Mapping[str, int]
    silent_subjects: int
    methods: tuple[MethodRefusals, ...]

    @property
    def refused(self) -> int:
        """Beats refused by the gate."""
        return sum(self.gate.values())

    def to_dict(self) -> dict[str, object]:
        """Return all counts, ready for strict JSON."""
        return {
            "beats": self.beats,
            "subjects": self.subjects,
            "gate": dict(self.gate),
            "silent_subjects": self.silent_subjects,
            "methods": [
                {"method": m.method, "k": m.k, "reasons": dict(m.reasons)}
                for m in self.methods
            ],
        }

    def __str__(self) -> str:
        lines = [f"{self.refused} of {self.beats} beats refused by the gate"]
        lines += [f"  {reason}: {n}" for reason, n in self.gate.items()]
        for m in self.methods:
            lines.append(f"{m.method} (k = {m.k}) refused {sum(m.reasons.values())}")
            lines += [f"  {reason}: {n}" for reason, n in m.reasons.items()]
        return "\n".join(lines)


def by_reason(reason: Labels, refused: Flags) -> dict[str, int]:
    """Count refused beats by reason, the most frequent first.

    Args:
        reason: Of each beat. Shape (beat,).
        refused: Which beats count. Shape (beat,).
    """
    names, counts = np.unique(reason[refused], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(names[i]) or UNSAID: int(counts[i]) for i in order}


def count_refusals(predictions: Sequence[Prediction], truth: Truth) -> Refusals:
    """Count refused beats by reason: by the gate, then by each method beyond it.

    Args:
        predictions: Of the beats of the truth.
        truth: With ``accepted`` and ``reason`` of the gate.

    Returns:
        The counts.
    """
    gate = ~truth.accepted
    heard = truth.subject[truth.accepted]
    subjects = len(np.unique(truth.subject))
    found = []
    for p in predictions:
        reasons = by_reason(p.reason, ~p.accepted & truth.accepted)
        if reasons:
            found.append(MethodRefusals(p.method, p.k, reasons))
    return Refusals(
        beats=len(truth),
        subjects=subjects,
        gate=by_reason(truth.reason, gate),
        silent_subjects=subjects - len(np.unique(heard)),
        methods=tuple(found),
    )
