"""Virtual people by decade of age: their mean waves, and a table beside real ones."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from rich.table import Table

from capnet.hemodynamics import Waves
from capnet.hemodynamics.network import SITES
from capnet.hemodynamics.population import reference_pwv
from capnet.hemodynamics.targets import MCENIERY_REFERENCE, mceniery_2005
from capnet.prediction import DISCLAIMER
from capnet.signal.indices import pulse_amplification

__all__ = ["SOURCES", "by_decade", "printed", "summary", "waves_by_age"]

SOURCES: Final = {
    "McEniery 2005": MCENIERY_REFERENCE,
    "Mattace-Raso 2010": "usual values at the age and mean pressure of each person",
}
"""Whose numbers stand in brackets."""

_PANELS: Final = 12
"""Sites that fit into one figure."""

_COLOURS: Final = colormaps["viridis"]
_BRIGHTEST: Final = 0.9
"""Share of the colours that is used; the last ones are too pale on white."""


class _Quantity(NamedTuple):
    """One number a person, and what to hold it against."""

    name: str
    unit: str
    values: np.ndarray
    target: str = ""
    reference: np.ndarray | None = None


def by_decade(waves: Waves) -> Iterator[tuple[str, np.ndarray]]:
    """Yield decades of age and who is of them; all of unknown age together."""
    age = waves.cohort.age
    decade = np.floor(age / 10.0) * 10.0
    for first in np.unique(decade[np.isfinite(decade)]):
        yield f"{first:.0f}-{first + 9:.0f}", decade == first
    if not np.isfinite(age).all():
        yield "unknown", ~np.isfinite(age)


def _quantities(waves: Waves) -> list[_Quantity]:
    """Read whatever the simulated sites tell; of foreign ones SBP and DBP."""
    sites = [s for s in ("aortic_root", "brachial", "radial") if s in waves.sites]
    levels = {site: waves.levels(site) for site in sites}
    found: list[_Quantity] = []
    if "brachial" in levels:
        arm = levels["brachial"]
        found += [
            _Quantity("brachial SBP", "mmHg", arm.sbp, "brachial_sbp"),
            _Quantity("brachial DBP", "mmHg", arm.dbp, "brachial_dbp"),
            _Quantity("brachial PP", "mmHg", arm.pp, "brachial_pp"),
            _Quantity("brachial MAP", "mmHg", arm.map, "map"),
        ]
    if "aortic_root" in levels:
        aorta, late = levels["aortic_root"], waves.augmentation()
        found += [
            _Quantity("aortic SBP", "mmHg", aorta.sbp, "aortic_sbp"),
            _Quantity("aortic PP", "mmHg", aorta.pp, "aortic_pp"),
        ]
        if "brachial" in levels:
            ratio = pulse_amplification(levels["brachial"].pp, aorta.pp)
            found.append(_Quantity("PP amplification", "1", ratio, "pp_amplification"))
        found += [
            _Quantity("augmentation", "mmHg", late.ap, "augmentation_pressure"),
            _Quantity("AIx", "%", late.aix, "augmentation_index"),
            _Quantity("foot to shoulder", "ms", 1e3 * late.time, "inflection_time"),
        ]
    if {"carotid", "femoral"} <= set(waves.sites):
        usual = None
        if "mbp" in waves.cohort.parameters:
            drawn = waves.cohort["mbp"]
            usual = reference_pwv(waves.cohort.age, drawn, np.zeros(len(waves)))
        speed = waves.pulse_wave_velocity()
        found.append(_Quantity("cfPWV", "m/s", speed, reference=usual))
    found += [
        _Quantity(f"form factor {site.split('_')[0]}", "1", level.form_factor)
        for site, level in levels.items()
    ]
    for site in (site for site in waves.sites if site not in SITES):
        level = waves.levels(site)
        found += [
            _Quantity(f"{site} SBP", "mmHg", level.sbp),
            _Quantity(f"{site} DBP", "mmHg", level.dbp),
        ]
    return found


def _target(
    quantity: _Quantity, decade: str, rows: np.ndarray
) -> tuple[float, float, str]:
    """Return mean and SD of real people of a decade, and who measured them."""
    if quantity.reference is not None:
        return float(quantity.reference[rows].mean()), np.nan, "Mattace-Raso 2010"
    found = None
    if quantity.target and decade != "unknown":
        first = int(decade.split("-")[0])
        found = mceniery_2005()[quantity.target].of_decade(first)
    return (*found, "McEniery 2005") if found else (np.nan, np.nan, "")


def summary(waves: Waves) -> pd.DataFrame:
    """Tabulate pressures and indices by decade of age beside those of real people.

    One row a decade and quantity: ``n`` (people in whom it could be read), mean, SD,
    and ``reference_mean``, ``reference_sd``, ``reference`` (empty where there is none).
    ``converged`` is how many people of the decade converged, ``residual`` (mmHg) the
    largest of theirs.
    """
    found, quantities = [], _quantities(waves)
    for decade, rows in by_decade(waves):
        for quantity in quantities:
            values = quantity.values[rows & np.isfinite(quantity.values)]
            mean, sd, source = _target(quantity, decade, rows)
            found.append(
                {
                    "age": decade,
                    "people": int(rows.sum()),
                    "converged": int(waves.converged[rows].sum()),
                    "residual": float(waves.residual[rows].max()),
                    "quantity": quantity.name,
                    "unit": quantity.unit,
                    "n": len(values),
                    "mean": float(values.mean()) if len(values) else np.nan,
                    "sd": float(values.std()) if len(values) else np.nan,
                    "reference_mean": mean,
                    "reference_sd": sd,
                    "reference": source,
                }
            )
    return pd.DataFrame(found)


def _cell(row: Mapping[str, float], digits: int) -> str:
    if not row["n"]:
        return "-"
    said = f"{row['mean']:.{digits}f} ± {row['sd']:.{digits}f}"
    if np.isfinite(row["reference_mean"]):
        said += f" ({row['reference_mean']:.{digits}f})"
    return said


def printed(frame: pd.DataFrame) -> Table:
    """Lay a summary out for a terminal, real people's means in brackets."""
    sources = [name for name in SOURCES if name in set(frame["reference"])]
    caption = "; ".join(f"{name} ({SOURCES[name]})" for name in sources)
    table = Table(
        title="Virtual people by age: mean ± SD (real people's mean)",
        caption=f"In brackets: {caption}. {DISCLAIMER}" if caption else DISCLAIMER,
    )
    decades = [*dict.fromkeys(frame["age"])]
    table.add_column("")
    for decade in decades:
        people = frame.loc[frame["age"] == decade, "people"].iloc[0]
        table.add_column(f"{decade}\nn = {people}", justify="right")
    for name in dict.fromkeys(frame["quantity"]):
        rows = frame[frame["quantity"] == name].set_index("age")
        unit = rows["unit"].iloc[0]
        digits = {"1": 2, "m/s": 1}.get(unit, 0)
        label = name if unit == "1" else f"{name}, {unit}"
        table.add_row(label, *(_cell(rows.loc[d].to_dict(), digits) for d in decades))
    return table


