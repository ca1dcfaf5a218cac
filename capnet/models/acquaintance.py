"""Whom a model has met: people on whom its errors tell nothing of others."""

import hashlib

from capnet.models.estimator import learnable, seen_by
from capnet.records import Beats

__all__ = ["met_by"]


def met_by(model: object, beats: Beats) -> list[str]:
    """Return the subjects of these beats whom a model is known to have learnt from.

    A fitted floor knows them by name (`capnet.models.estimator.Estimator.met`). A
    network keeps fingerprints: of everybody it was adapted with, labelled or not
    (``info["adaptation"]["seen"]``), and one of all people it was trained on together
    (``info["learnt_from"]``), which recognises them only when all of them, and nobody
    else, come again. What was learnt before either was written down is not known.

    Args:
        model: Any estimator or model.
        beats: Of people.

    Returns:
        Their names, sorted.
    """
    names = sorted({str(name) for name in beats.subjects})
    info = getattr(model, "info", {})
    taught = {str(name) for name in beats.subject[learnable(beats)]}
    if taught and seen_by(taught) == info.get("learnt_from"):
        return sorted(taught)
    by_name = {str(name) for name in getattr(model, "met", ())}
    marked = set(info.get("adaptation", {}).get("seen", ()))
    return [n for n in names if n in by_name or (marked and _mark(n) in marked)]


def _mark(subject: str) -> str:
    """Return what an adapted model keeps of a person, 12 hexadecimal digits."""
    return hashlib.sha256(subject.encode()).hexdigest()[:12]
