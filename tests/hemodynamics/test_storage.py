"""A file of waves: exact, whole, readable by others, and honest about damage."""

import json
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
import xarray as xr

from capnet.errors import MissingExtraError, RecordError
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.population import Population
from capnet.hemodynamics.simulation import simulate
from capnet.hemodynamics.spectra import grid
from capnet.hemodynamics.storage import fingerprint, read_identity, write_stored
from capnet.hemodynamics.waves import Waves
from capnet.prediction import DISCLAIMER
from tests.hemodynamics.people import arteries, network
from tests.hemodynamics.swing import Swing


@pytest.fixture(scope="module")
def waves():
    """Two populations joined, not in the order they were drawn, one failed."""
    first = Cohort.sample(4, seed=0).take(np.array([3, 0]))
    second = Cohort.sample(3, seed=1, population=Population.older_clinic())
    made = simulate(Cohort.concatenate([first, second]), Swing(), sampling_rate=500.0)
    pressure = made.spectra.pressure.copy()
    pressure[2] = np.nan
    return replace(made, spectra=replace(made.spectra, pressure=pressure))


@pytest.fixture(scope="module")
def file(waves, tmp_path_factory):
    return waves.save(tmp_path_factory.mktemp("storage") / "waves.nc")


def phantom():
    """Tubes with bodies of their own and without any drawn parameter."""
    bodies = arteries(network([1, 2, 2], [2, 3, 4]))
    cohort = Cohort(np.zeros(1, np.int64), np.full(1, np.nan), {}, bodies=bodies)
    real = Cohort.sample(1, seed=0)
    spectra = Swing().solve(real, ("artery 1@0", "artery 3@0.25"))
    return Waves(cohort, spectra, 200.0, "{}", 1.0)


