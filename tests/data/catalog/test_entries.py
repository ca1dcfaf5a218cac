"""The catalogue, and the page that is made of it."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from capnet.data.catalog.entries import CATALOG, find_file
from capnet.data.catalog.guide import guide
from capnet.data.readers import FORMATS
from capnet.errors import ConfigError

PAGE = Path(__file__).resolve().parents[3] / "data" / "README.md"


@pytest.mark.parametrize("entry", CATALOG.values(), ids=lambda entry: entry.name)
def test_every_data_set_is_described(entry):
    told = (entry.title, entry.people, entry.channels, entry.size, entry.licence)
    assert all(text.strip() for text in (*told, entry.reference, entry.reads))
    assert re.fullmatch(r"10\.\d{4,9}/\S+", entry.doi)
    assert entry.citation[-1] == ")"
    assert re.search(r"\((19|20)\d\d\)", entry.citation)
    assert urlsplit(entry.url).scheme == "https"


def test_no_data_set_claims_a_catheter():
    kinds = {entry.name: entry.reference_type for entry in CATALOG.values()}
    assert kinds.pop("pwdb") == "simulated"
    assert set(kinds.values()) == {"none"}


def test_the_data_sets_of_the_field_are_there():
    assert {"pwdb", "vitaldb", "mimic3wdb", "mimic4wdb", "pulsedb"} <= set(CATALOG)
    assert {"bidmc", "mimic_perform"} <= set(CATALOG)


def test_files_have_plain_names_and_whole_checksums():
    for entry in CATALOG.values():
        names = [file.name for file in entry.files]
        assert len(set(names)) == len(names)
        for file in entry.files:
            assert urlsplit(file.url).scheme == "https"
            assert Path(file.name).name == file.name
            if file.checksum is not None:
                assert re.fullmatch(
                    r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.checksum
                )
            assert find_file(f"{entry.name}/{file.name}") == (entry, file)


@pytest.mark.data
def test_checksums_are_those_of_the_published_files(shared_data):
    import hashlib

    for name in ("pwdb_model_configs.csv", "pwdb_model_variations.csv"):
        content = (shared_data / "pwdb" / name).read_bytes()
        told = find_file(f"pwdb/{name}")[1].checksum
        assert told == f"md5:{hashlib.md5(content).hexdigest()}"


def test_the_page_is_made_of_the_catalogue():
    assert PAGE.read_text(encoding="utf-8") == guide()


def test_the_module_prints_the_page():
    command = [sys.executable, "-m", "capnet.data"]
    shown = subprocess.run(command, capture_output=True, check=True)
    assert shown.stdout.decode() == guide()


def test_the_page_has_every_format_and_every_file():
    page = guide()
    for form in FORMATS:
        assert f"| {form.name} |" in page
    for entry in CATALOG.values():
        assert entry.doi in page
        assert all(file.url in page for file in entry.files)


def test_what_is_not_there_is_told():
    with pytest.raises(ConfigError, match=r"'x/y' is unknown|'x' is unknown"):
        find_file("x/y")