def waves_by_age(waves: Waves) -> Figure:
    """Draw the mean pressure wave of each decade, within one SD, at up to 12 sites.

    The older, the brighter; unknown age is grey.
    """
    sites = waves.sites[:_PANELS]
    columns = min(3, len(sites))
    lines = -(-len(sites) // columns)
    size = (3.6 * columns + 1.2, 2.7 * lines + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    steps = np.linspace(0.0, 1.0, 128, endpoint=False)
    decades = [*by_decade(waves)]
    known = [decade for decade, _ in decades if decade != "unknown"]
    colours = dict(
        zip(known, _COLOURS(np.linspace(0.0, _BRIGHTEST, len(known))), strict=True)
    )
    for ax, site in zip(panels, sites, strict=False):
        pressure = waves.at(site, steps * waves.period[:, None])
        for decade, rows in decades:
            mean, sd = pressure[rows].mean(axis=0), pressure[rows].std(axis=0)
            colour = colours.get(decade, "grey")  # that of unknown age
            ax.plot(steps, mean, label=decade, color=colour)
            ax.fill_between(steps, mean - sd, mean + sd, color=colour, alpha=0.08, lw=0)
        ax.set_title(site.replace("_", " "), fontsize=10)
    for ax in panels[len(sites) :]:
        ax.set_axis_off()
    panels[0].legend(title="age, years", fontsize=7, frameon=False)
    figure.supylabel("pressure (mmHg)", fontsize=9)
    figure.supxlabel(
        f"share of the beat. Mean and SD of virtual people. {DISCLAIMER}", fontsize=8
    )
    return figure
