"""Archives that try to get out of their folder, and honest ones."""

import io
import struct
import tarfile
import zipfile
import zlib

import numpy as np

GOOD = {"set/a.hea": b"a 1 125 4\n", "set/a.dat": bytes(range(250)), "README": b"all"}
"""What an honest archive holds."""

CLIMBS = ("..", "../..", "a/../..", "./..", "a/b/../../..", "..//..", "set/..")
ENDS = ("escaped", "escaped.txt", "x/escaped", ".bashrc", "café")
ALONE = (
    *("/escaped", "//escaped", "C:/escaped", "C:escaped", "\\escaped", "..\\escaped"),
    *("a\\..\\..\\escaped", "\\\\host\\share\\escaped", "nul", "con.txt", "a/COM1"),
    *(
        "a:stream",
        "a\nb",
        "a\x1bb",
        "a ",
        "a.",
        "a/./..",
        "~/../../escaped",
        "a?b",
        "..",
    ),
    *("x" * 300, "/".join("d" * 40), "a/../../" + "b" * 200, "a\u202eb", "LPT9.hea"),
)
KINDS = (
    *("name", "link", "hard link", "link then file", "device", "twice", "case"),
    *("accent", "file as folder", "bomb", "many", "lies", "cut", "flipped", "sparse"),
    *("encrypted", "two names", "pax path", "pax size", "negative"),
)


def name(rng: np.random.Generator) -> str:
    """Draw a name that leads out of the folder, or means something else elsewhere."""
    if rng.random() < 0.5:
        return str(rng.choice(ALONE))
    return f"{rng.choice(CLIMBS)}/{rng.choice(ENDS)}"


def tape(members: list[tuple[tarfile.TarInfo, bytes]], **more) -> bytes:
    """Return a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, **more) as tar:
        for info, content in members:
            if info.isreg():
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def plain(path: str, content: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    """Return a plain file of a tar."""
    return tarfile.TarInfo(path), content


def special(path: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of a tar that is no file."""
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, target
    return info, b""


