"""Write a tiny folder in the format of the Pulse Wave Database's official release.

Headings, order of columns, five digits and the padding are those of the authors'
``export_pwdb.m``; the people are made up.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

SITES = (
    *("AorticRoot", "ThorAorta", "AbdAorta", "IliacBif", "Carotid", "SupTemporal"),
    *("SupMidCerebral", "Brachial", "Radial", "Digital", "CommonIliac", "Femoral"),
    "AntTibial",
)
SIGNALS = ("P", "U", "A", "PPG")
CONFIGS = (
    "Subject Number, base, base_age, age [years], hr [bpm], sv [ml], pft [ms], rfv [ml]"
    ", dbp [mmHg], mbp [mmHg], viscosity [Pa s], alpha [-], p_drop [mmHg], pvc [scaling"
    " factor], p_out [mmHg], density [kg /m^3], lvet [ms], pvr [Pa s/m^3], b0 [g/s], "
    "b1 [g cm/s], k1 [g/s^2/cm], k2 [/cm], k3 [g/s^2/cm]"
)
HAEMODYNAMICS = (
    "Subject Number, age [years], HR [bpm], SV [ml], CO [l/min], LVET [ms], "
    "dp/dt [mmHg/s], PFT [ms], RFV [ml], SBP_a [mmHg], DBP_a [mmHg], MAP_a [mmHg], "
    "PP_a [mmHg], SBP_b [mmHg], DBP_b [mmHg], MBP_b [mmHg], PP_b [mmHg], "
    "PP_amp [ratio], AP [mmHg], AIx [%], Tr [ms], PWV_a [m/s], PWV_cf [m/s], "
    "PWV_br [m/s], PWV_fa [m/s], dia_asca [mm], dia_dta [mm], dia_abda [mm], "
    "dia_car [mm], Len [mm], drop fin [mmHg], drop ankle [mmHg], SVR [10^6 Pa s / m3]"
)


@dataclass(frozen=True, eq=False)
class Release:
    """What was written.

    Attributes:
        folder: Where.
        hr: bpm, one a subject; subjects are numbered from 1.
        waves: By site and signal: one array a subject.
        onset: By site and signal, s.
    """

    folder: Path
    hr: np.ndarray
    waves: dict[tuple[str, str], list[np.ndarray]]
    onset: dict[tuple[str, str], np.ndarray]


def rounded(values: np.ndarray) -> np.ndarray:
    """Return numbers as they are after five digits."""
    return np.array([float(f"{v:.5g}") for v in np.ravel(values)]).reshape(
        np.shape(values)
    )


def people(subjects: int = 4, sites: tuple[str, ...] = SITES) -> Release:
    """Make up waves: a raised cosine in mmHg, m/s, m2 and pulse heights."""
    hr = 60.0 + 7.003 * np.arange(subjects)
    count = np.rint((np.floor(60e3 / hr) + 1.0) / 2.0).astype(int)
    waves, onset = {}, {}
    for k, site in enumerate(sites):
        for letter in SIGNALS:
            low, high = {
                "P": (75.0, 115.0 + 0.5 * k),
                "U": (-0.05, 0.6),
                "A": (6e-4 / (1 + 20 * k), 7e-4 / (1 + 20 * k)),
                "PPG": (0.0, 1.0),
            }[letter]
            waves[site, letter] = [
                low
                + (high - low)
                * np.sin(np.pi * ((np.arange(n) / n) ** (0.6 + 0.01 * i))) ** 2
                for i, n in enumerate(count)
            ]
            delay = 0.006 * k + (0.02 if letter == "PPG" else 0.0)
            onset[site, letter] = np.full(subjects, delay)
    return Release(Path(), hr, waves, onset)


def make_release(
    folder: Path,
    *,
    subjects: int = 4,
    sites: tuple[str, ...] = SITES,
    packed: bool = False,
) -> Release:
    """Write the CSV files.

    Args:
        folder: Where to write.
        subjects: How many, numbered from 1.
        sites: As the release calls them.
        packed: Whether waves lie in ``PWs_csv.zip`` instead of ``PWs/csv``.
    """
    made = people(subjects, sites)
    write_tables(folder, made)
    write_waves(folder, made, packed=packed)
    return Release(folder, made.hr, made.waves, made.onset)


def write_tables(folder: Path, made: Release) -> None:
    """Write parameters, onset times and haemodynamic parameters."""
    n = len(made.hr)
    ages = np.resize([25.0, 35.0, 45.0, 55.0, 65.0, 75.0], n)
    fixed = [79, 0.73, 75, 93, 0.0025, 1.3333, 0, 1, 33.2, 1060, 282]
    fixed += [9.2e7, 600, 150, 3e6, -13.5, 5.4e5]
    configs = [[k + 1, 0, 0, ages[k], made.hr[k], 66.3, *fixed] for k in range(n)]
    _write(folder / "pwdb_model_configs.csv", CONFIGS, configs)
    columns = list(made.onset)
    heading = ", ".join(["Subject Number", *("_".join(c) for c in columns)])
    times = [[k + 1, *(made.onset[c][k] for c in columns)] for k in range(n)]
    _write(folder / "pwdb_onset_times.csv", heading, times)
    values = [
        [k + 1, ages[k], made.hr[k], *(10.0 + j + 0.1 * k for j in range(30))]
        for k in range(n)
    ]
    values[-1][19] = np.nan  # no shoulder, no augmentation index
    _write(folder / "pwdb_haemod_params.csv", HAEMODYNAMICS, values)


def make_geometry(folder: Path, *, packed: bool = False) -> Path:
    """Write the bodies of ``pwdb_geometry.npz`` as the release has them, and drop it.

    Args:
        folder: From `tests.fakes.make_pwdb.make_pwdb`.
        packed: Whether they lie in ``geo.zip`` instead of ``geo``.
    """
    heading = (
        "seg_no, inlet_node, outlet_node, length, inlet_radius, outlet_radius, "
        "peripheral_c, peripheral_r"
    )
    with np.load(folder / "pwdb_geometry.npz") as file:
        texts = {
            f"pwdb_geo_{number:04d}.csv": _text(heading, body.tolist())
            for number, body in zip(file["subject"], file["geo"], strict=True)
        }
    (folder / "pwdb_geometry.npz").unlink()
    if packed:
        with zipfile.ZipFile(folder / "geo.zip", "w") as archive:
            for name, text in texts.items():
                archive.writestr(f"geo/{name}", text)
    else:
        (folder / "geo").mkdir()
        for name, text in texts.items():
            (folder / "geo" / name).write_text(text)
    return folder


def write_waves(folder: Path, made: Release, *, packed: bool = False) -> None:
    """Write one file a site and signal."""
    texts = {}
    for (site, letter), waves in made.waves.items():
        longest = max(len(wave) for wave in waves)
        points = [f"pt{k + 1}" for k in range(longest)]
        rows = [
            [k + 1, *wave, *[np.nan] * (longest - len(wave))]
            for k, wave in enumerate(waves)
        ]
        texts[f"PWs_{site}_{letter}.csv"] = _text(
            ", ".join(["Subject Number", *points]), rows
        )
    if packed:
        with zipfile.ZipFile(
            folder / "PWs_csv.zip", "w", compression=zipfile.ZIP_DEFLATED
        ) as archive:
            for name, text in texts.items():
                archive.writestr(f"csv/{name}", text)
        return
    inner = folder / "PWs" / "csv"
    inner.mkdir(parents=True)
    for name, text in texts.items():
        (inner / name).write_text(text)


def make_mat(path: Path, made: Release, *, compressed: bool = True) -> Path:
    """Write ``pwdb_data.mat`` as MATLAB's ``save`` does by default."""
    column = {c: made.onset[c][:, None] for c in made.onset}
    data = {
        "config": {
            "hr": made.hr[:, None],
            "age": np.full((len(made.hr), 1), 45.0),
            "network": {"segment_name": _cells([["Ascending Aorta"]])},
        },
        "waves": {
            **{
                f"{letter}_{site}": _cells([wave[:, None] for wave in waves])
                for (site, letter), waves in made.waves.items()
            },
            "onset_times": {
                f"{letter}_{site}": times for (site, letter), times in column.items()
            },
            "fs": 500,
            "units": {"P": "mmHg", "U": "m/s", "A": "m3", "PPG": "au"},
        },
        "plausibility": {"plausibility_log": np.ones((len(made.hr), 1), dtype=bool)},
    }
    scipy.io.savemat(path, {"data": data}, do_compression=compressed)
    return path


def _cells(values: list) -> np.ndarray:
    cells = np.empty((1, len(values)), dtype=object)
    for k, value in enumerate(values):
        cells[0, k] = value
    return cells


def _text(heading: str, rows: list[list[float]]) -> str:
    words = {True: "NaN"}
    lines = [
        ",".join(words.get(bool(np.isnan(v)), f"{v:.5g}") for v in row) for row in rows
    ]
    return "\n".join([heading, *lines]) + "\n"


def _write(path: Path, heading: str, rows: list[list[float]]) -> None:
    path.write_text(_text(heading, rows))
