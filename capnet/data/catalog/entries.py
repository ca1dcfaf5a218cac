"""Public data sets: what they hold, under which licence, and where the files are.

Nothing is fetched by looking here; `capnet.data.download` does that when it is called.
What stands here was read on the page, in the paper or in the documentation that the
entry names; what was not found there is told as not known here, and a checksum is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from capnet.errors import ConfigError
from capnet.types import ReferenceType

__all__ = ["CATALOG", "Access", "DataFile", "DataSet", "catalog_markdown", "find_file"]

Access = Literal["open", "agreement", "account"]
"""open: anybody may fetch it; agreement: its terms are accepted first; account: by hand
in a browser, or with an account."""


@dataclass(frozen=True)
class DataFile:
    """One file of a data set.

    Attributes:
        name: What it is called.
        url: Where it is.
        checksum: ``md5:...`` or ``sha256:...`` as the publisher gives it; None if no
            source that we know gives one.
        holds: What is in it.
        needed: Whether the reader needs it.
        packed: Whether it is an archive that has to be unpacked to be read.
    """

    name: str
    url: str
    checksum: str | None
    holds: str
    needed: bool = True
    packed: bool = False


@dataclass(frozen=True)
class DataSet:
    """Facts of one data set.

    Attributes:
        name: Short, as `capnet.data.download` wants it.
        title: Its own.
        people: How many, and who.
        channels: What was recorded, at which rate, in which unit.
        size: Of what matters here.
        reference_type: What its channel nearest to the heart is as a truth of central
            pressure; ``none`` where there is no such channel.
        reference: That in words.
        licence: As its publisher says.
        access: How it is had.
        citation: What to cite.
        doi: Of the data, or of the paper where the data have none.
        url: Its page.
        reads: How `capnet.read_record` reads it.
        files: What can be fetched by `capnet.data.download`.
    """

    name: str
    title: str
    people: str
    channels: str
    size: str
    reference_type: ReferenceType
    reference: str
    licence: str
    access: Access
    citation: str
    doi: str
    url: str
    reads: str
    files: tuple[DataFile, ...] = ()


def _zenodo(
    record: int, name: str, md5: str | None, holds: str, **more: bool
) -> DataFile:
    url = f"https://zenodo.org/records/{record}/files/{name}?download=1"
    return DataFile(name, url, md5 and f"md5:{md5}", holds, **more)


_PWDB: Final = DataSet(
    name="pwdb",
    title="Pulse Wave Database",
    people="4,374 virtual adults of 25 to 75 years, by another simulator",
    channels=(
        "one beat at 13 sites: pressure (mmHg), flow velocity (m/s), area (m2), PPG "
        "(no unit), 500 Hz"
    ),
    size="44.3 GB; 0.25 GB are needed",
    reference_type="simulated",
    reference="pressure at the root of the aorta, simulated",
    licence="not known here, see its Zenodo record (others quote ODC PDDL 1.0)",
    access="open",
    citation=(
        "Charlton et al., Modelling arterial pulse waves in healthy ageing, Am J "
        "Physiol Heart Circ Physiol 317, H1062-H1085 (2019)"
    ),
    doi="10.5281/zenodo.3275625",
    url="https://zenodo.org/records/3275625",
    reads='`read_record(folder, subject="1")`',
    files=(
        _zenodo(
            *(3275625, "pwdb_model_configs.csv", "8c3b4f2f86386b72250766aedea9db52"),
            "what each person was simulated with",
        ),
        _zenodo(
            *(3275625, "pwdb_haemod_params.csv", "43e1244665e6cee6b77501102404b70a"),
            "pressures, velocities and stiffness of each person",
        ),
        _zenodo(
            *(3275625, "pwdb_onset_times.csv", "1103ddc3852d6f2164b981582fad8d23"),
            "when each wave begins",
        ),
        _zenodo(
            *(3275625, "PWs_csv.zip", "81067f96d6078bbbb5cd9fce5d73f5bd"),
            "the waves",
        ),
        _zenodo(
            *(3275625, "pwdb_model_variations.csv", "3f1987efbc131b2cab8e576807385d5b"),
            "which inputs were varied",
            needed=False,
        ),
        _zenodo(
            *(3275625, "pwdb_pw_indices.csv", "87946898d39d5a6d894901ad39f6b546"),
            "indices of the waves",
            needed=False,
        ),
        _zenodo(
            *(3275625, "geo.zip", "4b1fba2da497094e6ad71fcee14b0f7e"),
            "lengths and radii of each person's arteries",
            needed=False,
        ),
        _zenodo(
            *(3275625, "PWs_wfdb.zip", "c4c3c3ba8163ee1f4f1495d7a4e70d73"),
            "the waves as WFDB",
            needed=False,
        ),
        _zenodo(
            *(3275625, "pwdb_data.mat", "3bd22caacaa7d7a83b3a04c71e1b2d49"),
            "all of it, for MATLAB",
            needed=False,
        ),
    ),
)

_VITALDB: Final = DataSet(
    name="vitaldb",
    title="VitalDB, a high-fidelity multi-parameter vital signs database",
    people="6,388 operations (not of the heart) at Seoul National University Hospital",
    channels=(
        "`SNUADC/ECG_II` (mV), `SNUADC/PLETH` (no unit), `SNUADC/ART` (radial line, "
        "mmHg), in some `SNUADC/FEM` (femoral line, mmHg), 500 Hz; numbers of the "
        "monitor, among them cuff pressures (`Solar8000/NIBP_SBP`)"
    ),
    size="not known here",
    reference_type="none",
    reference=(
        "no aortic catheter. `FEM` is a femoral line: a second peripheral site, not "
        "the aorta, and capnet never takes it for one"
    ),
    licence=(
        "its site asks everybody to accept its Data Use Agreement; others quote "
        "CC BY-NC-SA 4.0 for that, and CC BY 4.0 for its copy on PhysioNet "
        "(doi:10.13026/czw8-9p62): ask before any use that is not research"
    ),
    access="agreement",
    citation=(
        "Lee et al., VitalDB, a high-fidelity multi-parameter vital signs database in "
        "surgical patients, Scientific Data 9, 279 (2022)"
    ),
    doi="10.1038/s41597-022-01411-5",
    url="https://vitaldb.net/dataset/",
    reads='`read_record("1.vital")`',
    files=(
        DataFile(
            *("1.vital", "https://vitaldb.net/1.vital", None),
            "the first operation; others by their number",
        ),
        DataFile(
            *("cases.csv", "https://api.vitaldb.net/cases", None),
            "age, sex, height, weight ... of each operation",
            needed=False,
        ),
        DataFile(
            *("trks.csv", "https://api.vitaldb.net/trks", None),
            "which operation has which channel: who has `ART` and `FEM`",
            needed=False,
        ),
    ),
)

_MIMIC3: Final = DataSet(
    name="mimic3wdb",
    title="MIMIC-III Waveform Database Matched Subset",
    people="22,317 records of 10,282 patients in intensive care",
    channels=(
        "mostly ECG (mV), PLETH (no unit), ABP or ART (line, mmHg), RESP, 125 Hz"
    ),
    size="not known here; fetch single records",
    reference_type="none",
    reference=(
        "no documented catheter in the ascending aorta, and the site of `ABP` is not "
        "told. Where a record names a channel `AOBP` or `Ao`, that is the label of a "
        "plug, not a documented site: `reference_type` stays none unless somebody who "
        "knows says otherwise. Channels may be apart by a changing delay of up "
        "to 500 ms (archive.physionet.org/physiobank/database/mimic3wdb)"
    ),
    licence="open access on PhysioNet; which licence: see its page",
    access="open",
    citation=(
        "Moody et al., MIMIC-III Waveform Database Matched Subset (version 1.0), "
        "PhysioNet (2020); Johnson et al., Scientific Data 3, 160035 (2016)"
    ),
    doi="10.13026/c2294b",
    url="https://physionet.org/content/mimic3wdb-matched/1.0/",
    reads='`read_record("p000020-2183-04-28-17-47.hea")`',
)

_MIMIC4: Final = DataSet(
    name="mimic4wdb",
    title="MIMIC-IV Waveform Database",
    people="200 records of 198 patients in intensive care (version 0.1.0)",
    channels=(
        "ECG at about 250 Hz (mV), Pleth (no unit) and ABP (mmHg) at about 125 Hz, "
        "Resp at about 62.5 Hz; numbers of the monitor"
    ),
    size="not known here; fetch single records",
    reference_type="none",
    reference="no aortic catheter; the site of `ABP` is not told",
    licence="open access on PhysioNet; which licence: see its page",
    access="open",
    citation=(
        "Moody et al., MIMIC-IV Waveform Database (version 0.1.0), PhysioNet (2022)"
    ),
    doi="10.13026/a2mw-f949",
    url="https://physionet.org/content/mimic4wdb/0.1.0/",
    reads='`read_record("81739927.hea")`',
)

_PULSEDB: Final = DataSet(
    name="pulsedb",
    title="PulseDB",
    people="5,361 patients out of MIMIC-III and VitalDB, 5,245,454 pieces of 10 s",
    channels="ECG, PPG (scaled to 0-1 in version 1) and ABP (mmHg), 125 Hz",
    size="248 GB (MIMIC 136, VitalDB 77.4, and subsets)",
    reference_type="none",
    reference="no aortic catheter; ABP is that of its two sources",
    licence="none is told in its repository; those of its two sources bind",
    access="account",
    citation=(
        "Wang et al., PulseDB: A large, cleaned dataset based on MIMIC-III and VitalDB "
        "for benchmarking cuff-less blood pressure estimation methods, Front Digit "
        "Health 4, 1090854 (2023)"
    ),
    doi="10.3389/fdgth.2022.1090854",
    url="https://github.com/pulselabteam/PulseDB",
    reads='`read_record("p000020.mat", subject=...)`',
)

_BIDMC: Final = DataSet(
    name="bidmc",
    title="BIDMC PPG and Respiration Dataset",
    people="53 recordings of 8 minutes of adults in intensive care",
    channels="ECG (mV), PLETH (no unit), RESP, 125 Hz; numbers of the monitor, 1 Hz",
    size="0.2 GB",
    reference_type="none",
    reference="no aortic catheter; for quality, heart rate and breathing",
    licence="others quote ODC-By 1.0; see its page",
    access="open",
    citation=(
        "Pimentel et al., Toward a robust estimation of respiratory rate from pulse "
        "oximeters, IEEE Trans Biomed Eng 64, 1914-1923 (2017)"
    ),
    doi="10.13026/C2208R",
    url="https://physionet.org/content/bidmc/1.0.0/",
    reads='`read_record("bidmc01.hea")`',
    files=(
        DataFile(
            "bidmc-ppg-and-respiration-dataset-1.0.0.zip",
            "https://physionet.org/static/published-projects/bidmc/"
            "bidmc-ppg-and-respiration-dataset-1.0.0.zip",
            None,
            "all of it",
            packed=True,
        ),
    ),
)

_PERFORM: Final = DataSet(
    name="mimic_perform",
    title="MIMIC PERform AF",
    people=(
        "35 adults in intensive care (MIMIC-III), 20 minutes each: 19 with and 16 "
        "without atrial fibrillation"
    ),
    channels="PPG (no unit), ECG (mV), RESP, 125 Hz",
    size="27.2 and 23.2 MB",
    reference_type="none",
    reference="no aortic catheter; for finding beats",
    licence="not known here, see its Zenodo record; the waves are of MIMIC-III",
    access="open",
    citation=(
        "Charlton et al., Detecting beats in the photoplethysmogram: benchmarking "
        "open-source algorithms, Physiol Meas 43, 085007 (2022)"
    ),
    doi="10.5281/zenodo.6807402",
    url="https://zenodo.org/records/6807403",
    reads="the CSV files with a sidecar that says 125 Hz and the units",
    files=(
        _zenodo(
            *(6807403, "mimic_perform_af_csv.zip", "df323c2be9db41589b5011ac9efb54ca"),
            "19 people with atrial fibrillation",
            packed=True,
        ),
        _zenodo(
            6807403,
            "mimic_perform_non_af_csv.zip",
            "84d5ad5e9fe94e83b40d6dbd36e4210e",
            "16 people without",
            packed=True,
        ),
    ),
)

_CUFFLESS: Final = DataSet(
    name="cuffless",
    title="Cuff-Less Blood Pressure Estimation (UCI)",
    people="12,000 pieces out of MIMIC-II; which are of one patient is not told",
    channels="PPG (no unit), ABP (mmHg), ECG (no unit), 125 Hz",
    size="not known here",
    reference_type="none",
    reference=(
        "no aortic catheter, and no subjects: **no split by person is possible**, so "
        "that no error on it can be believed. Listed so that nobody takes it by mistake"
    ),
    licence="not known here, see its page (others quote CC BY 4.0)",
    access="open",
    citation=(
        "Kachuee et al., Cuff-less high-accuracy calibration-free blood pressure "
        "estimation using pulse transit time, IEEE ISCAS (2015)"
    ),
    doi="10.1109/ISCAS.2015.7168806",
    url="https://archive.ics.uci.edu/dataset/340",
    reads="not read: no subjects",
)

CATALOG: Final[Mapping[str, DataSet]] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            *(_PWDB, _VITALDB, _MIMIC3, _MIMIC4, _PULSEDB, _BIDMC, _PERFORM),
            _CUFFLESS,
        )
    }
)
"""Every data set, by its short name."""


def find_file(name: str) -> tuple[DataSet, DataFile]:
    """Return a file of the catalogue by ``<data set>/<file>``.

    Raises:
        ConfigError: If there is none; the message lists what there is.
    """
    first, _, second = name.partition("/")
    entry = CATALOG.get(first)
    if entry is None:
        msg = f"data set {first!r} is unknown; there are {', '.join(CATALOG)}."
        raise ConfigError(msg)
    if not entry.files:
        msg = (
            f"no single file of {entry.title} is listed. Fetch what you need from "
            f"{entry.url}, after reading its terms ({entry.licence})."
        )
        raise ConfigError(msg)
    for file in entry.files:
        if file.name == second:
            return entry, file
    known = ", ".join(f"{first}/{file.name}" for file in entry.files)
    msg = f"file {name!r} is unknown; there are {known}."
    raise ConfigError(msg)


_ACCESS: Final[Mapping[Access, str]] = {
    "open": "open",
    "agreement": "after accepting its terms",
    "account": "by hand",
}


def catalog_markdown() -> str:
    """Return the catalogue as it stands in ``data/README.md``."""
    rows = [
        "| name | who | what | truth of central pressure | licence, access |",
        "|---|---|---|---|---|",
    ]
    for entry in CATALOG.values():
        cells = (
            f"[`{entry.name}`]({entry.url})",
            entry.people,
            entry.channels,
            f"**{entry.reference_type}**: {entry.reference}",
            f"{entry.licence}; {_ACCESS[entry.access]}; {entry.size}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    rows += ["", "| file | holds | checksum |", "|---|---|---|"]
    for entry in CATALOG.values():
        for file in entry.files:
            more = "; is unpacked" if file.packed else ""
            what = f"{file.holds}{more if file.needed else ' (not needed)'}"
            told = f"`{file.checksum}`" if file.checksum else "none is published"
            rows.append(
                f"| [`{entry.name}/{file.name}`]({file.url}) | {what} | {told} |"
            )
    rows += ["", "To cite:", ""]
    rows += [
        f"- `{entry.name}`: {entry.citation}. [doi:{entry.doi}](https://doi.org/{entry.doi})"
        for entry in CATALOG.values()
    ]
    return "\n".join(rows) + "\n"
