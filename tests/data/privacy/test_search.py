"""A scan finds what is hidden, wherever and however, and finds nothing else."""

import base64
import bz2
import gzip
import io
import json
import lzma
import zipfile
import zlib
from html import escape
from urllib.parse import quote

import h5py
import numpy as np
import pandas as pd
import pytest
import zarr

from capnet.data.privacy.needles import PATTERNS
from capnet.data.privacy.search import hits_frame, read_words, scan
from capnet.errors import ConfigError, RecordError

WORD = "Zo\u00eb Canary-31x"


def found(folder, *words, **more):
    return scan([folder], words=words or [WORD], **more)


@pytest.mark.parametrize(
    "content",
    [
        *(WORD.encode(codec) for codec in ("utf-8", "latin-1", "utf-16", "utf-16-be")),
        *(
            WORD.encode("utf-32"),
            WORD.upper().encode(),
            WORD.lower().encode("utf-16-le"),
        ),
        *(WORD.replace(" ", joint).encode() for joint in ("_", "^", "-", "")),
        json.dumps(WORD).encode(),
        escape(WORD).encode("ascii", "xmlcharrefreplace"),
        quote(WORD).encode(),
        WORD.encode().hex().encode(),
        *(base64.b64encode(b"q" * n + WORD.encode() + b"abc") for n in range(3)),
        b"Zoe\xcc\x88 Canary-31x",
        ascii(WORD).encode(),
    ],
)
def test_every_way_to_write_a_word(tmp_path, content):
    (tmp_path / "a.bin").write_bytes(b"\x01\x02before" + content + b"after")
    assert "word 1" in {hit.what for hit in found(tmp_path)}


@pytest.mark.parametrize("shift", [-15, -7, 0])
def test_a_word_across_two_blocks_is_found_once(tmp_path, shift):
    at = (1 << 20) + shift
    content = bytearray(b"\0" * (at + 100))
    content[at : at + len(WORD.encode())] = WORD.encode()
    (tmp_path / "a.bin").write_bytes(content)
    (hit,) = found(tmp_path)
    assert (hit.file, hit.member, hit.offset) == ("a.bin", "", at)


