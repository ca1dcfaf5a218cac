"""Whatever a disk does, a reader says one clear error."""

import gzip
import json
import time
import zipfile
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

from capnet.data.readers import read_record, stream_record
from capnet.data.readers.disk import open_gzip, reading
from capnet.errors import ConfigError, RecordError, UnitError

SIDECAR = {"sampling_rate": 125, "channels": {"PLETH": {"unit": "NU"}}}


def table(folder, name="a.csv"):
    path = folder / name
    content = b"PLETH\n" + b"0.5\n0.25\n" * 200
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    (folder / "a.json").write_text(json.dumps(SIDECAR))
    return path


def refuse(monkeypatch, method, name):
    """Let one method of paths fail for one file, as it does for who may not read it."""
    whole = getattr(Path, method)

    def refused(self, *args, **kwargs):
        if self.name == name:
            raise PermissionError(13, "Permission denied", str(self))
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(Path, method, refused)


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
@pytest.mark.parametrize("method", ["open", "stat"])
def test_a_table_that_may_not_be_read(tmp_path, monkeypatch, name, method):
    path = table(tmp_path)
    refuse(monkeypatch, method, name)
    with pytest.raises(RecordError, match=r"Permission denied"):
        read_record(path)


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(RecordError, match=r"cannot be read|does not exist"):
        read_record(tmp_path / ("a" * 5000 + ".csv"))


def test_own_errors_pass():
    with pytest.raises(UnitError), reading("a"):
        raise UnitError


@pytest.mark.parametrize("name", ["a.csv.gz", "a.vital"])
def test_zeros_after_the_end_do_not_take_minutes(tmp_path, name):
    path = table(tmp_path, "a.csv.gz").rename(tmp_path / name)
    with path.open("r+b") as file:
        file.truncate(1 << 28)
    begun = time.monotonic()
    with pytest.raises(RecordError):
        read_record(path)
    assert time.monotonic() - begun < 30.0


def test_a_little_padding_is_none_of_it(tmp_path):
    path = table(tmp_path, "a.csv.gz")
    path.write_bytes(path.read_bytes() + b"\0" * 511)
    assert len(read_record(path).channels["PLETH"].values) == 400
    with open_gzip(path) as file:
        assert file.read(5) == b"PLETH"


@pytest.mark.parametrize("kind", ["|f1", "<f1"])
def test_a_number_of_a_kind_that_there_is_none_of(tmp_path, kind):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (64,), }}"
    header = header.ljust(117) + "\n"
    head = b"\x93NUMPY\1\0" + np.uint16(len(header)).tobytes() + header.encode()
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("PLETH.npy", head + bytes(64))
    (tmp_path / "a.json").write_text(json.dumps(SIDECAR))
    with pytest.raises(RecordError, match="none of numbers"):
        read_record(tmp_path / "a.npz")


@pytest.mark.parametrize("channels", ["PLETH", 5, [5], [None], [], {"PLETH": 1}])
def test_what_is_no_list_of_names_is_refused(tmp_path, monkeypatch, channels):
    # users run without the type checks of these tests
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    path = table(tmp_path)
    assert [*read_record(path, channels=["PLETH"]).channels] == ["PLETH"]
    for read in (read_record, lambda *a, **more: next(stream_record(*a, **more))):
        with pytest.raises(ConfigError, match="wanted a list of names"):
            read(path, channels=channels)
