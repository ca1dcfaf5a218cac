"""Sidecars: what they may say, and errors that name the field and nothing else."""

import json

import numpy as np
import pytest

from capnet.data.readers.sidecar import LARGEST, parse_sidecar, sidecar_path
from capnet.errors import RecordError, UnitError

LEAST = {"sampling_rate": 125, "channels": {"PLETH": {"unit": "NU"}}}
SECRET = "Erika Mustermann"


def parse(said):
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    return parse_sidecar(text, where="a.json")


def test_the_least_is_rate_and_units():
    sidecar = parse(LEAST)
    assert sidecar.sampling_rate == 125.0
    assert sidecar.channels["PLETH"].unit == "NU"
    assert sidecar.channels["PLETH"].every == 1
    assert (sidecar.start, sidecar.sync, sidecar.age) == (0.0, "unknown", None)


def test_everything_that_may_be_said():
    said = LEAST | {
        "format": 1,
        "start": -0.5,
        "time_column": "t",
        "missing": -9999,
        "samples": 3,
        "sha256": "0" * 64,
        "age": 63,
        "covariates": {"height": 1.71, "weight": 70, "male": 1},
        "sync": "trusted",
        "reference_type": "catheter",
        "calibration": "cuff SBP/DBP",
        "cuffs": [
            {"time": 9, "sbp": 124, "dbp": 77, "site": None, "map": 93.5},
            {"time": 0, "sbp": 121, "dbp": 74},
        ],
        "annotations": {"atr": {"times": [0.3, 1.1], "labels": ["N", "V"]}},
        "also": [
            {"file": "b.csv", "sampling_rate": 1, "channels": {"x": {"unit": "%"}}}
        ],
    }
    sidecar = parse(said)
    cuffs = sidecar.readings(where="a.json")
    assert [(c.time, c.sbp, c.site, c.map) for c in cuffs] == [
        (0.0, 121.0, "brachial", None),
        (9.0, 124.0, None, 93.5),
    ]
    notes = sidecar.notes(where="a.json")["atr"]
    assert notes.times.tolist() == [0.3, 1.1]
    assert notes.labels.tolist() == ["N", "V"]
    assert sidecar.also[0].channels["x"].unit == "%"


def changed(**changes):
    said = LEAST | changes
    return {key: value for key, value in said.items() if value is not ...}


UNITS = {
    "no rate": (changed(sampling_rate=...), "sampling_rate is missing"),
    "rate in words": (changed(sampling_rate="125"), "sampling_rate: input should be"),
    "rate true": (changed(sampling_rate=True), "sampling_rate: input should be"),
    "no unit": (changed(channels={"a": {}}), r"channels\['a'\].unit is missing"),
    "empty unit": (changed(channels={"a": {"unit": ""}}), r"channels\['a'\].unit: no"),
    "no unit's word": (
        changed(channels={"a": {"unit": "Canary"}}),
        r"^a.json: channels\['a'\].unit: no known unit; wanted mmHg((?!Canary).)*$",
    ),
    "unit none": (
        changed(channels={"a": {"unit": None}}),
        r"channels\['a'\].unit: inp",
    ),
    "rate of another": (
        changed(also=[{"file": "b.csv", "channels": {"b": {"unit": "NU"}}}]),
        r"also\[0\].sampling_rate is missing",
    ),
}


@pytest.mark.parametrize(("said", "words"), UNITS.values(), ids=UNITS)
def test_rates_and_units_are_required(said, words):
    with pytest.raises(UnitError, match=words):
        parse(said)


REFUSED = {
    "unknown field": (changed(**{SECRET: 1}), "top level has a field that is unknown"),
    "name": (changed(name=SECRET), "top level has a field that is unknown"),
    "in a channel": (
        changed(channels={"a": {"unit": "NU", SECRET: 1}}),
        r"channels\['a'\] has a field that is unknown",
    ),
    "covariate": (
        changed(covariates={SECRET: 1}),
        "covariates has a field that is unkn",
    ),
    "no channels": (
        changed(channels={}),
        "channels: dictionary should have at least 1",
    ),
    "format": (changed(format=2), "format: input should be 1"),
    "word": (changed(sync=SECRET), "sync: input should be 'trusted', 'untrusted' or"),
    "hash": (changed(sha256=SECRET), "sha256: string should match"),
    "no rows": (changed(samples=0), "samples: input should be greater"),
    "label": (
        changed(annotations={"atr": {"times": [1], "labels": [SECRET]}}),
        r"annotations\['atr'\].labels\[0\]: string should match",
    ),
    "origin": (
        changed(annotations={SECRET: {"times": [1], "labels": ["N"]}}),
        "a name in annotations is empty, too long or not printable",
    ),
    "start": (changed(start=1e9), "start: input should be less"),
    "every": (
        changed(channels={"a": {"unit": "NU", "every": 0}}),
        r"channels\['a'\].every: input should be greater",
    ),
    "no object": ([SECRET], "top level: input should be"),
    "two tables": (
        changed(also=[LEAST | {"file": "b.csv"}]),
        "channel 'PLETH' is declared in two tables",
    ),
    "time as channel": (
        changed(time_column="PLETH"),
        "time column is declared as a ch",
    ),
    "not a number": (b'{"sampling_rate": NaN}', "holds NaN or Infinity"),
    "twice": (b'{"age": 1, "age": 2}', "a field stands twice"),
    "no JSON": (f'{{"{SECRET}'.encode(), r"is no JSON \(line 1, column 2\)"),
    "deep": (b"[" * 100_000, "nested too deeply"),
    "long number": (b'{"age": ' + b"1" * 10_000 + b"}", "a number that is too long"),
    "no text": (b"\xff\xfe{}", r"is no text \(byte 0\)"),
    "too long": (b" " * (LARGEST + 1), "is too long"),
}


@pytest.mark.parametrize(("said", "words"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_and_not_quoted(said, words):
    with pytest.raises(RecordError, match=words) as caught:
        parse(said)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None  # a chain would quote what was read


def test_impossible_readings_and_notes_are_refused():
    cuffs = parse(changed(cuffs=[{"time": 0, "sbp": 80, "dbp": 120}]))
    with pytest.raises(RecordError, match=r"a.json: cuff reading at 0 s is 80/120"):
        cuffs.readings(where="a.json")
    for times, labels in (([2, 1], ["N", "N"]), ([1], ["N", "N"])):
        notes = parse(changed(annotations={"atr": {"times": times, "labels": labels}}))
        with pytest.raises(RecordError, match="annotations 'atr'"):
            notes.notes(where="a.json")
    empty = parse(changed(annotations={"atr": {"times": [], "labels": []}}))
    assert empty.notes(where="a.json")["atr"].times.shape == (0,)
    assert np.issubdtype(empty.notes(where="a.json")["atr"].labels.dtype, np.str_)


@pytest.mark.parametrize(
    ("table", "beside"),
    [("a.csv", "a"), ("a.csv.gz", "a"), ("a.2.PARQUET", "a.2"), ("a b.npz", "a b")],
)
def test_where_a_sidecar_stands(tmp_path, table, beside):
    assert sidecar_path(tmp_path / table) == tmp_path / f"{beside}.json"


@pytest.mark.parametrize("table", ["a.txt", ".csv", "a.gz"])
def test_what_is_no_table_has_no_sidecar(tmp_path, table):
    with pytest.raises(RecordError, match="is no table; wanted a name that ends"):
        sidecar_path(tmp_path / table)
