"""Scores, intervals, verdicts, figures and reports; blind to which model they grade.

What needs pandas, matplotlib, jinja2 or rich is loaded on first use (PEP 562).
"""

from typing import TYPE_CHECKING

from capnet.evaluation.evaluate import Evaluation, MethodScore, Paired, evaluate
from capnet.evaluation.protocols.aami import compare_with_aami
from capnet.evaluation.reports.content import FigureBlock, Report, Section, TableBlock
from capnet.evaluation.statistics.bootstrap import Interval
from capnet.evaluation.verdict import verdict_lines
from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.evaluation.console import evaluation_table, print_evaluation
    from capnet.evaluation.frame import predictions_frame
    from capnet.evaluation.reports.benchmark import benchmark_report
    from capnet.evaluation.reports.real_record import record_report
    from capnet.evaluation.reports.report import render_report, write_report
    from capnet.evaluation.statistics.planning import (
        ErrorParts,
        aami_probability,
        bias_half_width,
        rmse_half_width,
        sd_half_width,
        subjects_needed,
    )

__all__ = [
    "ErrorParts",
    "Evaluation",
    "FigureBlock",
    "Interval",
    "MethodScore",
    "Paired",
    "Report",
    "Section",
    "TableBlock",
    "aami_probability",
    "benchmark_report",
    "bias_half_width",
    "compare_with_aami",
    "evaluate",
    "evaluation_table",
    "predictions_frame",
    "print_evaluation",
    "record_report",
    "render_report",
    "rmse_half_width",
    "sd_half_width",
    "subjects_needed",
    "verdict_lines",
    "write_report",
]

_HOMES = {
    "ErrorParts": "statistics.planning",
    "aami_probability": "statistics.planning",
    "benchmark_report": "reports.benchmark",
    "bias_half_width": "statistics.planning",
    "evaluation_table": "console",
    "predictions_frame": "frame",
    "print_evaluation": "console",
    "record_report": "reports.real_record",
    "render_report": "reports.report",
    "rmse_half_width": "statistics.planning",
    "sd_half_width": "statistics.planning",
    "subjects_needed": "statistics.planning",
    "write_report": "reports.report",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
