"""Anybody's predictions: are malformed tables refused clearly, and good ones read?

Tables of made-up people are spoilt in one of many ways. A refusal counts as clear if it
is an error of capnet that names the file and the row or the column. What is measured:
the share of spoilt tables that are refused clearly, good tables (in all the ways that
programs write them) that are refused wrongly or read otherwise, and the time for a
million beats.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from judge_table import Row

from capnet.errors import CapnetError
from capnet.evaluation.tables.predictions import read_predictions
from capnet.evaluation.tables.references import read_truth
from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction

Rng = np.random.Generator
Tables = dict[str, pd.DataFrame]
Spoil = Callable[[Tables, Rng], None]

CENTRAL = ("csbp", "cdbp", "cmap", "cpp")
KPA, CMH2O = 0.133322387415, 1.3595100263


def _made_up(rng: Rng, *, people: int = 0, beats: int = 0) -> Tables:
    """Return predictions of two or three methods, and their reference."""
    n = people or int(rng.integers(8, 40))
    counts = np.full(n, beats) if beats else rng.integers(1, 6, n)
    person = np.repeat(np.arange(n), counts)
    beat = np.concatenate([np.arange(c) for c in counts])
    names = np.array([f"{p:04d}" if n % 2 else f"v{p:05d}" for p in range(n)])
    total = len(person)
    dbp = np.clip(rng.normal(76, 9, n), 45, 110)[person] + rng.normal(0, 2, total)
    pulse = np.clip(rng.normal(42, 8, n), 22, 75)[person] + rng.normal(0, 1, total)
    sbp = dbp + pulse
    mean = dbp + pulse * np.clip(rng.normal(0.42, 0.05, n), 0.3, 0.55)[person]
    arm = sbp + np.clip(rng.normal(9, 4, n), 1, 20)[person]
    reference = pd.DataFrame(
        {
            "subject": names[person],
            "beat": beat,
            "reference_type": "catheter",
            "calibration": "cuff SBP/DBP",
            **dict(zip(CENTRAL, (sbp, dbp, mean, pulse), strict=True)),
            "cuff_sbp": arm + np.clip(rng.normal(0, 5, total), -9, 15),
            "cuff_dbp": dbp + np.clip(rng.normal(0, 4, total), -9, 9),
            "brachial_sbp": arm,
            "age": rng.integers(20, 85, n)[person].astype(float),
            "sex": np.where(rng.random(n) < 0.5, "female", "male")[person],
            "hr": rng.normal(70, 9, total),
            "time": beat * 0.85,
        }
    )
    parts = []
    for method, spread in [("net", 4.0), ("ridge", 6.0), ("cuff", 8.0)][: 2 + n % 2]:
        error = rng.normal(0, spread, n)[person] + rng.normal(0, 2, total)
        top, low = sbp + error, dbp + 0.6 * error
        said = (top, low, low + 0.41 * (top - low), top - low)
        parts.append(
            reference[["subject", "beat"]].assign(
                method=method,
                role="deep" if method == "net" else "floor",
                k=0,
                calibration="cuff SBP/DBP",
                **dict(zip(CENTRAL, said, strict=True)),
            )
        )
    return {"predictions": pd.concat(parts, ignore_index=True), "reference": reference}


def _either(rng: Rng) -> str:
    return ("predictions", "reference")[int(rng.integers(2))]


def _some(frame: pd.DataFrame, rng: Rng, share: float = 0.0) -> np.ndarray:
    n = max(1, int(share * len(frame)))
    return rng.choice(len(frame), size=n, replace=False)


def _cells(frame: pd.DataFrame, column: str, rows: np.ndarray, value: Any) -> None:
    frame[column] = frame[column].astype(object)
    frame.iloc[rows, frame.columns.get_loc(column)] = value


def _in_unit(factor: float) -> Spoil:
    def spoil(tables: Tables, rng: Rng) -> None:
        frame = tables[_either(rng)]
        for name in frame.columns:
            if name in CENTRAL or name.startswith(("cuff_", "brachial_")):
                frame[name] = frame[name] * factor

    return spoil


def _both_in_unit(factor: float) -> Spoil:
    def spoil(tables: Tables, _rng: Rng) -> None:
        for frame in tables.values():
            for name in frame.columns:
                if name in CENTRAL or name.startswith(("cuff_", "brachial_")):
                    frame[name] = frame[name] * factor

    return spoil


def _some_in_kpa(tables: Tables, rng: Rng) -> None:
    frame = tables[_either(rng)]
    rows = _some(frame, rng, 0.1)
    frame.loc[rows, [*CENTRAL]] = frame.loc[rows, [*CENTRAL]] * KPA


def _declared(tables: Tables, rng: Rng) -> None:
    unit = ("kPa", "Pa", "cmH2O", "mm Hg?", "")[int(rng.integers(5))]
    tables[_either(rng)]["unit"] = unit


def _named_kpa(tables: Tables, rng: Rng) -> None:
    key = _either(rng)
    names = {name: f"{name}_kpa" for name in CENTRAL}
    if rng.random() < 0.5:
        names = {"csbp": "csbp (kPa)"}
    tables[key] = tables[key].rename(columns=names)


def _duplicate(tables: Tables, rng: Rng) -> None:
    key = _either(rng)
    frame = tables[key]
    again = frame.iloc[_some(frame, rng, 0.05)]
    tables[key] = pd.concat([frame, again], ignore_index=True)


def _other_duplicate(tables: Tables, rng: Rng) -> None:
    key = _either(rng)
    frame = tables[key]
    again = frame.iloc[_some(frame, rng)].assign(csbp=lambda f: f["csbp"] + 1.0)
    tables[key] = pd.concat([again, frame], ignore_index=True)


def _missing_subject(tables: Tables, rng: Rng) -> None:
    key = _either(rng)
    frame = tables[key]
    lost = rng.choice(frame["subject"].unique())
    tables[key] = frame[frame["subject"] != lost].reset_index(drop=True)


def _missing_rows(tables: Tables, rng: Rng) -> None:
    frame = tables["predictions"]
    tables["predictions"] = frame.drop(index=_some(frame, rng, 0.05))


def _stranger(tables: Tables, rng: Rng) -> None:
    frame = tables["predictions"]
    more = frame.iloc[_some(frame, rng)].assign(subject="nobody")
    tables["predictions"] = pd.concat([frame, more], ignore_index=True)


def _blank(value: Any) -> Spoil:
    def spoil(tables: Tables, rng: Rng) -> None:
        frame = tables[_either(rng)]
        column = ("csbp", "cdbp", "cmap", "cpp", "csbp")[int(rng.integers(5))]
        _cells(frame, column, _some(frame, rng), value)

    return spoil


def _blank_key(tables: Tables, rng: Rng) -> None:
    frame = tables[_either(rng)]
    _cells(frame, ("subject", "beat")[int(rng.integers(2))], _some(frame, rng), None)


def _text(tables: Tables, rng: Rng) -> None:
    frame = tables[_either(rng)]
    said = ("118 mmHg", "high", "#DIV/0!", "118..2", "12O", "1,118.0", "--")
    value = said[int(rng.integers(len(said)))]
    frame["csbp"] = frame["csbp"].map(str)
    _cells(frame, "csbp", _some(frame, rng), value)


def _decimal_commas(tables: Tables, rng: Rng) -> None:
    frame = tables[_either(rng)]
    column = CENTRAL[int(rng.integers(4))]
    frame[column] = [f"{v:.1f}".replace(".", ",") for v in frame[column]]


def _swapped(*pair: str) -> Spoil:
    def spoil(tables: Tables, rng: Rng) -> None:
        frame = tables[_either(rng)]
        first, second = pair
        frame[[first, second]] = frame[[second, first]].to_numpy()

    return spoil


def _swapped_few(tables: Tables, rng: Rng) -> None:
    frame = tables[_either(rng)]
    rows = _some(frame, rng, 0.03)
    frame.loc[rows, ["csbp", "cdbp"]] = frame.loc[rows, ["cdbp", "csbp"]].to_numpy()


def _swapped_bare(tables: Tables, rng: Rng) -> None:
    """DBP and PP exchanged where nothing else stands beside."""
    key = _either(rng)
    frame = tables[key].drop(columns=["cmap"])
    frame[["cdbp", "cpp"]] = frame[["cpp", "cdbp"]].to_numpy()
    tables[key] = frame


def _swapped_reference(*pair: str) -> Spoil:
    def spoil(tables: Tables, _rng: Rng) -> None:
        frame = tables["reference"]
        first, second = pair
        frame[[first, second]] = frame[[second, first]].to_numpy()

    return spoil


def _swapped_tables(tables: Tables, _rng: Rng) -> None:
    one, other = tables["predictions"], tables["reference"]
    tables["predictions"], tables["reference"] = other, one


def _swapped_marked(tables: Tables, _rng: Rng) -> None:
    """Predicted and true columns of one table exchanged, several methods."""
    frame = tables["predictions"].merge(
        tables["reference"][["subject", "beat", *CENTRAL]],
        on=["subject", "beat"],
        suffixes=("_ref", ""),
    )
    frame["reference_type"] = "catheter"
    tables["predictions"] = tables["reference"] = frame


def _spreadsheet(tables: Tables, rng: Rng) -> None:
    """Names that a spreadsheet took for numbers or dates."""
    key = _either(rng)
    kind = int(rng.integers(3))
    for frame in tables.values():
        number = frame["subject"].str.extract(r"(\d+)")[0].astype(int)
        frame["subject"] = [
            (f"{i:05d}", f"{i + 1}E5", f"MAR{i + 1}")[kind] for i in number
        ]
    frame = tables[key]
    if kind == 0:
        frame["subject"] = frame["subject"].str.lstrip("0").replace("", "0")
    elif kind == 1:
        frame["subject"] = [f"{float(s):.2E}" for s in frame["subject"]]
    else:
        frame["subject"] = [f"{s[3:]}-Mar" for s in frame["subject"]]


def _wide_names(tables: Tables, rng: Rng) -> None:
    frame = tables[_either(rng)]
    _cells(frame, "subject", _some(frame, rng), f"{frame['subject'].iloc[0]} ")


def _infinite(tables: Tables, rng: Rng) -> None:
    frame = tables[_either(rng)]
    _cells(frame, CENTRAL[int(rng.integers(4))], _some(frame, rng), np.inf)


def _impossible(tables: Tables, rng: Rng) -> None:
    frame = tables[_either(rng)]
    value = (-1.0, 0.0, 999.0, 9999.0, 1e12)[int(rng.integers(5))]
    _cells(frame, "csbp", _some(frame, rng), value)


def _without(*columns: str) -> Spoil:
    def spoil(tables: Tables, rng: Rng) -> None:
        column = columns[int(rng.integers(len(columns)))]
        for key, frame in tables.items():
            if column in frame and not (column == "calibration" and key[0] == "p"):
                tables[key] = frame.drop(columns=[column])

    return spoil


def _half_beats(tables: Tables, rng: Rng) -> None:
    frame = tables[_either(rng)]
    frame["beat"] = frame["beat"].astype(float)
    _cells(frame, "beat", _some(frame, rng), (0.5, -1, "first")[int(rng.integers(3))])


def _pooled(tables: Tables, rng: Rng) -> None:
    frame = tables["reference"]
    which = ("reference_type", "calibration")[int(rng.integers(2))]
    word = {"reference_type": "tonometry", "calibration": "exact"}[which]
    _cells(frame, which, _some(frame, rng, 0.3), word)


def _unknown_word(tables: Tables, rng: Rng) -> None:
    column = ("reference_type", "calibration", "sex")[int(rng.integers(3))]
    _cells(tables["reference"], column, _some(tables["reference"], rng), "Other")


def _other_calibration(tables: Tables, _rng: Rng) -> None:
    tables["predictions"]["calibration"] = "invasive SBP/DBP"


def _odd_age(tables: Tables, rng: Rng) -> None:
    column, value = (("age", 640.0), ("hr", 0.8), ("age", -3.0))[int(rng.integers(3))]
    _cells(tables["reference"], column, _some(tables["reference"], rng), value)


def _no_role(tables: Tables, rng: Rng) -> None:
    frame = tables["predictions"]
    _cells(frame, "role", _some(frame, rng), ("best", "floor", "deep")[0])


def _lost_column_of_cuff(tables: Tables, rng: Rng) -> None:
    column = ("cuff_sbp", "cuff_dbp")[int(rng.integers(2))]
    tables["reference"] = tables["reference"].drop(columns=[column])


SPOILT: dict[str, Spoil] = {
    "kPa in one table": _in_unit(KPA),
    "kPa in both": _both_in_unit(KPA),
    "Pa in one": _in_unit(1e3 * KPA),
    "Pa in both": _both_in_unit(1e3 * KPA),
    "cmH2O in one": _in_unit(CMH2O),
    "cmH2O in both": _both_in_unit(CMH2O),
    "hPa in one": _in_unit(10 * KPA),
    "kPa in some rows": _some_in_kpa,
    "another unit declared": _declared,
    "unit in the column's name": _named_kpa,
    "duplicate rows": _duplicate,
    "duplicate beats, other values": _other_duplicate,
    "missing subject": _missing_subject,
    "missing beats": _missing_rows,
    "subject that nobody knows": _stranger,
    "NaN": _blank(np.nan),
    "blank": _blank(None),
    "no subject or beat": _blank_key,
    "text in numbers": _text,
    "decimal commas": _decimal_commas,
    "SBP and DBP exchanged": _swapped("csbp", "cdbp"),
    "SBP and PP exchanged": _swapped("csbp", "cpp"),
    "DBP and PP exchanged": _swapped("cdbp", "cpp"),
    "DBP and PP exchanged, no MAP": _swapped_bare,
    "DBP and MAP exchanged": _swapped("cdbp", "cmap"),
    "MAP and PP exchanged": _swapped("cmap", "cpp"),
    "SBP and MAP exchanged": _swapped("csbp", "cmap"),
    "SBP and DBP exchanged in some rows": _swapped_few,
    "cuff SBP and DBP exchanged": _swapped_reference("cuff_sbp", "cuff_dbp"),
    "brachial and central SBP exchanged": _swapped_reference("brachial_sbp", "csbp"),
    "predictions and reference exchanged": _swapped_tables,
    "predicted and true columns exchanged": _swapped_marked,
    "names changed by a spreadsheet": _spreadsheet,
    "blanks around names": _wide_names,
    "infinite": _infinite,
    "impossible pressure": _impossible,
    "column missing": _without(
        *("subject", "beat", "method", "csbp", "reference_type", "calibration")
    ),
    "half, negative or worded beats": _half_beats,
    "types or calibrations pooled": _pooled,
    "unknown word": _unknown_word,
    "calibrations that differ": _other_calibration,
    "impossible age or heart rate": _odd_age,
    "unknown role": _no_role,
    "half a cuff": _lost_column_of_cuff,
}
"""Ways to spoil what stands in the cells."""


def _cut(content: bytes, rng: Rng) -> bytes:
    lines = content.splitlines(keepends=True)
    row = int(rng.integers(1, len(lines)))
    lines[row] = b",".join(lines[row].split(b",")[:3]) + b"\n"
    return b"".join(lines)


def _semicolons(content: bytes, _rng: Rng) -> bytes:
    return content.replace(b",", b";")


def _european(content: bytes, _rng: Rng) -> bytes:
    return content.replace(b",", b";").replace(b".", b",")


def _bare_commas(content: bytes, _rng: Rng) -> bytes:
    head, _, rest = content.partition(b"\n")
    return head + b"\n" + rest.replace(b".", b",")


def _emptied(_content: bytes, _rng: Rng) -> bytes:
    return b""


def _header_only(content: bytes, _rng: Rng) -> bytes:
    return content.partition(b"\n")[0] + b"\n"


def _headless(content: bytes, _rng: Rng) -> bytes:
    return content.partition(b"\n")[2]


def _utf16(content: bytes, _rng: Rng) -> bytes:
    return content.decode().encode("utf-16")


def _latin(content: bytes, _rng: Rng) -> bytes:
    return content.replace(b"net", "nét".encode("latin-1")).replace(
        b"male", "mâle".encode("latin-1")
    )


def _twice(content: bytes, _rng: Rng) -> bytes:
    head, _, rest = content.partition(b"\n")
    return head.replace(b"cmap", b"csbp") + b"\n" + rest


def _page(_content: bytes, _rng: Rng) -> bytes:
    return b"<!DOCTYPE html><html><body>404, not found</body></html>\n"


SPOILT_FILES: dict[str, Callable[[bytes, Rng], bytes]] = {
    "cut line": _cut,
    "semicolons": _semicolons,
    "semicolons and decimal commas": _european,
    "decimal commas _without quotes": _bare_commas,
    "empty file": _emptied,
    "names and no row": _header_only,
    "no line of names": _headless,
    "UTF-16": _utf16,
    "not UTF-8": _latin,
    "two columns of one name": _twice,
    "a web page": _page,
}
"""Ways to spoil the bytes of a CSV file."""


def _as_csv(frame: pd.DataFrame, path: Path, **how: Any) -> Path:
    frame.to_csv(path, index=False, **how)
    return path


def _good(tables: Tables, rng: Rng, folder: Path, way: int) -> dict[str, Path]:
    """Write good tables in one of the ways that programs do."""
    found = {}
    for key, frame in tables.items():
        path = folder / f"{key}.csv"
        frame = frame.copy()
        if way == 1:
            frame = frame.sample(frac=1.0, random_state=int(rng.integers(1 << 30)))
        elif way == 4:
            frame.insert(0, "note, free", "a, b")
            frame["Unnamed: 0"] = range(len(frame))
        elif way == 5:
            frame = frame.rename(columns=str.upper)
        elif way == 6:
            frame = frame.round(1)
        elif way == 7:
            frame = frame[frame.columns[::-1]]
        elif way == 8:
            frame["unit"] = "mmHg"
        elif way == 9:
            frame = frame.drop(
                columns=[c for c in ("cmap", "cpp", "role", "k") if c in frame]
            )
        if way >= 10:
            path = path.with_suffix(".parquet")
            if way == 11:
                floats = frame.select_dtypes("float64").columns
                small = dict.fromkeys(floats, np.float32)
                frame = frame.astype(small | {"beat": np.int16})
            elif way == 12:
                for name in frame.select_dtypes("object").columns:
                    frame[name] = frame[name].astype("category")
            elif way == 13:
                frame["beat"] = frame["beat"].astype(float)
            elif way == 14:
                frame = frame.convert_dtypes()
            frame.to_parquet(path, index=way == 10)
        else:
            how: dict[str, Any] = {}
            if way == 2:
                how = {"lineterminator": "\r\n"}
            if way == 3:
                how = {"encoding": "utf-8-sig"}
            _as_csv(frame, path, **how)
            if way == 6:
                path.write_bytes(path.read_bytes() + b"\n\n")
        found[key] = path
    return found


WAYS = 15


def _read(paths: dict[str, Path]) -> tuple[Truth, list[Prediction]]:
    truth = read_truth(paths["reference"])
    return truth, read_predictions(paths["predictions"], truth=truth)


def _clear(error: CapnetError, paths: dict[str, Path]) -> bool:
    """Say whether an error names a file and, where there is one, a row or column."""
    said = str(error)
    named = any(path.name in said for path in paths.values())
    place = ("row", "column", "beat", "subject", "empty", "read", "text", "calibr")
    return named and any(word in said for word in place) and len(said) > 40


def _spoilt_tables(
    draws: int, folder: Path
) -> Iterator[tuple[str, str, CapnetError | None, bool]]:
    """Yield kind, form, error and whether it was clear, of every draw."""
    for number, (kind, spoil) in enumerate(SPOILT.items()):
        for draw in range(draws):
            rng = np.random.default_rng([7, number, draw])
            tables = _made_up(rng)
            spoil(tables, rng)
            form = ("csv", "parquet")[draw % 2]
            paths = {}
            for key, frame in tables.items():
                paths[key] = folder / f"{key}.{form}"
                if form == "parquet":
                    mixed = [
                        n
                        for n in frame.columns
                        if frame[n].dtype == object and frame[n].map(type).nunique() > 1
                    ]
                    for name in mixed:  # Parquet has one type a column
                        if any(isinstance(v, str) for v in frame[name]):
                            frame[name] = frame[name].map(
                                lambda v: None if v is None else str(v)
                            )
                        else:
                            frame[name] = frame[name].astype(float)
                    frame.to_parquet(paths[key], index=False)
                else:
                    _as_csv(frame, paths[key])
            yield kind, form, *_attempt(paths)
    for number, (kind, change) in enumerate(SPOILT_FILES.items()):
        for draw in range(draws):
            rng = np.random.default_rng([8, number, draw])
            tables = _made_up(rng)
            paths = {k: _as_csv(f, folder / f"{k}.csv") for k, f in tables.items()}
            which = paths[_either(rng)]
            if kind == "not UTF-8":
                which = paths["predictions"]
            which.write_bytes(change(which.read_bytes(), rng))
            yield kind, "csv", *_attempt(paths)


def _attempt(paths: dict[str, Path]) -> tuple[CapnetError | None, bool]:
    try:
        _read(paths)
    except CapnetError as error:
        return error, _clear(error, paths)
    return None, False


def _good_tables(draws: int, folder: Path) -> tuple[int, int, list[str]]:
    """Return how many were read, were right, and what was said of the others."""
    right, tried, said = 0, 0, []
    for way in range(WAYS):
        for draw in range(draws):
            rng = np.random.default_rng([9, way, draw])
            tables = _made_up(rng)
            tried += 1
            try:
                truth, answers = _read(_good(tables, rng, folder, way))
            except CapnetError as error:
                said.append(f"way {way}: {error}")
                continue
            frame = tables["predictions"].set_index(["subject", "beat"])
            index = pd.MultiIndex.from_arrays([truth.subject, truth.beat])
            true = tables["reference"].set_index(["subject", "beat"])["csbp"]
            atol = 0.06 if way == 6 else 1e-4 if way == 11 else 1e-12
            same = np.allclose(truth.pressures[:, 0], true[index], rtol=0, atol=atol)
            for answer in answers:
                mine = frame[frame["method"] == answer.method]["csbp"]
                same &= np.allclose(answer.csbp, mine[index], rtol=0, atol=atol)
            right += bool(same)
    return right, tried, said


def rows(*, share: float, data: Path | None) -> Iterator[Row]:
    """Measure.

    Args:
        share: Of the draws and people.
        data: Not needed.
    """
    del data  # everybody is made up
    draws = max(2, round(20 * share))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        refused = unclear = tried = 0
        missed: dict[str, int] = {}
        for kind, form, error, said in _spoilt_tables(draws, folder):
            tried += 1
            refused += error is not None
            unclear += error is not None and not said
            if error is None or not said:
                missed[f"{kind} ({form})"] = missed.get(f"{kind} ({form})", 0) + 1
        kinds = len(SPOILT) + len(SPOILT_FILES)
        told = "".join(f"; {k}: {v} got through" for k, v in missed.items())
        yield Row(
            f"malformed tables, {kinds} kinds, {draws} draws each",
            f"{100 * (refused - unclear) / tried:.2f} % of {tried} refused clearly"
            + told,
            "100 % clear errors",
            refused - unclear == tried,
        )
        right, tried, wrong = _good_tables(draws, folder)
        told = "" if not wrong else f"; e.g. {wrong[0]}"
        yield Row(
            f"good tables, {WAYS} ways to write them, {draws} draws each",
            f"{tried - right} of {tried} refused or read otherwise{told}",
            "0",
            right == tried,
        )
        people = max(10, round(10_000 * share))
        tables = _made_up(np.random.default_rng(0), people=people, beats=100)
        paths = {}
        for key, frame in tables.items():
            paths[key] = folder / f"{key}.parquet"
            frame.to_parquet(paths[key], index=False)
        for form in ("parquet", "csv"):
            if form == "csv":
                paths = {k: _as_csv(f, folder / f"{k}.csv") for k, f in tables.items()}
            start = time.process_time()
            truth, answers = _read(paths)
            took = time.process_time() - start
            yield Row(
                f"{len(truth):,} beats of {people:,} subjects, {len(answers)} methods, "
                f"{form}",
                f"{took:.1f} s of CPU to read both tables and hold them together",
            )