def zipped(content, name="a.txt"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def png(content):
    """A picture's compressed text, as far as it is one."""
    text = b"Author\0\0" + zlib.compress(content)
    chunk = len(text).to_bytes(4, "big") + b"zTXt" + text + b"crc!"
    return b"\x89PNG\r\n\x1a\n" + chunk


PACKED = {
    "zip": zipped,
    "gzip": gzip.compress,
    "two gzip": lambda c: gzip.compress(b"first") + gzip.compress(c),
    "bz2": bz2.compress,
    "xz": lambda c: lzma.compress(c * 3),
    "png": png,
    "zip in gzip in zip": lambda c: zipped(gzip.compress(zipped(c))),
    "page": lambda c: (
        b'<img src="data:image/png;base64,%b">' % base64.b64encode(png(c))
    ),
    "notebook": lambda c: b'{"image/png": "%b"}' % base64.b64encode(png(c)),
}


@pytest.mark.parametrize("how", PACKED)
def test_what_is_packed_is_unpacked(tmp_path, how):
    content = WORD.encode() * 2 + b" and more" * 20
    (tmp_path / "a.bin").write_bytes(PACKED[how](content))
    assert any(hit.what == "word 1" and hit.member for hit in found(tmp_path))


def test_tables_and_arrays(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", names=np.array([WORD, "b"]))
    table = pd.DataFrame({"subject": [WORD] * 20, "n": 31})
    table.to_parquet(tmp_path / "a.parquet", compression="zstd")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        text = np.frombuffer(WORD.encode("utf-16-le"), "<u2").reshape(-1, 1)
        file.create_dataset("matlab", data=text, compression="gzip")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = 1.0
        file["x"].attrs["who"] = WORD
    kept = {hit.file for hit in found(tmp_path)}
    assert kept == {"a.npz", "a.parquet", "a.h5", "b.h5"}


@pytest.mark.parametrize(
    ("codec", "shards"),
    [
        (zarr.codecs.ZstdCodec(), None),
        (zarr.codecs.ZstdCodec(), (40,)),
        (zarr.codecs.BloscCodec(), None),
    ],
)
def test_chunks_and_shards_of_zarr(tmp_path, codec, shards):
    group = zarr.open_group(tmp_path / "z", mode="w")
    letters = np.frombuffer(WORD.encode("utf-32-le") * 40, dtype=np.uint32)
    array = group.create_array(
        "a",
        shape=letters.shape,
        dtype=np.uint32,
        chunks=(len(letters) // 40,) if not shards else (20,),
        shards=shards,
        compressors=codec,
    )
    array[:] = letters
    assert any(hit.member for hit in found(tmp_path))


def test_column_of_times_is_a_date(tmp_path):
    frame = pd.DataFrame({"t": pd.to_datetime(["2020-01-01"])})
    frame.to_parquet(tmp_path / "a.parquet")
    assert "date" in {hit.what for hit in scan([tmp_path])}


def test_whole_numbers_of_a_table_are_words_too(tmp_path):
    pd.DataFrame({"id": [7231123, 2]}).to_parquet(tmp_path / "a.parquet")
    assert [h.member for h in found(tmp_path, "7231123")] == ["column 1"]


def test_names_of_files_and_members_are_searched_and_masked(tmp_path):
    (tmp_path / "Zoe_Canary-31x.txt").write_bytes(b"nothing")
    (tmp_path / "a.zip").write_bytes(zipped(b"nothing", "Zoe Canary-31x.npy"))
    hits = found(tmp_path, "Zoe Canary-31x")
    assert {hit.file for hit in hits} == {"***.txt", "a.zip"}
    assert "***.npy" in {hit.member for hit in hits}
    assert "anary" not in repr(hits)


LOOKS = {
    "date": [
        *(b"14.03.1951", b"1951-03-14", b"3/14/1951", b"14-MAR-1951", b"14.03.51"),
        *(b"March 14, 1951", b"14 March 1951", b"[2026-01-31]"),
        *(b"x/1951-03-14/y", b"x/1951-03-14", b"1951-03-14/12-30"),
    ],
    "e-mail address": [b"ada.l@example.org"],
    "home folder": [
        b"/home/" + b"ada/x",
        b"C:\\Users\\ada",
        b'"C:\\\\Users\\\\ada"',
        b"/Users/ada",
    ],
    "phone number": [b"+44 20 7946 0958", b"(555) 010-1234", b"+442079460958"],
    "social security number": [b"123-45-6789"],
}


@pytest.mark.parametrize("what", PATTERNS)
def test_what_looks_identifying(tmp_path, what):
    for number, text in enumerate(LOOKS[what]):
        path = tmp_path / f"{number}.bin"
        for codec in ("ascii", "utf-16-le", "utf-32-le"):
            wide = f" {text.decode()} ".encode(codec)
            path.write_bytes(b"\xfe\xff\xfe\xff" + wide)
            assert what in {h.what for h in scan([path])}, (text, codec)


def test_what_a_run_writes_of_itself_is_no_person(tmp_path):
    inner = tmp_path / "2026-01-31" / "12-00-00"
    inner.mkdir(parents=True)
    (inner / "pipeline.log").write_text("[2026-01-31 12:00:00,000][x][INFO] - done\n")
    lines = "dir: outputs/2026-01-31/12-00-00\n- strategy@strategies.lora: lora\n"
    (inner / "hydra.yaml").write_text(lines)
    assert scan([tmp_path]) == []


def test_numbers_are_no_people(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "random.bin").write_bytes(rng.bytes(3_000_000))
    weights = rng.standard_normal(200_000).astype(np.float32)
    np.savez(tmp_path / "weights.npz", weights)
    rows = rng.standard_normal((4000, 6))
    text = "\n".join(",".join(f"{v:.5g}" for v in row) for row in rows)
    (tmp_path / "table.csv").write_text(text)
    (tmp_path / "run.log").write_text(
        "[2026-01-31 12:00:00,123][capnet][INFO] - v1.12.10 sha 12ab 10.1038/s41597-022"
        " 127.0.0.1 0000-0002-1825-0097 /home/<name> 6f1ed002-ab59-4e8c-9d3a-1b2c3d4e"
    )
    assert not scan([tmp_path], words=["Lovelace", "1815-12"])


def test_what_cannot_be_read_is_no_silence(tmp_path):
    (tmp_path / "cut.gz").write_bytes(
        gzip.compress(np.random.default_rng(0).bytes(999))[:500]
    )
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"\0" * 5_000_000))
    deep = b"x"
    for _ in range(9):
        deep = zipped(deep)
    (tmp_path / "deep.zip").write_bytes(deep)
    hits = found(tmp_path, limit=1_000_000)
    assert {hit.what for hit in hits} == {"not searched"}
    assert {hit.file for hit in hits} == {"cut.gz", "bomb.gz", "deep.zip"}


def test_bombs_stop_at_the_limit(tmp_path):
    layer = gzip.compress(gzip.compress(b"\0" * (1 << 26)))
    (tmp_path / "a.zip").write_bytes(zipped(layer))
    (hit,) = found(tmp_path, limit=1 << 24)
    assert hit.encoding == "more is packed than the limit"


def test_links_are_not_followed_and_folders_left_out(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret.txt").write_text(WORD)
    (home / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert not found(home)
    assert not found(tmp_path, exclude=[tmp_path])


def test_hits_as_a_table(tmp_path):
    (tmp_path / "a.txt").write_text(f"x{WORD}")
    frame = hits_frame(found(tmp_path))
    assert frame.to_dict("records") == [
        {
            "file": "a.txt",
            "member": "",
            "offset": 1,
            "what": "word 1",
            "encoding": "UTF-8",
        }
    ]
    assert hits_frame([]).empty


def test_a_word_is_told_many_times_only(tmp_path):
    (tmp_path / "a.txt").write_text(WORD * 1000)
    assert len(found(tmp_path)) == 20


@pytest.mark.parametrize("word", ["", "abc", "a b c", "x" * 121])
def test_words_that_chance_would_find_are_refused(tmp_path, word):
    with pytest.raises(ConfigError, match=r"word 2 has .* characters"):
        found(tmp_path, WORD, word)


def test_what_is_asked_for_is_checked(tmp_path):
    with pytest.raises(ConfigError, match="pattern 'name'; wanted one of date"):
        scan([tmp_path], patterns=["name"])
    with pytest.raises(RecordError, match="is no file and no folder"):
        scan([tmp_path / "none"])


def test_words_from_a_file(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text(f"\ufeff{WORD}\n\n Ada L. \n{WORD}\n", encoding="utf-8")
    assert read_words(path) == [WORD, "Ada L."]
    path.write_bytes(b"\n")
    with pytest.raises(RecordError, match="is empty"):
        read_words(path)
    path.write_bytes(b"Zo\xeb")
    with pytest.raises(RecordError, match=r"no text in UTF-8 \(byte 2\)"):
        read_words(path)
    with pytest.raises(RecordError, match="cannot be read"):
        read_words(tmp_path / "none")
