"""Plain arrays become a record under the rules of the other doors."""

import numpy as np
import pytest

from capnet.data.readers.arrays import record_of_arrays
from capnet.errors import RecordError, UnitError
from capnet.records import Annotations, Cuff

USUAL = {
    "sampling_rate": {"ECG": 500.0, "ABP": 125},
    "units": {"ECG": "uV", "ABP": "kPa"},
    "subject": "a",
}
ARRAYS = {"ECG": [100, -200, 300], "ABP": np.array([10.0, np.nan])}


def test_units_are_converted_and_everything_kept():
    record = record_of_arrays(
        ARRAYS,
        **USUAL,
        age=61,
        start={"ECG": 0.0, "ABP": 0.5},
        cuffs=[Cuff(0.0, 120.0, 80.0)],
        calibration="cuff SBP/DBP",
        covariates={"height": 1.7},
        annotations={"atr": Annotations(np.array([0.1]), np.array(["N"]))},
        reference_type="catheter",
        sync="trusted",
        files={"a.x": "0"},
    )
    np.testing.assert_allclose(record.channels["ECG"].values, [0.1, -0.2, 0.3])
    np.testing.assert_allclose(record.channels["ABP"].values, [75.00616, np.nan], 1e-6)
    assert {n: s.unit for n, s in record.channels.items()} == {
        "ECG": "mV",
        "ABP": "mmHg",
    }
    assert record.channels["ABP"].start == 0.5
    assert (record.age, record.sync, record.calibration) == (
        61,
        "trusted",
        "cuff SBP/DBP",
    )
    assert (record.reference_type, record.covariates) == ("catheter", {"height": 1.7})
    assert (record.files, len(record.cuffs), [*record.annotations]) == (
        {"a.x": "0"},
        1,
        ["atr"],
    )


def test_one_rate_and_start_serve_all_channels():
    record = record_of_arrays(ARRAYS, **USUAL | {"sampling_rate": 250.0}, start=-1.0)
    assert {(s.sampling_rate, s.start) for s in record.channels.values()} == {
        (250.0, -1.0)
    }


REFUSED = {
    "no unit": (ARRAYS, {"units": {"ECG": "uV"}}, UnitError, "'ABP' has no unit"),
    "unit of none": (
        {"ECG": [1.0]},
        {"sampling_rate": 1.0},
        UnitError,
        "'ABP' is not there but has a unit",
    ),
    "no rate": (ARRAYS, {"sampling_rate": {"ECG": 500.0}}, UnitError, "has no rate"),
    "no start": (ARRAYS, {"start": {"ECG": 500.0}}, RecordError, "has no start"),
    "rate of nothing": (ARRAYS, {"sampling_rate": 0.0}, UnitError, "'ECG': sampling r"),
    "rate too high": (ARRAYS, {"sampling_rate": 1e9}, UnitError, "1e.09 Hz; wanted"),
    "text": (ARRAYS | {"ECG": ["a"]}, {}, RecordError, "'ECG' is of type <U1"),
    "two axes": (ARRAYS | {"ECG": np.ones((2, 2))}, {}, RecordError, r"shape \(2, 2\)"),
    "ragged": (ARRAYS | {"ECG": [[1], [1, 2]]}, {}, RecordError, "is no array"),
    "empty": (ARRAYS | {"ECG": []}, {}, RecordError, r"shape \(0,\)"),
    "all missing": (ARRAYS | {"ECG": [np.nan]}, {}, RecordError, "no valid sample"),
    "impossible": (ARRAYS | {"ABP": [1e3]}, {}, RecordError, "sample 0 is 7500"),
    "infinite": (ARRAYS | {"ABP": [10.0, np.inf]}, {}, RecordError, "sample 1 is inf"),
    "nothing": (
        {},
        {"units": {}, "sampling_rate": 1.0},
        RecordError,
        "no channel that can be used",
    ),
}


@pytest.mark.parametrize(
    ("arrays", "changes", "kind", "words"), REFUSED.values(), ids=REFUSED
)
def test_what_no_file_could_hold_is_refused(arrays, changes, kind, words):
    with pytest.raises(kind, match=words):
        record_of_arrays(arrays, **USUAL | changes)
