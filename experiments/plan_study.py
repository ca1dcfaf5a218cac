"""Plan a catheter study: how many people, how many cuff readings, and at which site.

``python experiments/plan_study.py`` lets a ridge learn on the virtual source and err on
a virtual clinic, takes its errors of central SBP apart (shape, lasting and repeating
part of the cuff, catheter), and says how many people a 95 % interval of a given width
needs. Each site is read by its own kind of cuff (``cuffs``). It leaves plan.csv,
plan.json and plan.png. It plans from virtual people: real ones have to confirm the
parts first, and a pilot of a few dozen is the way.
"""

import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import hydra
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.table import Table

from capnet.errors import ConfigError, ProtocolError
from capnet.evaluation.protocols.aami import AAMI_SUBJECTS
from capnet.evaluation.statistics.planning import (
    ErrorParts,
    aami_probability,
    bias_half_width,
    rmse_half_width,
    sd_half_width,
    subjects_needed,
)
from capnet.files import write_atomic
from capnet.hemodynamics import Clinic
from capnet.hemodynamics.visits import Visit
from capnet.models.classical import Ridge
from capnet.models.inputs import true_pressures
from capnet.prediction import DISCLAIMER
from capnet.records import Beats
from capnet.types import Calibration, CuffSite
from experiments import build
from experiments.door import console, door, folder, plain
from experiments.results import provenance, save_json
from experiments.stages import people

VIRTUAL: Final = (
    "Planned from virtual people with a ridge learnt on virtual people: confirm the "
    "parts in a pilot before you rely on a number."
)

_MOST_SHOWN: Final = 400
"""People on the axis of the picture."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where pulse and pressure are taken, and the errors there.

    Attributes:
        ppg, cuff: Sites.
        parts: Of the error of central SBP.
        people: On whom they were estimated.
    """

    ppg: str
    cuff: str
    parts: ErrorParts
    people: int

    @property
    def name(self) -> str:
        """In words."""
        return f"PPG {self.ppg}, cuff {self.cuff}"


def parts_at(
    site: CuffSite,
    source: tuple[Clinic, Visit],
    target: tuple[Clinic, Visit],
    catheter: Clinic,
    *,
    days: int,
) -> tuple[ErrorParts, int]:
    """Estimate the parts of a ridge's errors with the cuff at a site.

    Args:
        site: Of the cuff, in both clinics.
        source: Where the ridge learns.
        target: Where it errs; its reference must not.
        catheter: The target with the catheter of the study.
        days: On which everybody is seen.

    Returns:
        The parts, and the number of people they were estimated on.
    """
    home, learnt = source
    cuff: Calibration = "cuff SBP/DBP"
    ridge = Ridge().fit(home.observe(learnt, calibration=cuff, cuff_site=site))
    clinic, visit = target
    # The parts are those of one reading, whatever the clinic averages.
    clinic = replace(clinic, cuff=replace(clinic.cuff, readings=1))

    def seen(calibration: Calibration, day: int, who: Clinic = clinic) -> Beats:
        return who.observe(visit, calibration=calibration, cuff_site=site, draw=day)

    exact, read, shown = [], [], []
    for day in range(days):
        plainly, cuffed = seen("exact", day), seen(cuff, day)
        truth = true_pressures(plainly)[:, 0]
        exact.append(ridge.predict(plainly).csbp - truth)
        read.append(ridge.predict(cuffed).csbp - truth)
        shown.append(true_pressures(seen(cuff, day, catheter))[:, 0] - truth)
    errors = [np.stack(e, axis=1) for e in (exact, read, shown)]
    answered = np.isfinite(np.concatenate(errors, axis=1)).all(axis=1)
    if answered.sum() < 2:
        msg = (
            f"{int(answered.sum())} people of clinic {clinic.name!r} were answered on "
            f"all {days} days; wanted at least two. Enlarge the clinic (clinic.n)."
        )
        raise ProtocolError(msg)
    exact_error, read_error, reference = (e[answered] for e in errors)
    parts = ErrorParts.estimate(
        exact_error, read_error, reference=float(reference.std(ddof=1))
    )
    # A study sees the estimate less what the catheter shows, not less the truth.
    seen_bias = parts.bias - float(reference.mean())
    return replace(parts, bias=seen_bias), int(answered.sum())


