"""The page ``data/README.md``: which recordings are read, and where to find some."""

from typing import Final

from capnet.data.catalog.entries import catalog_markdown
from capnet.data.readers import FORMATS

__all__ = ["guide"]

_HEAD: Final = """\
# Recordings

Put recordings here, or anywhere else: everything in this folder but this page is
ignored by git, and no recording belongs into the repository. This page is made by
`python -m capnet.data`.

```python
record = capnet.read_record("data/mixedsignals")  # WFDB: with or without .hea
record = capnet.read_record("data/night.edf", names={"Pleth": "ppg"}, age=61)
```
"""

_TOLD: Final = {
    "WFDB": (
        "`.hea` with `.dat`, `.mat` or FLAC signals; several rates, segments, the "
        "layouts of MIMIC; annotations beside it",
        "gain, unit and rate in the header",
    ),
    "EDF": ("EDF and EDF+", "unit (physical dimension) in the header"),
    "VitalDB": ("recordings of VitalDB's recorder", "unit of each track"),
    "CSV": ("one column a channel", "sidecar"),
    "Parquet": ("one column a channel", "sidecar"),
    "NumPy": ("one array a channel", "sidecar"),
    "PulseDB": ("version 7.3; `subject=` where there are several", "the data set"),
}
"""What a format may hold, and where rate and units come from."""

_STRICT: Final = """\
The folder of the Pulse Wave Database is read as one virtual person (`subject="1"`). A
table needs a sidecar, a JSON file of the same name, that declares what its numbers
cannot tell (`capnet.data.readers.sidecar` has all that it may say):

```json
{"sampling_rate": 125,
 "channels": {"PLETH": {"unit": "NU"}, "ABP": {"unit": "mmHg"}}}
```

The readers are strict: a file is read exactly, or refused with one error that names
file, channel and the way out. A missing rate, gain or unit, a wrong checksum or length,
impossible values, a path out of the record's folder are errors; a channel without a
unit is left out and named in `record.source`. Pressures become mmHg, times become
seconds since the start. What identifies a person (name, birthday, dates, remarks) is
never kept, nor shown in a message; `capnet.data.deidentified` removes the
rest (identifier, file names, unusual names of channels, ages over 89), and

```
.venv/bin/python experiments/scan_privacy.py path=outputs words_file=names.txt
```

searches whatever a run left behind for given names, dates, addresses ... in everything
that is packed in it.

To run the main job on a recording:

```
.venv/bin/python experiments/pipeline.py data=wfdb data.record=data/mixedsignals
```

## Public data sets

No public recording that we know holds a catheter in the aorta beside PPG and cuff.
Accuracy on people can therefore not be claimed from public data, and capnet does not
claim it.

Nothing is fetched unless you ask for it. Read the terms of a data set first; they bind
you, not capnet.

```
.venv/bin/python experiments/download.py                     # lists what there is
.venv/bin/python experiments/download.py dataset=pwdb        # what its reader needs
.venv/bin/python experiments/download.py dataset=pwdb files=[geo.zip] folder=data
```

A download that was cut goes on where it stopped; a file that is not the published one
is refused. An archive that its reader does not read itself is unpacked beside it, whole
or not at all: nothing in it can get out of its folder (`capnet.data.unpack`). Where
no checksum is published, `unverified=true` takes the file and tells its SHA-256, so
that you can pin it.

"""

_TAIL: Final = """\

Small records to begin with: the `sample-data` of wfdb-python (`mixedsignals`: 231 s of
ECG, ABP and PPG of an ICU patient). Without any patient: `python experiments/record.py`
(records of virtual people of our own), `experiments/observe.py` (their beats),
`experiments/simulate.py` (their waves at every site, netCDF), `python
tests/fakes/make_record.py FOLDER` (a made-up record of one minute).
"""


def guide() -> str:
    """Return the page."""
    rows = ["| format | ends in | holds | rate and units from |", "|---|---|---|---|"]
    for form in FORMATS:
        suffixes = ", ".join(f"`{suffix}`" for suffix in form.suffixes)
        rows.append(f"| {form.name} | {suffixes} | {' | '.join(_TOLD[form.name])} |")
    table = "\n".join(rows)
    return f"{_HEAD}\n{table}\n\n{_STRICT}{catalog_markdown()}{_TAIL}"
