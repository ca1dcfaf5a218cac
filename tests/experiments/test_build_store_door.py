"""The door of stores: recordings in, a folder out, nobody's name anywhere."""

import pytest

from capnet.data.readers import read_record
from capnet.data.stores.beat_store import BeatStore
from capnet.signal.beats import beats_of
from tests.experiments.conftest import assert_refused, open_door
from tests.fakes.make_record import make_record


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPNET_PSEUDONYM_KEY", str(home / "key" / "pseudonym.key"))
        yield home


@pytest.fixture(scope="module")
def run(home):
    path = make_record(home / "Jane_Doe", seconds=60.0)
    given = (f"records=[{path}]", "domain=ward", f"store={home / 'stores'}")
    return open_door("build_store", *given, folder=home / "run").check()


def test_it_prints_where_the_store_is(run, home):
    store = BeatStore.open(run.last_line)
    beats = beats_of(read_record(next((home / "Jane_Doe").glob("*.hea"))))
    assert len(store) == len(beats)
    assert store.beats().reason.tolist() == beats.reason.tolist()
    assert store.domains.tolist() == ["ward"]
    assert store.subjects[0].startswith("p-")
    assert "ward" in run.out
    for file in store.path.rglob("*"):
        assert file.is_dir() or b"Jane" not in file.read_bytes()


def test_windows_are_an_option(home):
    path = make_record(home / "second", seconds=60.0)
    given = (f"records=[{path}]", "windows=true", f"store={home / 'stores'}")
    done = open_door("build_store", *given, folder=home / "windows").check()
    ((subject, domain, rows),) = BeatStore.open(done.last_line).windows()
    assert subject.startswith("p-")
    assert domain == "recordings"
    assert rows.waves["ppg"].shape == (7, 1000)


@pytest.mark.parametrize(
    "given", [(), ("records=[a.hea]", "data.root=b"), ("records=a",)]
)
def test_it_wants_recordings_or_a_clinic(given, tmp_path):
    done = open_door("build_store", *given, folder=tmp_path / "run")
    assert_refused(done, "wanted either a list of recordings")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("records=[a.hea]", "windows=3"), "windows is 3; wanted true or false"),
        (("records=[a.hea]", "domain=3"), "domain is 3; wanted a text"),
        (("records=[a.hea]", "ppg=3"), "ppg is 3; wanted a text"),
        (("data.root=3",), "wanted either a list of recordings"),
        (("data.root=b", "windows=true"), "options of records"),
        (("data.root=b", "ppg=PLETH"), "options of records"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(given, told, tmp_path):
    done = open_door("build_store", *given, folder=tmp_path / "run")
    assert_refused(done, told)
