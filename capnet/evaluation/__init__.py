"""Scores, intervals, verdicts, audits and reports; blind to which model they grade.

All but `evaluate` is loaded on first use (PEP 562).
"""

from typing import TYPE_CHECKING

from capnet.evaluation.evaluate import Evaluation, MethodScore, Paired, evaluate
from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.evaluation.alignment import (
        DomainAlignment,
        domain_alignment,
        kernel_mmd,
    )
    from capnet.evaluation.audits.circular import (
        Circularity,
        circularity,
    )
    from capnet.evaluation.audits.leakage import (
        Finding,
        Leakage,
        audit_leakage,
        audit_rows,
    )
    from capnet.evaluation.audits.trail import (
        load_predictions,
        load_run,
        save_predictions,
        save_run,
    )
    from capnet.evaluation.budget import (
        ErrorBudget,
        NoiseLevel,
        error_budget,
        under_cuff_noise,
        with_cuff_noise,
    )
    from capnet.evaluation.cases.case import (
        Case,
    )
    from capnet.evaluation.cases.case_of import (
        case,
        case_of,
    )
    from capnet.evaluation.cases.centiles import (
        Centile,
        centile,
    )
    from capnet.evaluation.cases.changes import (
        Change,
        MeasurementError,
        measurement_error,
    )
    from capnet.evaluation.cases.readings import (
        Recalibration,
        recalibration_due,
    )
    from capnet.evaluation.console import (
        evaluation_table,
        print_evaluation,
    )
    from capnet.evaluation.floors import (
        REQUIRED,
        Demand,
        check_floors,
        demanded_floors,
        missing_floors,
    )
    from capnet.evaluation.frame import (
        predictions_frame,
    )
    from capnet.evaluation.judgement import (
        Judgement,
        MethodJudgement,
        judge_evaluation,
    )
    from capnet.evaluation.protocols.aami import (
        compare_with_aami,
    )
    from capnet.evaluation.protocols.compare import (
        compare_protocols,
    )
    from capnet.evaluation.protocols.comparison import (
        Comparison,
    )
    from capnet.evaluation.protocols.grades import (
        Bhs,
        Ieee1708,
    )
    from capnet.evaluation.protocols.iso81060_2 import (
        InvasiveDeadBand,
        Iso81060Part2,
    )
    from capnet.evaluation.protocols.iso81060_3 import (
        Iso81060Part3,
    )
    from capnet.evaluation.refusals import (
        Refusals,
        count_refusals,
    )
    from capnet.evaluation.reports.benchmark import (
        benchmark_report,
    )
    from capnet.evaluation.reports.case_report import (
        case_report,
    )
    from capnet.evaluation.reports.content import (
        FigureBlock,
        Report,
        Section,
        TableBlock,
    )
    from capnet.evaluation.reports.real_record import (
        record_report,
    )
    from capnet.evaluation.reports.report import (
        render_report,
        twin_of,
        write_report,
    )
    from capnet.evaluation.reports.schema import (
        report_schema,
    )
    from capnet.evaluation.statistics.bootstrap import (
        Interval,
    )
    from capnet.evaluation.statistics.holm import (
        holm,
    )
    from capnet.evaluation.statistics.planning import (
        ErrorParts,
        aami_probability,
        bias_half_width,
        rmse_half_width,
        sd_half_width,
        subjects_needed,
    )
    from capnet.evaluation.tables.columns import (
        PREDICTION_COLUMNS,
        TRUTH_COLUMNS,
    )
    from capnet.evaluation.tables.floors import (
        table_floors,
    )
    from capnet.evaluation.tables.predictions import (
        read_predictions,
    )
    from capnet.evaluation.tables.references import (
        read_truth,
    )
    from capnet.evaluation.truth import (
        Truth,
        truth_of,
    )
    from capnet.evaluation.uncertainty.coverage import (
        Coverage,
        coverage,
    )
    from capnet.evaluation.uncertainty.risk_coverage import (
        RiskCoverage,
        risk_coverage,
    )
    from capnet.evaluation.variation.repeats import (
        Repeated,
        Repeats,
        repeats,
    )
    from capnet.evaluation.variation.shift import (
        Shift,
        ShiftTable,
        shift_table,
    )
    from capnet.evaluation.variation.strata import (
        Stratum,
        strata,
    )
    from capnet.evaluation.verdict import (
        verdict_lines,
    )
    from capnet.evaluation.verification import (
        Verification,
        verify_run,
    )

