"""What the paired intervals allow to say, in words: wins, ties and losses."""

from collections import Counter

from capnet.evaluation.evaluate import Evaluation, Paired
from capnet.evaluation.functionals import STATISTICS
from capnet.evaluation.paired import NEGLIGIBLE
from capnet.evaluation.wording import label, number, p_value, signed, unit_of

__all__ = ["comparison_line", "verdict_lines"]

_WORDS = {
    "won": "better than the floor",
    "lost": "worse than the floor",
    "undecided": "undecided: too few subjects for a claim",
}


def comparison_line(paired: Paired) -> str:
    """Say what one comparison says.

    Args:
        paired: Method a against method b.
    """
    unit = f" {unit_of(paired.metric)}".rstrip()
    if paired.interval is not None:
        low, high = (signed(x) for x in paired.interval)
        between = f"95 % interval {low} to {high}, {_sureness(paired)}"
    else:
        between = "no interval"
    return (
        f"{label(paired.metric, unit=False)} of {paired.method_a[0]} "
        f"{number(paired.a)} against {number(paired.b)}{unit} of {paired.method_b[0]} "
        f"(k = {paired.method_b[1]}): difference {signed(paired.difference)}{unit}, "
        f"{between}, n = {paired.subjects} subjects{_part(paired)}"
    )


def _part(paired: Paired) -> str:
    if paired.share == 1:
        return ""
    return f", on the {100 * paired.share:.0f} % of the beats that both answer"


def _sureness(paired: Paired) -> str:
    if paired.p_holm is None or paired.family == 1:
        return p_value(paired.p_value)
    return f"{p_value(paired.p_holm)} (Holm, {paired.family} questions)"


def _word(paired: Paired) -> str:
    if paired.outcome != "tied" or paired.interval is None:
        return _WORDS[paired.outcome]
    low, high = paired.interval
    if low <= 0 <= high:
        return "a tie: the interval holds zero"
    if abs(paired.difference) < NEGLIGIBLE:
        return f"a tie: a difference under {NEGLIGIBLE:g} is negligible"
    return "a tie: not sure enough among so many questions (Holm)"


def _others(paired: list[Paired]) -> str:
    if not paired:
        return ""
    count = Counter(p.outcome for p in paired)
    said = ", ".join(
        f"{count[o]} {o}" for o in ("won", "tied", "lost", "undecided") if count[o]
    )
    return f" The other deep rows at this k: {said}."


def verdict_lines(evaluation: Evaluation, metric: str = "sbp_rmse") -> tuple[str, ...]:
    """Say, for each k, whether deep estimation beat the best floor.

    Each deep row meets the floor with no more labels that leaves it the least on the
    beats of both (`Evaluation.floor_of`); the line is of the one that beats its floor
    most. A row has won or lost only where the paired 95 % interval is clear of zero
    and the p-value, corrected for all deep rows that meet a floor, is below 0.05;
    everything else is a tie.

    Args:
        evaluation: On one calibration.
        metric: By which statistic.

    Returns:
        One sentence a k; one that says so when there is no deep row.
    """
    lines = []
    sign = -1 if STATISTICS[metric].better == "more" else 1
    met = [c for c in evaluation.planned if c.metric == metric]
    for k in sorted({c.method_a[1] for c in met}):
        found = [c for c in met if c.method_a[1] == k]
        best = min(found, key=lambda c: sign * c.difference)
        rest = [c for c in found if c is not best]
        lines.append(f"k = {k}, {_word(best)}. {comparison_line(best)}.{_others(rest)}")
    return tuple(lines) or (
        f"No deep row answers {label(metric, unit=False)}: nothing to claim here.",
    )