def zipped(members: list[tuple[zipfile.ZipInfo | str, bytes]]) -> bytes:
    """Return a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in members:
            if isinstance(info, zipfile.ZipInfo):
                archive.writestr(info, content, zipfile.ZIP_DEFLATED)
            else:
                entry = zipfile.ZipInfo("placeholder")
                entry.filename = entry.orig_filename = info
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def moded(path: str, mode: int) -> zipfile.ZipInfo:
    """Return a member of a zip of a kind."""
    info = zipfile.ZipInfo(path)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def honest(form: str) -> bytes:
    """Return an archive that nobody has to refuse: ``zip``, ``tar`` or ``tar.gz``."""
    if form == "zip":
        return zipped([("set/", b""), *GOOD.items()])
    content = tape([special("./", tarfile.DIRTYPE), *(plain(*i) for i in GOOD.items())])
    return packed(content, form)


def packed(content: bytes, form: str) -> bytes:
    """Compress a tar where it shall be."""
    deflate = zlib.compressobj(wbits=31)
    return content if form == "tar" else deflate.compress(content) + deflate.flush()


def bad_zip(kind: str, rng: np.random.Generator, form: str = "zip") -> bytes:
    good = [*GOOD.items()]
    content = bytearray(zipped(good))
    start = content.rfind(b"PK\1\2")
    match kind:
        case "link" | "hard link" | "link then file" | "pax path":
            target = str(rng.choice(["..", "/tmp", "../escaped", "/etc/passwd"]))
            link = (moded("out", 0o120777), target.encode())
            return zipped([*good, link, ("out/escaped", b"x")])
        case "device" | "sparse":
            mode = int(rng.choice([0o010644, 0o020644, 0o060644, 0o140644]))
            return zipped([*good, (moded("device", mode), b"")])
        case "twice" | "negative":
            return zipped([*good, good[int(rng.integers(3))]])
        case "case":
            return zipped([*good, ("SET/A.hea", b"x")])
        case "accent":
            return zipped([("Zo\u00eb", b"x"), ("Zoe\u0308", b"y")])
        case "file as folder":
            return zipped([*good, ("README/a", b"x")])
        case "bomb" | "pax size":
            return zipped([*good, ("zeros", bytes(40 << 20))])
        case "many":
            entry = struct.pack(
                "<4s6H3L5H2L", b"PK\1\2", *[0] * 6, *[0] * 3, 5, *[0] * 6
            )
            many = (entry + b"a" * 5) * 100_001
            end = struct.pack(
                "<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(many), 0, 0
            )
            return b"PK\3\4" + many + end
        case "lies":
            # The size of the last file, in both of its headers.
            size = int(rng.choice([0, 1, 4, 2**20, 2**32 - 2]))
            content[start + 24 : start + 28] = size.to_bytes(4, "little")
            return bytes(content)
        case "cut":
            return bytes(content[: int(rng.integers(4, len(content) - 22))])
        case "flipped":
            at = bytes(content).find(b"set/a.dat") + 9 + int(rng.integers(40))
            content[at] ^= 1 << int(rng.integers(8))
            return bytes(content)
        case "encrypted":
            content[start + 8] |= 1
            return bytes(content)
        case "two names":
            content[start + 46 : start + 52] = b"../../"
            return bytes(content)
        case _:
            return zipped([*good, (name(rng), b"x")])


def bad_tar(kind: str, rng: np.random.Generator, form: str) -> bytes:
    good = [plain(*item) for item in GOOD.items()]
    content = bytearray(tape(good))
    match kind:
        case "link" | "hard link":
            which = tarfile.SYMTYPE if kind == "link" else tarfile.LNKTYPE
            target = str(
                rng.choice(["..", "/tmp", "../../escaped", "/etc/passwd", "README"])
            )
            return packed(tape([*good, special("out", which, target)]), form)
        case "link then file":
            link = special(
                "out", tarfile.SYMTYPE, str(rng.choice(["..", "/tmp", "set"]))
            )
            return packed(tape([link, plain("out/escaped")]), form)
        case "device":
            which = [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"]
            return packed(tape([*good, special("d", which[rng.integers(4)])]), form)
        case "sparse" | "encrypted":
            return packed(tape([*good, special("d", tarfile.GNUTYPE_SPARSE)]), form)
        case "twice":
            return packed(tape([*good, plain("README", b"y")]), form)
        case "case":
            return packed(tape([*good, plain("readme", b"y")]), form)
        case "accent":
            return packed(tape([plain("Zo\u00eb"), plain("Zoe\u0308")]), form)
        case "file as folder":
            return packed(tape([*good, plain("README/a")]), form)
        case "bomb":
            return packed(tape([*good, plain("zeros", bytes(40 << 20))]), "tar.gz")
        case "many":
            one = special("a", tarfile.DIRTYPE)[0].tobuf(tarfile.USTAR_FORMAT)
            return packed(one * 100_001 + bytes(1024), "tar.gz")
        case "lies" | "pax size":
            huge = tarfile.TarInfo("a")
            huge.size = int(rng.choice([5000, 10**12, 2**63 - 1]))
            if kind == "pax size":
                huge.type = tarfile.XHDTYPE
            return packed(huge.tobuf(tarfile.GNU_FORMAT) + bytes(1536), form)
        case "negative":
            less = tarfile.TarInfo("a")
            less.size = -int(rng.integers(1, 10**6))
            return packed(less.tobuf(tarfile.GNU_FORMAT) + bytes(1024), form)
        case "cut":
            end = content.rstrip(b"\0")
            return packed(bytes(end[: int(rng.integers(1, len(end)))]), form)
        case "flipped":
            at = 512 * int(rng.choice([0, 2, 4])) + int(rng.integers(100))
            content[at] ^= 1 << int(rng.integers(8))
            return packed(bytes(content), form)
        case "two names" | "pax path":
            info = tarfile.TarInfo("innocent")
            info.pax_headers = {"path": name(rng)}
            return packed(tape([*good, (info, b"x")]), form)
        case _:
            return packed(tape([*good, plain(name(rng))]), form)


def hostile(rng: np.random.Generator) -> tuple[str, str, bytes]:
    """Draw an archive that has to be refused: its form, what is wrong, its bytes."""
    form = str(rng.choice(["zip", "tar", "tar.gz"]))
    kind = str(rng.choice(KINDS)) if rng.random() < 0.7 else "name"
    if kind in ("bomb", "many") and rng.random() < 0.8:
        kind = "name"  # these take long
    if form == "zip":
        return form, kind, bad_zip(kind, rng)
    return form, kind, bad_tar(kind, rng, form)