__all__ = [
    "PREDICTION_COLUMNS",
    "REQUIRED",
    "TRUTH_COLUMNS",
    "Bhs",
    "Case",
    "Centile",
    "Change",
    "Circularity",
    "Comparison",
    "Coverage",
    "Demand",
    "DomainAlignment",
    "ErrorBudget",
    "ErrorParts",
    "Evaluation",
    "FigureBlock",
    "Finding",
    "Ieee1708",
    "Interval",
    "InvasiveDeadBand",
    "Iso81060Part2",
    "Iso81060Part3",
    "Judgement",
    "Leakage",
    "MeasurementError",
    "MethodJudgement",
    "MethodScore",
    "NoiseLevel",
    "Paired",
    "Recalibration",
    "Refusals",
    "Repeated",
    "Repeats",
    "Report",
    "RiskCoverage",
    "Section",
    "Shift",
    "ShiftTable",
    "Stratum",
    "TableBlock",
    "Truth",
    "Verification",
    "aami_probability",
    "audit_leakage",
    "audit_rows",
    "benchmark_report",
    "bias_half_width",
    "case",
    "case_of",
    "case_report",
    "centile",
    "check_floors",
    "circularity",
    "compare_protocols",
    "compare_with_aami",
    "count_refusals",
    "coverage",
    "demanded_floors",
    "domain_alignment",
    "error_budget",
    "evaluate",
    "evaluation_table",
    "holm",
    "judge_evaluation",
    "kernel_mmd",
    "load_predictions",
    "load_run",
    "measurement_error",
    "missing_floors",
    "predictions_frame",
    "print_evaluation",
    "read_predictions",
    "read_truth",
    "recalibration_due",
    "record_report",
    "render_report",
    "repeats",
    "report_schema",
    "risk_coverage",
    "rmse_half_width",
    "save_predictions",
    "save_run",
    "sd_half_width",
    "shift_table",
    "strata",
    "subjects_needed",
    "table_floors",
    "truth_of",
    "twin_of",
    "under_cuff_noise",
    "verdict_lines",
    "verify_run",
    "with_cuff_noise",
    "write_report",
]

_HOMES = {
    "Bhs": "protocols.grades",
    "Case": "cases.case",
    "Centile": "cases.centiles",
    "Change": "cases.changes",
    "Circularity": "audits.circular",
    "Comparison": "protocols.comparison",
    "Coverage": "uncertainty.coverage",
    "Demand": "floors",
    "DomainAlignment": "alignment",
    "ErrorBudget": "budget",
    "ErrorParts": "statistics.planning",
    "FigureBlock": "reports.content",
    "Finding": "audits.leakage",
    "Ieee1708": "protocols.grades",
    "Interval": "statistics.bootstrap",
    "InvasiveDeadBand": "protocols.iso81060_2",
    "Iso81060Part2": "protocols.iso81060_2",
    "Iso81060Part3": "protocols.iso81060_3",
    "Judgement": "judgement",
    "Leakage": "audits.leakage",
    "MeasurementError": "cases.changes",
    "MethodJudgement": "judgement",
    "NoiseLevel": "budget",
    "PREDICTION_COLUMNS": "tables.columns",
    "REQUIRED": "floors",
    "Recalibration": "cases.readings",
    "Refusals": "refusals",
    "Repeated": "variation.repeats",
    "Repeats": "variation.repeats",
    "Report": "reports.content",
    "RiskCoverage": "uncertainty.risk_coverage",
    "Section": "reports.content",
    "Shift": "variation.shift",
    "ShiftTable": "variation.shift",
    "Stratum": "variation.strata",
    "TRUTH_COLUMNS": "tables.columns",
    "TableBlock": "reports.content",
    "Truth": "truth",
    "Verification": "verification",
    "aami_probability": "statistics.planning",
    "audit_leakage": "audits.leakage",
    "audit_rows": "audits.leakage",
    "benchmark_report": "reports.benchmark",
    "bias_half_width": "statistics.planning",
    "case": "cases.case_of",
    "case_of": "cases.case_of",
    "case_report": "reports.case_report",
    "centile": "cases.centiles",
    "check_floors": "floors",
    "circularity": "audits.circular",
    "compare_protocols": "protocols.compare",
    "compare_with_aami": "protocols.aami",
    "count_refusals": "refusals",
    "coverage": "uncertainty.coverage",
    "demanded_floors": "floors",
    "domain_alignment": "alignment",
    "error_budget": "budget",
    "evaluation_table": "console",
    "holm": "statistics.holm",
    "judge_evaluation": "judgement",
    "kernel_mmd": "alignment",
    "load_predictions": "audits.trail",
    "load_run": "audits.trail",
    "measurement_error": "cases.changes",
    "missing_floors": "floors",
    "predictions_frame": "frame",
    "print_evaluation": "console",
    "read_predictions": "tables.predictions",
    "read_truth": "tables.references",
    "recalibration_due": "cases.readings",
    "record_report": "reports.real_record",
    "render_report": "reports.report",
    "repeats": "variation.repeats",
    "report_schema": "reports.schema",
    "risk_coverage": "uncertainty.risk_coverage",
    "rmse_half_width": "statistics.planning",
    "save_predictions": "audits.trail",
    "save_run": "audits.trail",
    "sd_half_width": "statistics.planning",
    "shift_table": "variation.shift",
    "strata": "variation.strata",
    "subjects_needed": "statistics.planning",
    "table_floors": "tables.floors",
    "truth_of": "truth",
    "twin_of": "reports.report",
    "under_cuff_noise": "budget",
    "verdict_lines": "verdict",
    "verify_run": "verification",
    "with_cuff_noise": "budget",
    "write_report": "reports.report",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