def plan(
    places: Sequence[Place], readings: Sequence[int], half_widths: Sequence[float]
) -> pd.DataFrame:
    """Tabulate the people needed: one row a place, number of readings and width.

    Columns ``bias``, ``sd`` and ``rmse`` are the people that each 95 % interval needs;
    ``aami_85`` is how probably 85 people are inside the AAMI limits numerically.
    """
    cases = itertools.product(places, readings, half_widths)
    return pd.DataFrame([_planned(*case) for case in cases])


def _planned(place: Place, readings: int, half_width: float) -> dict[str, Any]:
    bias, sd = place.parts.bias, place.parts.sd(readings)
    return {
        "ppg": place.ppg,
        "cuff": place.cuff,
        "readings": readings,
        "seen_bias": bias,
        "seen_sd": sd,
        "half_width": half_width,
        "bias": subjects_needed(half_width, _bias(sd)),
        "sd": subjects_needed(half_width, _sd(sd)),
        "rmse": subjects_needed(half_width, _rmse(bias, sd)),
        "aami_85": aami_probability(bias, sd, AAMI_SUBJECTS),
    }


def _bias(sd: float) -> Callable[[int], float]:
    return lambda n: bias_half_width(sd, n)


def _sd(sd: float) -> Callable[[int], float]:
    return lambda n: sd_half_width(sd, n)


def _rmse(bias: float, sd: float) -> Callable[[int], float]:
    return lambda n: rmse_half_width(bias, sd, n)


def parts_table(places: Sequence[Place]) -> Table:
    """Lay the parts out for a terminal."""
    table = Table(
        title="Parts of the error of central SBP, mmHg (SD, but the bias)",
        caption=VIRTUAL,
        box=SIMPLE_HEAD,
    )
    for head in ("", "people", "bias", "shape", "cuff, lasting", "cuff, one reading"):
        table.add_column(head, justify="right" if head else "left")
    table.add_column("catheter", justify="right")
    for place in places:
        p = place.parts
        each = (p.shape, p.persistent, p.repeat, p.reference)
        cells = [f"{p.bias:+.1f}", *(f"{v:.1f}" for v in each)]
        table.add_row(place.name, str(place.people), *cells)
    return table


def plan_table(frame: pd.DataFrame) -> Table:
    """Lay the plan out for a terminal."""
    widths = sorted(frame["half_width"].unique())
    table = Table(
        title="People needed for a 95 % interval of +-x mmHg: bias / SD / RMSE",
        caption=(
            f"Seen SD: with the catheter's error. AAMI: how probably {AAMI_SUBJECTS} "
            "people are numerically inside its limits (bias 5, SD 8 mmHg), no "
            f"validation. {VIRTUAL} {DISCLAIMER}"
        ),
        box=SIMPLE_HEAD,
    )
    for head in ("place", "readings", "seen bias", "seen SD"):
        table.add_column(head, justify="left" if head == "place" else "right")
    for width in widths:
        table.add_column(f"+-{width:g}", justify="right")
    table.add_column("AAMI", justify="right")
    for (ppg, cuff, m), rows in frame.groupby(["ppg", "cuff", "readings"], sort=False):
        first = rows.iloc[0]
        needed = [
            " / ".join(str(int(row[what])) for what in ("bias", "sd", "rmse"))
            for _, row in rows.sort_values("half_width").iterrows()
        ]
        table.add_row(
            f"PPG {ppg}, cuff {cuff}",
            str(m),
            f"{first['seen_bias']:+.1f}",
            f"{first['seen_sd']:.1f}",
            *needed,
            f"{100 * first['aami_85']:.0f} %",
        )
    return table


