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
    told = (
        "A deep row is judged only beside what anybody could have had from the same "
        "inputs, on the same beats and subjects, with labels of the same k people and "
        "the same calibration. The mean, the held reading, the posterior of the cuff "
        "alone and an estimator fitted on shuffled labels always stand there."
    )
    return Section("Floors and controls", (told,), (table,))