def assert_same(one, other):
    """Demand the same numbers and words, bit by bit."""
    assert fingerprint(one.cohort) == fingerprint(other.cohort)
    assert fingerprint(one.spectra) == fingerprint(other.spectra)
    for name in ("pressure", "residual"):
        a, b = getattr(one.spectra, name), getattr(other.spectra, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert one.stored()[2:] == other.stored()[2:]


def test_a_round_trip_is_exact(waves, file):
    back = Waves.load(file)
    assert_same(waves, back)
    assert back.sites == waves.sites
    assert back.cohort.provenance == waves.cohort.provenance
    np.testing.assert_array_equal(back.cohort.index, waves.cohort.index)
    assert repr(back) == repr(waves)
    again = back.save(file.with_name("again.nc"))
    assert_same(waves, Waves.load(str(again)))


def test_given_bodies_come_back(tmp_path):
    derived = Cohort.sample(3, seed=2)
    given = replace(derived, bodies=derived.arteries())
    for waves in (simulate(given, Swing(), sampling_rate=500.0), phantom()):
        back = Waves.load(waves.save(tmp_path / "new" / "waves.nc"))
        assert_same(waves, back)
        ours, theirs = waves.cohort.arteries(), back.cohort.arteries()
        assert theirs.network.same(ours.network)
        assert theirs.network.sites == ours.network.sites
        assert theirs.blood == ours.blood
        np.testing.assert_array_equal(theirs.inflow.flow, ours.inflow.flow)
        assert theirs.viscous.dtype == np.bool_


def test_nobody_can_be_stored_too(waves, tmp_path):
    nobody = waves.take(np.zeros(len(waves), dtype=np.bool_))
    back = Waves.load(nobody.save(tmp_path / "nobody.nc"))
    assert len(back) == 0
    assert back.spectra.pressure.shape == nobody.spectra.pressure.shape


def test_any_tool_reads_the_file(waves, file):
    """The formula in the file and plain h5py give the waves back."""
    with h5py.File(file) as plain:
        parts = plain["spectra/pressure"][:]
        assert plain["spectra/pressure"].attrs["units"] in ("Pa", b"Pa")
        np.testing.assert_array_equal(plain["cohort/age"][:], waves.cohort.age)
        sites = [name.decode() for name in plain["site"][:]]
        assert "2 Re sum" in plain.attrs["formula"]
        assert plain.attrs["comment"] == DISCLAIMER
        assert "virtual" in plain.attrs["title"]
    assert sites == [*waves.sites]
    coefficients = parts[..., 0] + 1j * parts[..., 1]
    phase = np.arange(8) / 8
    k = np.arange(1, parts.shape[2])
    turn = np.exp(2j * np.pi * np.outer(k, phase))
    values = coefficients[:, 0, :1].real + 2 * (coefficients[:, 0, 1:] @ turn).real
    np.testing.assert_allclose(values, grid(waves.spectra.pressure[:, 0], 8))
    with xr.open_datatree(file, engine="h5netcdf") as tree:
        dimensions = tree["spectra/pressure"].dims
        assert dimensions == ("subject", "site", "harmonic", "part")


def test_sampled_waves_are_written_by_xarray(waves, tmp_path):
    path = tmp_path / "sampled.nc"
    waves.to_xarray().to_netcdf(path, engine="h5netcdf")
    with xr.open_dataset(path, engine="h5netcdf") as back:
        np.testing.assert_array_equal(
            back["pressure"].sel(site="radial"), waves.pressure("radial")
        )


def test_a_file_that_is_not_whole_is_refused(file, tmp_path):
    content = file.read_bytes()
    middle = len(content) // 2
    flipped = bytearray(content)
    with h5py.File(file) as plain:
        flipped[plain["spectra/pressure"].id.get_chunk_info(0).byte_offset + 9] ^= 255
    spoilt = {
        "cut": content[:middle],
        "empty": b"",
        "text": b"subject,pressure\n1,120\n",
        "flipped": bytes(flipped),
    }
    for name, what in spoilt.items():
        path = tmp_path / f"{name}.nc"
        path.write_bytes(what)
        with pytest.raises(RecordError, match=rf"{name}\.nc cannot be read as waves"):
            Waves.load(path)
    with pytest.raises(RecordError, match=r"nothing\.nc cannot be read"):
        Waves.load(tmp_path / "nothing.nc")


def altered(file, path, change):
    """Copy a file of waves and change it by another tool, validly."""
    path.write_bytes(file.read_bytes())
    with h5py.File(path, "r+") as plain:
        change(plain)
    return path


@pytest.mark.parametrize(
    "attribute", ["solver", "sampling_rate_hz", "tolerance_pa", "settles", "identity"]
)
def test_a_setting_that_was_changed_is_found_out(file, tmp_path, attribute):
    def change(plain):
        old = plain.attrs[attribute]
        plain.attrs[attribute] = old + "x" if isinstance(old, str) else 1 - old

    path = altered(file, tmp_path / "changed.nc", change)
    with pytest.raises(RecordError, match=r"changed\.nc cannot be .*checksum"):
        Waves.load(path)


def test_a_number_or_word_that_was_changed_is_found_out(waves, tmp_path):
    """One subject's arrays are so small that netCDF keeps no checksum of its own."""
    file = waves.take(slice(0, 1)).save(tmp_path / "one.nc")

    def age(plain):
        plain["cohort/age"][0] += 1.0

    def word(plain):
        plain["cohort/provenance"][()] = json.dumps(["another"])

    for change in (age, word):
        path = altered(file, tmp_path / "changed.nc", change)
        with pytest.raises(RecordError, match=r"changed\.nc cannot be .*checksum"):
            Waves.load(path)


def test_signs_of_zeros_and_nans_come_back(waves, tmp_path):
    """What a failed solver leaves is often a NaN with its sign set."""
    pressure = waves.spectra.pressure.copy()
    pressure[0, 0, 1] = complex(-0.0, -0.0)
    pressure[1, 0, 1] = complex(np.inf, np.copysign(np.nan, -1.0))
    residual = np.full(len(waves), np.copysign(np.nan, -1.0))
    spectra = replace(waves.spectra, pressure=pressure, residual=residual)
    odd = replace(waves, spectra=spectra)
    back = Waves.load(odd.save(tmp_path / "odd.nc"))
    assert back.spectra.pressure.tobytes() == pressure.tobytes()
    assert back.spectra.residual.tobytes() == residual.tobytes()


def test_a_cut_or_a_changed_word_is_refused_or_does_not_matter(waves, tmp_path):
    """Never another error, never another number."""
    small = waves.take(slice(0, 1))
    content = small.save(tmp_path / "small.nc").read_bytes()
    wanted, path = fingerprint(small.cohort, small.spectra), tmp_path / "hit.nc"
    spoilt = [content[:length] for length in range(0, len(content), len(content) // 20)]
    age = small.cohort.age.tobytes()
    for word in (b"Swing", b"aortic_root", b"population", b"spectra", b"cohort", age):
        assert word in content
        spoilt.append(content.replace(word, bytes([word[0] ^ 1]) + word[1:]))
    refused = 0
    for what in spoilt:
        path.write_bytes(what)
        try:
            back = Waves.load(path)
        except RecordError:
            refused += 1
        else:
            assert fingerprint(back.cohort, back.spectra) == wanted
            assert back.stored()[2:] == small.stored()[2:]
    assert refused >= 24


@pytest.mark.parametrize(
    "error", [RuntimeError, AttributeError, IndexError, OverflowError, MemoryError]
)
def test_whatever_the_layers_below_raise_names_the_file(file, monkeypatch, error):
    def stumble(*_, **__):
        raise error

    monkeypatch.setattr("xarray.open_datatree", stumble)
    with pytest.raises(RecordError, match=r"waves\.nc cannot be read as waves"):
        Waves.load(file)


def test_another_netcdf_file_is_refused(file, tmp_path):
    foreign = tmp_path / "foreign.nc"
    xr.Dataset({"pressure": ("time", np.ones(3))}).to_netcdf(foreign, engine="h5netcdf")
    with pytest.raises(RecordError, match="has format None; wanted 'capnet waves 2'"):
        Waves.load(foreign)
    lacking = tmp_path / "lacking.nc"
    lacking.write_bytes(file.read_bytes())
    with h5py.File(lacking, "r+") as plain:
        del plain["spectra/flow"]
    with pytest.raises(RecordError, match="flow"):
        Waves.load(lacking)


def test_a_write_that_fails_leaves_the_old_file(waves, tmp_path, monkeypatch):
    path = waves.save(tmp_path / "waves.nc")
    before = path.read_bytes()

    def full(*_, **__):
        message = "no space left on device"
        raise OSError(message)

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        waves.take(slice(0, 1)).save(path)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_a_missing_package_is_said(waves, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    with pytest.raises(MissingExtraError, match=r"'h5netcdf'.*capnet\[all\]"):
        waves.save(tmp_path / "waves.nc")


# Fingerprints


def test_a_fingerprint_changes_with_any_number(waves):
    cohort = waves.cohort
    seen = {fingerprint(cohort)}
    hr = cohort["hr"].copy()
    hr[1] = np.nextafter(hr[1], np.inf)
    bodies = cohort.arteries()
    longer = replace(bodies, length=bodies.length * 1.001)
    for other in (
        replace(cohort, parameters=dict(cohort.parameters) | {"hr": hr}),
        cohort.take(slice(0, 3)),
        cohort.take(np.arange(len(cohort))[::-1]),
        replace(cohort, provenance=("another",)),
        replace(cohort, bodies=bodies),
        replace(cohort, bodies=longer),
    ):
        seen.add(fingerprint(other))
    assert len(seen) == 7
    assert fingerprint(cohort, "a") != fingerprint(cohort, "b")
    assert fingerprint(Cohort.sample(9, seed=4)) == fingerprint(
        Cohort.sample(9, seed=4)
    )


def test_a_part_says_of_which_job_it_is(waves, tmp_path):
    path = write_stored(tmp_path / "part.nc", waves.stored("abc"))
    assert read_identity(path) == "abc"
    assert json.loads(waves.solver)["class"] == "Swing"