def plan_figure(places: Sequence[Place], readings: Sequence[int]) -> Figure:
    """Draw the half-width of the intervals over the number of people."""
    subjects = np.unique(np.geomspace(5, _MOST_SHOWN, 60).round().astype(int))
    figure = Figure(figsize=(4.2 * len(places), 6.2), layout="constrained")
    panels = figure.subplots(2, len(places), squeeze=False, sharex=True, sharey="row")
    for column, place in enumerate(places):
        for m, style in zip(readings, _styles(len(readings)), strict=True):
            sd = place.parts.sd(m)
            for ax, width in zip(panels[:, column], (_bias(sd), _sd(sd)), strict=True):
                values = [width(int(n)) for n in subjects]
                ax.plot(subjects, values, label=f"readings: {m}", **style)
        panels[0, column].set_title(place.name, fontsize=10)
        panels[1, column].set_xlabel("people")
    for ax, what in zip(panels[:, 0], ("bias", "SD"), strict=True):
        ax.set_ylabel(f"half-width of the {what} (mmHg)")
    for ax in panels.ravel():
        ax.set_xscale("log")
        ax.set_ylim(0, 6)
        ax.axvline(AAMI_SUBJECTS, color="#6e7781", lw=0.8, ls=":")
        ax.grid(color="#e6e9ec")
    panels[0, 0].legend(frameon=False, fontsize=8)
    figure.supxlabel(f"Planned from virtual people. {DISCLAIMER}", fontsize=8)
    return figure


def _styles(n: int) -> list[dict[str, str]]:
    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
    lines = ("-", "--", "-.", ":")
    return [{"color": colours[i % 6], "ls": lines[i % 4]} for i in range(n)]


def _numbers(given: Any, kind: type, *, where: str) -> list[Any]:
    """Return a list of positive numbers."""
    if not isinstance(given, list) or not given:
        msg = f"{where} is {given!r}; wanted a list of numbers: [1, 3]."
        raise ConfigError(msg)
    for value in given:
        build.check_number(value, kind, where=where)
        if value <= 0:
            msg = f"{where} has {value!r}; wanted positive numbers."
            raise ConfigError(msg)
    return given


def _cuffs(given: Any) -> dict[CuffSite, Any]:
    """Return the cuff of each site."""
    sites = get_args(CuffSite)
    if not isinstance(given, dict) or not given or {*given} - {*sites}:
        msg = (
            f"cuffs is {given!r}; wanted a cuff for some of {', '.join(sites)}: "
            "{brachial: clinic}."
        )
        raise ConfigError(msg)
    return {site: given[site] for site in sites if site in given}


@hydra.main(version_base="1.3", config_path="../configs", config_name="plan_study")
@door
def main(cfg: DictConfig) -> None:
    """Estimate the parts, plan, show."""
    given = plain(cfg)
    readings = _numbers(given["readings"], int, where="readings")
    widths = _numbers(given["half_widths"], float, where="half_widths")
    days = build.whole(given["days"], least=2, where="days")
    cuffs = _cuffs(given["cuffs"])
    places = []
    for ppg in build.words(given["ppg_sites"], where="ppg_sites"):
        at = {"ppg_site": ppg}
        home = build.clinic(given["source"] | at)
        clinic = build.clinic(given["clinic"] | at | {"catheter": "perfect"})
        catheter = build.clinic(given["clinic"] | at | {"catheter": given["catheter"]})
        read = {
            site: build.clinic(
                given["clinic"] | at | {"catheter": "perfect", "cuff": cuff}
            )
            for site, cuff in cuffs.items()
        }
        source = home, people(home, show=cfg.progress)
        visit = people(clinic, show=cfg.progress)
        for site, by in read.items():
            parts, n = parts_at(site, source, (by, visit), catheter, days=days)
            places.append(Place(ppg, site, parts, n))
            _log.info("%s: %s", places[-1].name, parts)
    if not places:
        msg = "ppg_sites is empty; wanted one or more: [finger]."
        raise ConfigError(msg)
    frame = plan(places, readings, widths)
    out = folder()
    _leave(frame, places, readings, given, out)
    console.print(parts_table(places))
    console.print(plan_table(frame))
    print(out / "plan.json")


def _leave(
    frame: pd.DataFrame,
    places: Sequence[Place],
    readings: Sequence[int],
    config: dict[str, Any],
    out: Path,
) -> None:
    write_atomic(out / "plan.csv", frame.to_csv(index=False).encode())
    plan_figure(places, readings).savefig(out / "plan.png", dpi=130)
    said = {
        "what": f"People a catheter study needs. {VIRTUAL} {DISCLAIMER}",
        "places": [asdict(place) for place in places],
        "plan": frame.to_dict("records"),
        "provenance": provenance(config, {}),
    }
    save_json(said, out / "plan.json")


if __name__ == "__main__":
    main()
