"""How the frozen benchmark shows its numbers: tables for people, frames, a picture."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from capnet.evaluation.evaluate import Evaluation, MethodScore, Paired
from capnet.evaluation.wording import between, number, signed
from capnet.models.limit import CuffLimit
from capnet.prediction import DISCLAIMER
from capnet.types import Calibration
from experiments.contest import Bar, Judged, by_labels

__all__ = [
    "added_lines",
    "bars_table",
    "floors_frame",
    "limit_line",
    "markdown",
    "shift_figure",
    "summary_table",
]

_HEAD: Final = (
    *("k", "method", "home wave", "home SBP", "wave RMSE", "shape RMSE", "SBP bias"),
    *("SBP SD", "SBP RMSE", "95 %", "PP RMSE", "ampl. R2", "95 % of R2"),
)
"""``home``: RMSE in-domain, on held-out people of the source."""
_STATISTICS: Final = (
    *("wave_rmse", "shape_rmse", "sbp_bias", "sbp_sd", "sbp_rmse", "pp_rmse"),
    "amplification_r2",
)
_NOTHING: Final = 1e-3
"""mmHg: less is the noise of computing."""
_BLUE, _RED, _GREY = "#0072B2", "#D55E00", "#6e7781"


def floors_frame(name: str, judged: Judged) -> pd.DataFrame:
    """Return one row a method: on the source's held-out people and on the target."""
    home = {s.key: s for s in judged.home.scores}
    rows = []
    for s in judged.away.scores:
        row: dict[str, object] = {
            "clinic": name,
            "calibration": judged.away.calibration,
            "method": s.method,
            "role": s.role,
            "k": s.k,
            "subjects": s.subjects,
        }
        there = home.get(s.key)
        for what in ("wave_rmse", "sbp_rmse"):
            row[f"in_domain_{what}"] = _value(there, what)
            span = there and there.intervals[what]
            row[f"in_domain_{what}_low"] = span.low if span else np.nan
            row[f"in_domain_{what}_high"] = span.high if span else np.nan
        for what in _STATISTICS:
            row[what] = _value(s, what)
            found = s.intervals.get(what)
            if what in s.intervals:
                low, high = found or (np.nan, np.nan)
                row |= {f"{what}_low": low, f"{what}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def _value(score: MethodScore | None, what: str) -> float:
    value = None if score is None else score.values[what]
    return np.nan if value is None else value


def _cells(judged: Judged) -> list[list[str]]:
    home = {s.key: s for s in judged.home.scores}
    found = []
    for s in judged.away.scores:
        v, there = s.values, home.get(s.key)
        found.append(
            [
                str(s.k),
                s.method,
                number(_value(there, "wave_rmse")),
                number(_value(there, "sbp_rmse")),
                number(v["wave_rmse"]),
                number(v["shape_rmse"]),
                signed(v["sbp_bias"], 1),
                number(v["sbp_sd"], 1),
                number(v["sbp_rmse"]),
                between(s.intervals["sbp_rmse"]),
                number(v["pp_rmse"]),
                number(v["amplification_r2"]),
                between(s.intervals["amplification_r2"]),
            ]
        )
    return found


def _title(name: str, e: Evaluation) -> str:
    return (
        f"clinic {name}, calibration {e.calibration}: {e.subjects} held-out virtual "
        f"subjects, reference {e.reference_type}"
    )


def limit_line(found: CuffLimit) -> str:
    """Say what the cuff leaves open."""
    if found.cuff < _NOTHING:
        return (
            f"Information limit of an exact cuff: {found.shape:.2f} mmHg SD of central "
            "SBP, for linear methods that know the clinic."
        )
    return (
        "Information limit of the cuff, SD in mmHg: the arm's SBP given reading, HR, "
        f"age, pulse and its arrival {found.arm:.2f}; of central SBP that leaves "
        f"{found.cuff:.2f}, an exact cuff {found.shape:.2f}, both in quadrature "
        f"{found.together:.2f} mmHg. For linear methods that know the clinic."
    )


def added_lines(comparisons: Sequence[Paired]) -> list[str]:
    """Say what the PPG adds: each method with it less itself without."""
    return [
        f"PPG in {p.method_a[0]}, k = {p.method_a[1]}: "
        f"{'SBP' if p.metric == 'sbp_rmse' else 'wave'} RMSE {p.a:.2f} instead of "
        f"{p.b:.2f}, difference {signed(p.difference)} "
        f"{between(p.interval) if p.interval else 'without interval'} mmHg"
        for p in comparisons
        if p.method_b[0] == f"{p.method_a[0]} (scalars)"
    ]


def summary_table(
    name: str,
    judged: Mapping[Calibration, Judged],
    limits: Mapping[Calibration, CuffLimit],
) -> Table:
    """Lay one clinic out for a terminal: SBP in-domain and under shift.

    Args:
        name: Of the clinic.
        judged: By calibration.
        limits: By calibration.
    """
    one = next(iter(judged.values())).away
    table = Table(
        title=f"Clinic {name}: SBP RMSE of {one.subjects} held-out virtual subjects",
        caption=Text(
            "mmHg; home: held-out people of the source; shift: this clinic, 95 % over "
            f"subjects ({one.resamples} resamples); wave: wave RMSE under shift. Rows "
            "with k > 0 know k labels of this clinic. Reference "
            f"{one.reference_type}. {DISCLAIMER}"
        ),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("k", justify="right")
    table.add_column("method", no_wrap=True)
    for calibration in judged:
        table.add_column(f"{calibration}\nhome", justify="right")
        table.add_column("\nshift", justify="right", no_wrap=True)
        table.add_column("\nwave", justify="right")
    shown = [_summary(found) for found in judged.values()]
    for key in dict.fromkeys(key for rows in shown for key in rows):
        cells = [cell for rows in shown for cell in rows.get(key, ("", "", ""))]
        table.add_row(str(key[1]), Text(key[0]), *map(Text, cells))
    marks = [("", number(limits[c].together), "") for c in judged]
    table.add_section()
    table.add_row("", "limit of linear methods", *(m for pair in marks for m in pair))
    return table


def _summary(judged: Judged) -> dict[tuple[str, int], tuple[str, str, str]]:
    home = {s.key: s for s in judged.home.scores}
    return {
        s.key: (
            number(_value(home.get(s.key), "sbp_rmse")),
            f"{number(s.values['sbp_rmse'])} {between(s.intervals['sbp_rmse'])}",
            number(s.values["wave_rmse"]),
        )
        for s in judged.away.scores
    }


def _few_cells(frame: pd.DataFrame, method: str, shots: Sequence[int]) -> list[str]:
    cells = []
    for k in shots:
        rows = frame[(frame["method"] == method) & (frame["k"] == k)].to_dict("records")
        if not rows:
            cells.append("-")
            continue
        row = rows[0]
        spread = number(row["sbp_rmse_sd"])
        wave, sbp = number(row["wave_rmse"]), number(row["sbp_rmse"])
        cells.append(f"{wave} / {sbp} +- {spread}")
    return cells


def bars_table(bars: Sequence[Bar]) -> Table:
    """Lay the bars out for a terminal."""
    table = Table(title="Bars", box=SIMPLE_HEAD)
    for head in ("what", "figure", ""):
        table.add_column(head)
    for bar in bars:
        table.add_row(bar.what, Text(bar.figure), "pass" if bar.passed else "FAIL")
    return table


def markdown(
    judged: Mapping[tuple[str, Calibration], Judged],
    limits: Mapping[tuple[str, Calibration], CuffLimit],
    bars: Sequence[Bar],
) -> str:
    """Write every table in Markdown."""
    rows = [[b.what, b.figure, "pass" if b.passed else "FAIL"] for b in bars]
    parts = ["## Bars", _grid(("what", "figure", ""), rows)]
    for key, found in judged.items():
        shots = sorted({s.k for s in found.few.scores})
        frame = by_labels(found.few)
        few = [[m, *_few_cells(frame, m, shots)] for m in frame["method"].unique()]
        heads = ["method", *(f"k = {k}: wave / SBP" for k in shots)]
        parts += [
            f"## {_title(key[0], found.away)}",
            "RMSE, bias and SD in mmHg; home: held-out people of the source. Rows with "
            "k > 0 know k labels of this clinic.",
            _grid(_HEAD, _cells(found)),
            limit_line(limits[key]),
            "\n".join(f"- {line}" for line in added_lines(found.away.comparisons)),
            "Floors corrected by k labels: wave and SBP RMSE, mean over draws +- SD "
            "of the latter:",
            _grid(heads, few),
        ]
    return "\n\n".join(part for part in [*parts, DISCLAIMER] if part) + "\n"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shift_figure(
    name: str,
    judged: Mapping[Calibration, Judged],
    limits: Mapping[Calibration, CuffLimit],
) -> Figure:
    """Draw the SBP RMSE of each floor in-domain and under shift, one panel a cuff.

    Args:
        name: Of the target.
        judged: By calibration.
        limits: By calibration.
    """
    most = max(len(j.away.scores) for j in judged.values())
    size = (6.2 * len(judged), 1.6 + 0.25 * most)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(judged), squeeze=False)[0]
    for ax, (calibration, found) in zip(panels, judged.items(), strict=True):
        frame = floors_frame(name, found).sort_values("sbp_rmse", ascending=False)
        rows = np.arange(len(frame))
        home, away = frame["in_domain_sbp_rmse"], frame["sbp_rmse"]
        low, high = frame["sbp_rmse_low"], frame["sbp_rmse_high"]
        ax.hlines(rows, low, high, color=_RED, lw=4, alpha=0.3)
        ax.plot(away, rows, "s", color=_RED, ms=5, label=f"clinic {name} [95 %]")
        ax.plot(home, rows, "o", mfc="none", color=_BLUE, ms=6, label="in-domain")
        if limits[calibration].cuff > _NOTHING:
            together = limits[calibration].together
            ax.axvline(together, color=_GREY, ls="--", lw=1, label="limit of the cuff")
        names = [
            f"{m}, k = {k}" if k else m
            for m, k in zip(frame["method"], frame["k"], strict=True)
        ]
        ax.set_yticks(rows, names, fontsize=8)
        ax.set(xlabel="SBP RMSE (mmHg)", title=f"calibration: {calibration}")
        ax.set_xlim(left=0)
        ax.grid(axis="x", color="#e6e9ec")
        ax.legend(fontsize=8, frameon=False)
    figure.supxlabel(f"Virtual people. {DISCLAIMER}", fontsize=8)
    return figure
