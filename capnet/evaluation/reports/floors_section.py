"""What stands beside the deep rows, and which of their inputs asked for it."""

from capnet.evaluation.evaluate import Evaluation
from capnet.evaluation.floors import demanded_floors, serving_floors
from capnet.evaluation.reports.content import Section, TableBlock
from capnet.evaluation.wording import DASH, with_interval

__all__ = ["floors_section"]


def floors_section(evaluation: Evaluation, metric: str = "sbp_rmse") -> Section:
    """Tell which floors and controls were demanded, and which rows answer them.

    Args:
        evaluation: Of any rows.
        metric: Which of their statistics to show.
    """
    truth, said = evaluation.reference, evaluation.predictions
    demands = demanded_floors(said, truth)
    if not demands:
        told = (
            "There is no deep row, so that nothing has to stand beside it: the table "
            "compares floors and controls among themselves."
        )
        return Section("Floors and controls", (told,))
    rows = []
    for demand in demands:
        for row in serving_floors(demand, said, truth):
            score = evaluation.score((row.method, row.k))
            ends = score.intervals.get(metric)
            rows.append(
                (
                    demand.family,
                    str(demand.k),
                    ", ".join(sorted(demand.inputs)) or DASH,
                    row.method,
                    row.role,
                    with_interval(score.values[metric], ends),
                )
            )
    table = TableBlock(
        f"Rows that the deep ones demand, with their {metric.replace('_', ' ').upper()}"
        f" (mmHg) and 95 % intervals over {evaluation.subjects} subjects; reference "
        f"{evaluation.reference_type}, calibration {evaluation.calibration}",
        ("family", "k", "needs at least", "row", "role", "error"),
        tuple(rows),
    )
    text = (
        "A deep row is judged only beside what anybody could have had from the same "
        "inputs, on the same beats and subjects, with labels of the same k people and "
        "the same calibration. The mean, the held reading, the posterior of the cuff "
        "alone and an estimator fitted on shuffled labels always stand there."
    )
    return Section("Floors and controls", (text, *_said(evaluation)), (table,))


def _said(evaluation: Evaluation) -> list[str]:
    """Tell what deep rows say they look at: the gate believes it, a reader need not."""
    looks: dict[str, list[str]] = {}
    silent = []
    for p in evaluation.predictions:
        if p.role != "deep":
            continue
        name = f"{p.method} (k = {p.k})"
        looks.setdefault(", ".join(p.inputs), []).append(name)
        if p.k and not p.seen:
            silent.append(name)
    lines = [
        f"{', '.join(names)}: said to look at {words}."
        if words
        else f"{', '.join(names)}: not said what is looked at, so that only floors of "
        "the cuff, the heart rate and the age were demanded."
        for words, names in looks.items()
    ]
    if silent:
        lines.append(
            f"{', '.join(silent)}: not said whose labels were seen, so that floors "
            "with labels of any people stand beside."
        )
    return lines
