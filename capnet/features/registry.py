"""The registry of features: what every column means, in one place and one order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, overload

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEATURES", "Feature", "Features"]


class Feature(NamedTuple):
    """What a column means.

    Attributes:
        name: Column of the table.
        unit: Its unit; ``1`` for a ratio.
        formula: How it is computed.
        source: Where the definition comes from.
        group: Features that are undefined for the same reason, which stands in the
            column ``<group>_reason``.
        of_beats: Whether beats without their record suffice (`features_of`).
    """

    name: str
    unit: str
    formula: str
    source: str
    group: str
    of_beats: bool = False


@dataclass(frozen=True)
class Features:
    """Features in their order; its text is the table of the documentation.

    Attributes:
        entries: The features.
    """

    entries: tuple[Feature, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.entries)

    @overload
    def __getitem__(self, key: int | str) -> Feature: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Feature, ...]: ...
    def __getitem__(self, key: int | str | slice) -> Feature | tuple[Feature, ...]:
        if isinstance(key, str):
            return self.entries[self.names.index(key)]
        return self.entries[key]

    @property
    def names(self) -> list[str]:
        """Columns in their order."""
        return [feature.name for feature in self]

    @property
    def groups(self) -> list[str]:
        """Groups in the order of their first feature."""
        return list(dict.fromkeys(feature.group for feature in self))

    def of_group(self, group: str) -> list[str]:
        """Return the columns of a group."""
        return [feature.name for feature in self if feature.group == group]

    def of_beats(self) -> "Features":
        """Return the features that beats alone give."""
        return Features(tuple(feature for feature in self if feature.of_beats))

    def columns(self) -> list[str]:
        """Return all columns of a table: each group and then its reason."""
        found: list[str] = []
        for group in self.groups:
            found += [*self.of_group(group), f"{group}_reason"]
        return found

    def to_frame(self) -> "pd.DataFrame":
        """Return name, unit, formula, source, group; one row a feature."""
        import pandas as pd

        return pd.DataFrame(list(self), columns=Feature._fields)

    def to_markdown(self) -> str:
        """Return the table that stands in the documentation."""
        lines = ["| name | unit | formula | source | group |", "|---|---|---|---|---|"]
        for feature in self:
            cells = feature[:5]
            lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        wide = max(len(feature.name) for feature in self)
        rows = "".join(f"\n  {f.name:<{wide}}  {f.unit:<8} {f.formula}" for f in self)
        return f"Features({len(self)}){rows}"


_TASK_FORCE: Final = "Task Force of the ESC and NASPE, Circulation 93 (1996) 1043"
_TRANSIT: Final = "Mukkamala et al., IEEE Trans Biomed Eng 62 (2015) 1879"
_ELGENDI: Final = "Elgendi, Curr Cardiol Rev 8 (2012) 14"
_AWAD: Final = "Awad et al., J Clin Monit Comput 21 (2007) 365"
_MILLASSEAU: Final = "Millasseau et al., Clin Sci 103 (2002) 371"
_CONTOUR: Final = "Millasseau et al., J Hypertens 24 (2006) 1449"
_TAKAZAWA: Final = "Takazawa et al., Hypertension 32 (1998) 365"
_WEBSTER: Final = "Webster (ed.), Design of Pulse Oximeters (1997)"
_KARLEN: Final = (
    "Karlen et al., IEEE Trans Biomed Eng 60 (2013) 1946; "
    "Charlton et al., IEEE Rev Biomed Eng 11 (2018) 2"
)
_BRENNAN: Final = "Brennan et al., IEEE Trans Biomed Eng 48 (2001) 1342"
_RICHMAN: Final = "Richman and Moorman, Am J Physiol 278 (2000) H2039"
_SEGMENT: Final = "of the 5-minute segment"


def _features() -> Iterator[Feature]:
    """List them; the order is that of the table."""
    yield Feature(
        *("hr", "bpm", "60 / RR interval; 60 / foot to foot without RR", "-", "hr"),
        of_beats=True,
    )
    yield Feature(
        "pat",
        "s",
        "pulse foot of the PPG (intersecting tangents) minus R peak",
        _TRANSIT,
        "pat",
        of_beats=True,
    )
    yield Feature(
        "pep",
        "s",
        "B point minus R peak; B is the largest bend (second derivative) of dZ/dt in "
        "the 150 ms before its maximum",
        "Sherwood et al., Psychophysiology 27 (1990) 1",
        "pep",
    )
    yield Feature(
        "ptt", "s", "foot at the far site minus foot at the near one", _TRANSIT, "ptt"
    )
    yield Feature(
        "pwv",
        "m/s",
        "distance between both sites / PTT",
        "Van Bortel et al., J Hypertens 30 (2012) 445",
        "pwv",
    )
    for name, formula, source in [
        ("rise_time", "foot to systolic peak", _ELGENDI),
        ("width_25", "time above 25 % of the pulse height, around the peak", _AWAD),
        ("width_50", "time above 50 % of the pulse height, around the peak", _AWAD),
        ("width_75", "time above 75 % of the pulse height, around the peak", _AWAD),
    ]:
        yield Feature(name, "s", formula, source, "width", of_beats=True)
    yield Feature(
        "ppg_form_factor",
        "1",
        "mean of the PPG beat over its height, foot 0 and peak 1",
        "-",
        "width",
        of_beats=True,
    )
    yield Feature(
        *("notch_time", "s", "foot to dicrotic notch"),
        *("see `capnet.signal.find_fiducials`", "notch"),
    )
    yield Feature(
        "area_systolic", "s", "integral from foot to notch, peak 1", _ELGENDI, "notch"
    )
    yield Feature(
        "area_diastolic",
        "s",
        "integral from notch to the next foot, peak 1",
        _ELGENDI,
        "notch",
    )
    yield Feature(
        "area_ratio",
        "1",
        "inflection point area ratio: diastolic over systolic area",
        "Wang et al., Conf Proc IEEE EMBS (2009) 1746",
        "notch",
    )
    yield Feature(
        "reflection_index",
        "1",
        "height of the diastolic peak / height of the systolic peak",
        _CONTOUR,
        "reflection",
    )
    yield Feature(
        "peak_to_peak",
        "s",
        "systolic peak to diastolic peak",
        _MILLASSEAU,
        "reflection",
    )
    yield Feature(
        "stiffness_index",
        "m/s",
        "body height / time from systolic to diastolic peak",
        _MILLASSEAU,
        "stiffness",
    )
    yield Feature(
        "ppg_augmentation",
        "1",
        "height of the second systolic shoulder / that of the systolic peak before it",
        _TAKAZAWA,
        "augmentation",
    )
    for letter, group in [("b", "apg"), ("e", "apg"), ("c", "ageing"), ("d", "ageing")]:
        formula = f"{letter} / a of the second derivative of the PPG"
        yield Feature(f"{letter}_a", "1", formula, _TAKAZAWA, group)
    yield Feature(
        "agi",
        "1",
        "ageing index (b - c - d - e) / a of the second derivative of the PPG",
        _TAKAZAWA,
        "ageing",
    )
    for name, formula in [
        ("sbp", "highest point of the arterial pressure of the beat"),
        ("dbp", "lowest point"),
        ("map", "mean from foot to foot"),
    ]:
        yield Feature(name, "mmHg", formula, "-", "pressure", of_beats=True)
    yield Feature(
        "form_factor",
        "1",
        "(MAP - DBP) / (SBP - DBP)",
        "see `capnet.signal.form_factor`",
        "pressure",
        of_beats=True,
    )
    yield Feature(
        "aix",
        "%",
        "augmentation index of the arterial pressure as it is, see "
        "`capnet.signal.augmentation`",
        "Kelly et al., Circulation 80 (1989) 1652; Murgo et al., 62 (1980) 105",
        "aix",
        of_beats=True,
    )
    for name, unit, formula in [
        ("nn_time", "s", f"sum of the normal RR intervals (NN) {_SEGMENT}"),
        ("nn_share", "1", "that sum over the time that they span"),
        ("sdnn", "ms", f"standard deviation (n - 1) of the NN intervals {_SEGMENT}"),
        ("rmssd", "ms", f"root mean square of successive NN differences {_SEGMENT}"),
        (
            "pnn50",
            "%",
            f"NN intervals > 50 ms off the one before, of all NN {_SEGMENT}",
        ),
    ]:
        yield Feature(name, unit, formula, _TASK_FORCE, "hrv", of_beats=True)
    for name, unit, formula in [
        ("lf", "ms^2", f"power of NN at 0.04 to 0.15 Hz (Welch) {_SEGMENT}"),
        ("hf", "ms^2", f"power of NN at 0.15 to 0.4 Hz (Welch) {_SEGMENT}"),
        ("lf_nu", "%", "LF in normalised units: 100 LF / (LF + HF)"),
        ("lf_hf", "1", "LF / HF"),
    ]:
        yield Feature(name, unit, formula, _TASK_FORCE, "spectrum", of_beats=True)
    for name, unit, formula, source in [
        (
            "sd1",
            "ms",
            "spread of successive NN pairs across the line of identity",
            _BRENNAN,
        ),
        ("sd2", "ms", "and along it", _BRENNAN),
        (
            "sample_entropy",
            "1",
            "of NN, pairs, tolerance 0.2 standard deviations",
            _RICHMAN,
        ),
        (
            "dfa_alpha1",
            "1",
            "slope of detrended fluctuations of NN over 4 to 11 beats (neurokit2's)",
            "Peng et al., Chaos 5 (1995) 82",
        ),
    ]:
        yield Feature(
            *(name, unit, f"{formula}; longest run {_SEGMENT}", source, "nonlinear"),
            of_beats=True,
        )
    yield Feature(
        "respiration",
        "1/min",
        "highest peak of the mean spectrum of the pulses' feet and heights, the NN "
        "intervals and the R peaks' height in the 60-s window",
        _KARLEN,
        "respiration",
    )
    yield Feature(
        "respiration_channel",
        "1/min",
        "breaths counted in the respiration channel: passages from the lower to the "
        "upper part of its range in the 60-s window",
        "Charlton et al., Physiol Meas 37 (2016) 610",
        "respiration_channel",
    )
    yield Feature(
        "perfusion_index",
        "%",
        "100 x infrared pulse height over its mean level",
        "Lima et al., Crit Care Med 30 (2002) 1210",
        "perfusion",
    )
    yield Feature(
        "ratio",
        "1",
        "ratio of ratios: AC / DC of red over AC / DC of infrared light",
        _WEBSTER,
        "ratio",
    )
    yield Feature(
        "spo2",
        "%",
        "110 - 25 ratio; the line depends on the device and is no calibration",
        _WEBSTER,
        "spo2",
    )


FEATURES: Final = Features(tuple(_features()))
"""Every column of `feature_table`, in its order."""
