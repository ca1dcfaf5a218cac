"""A locked clinic is opened once a release, and every opening is written down."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import capnet.data.openings
from capnet.data.openings import check_unopened, log_opening, openings
from capnet.errors import ProtocolError, RecordError

ENTRY = {"version": "1.0", "date": "2026-01-02", "shown": [1.5, None]}


def test_no_log_is_no_opening(tmp_path):
    assert openings(tmp_path / "log.jsonl") == []
    check_unopened(tmp_path / "log.jsonl", "1.0")


def test_a_release_opens_once_and_the_next_again(tmp_path):
    path = tmp_path / "deep" / "log.jsonl"
    log_opening(path, ENTRY)
    with pytest.raises(ProtocolError, match=r"release 1\.0 opened .* on 2026-01-02"):
        check_unopened(path, "1.0")
    with pytest.raises(ProtocolError, match="looks once"):
        log_opening(path, ENTRY)
    log_opening(path, ENTRY | {"version": "1.1"})
    assert [e["version"] for e in openings(path)] == ["1.0", "1.1"]
    assert openings(path)[0] == ENTRY


def test_the_log_is_appended_to_never_rewritten(tmp_path):
    path = tmp_path / "log.jsonl"
    log_opening(path, ENTRY)
    before = path.read_bytes()
    log_opening(path, ENTRY | {"version": "2"})
    assert path.read_bytes().startswith(before)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"version": "1.0"}', '{"version": 1, "date": "x"}', ""]
)
def test_a_log_that_cannot_be_read_opens_nothing(tmp_path, line):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(ENTRY) + "\n" + line + "\n")
    with pytest.raises(RecordError, match="line 2 of"):
        check_unopened(path, "9.9")
    with pytest.raises(RecordError, match="line 2 of"):
        log_opening(path, ENTRY | {"version": "9.9"})


def test_of_two_runs_that_end_together_one_opens(tmp_path, monkeypatch):
    def slow(path, version):
        check_unopened(path, version)
        time.sleep(0.1)  # long enough for the other to look too

    monkeypatch.setattr(capnet.data.openings, "check_unopened", slow)

    def told(path):
        try:
            log_opening(path, ENTRY)
        except ProtocolError:
            return "refused"
        return "opened"

    with ThreadPoolExecutor(2) as pool:
        found = [*pool.map(told, [tmp_path / "log.jsonl"] * 2)]
    assert sorted(found) == ["opened", "refused"]
    assert len(openings(tmp_path / "log.jsonl")) == 1


def test_a_line_that_was_cut_off_opens_nothing_again(tmp_path):
    """As a run leaves it that was killed while it wrote."""
    path = tmp_path / "log.jsonl"
    log_opening(path, ENTRY)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RecordError, match="line 1 of"):
        check_unopened(path, "2.0")


def test_an_entry_that_json_cannot_hold_leaves_no_line(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        log_opening(tmp_path / "log.jsonl", ENTRY | {"shown": float("nan")})
    assert openings(tmp_path / "log.jsonl") == []
