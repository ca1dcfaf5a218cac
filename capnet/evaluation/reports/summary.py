"""The first lines of a report: what takes the ground away, then the answers."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from capnet.evaluation.evaluate import Evaluation
from capnet.evaluation.judgement import Judgement
from capnet.evaluation.verdict import verdict_lines
from capnet.evaluation.wording import label

__all__ = ["MANY", "cautions", "each_k", "summary"]

MANY: Final = 3
"""Lines of one calibration that the verdict holds beside the first."""


def cautions(judgement: Judgement) -> list[str]:
    """Say first what takes the ground away from the numbers below."""
    where = _ground(judgement.evaluation)
    lines = []
    if judgement.circularity is not None and judgement.circularity.flagged is not False:
        lines.append(f"{where}: {judgement.circularity.verdict}")
    if judgement.leakage is not None and not judgement.leakage.clean:
        lines.append(
            f"{where}: tested people are known to the methods "
            f"({len(judgement.leakage.findings)} findings). The numbers below are not "
            "those of new people."
        )
    return lines + [
        f"{where}: the {m.coverage.nominal:.0%} intervals of {m.name} hold the truth "
        f"in {m.coverage.everybody.share:.0%} only. They are too narrow for these "
        "people."
        for m in judgement.methods
        if m.coverage is not None and m.coverage.everybody.claim == "too low"
    ]


def summary(evaluations: Sequence[Evaluation]) -> list[str]:
    """Give the answers first, then what they rest on, while that is short."""
    lines = [_headline(e) for e in evaluations]
    for e in evaluations:
        lines += [f"{_ground(e)}, {x}" for x in each_k(e)[:MANY]]
        if len(each_k(e)) > MANY:
            lines.append(
                f"{_ground(e)}: {len(each_k(e)) - MANY} more k stand in its chapter."
            )
        lines += _no_gain(e)
    return lines


def _headline(e: Evaluation) -> str:
    """Say the answer of one calibration in a sentence."""
    answers: dict[str, list[str]] = {}
    for metric in ("sbp_rmse", "wave_rmse"):
        beaten = _beaten(e, metric)
        if beaten is not None:
            answers.setdefault(beaten[0], []).append(beaten[1])
    if answers:
        told = "; ".join(f"{text} ({', '.join(by)})" for text, by in answers.items())
        return f"{_ground(e)}, n = {e.subjects} subjects: {told}."
    deep = [s for s in e.scores if s.role == "deep"]
    if deep and not any(s.beats for s in deep):
        return (
            f"{_ground(e)}: no deep row answers a beat whose truth is known; nothing "
            "can be claimed."
        )
    if deep:
        return (
            f"{_ground(e)}: no deep row stands beside a floor that answers the same; "
            "nothing can be claimed."
        )
    return (
        f"{_ground(e)}: there is no deep row; floors and controls are compared among "
        "themselves."
    )


def _beaten(e: Evaluation, metric: str) -> tuple[str, str] | None:
    """Say in words how many deep rows beat the best floor, and by which counts.

    None where none met one.
    """
    count = Counter(c.outcome for c in e.planned if c.metric == metric)
    met, won = sum(count.values()), count["won"]
    if not met:
        return None
    every = "the deep row is" if met == 1 else f"all {met} deep rows are"
    verb = "is" if won == 1 else "are"
    who = {0: "no deep row is", met: every}.get(won, f"{won} of {met} deep rows {verb}")
    found = f"{who} shown to be better than the best floor with no more labels"
    if count["lost"] == met:
        found = f"{every} worse than the best floor with no more labels"
    said = ", ".join(
        f"{count[o]} {o}" for o in ("won", "tied", "lost", "undecided") if count[o]
    )
    return found, f"{label(metric, unit=False)}: {said}"


def _no_gain(e: Evaluation) -> list[str]:
    """Say which deep rows are no better than the control made to explain them."""
    roles = {s.key: s.role for s in e.scores}
    pairs = [
        f"{c.method_a[0]} (k = {c.method_a[1]}) than {c.method_b[0]} "
        f"(k = {c.method_b[1]}), {c.outcome}"
        for c in e.asked
        if c.metric == "sbp_rmse"
        and c.outcome != "won"
        and (roles[c.method_a], roles[c.method_b]) == ("deep", "control")
    ]
    if not pairs:
        return []
    return [
        f"{_ground(e)}: by SBP RMSE, not shown to be better than its control: "
        f"{'; '.join(pairs)}. What the control leaves out has not been shown to help."
    ]


def each_k(e: Evaluation) -> tuple[str, ...]:
    """Say for each k what the best deep row reached; nothing where none met a floor."""
    return verdict_lines(e) if _beaten(e, "sbp_rmse") else ()


def _ground(e: Evaluation) -> str:
    """Begin a line of the verdict: what its numbers stand on."""
    return f"Calibration {e.calibration}, reference {e.reference_type}"
