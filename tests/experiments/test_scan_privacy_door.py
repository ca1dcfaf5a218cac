"""The door of the privacy scan."""

import json

import numpy as np
import pytest

from tests.experiments.conftest import assert_refused, open_door

NAME = "Ada Lovelace"


@pytest.fixture
def left(tmp_path):
    """Something that a run left: one name is hidden in it."""
    folder = tmp_path / "outputs" / "a"
    folder.mkdir(parents=True)
    np.savez_compressed(folder / "beats.npz", subject=np.array([NAME.upper()]))
    (folder / "metrics.json").write_text('{"sbp": 3.2}')
    names = tmp_path / "names.txt"
    names.write_text(f"{NAME}\nCharles Babbage\n")
    return folder.parent, names


def test_a_hidden_name_is_told_without_being_shown(left, tmp_path):
    folder, names = left
    run = open_door(
        "scan_privacy",
        *(f"path={folder}", f"words_file={names}"),
        folder=tmp_path / "outputs" / "scan",
    )
    assert run.status == 2
    told = json.loads((run.folder / "hits.json").read_text())
    assert told["words"] == 2
    (hit,) = told["hits"]
    assert (hit["file"], hit["member"]) == ("a/beats.npz", "subject.npy")
    assert (hit["what"], hit["encoding"]) == ("word 1", "UTF-32")
    assert "lovelace" not in (run.out + run.err + str(told)).lower()


def test_its_own_folder_is_left_out_and_nothing_found_is_status_0(left, tmp_path):
    folder, names = left
    (folder / "a" / "beats.npz").unlink()
    given = (f"path=[{folder}]", f"words_file={names}")
    run = open_door("scan_privacy", *given, folder=folder / "scan").check()
    assert run.last_line == str(run.folder / "hits.json")
    assert json.loads((run.folder / "hits.json").read_text())["hits"] == []


def test_patterns_can_be_chosen(left, tmp_path):
    folder, _ = left
    (folder / "a" / "log.txt").write_text("born 14.03.1951, ada@example.org")
    given = (f"path={folder}", "patterns=[date]")
    run = open_door("scan_privacy", *given, folder=tmp_path / "scan")
    assert run.status == 2
    told = json.loads((run.folder / "hits.json").read_text())["hits"]
    assert [hit["what"] for hit in told] == ["date"]


@pytest.mark.parametrize(
    ("given", "words", "error"),
    [
        ("path=nowhere", "is no file and no folder", "RecordError"),
        ("path=3", "path is 3; wanted a text", "ConfigError"),
        ("path=. words_file=none.txt", "cannot be read", "RecordError"),
        ("path=. patterns=[name]", "pattern 'name'; wanted one of", "ConfigError"),
        ("path=. limit=much", "limit", "ConfigError"),
        ("words_file=x", "path", "ConfigError"),
    ],
)
def test_a_wrong_setting_is_refused(tmp_path, given, words, error):
    run = open_door("scan_privacy", *given.split(), folder=tmp_path / "run")
    assert_refused(run, words, error=error)


@pytest.mark.parametrize("limit", ["nan", "0", "-1", "inf"])
def test_a_limit_is_a_positive_number(limit, tmp_path):
    given = (f"path={tmp_path}", f"limit={limit}")
    done = open_door("scan_privacy", *given, folder=tmp_path / "run")
    assert_refused(done, "above 0")
