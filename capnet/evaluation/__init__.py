"""Scores, intervals, verdicts, figures and reports; blind to which model they grade.

What needs pandas, matplotlib, jinja2 or rich is loaded on first use (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from capnet.evaluation.aami import compare_with_aami
from capnet.evaluation.bootstrap import Interval
from capnet.evaluation.content import FigureBlock, Report, Section, TableBlock
from capnet.evaluation.evaluate import Evaluation, MethodScore, Paired, evaluate
from capnet.evaluation.verdict import verdict_lines

if TYPE_CHECKING:
    from capnet.evaluation.benchmark import benchmark_report
    from capnet.evaluation.console import evaluation_table, print_evaluation
    from capnet.evaluation.frame import predictions_frame
    from capnet.evaluation.real_record import record_report
    from capnet.evaluation.report import render_report, write_report

__all__ = [
    "Evaluation",
    "FigureBlock",
    "Interval",
    "MethodScore",
    "Paired",
    "Report",
    "Section",
    "TableBlock",
    "benchmark_report",
    "compare_with_aami",
    "evaluate",
    "evaluation_table",
    "predictions_frame",
    "print_evaluation",
    "record_report",
    "render_report",
    "verdict_lines",
    "write_report",
]

_HOMES = {
    "benchmark_report": "benchmark",
    "evaluation_table": "console",
    "predictions_frame": "frame",
    "print_evaluation": "console",
    "record_report": "real_record",
    "render_report": "report",
    "write_report": "report",
}


def __getattr__(name: str) -> object:
    """Load what needs a heavy package from the file it lives in."""
    if name not in _HOMES:
        msg = f"module 'capnet.evaluation' has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
