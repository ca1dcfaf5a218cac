"""The final table in a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from capnet.evaluation.evaluate import Evaluation, MethodScore
from capnet.evaluation.statistics.bootstrap import SURE_SUBJECTS
from capnet.evaluation.wording import between, number, signed
from capnet.prediction import DISCLAIMER

__all__ = ["evaluation_table", "print_evaluation"]

_STYLES = {"deep": "bold", "floor": "", "control": "dim"}


def evaluation_table(evaluation: Evaluation) -> Table:
    """Lay an evaluation out for a terminal, best SBP RMSE of each k first.

    Args:
        evaluation: On one calibration.
    """
    few = any(s.few for s in evaluation.scores if s.subjects)
    unsure = (
        f" Fewer than {SURE_SUBJECTS} subjects: intervals may be too short."
        if few
        else ""
    )
    hides = any(s.accepted_fraction < 1 for s in evaluation.scores)
    table = Table(
        title=(
            f"Central pressure, {evaluation.subjects} subjects; reference: "
            f"{evaluation.reference_type}; calibration: {evaluation.calibration}"
        ),
        caption=Text(
            "RMSE, bias and SD in mmHg; [low, high]: 95 % over subjects, "
            f"{evaluation.resamples} resamples.{unsure} {DISCLAIMER}"
        ),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("k", justify="right", min_width=2)
    table.add_column("method", no_wrap=True, min_width=8)
    table.add_column("role", no_wrap=True)
    table.add_column("wave\nRMSE", justify="right", no_wrap=True)
    table.add_column("SBP\nRMSE", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("SBP\nbias", justify="right", no_wrap=True)
    table.add_column("SBP\nSD", justify="right", no_wrap=True)
    table.add_column("ampl.\nR2", justify="right", no_wrap=True)
    if hides:
        table.add_column("an-\nswered", justify="right", no_wrap=True)
    last = None
    for s in sorted(evaluation.scores, key=_order):
        if last is not None and s.k != last:
            table.add_section()
        last = s.k
        v = s.values
        answered = [f"{100 * s.accepted_fraction:.0f} %"] if hides else []
        table.add_row(
            str(s.k),
            Text(s.method),  # not markup: a name may hold square brackets
            s.role,
            number(v["wave_rmse"]),
            number(v["sbp_rmse"]),
            Text(between(s.intervals["sbp_rmse"])),
            signed(v["sbp_bias"], 1),
            number(v["sbp_sd"], 1),
            number(v["amplification_r2"]),
            *answered,
            style=_STYLES[s.role],
        )
    return table


def _order(score: MethodScore) -> tuple[int, float]:
    value = score.values["sbp_rmse"]
    return score.k, float("inf") if value is None else value


def print_evaluation(evaluation: Evaluation, console: Console | None = None) -> None:
    """Print the table.

    Args:
        evaluation: On one calibration.
        console: Where to; standard output by default.
    """
    (console or Console()).print(evaluation_table(evaluation))
