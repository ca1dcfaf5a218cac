"""Predictions and truth as files: everything that numbers were made of, and back.

Both are Parquet, exact to the last bit. Their first columns are those of
`capnet.evaluation.frame.FRAME_COLUMNS` and of a table of references, so that any
program can read them; waves stand in a column of lists.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from capnet.errors import RecordError
from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.frame import FRAME_COLUMNS
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.truth import Truth
from capnet.files import replacing
from capnet.prediction import Prediction
from capnet.types import N_POINTS, Calibration

__all__ = [
    "PREDICTIONS",
    "TRUTH",
    "load_predictions",
    "load_run",
    "load_truths",
    "save_predictions",
    "save_run",
    "save_truths",
]

PREDICTIONS: Final = "predictions.parquet"
"""What every method said, in the folder of a run."""

TRUTH: Final = "truth.parquet"
"""What it was held against."""

_CENTRAL: Final = tuple(f"c{name}" for name in PRESSURES)
_LOW: Final = tuple(f"{name}_low" for name in _CENTRAL)
_HIGH: Final = tuple(f"{name}_high" for name in _CENTRAL)
_WAVE: Final = pa.list_(pa.float64(), N_POINTS)
_ROWS: Final = 1 << 16
"""Rows of a part of a file."""
_GROUPS: Final = ("truth", "groups", "features")
_SINGLE: Final = ("time", "duration", "age", "hr")
_DAMAGED: Final = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)


def save_run(
    run: Mapping[Calibration, tuple[Sequence[Prediction], Truth]], folder: Path
) -> tuple[Path, Path]:
    """Save the predictions and the truth of every calibration.

    Args:
        run: Predictions and the truth of their beats, by calibration.
        folder: Gets ``predictions.parquet`` and ``truth.parquet``.

    Returns:
        Their paths.

    Raises:
        ProtocolError: If predictions are not of the beats of their truth.
    """
    answers: list[Prediction] = []
    truths: list[Truth | None] = []
    for predictions, truth in run.values():
        check_same_beats(predictions, truth)
        answers += predictions
        truths += [truth] * len(predictions)
    first = save_predictions(answers, folder / PREDICTIONS, truths)
    return first, save_truths([t for _, t in run.values()], folder / TRUTH)


def load_run(folder: Path) -> dict[Calibration, tuple[list[Prediction], Truth]]:
    """Load what `save_run` saved.

    Args:
        folder: Of the run.

    Returns:
        Predictions and truth by calibration, in the order in which they were saved.

    Raises:
        RecordError: If a file is missing or damaged, or lacks a calibration.
    """
    truths = {t.calibration: t for t in load_truths(folder / TRUTH)}
    found: dict[Calibration, tuple[list[Prediction], Truth]] = {
        c: ([], truth) for c, truth in truths.items()
    }
    for prediction in load_predictions(folder / PREDICTIONS):
        if prediction.calibration not in found:
            msg = (
                f"{PREDICTIONS} has answers at calibration {prediction.calibration!r}, "
                f"{TRUTH} has {', '.join(map(repr, found))}; they are of two runs."
            )
            raise RecordError(msg)
        found[prediction.calibration][0].append(prediction)
    return found


def save_predictions(
    predictions: Sequence[Prediction],
    path: Path,
    truths: Sequence[Truth | None] | None = None,
) -> Path:
    """Save predictions, with the truth of their beats beside where it is known.

    Args:
        predictions: At least one; they need not be of the same beats.
        path: Ends in ``.parquet``.
        truths: One a prediction; None where nobody measured.

    Returns:
        The path.

    Raises:
        RecordError: If there is no prediction.
    """
    if not predictions:
        msg = f"there is no prediction to save in {path.name}; wanted one or more."
        raise RecordError(msg)
    beside = truths or [None] * len(predictions)
    waves = any(p.waveform is not None for p in predictions)
    tables = (
        _answers(p, truth, place, rows, waves=waves)
        for place, (p, truth) in enumerate(zip(predictions, beside, strict=True))
        for rows in _slices(len(p))
    )
    return _write(tables, path)


def load_predictions(path: Path) -> list[Prediction]:
    """Load what `save_predictions` saved, in the same order.

    Raises:
        RecordError: If the file is missing, damaged or something else.
    """
    found = []
    wanted = {*FRAME_COLUMNS, "answer", "time", "coverage"}
    for part in _read(path, wanted, "answer"):
        one, column = _One(part, path), _Columns(part, path)
        bare = {name: column.number(name) for name in ("time", "duration", *_CENTRAL)}
        low, high = (
            np.stack([column.number(n) for n in names], axis=1)
            for names in (_LOW, _HIGH)
        )
        coverage = one.optional("coverage")
        doubt = part.column("doubt")
        found.append(
            Prediction(
                method=one.word("method"),
                role=one.any("role"),
                k=int(one.any("k")),
                calibration=one.any("calibration"),
                subject=column.word("subject"),
                beat=column.whole("beat"),
                waveform=column.waves("wave"),
                accepted=column.flag("accepted"),
                reason=column.word("reason"),
                family=one.word("family"),
                inputs=_split(one.word("inputs")),
                seen=one.word("seen"),
                low=None if coverage is None else low,
                high=None if coverage is None else high,
                coverage=coverage,
                doubt=None
                if doubt.null_count == len(doubt)
                else column.number("doubt"),
                **bare,
            )
        )
    return found


def save_truths(truths: Sequence[Truth], path: Path) -> Path:
    """Save truths, one after another.

    Args:
        truths: At least one, each of its own calibration.
        path: Ends in ``.parquet``.

    Returns:
        The path.

    Raises:
        RecordError: If there is none.
    """
    if not truths:
        msg = f"there is no truth to save in {path.name}; wanted one or more."
        raise RecordError(msg)
    extra: dict[str, pa.DataType] = {}
    for truth in truths:
        for group in _GROUPS:
            for name, values in getattr(truth, group).items():
                text = values.dtype.kind not in "fiub"
                extra[f"{group}.{name}"] = pa.string() if text else pa.float64()
    tables = (
        _true(truth, place, rows, extra)
        for place, truth in enumerate(truths)
        for rows in _slices(len(truth))
    )
    return _write(tables, path)


def load_truths(path: Path) -> list[Truth]:
    """Load what `save_truths` saved, in the same order.

    Raises:
        RecordError: If the file is missing, damaged or something else.
    """
    found = []
    wanted = {"subject", "beat", "reference_type", "calibration", "part"}
    for part in _read(path, wanted, "part"):
        one, column = _One(part, path), _Columns(part, path)
        groups: dict[str, dict[str, np.ndarray]] = {name: {} for name in _GROUPS}
        for name in part.column_names:
            group, _, key = name.partition(".")
            values = part.column(name)
            if not key or values.null_count == len(values):
                continue
            text = pa.types.is_string(values.type)
            groups[group][key] = column.word(name) if text else column.number(name)
        bare = {name: column.number(name) for name in _SINGLE}
        found.append(
            Truth(
                subject=column.word("subject"),
                beat=column.whole("beat"),
                pressures=np.stack([column.number(n) for n in _CENTRAL], axis=1),
                reference=column.waves("wave"),
                reference_type=one.any("reference_type"),
                calibration=one.any("calibration"),
                cuff=np.stack([column.number(f"cuff_{n}") for n in ("sbp", "dbp")], 1),
                sex=column.word("sex"),
                accepted=column.flag("accepted"),
                reason=column.word("reason"),
                truth=groups["truth"],
                groups=groups["groups"],
                features=groups["features"],
                **bare,
            )
        )
    return found


def _slices(n: int) -> Iterator[slice]:
    """Yield the rows that are written at once; one empty slice of nothing."""
    for start in range(0, max(n, 1), _ROWS):
        yield slice(start, min(start + _ROWS, n))


def _answers(
    p: Prediction, truth: Truth | None, place: int, rows: slice, *, waves: bool
) -> pa.Table:
    n = rows.stop - rows.start
    blank = np.full((n, 4), np.nan)
    true = blank if truth is None else truth.pressures[rows]
    low, high = (blank if ends is None else ends[rows] for ends in (p.low, p.high))
    share = np.nan if p.coverage is None else p.coverage
    columns: dict[str, Any] = {
        "subject": _text(p.subject[rows]),
        "beat": p.beat[rows],
        "method": _same(p.method, n),
        "role": _same(p.role, n),
        "k": np.full(n, p.k),
        "reference_type": _same("none" if truth is None else truth.reference_type, n),
        "calibration": _same(p.calibration, n),
        "accepted": p.accepted[rows],
        "reason": _text(p.reason[rows]),
        **{name: getattr(p, name)[rows] for name in _CENTRAL},
        **{f"{name}_ref": true[:, i] for i, name in enumerate(_CENTRAL)},
        "time": p.time[rows],
        "duration": p.duration[rows],
        "family": _same(p.family, n),
        "inputs": _same("+".join(p.inputs), n),
        "seen": _same(p.seen, n),
        **{name: low[:, i] for i, name in enumerate(_LOW)},
        **{name: high[:, i] for i, name in enumerate(_HIGH)},
        "coverage": np.full(n, share),
        "doubt": pa.nulls(n, pa.float64()) if p.doubt is None else p.doubt[rows],
        "answer": np.full(n, place),
    }
    if waves:
        columns["wave"] = _lists(p.waveform, rows)
    return _table(columns)


def _true(
    truth: Truth, place: int, rows: slice, extra: Mapping[str, pa.DataType]
) -> pa.Table:
    n = rows.stop - rows.start
    columns: dict[str, Any] = {
        "subject": _text(truth.subject[rows]),
        "beat": truth.beat[rows],
        "reference_type": _same(truth.reference_type, n),
        "calibration": _same(truth.calibration, n),
        "accepted": truth.accepted[rows],
        "reason": _text(truth.reason[rows]),
        **{name: truth.pressures[rows, i] for i, name in enumerate(_CENTRAL)},
        "cuff_sbp": truth.cuff[rows, 0],
        "cuff_dbp": truth.cuff[rows, 1],
        **{name: getattr(truth, name)[rows] for name in _SINGLE},
        "sex": _text(truth.sex[rows]),
    }
    for name, kind in extra.items():
        group, _, key = name.partition(".")
        values = getattr(truth, group).get(key)
        if values is None:
            columns[name] = pa.nulls(n, kind)
        elif kind == pa.string():
            columns[name] = _text(values[rows])
        else:
            columns[name] = values[rows]
    columns["part"] = np.full(n, place)
    columns["wave"] = _lists(truth.reference, rows)
    return _table(columns)


def _table(columns: Mapping[str, Any]) -> pa.Table:
    kinds = {"beat": np.int64, "k": np.int64, "answer": np.int64, "part": np.int64}
    arrays = {}
    for name, values in columns.items():
        if isinstance(values, pa.Array):
            arrays[name] = values
        elif name == "accepted":
            arrays[name] = pa.array(np.asarray(values, dtype=bool))
        else:
            kind = kinds.get(name, np.float64)
            arrays[name] = pa.array(np.ascontiguousarray(values, dtype=kind))
    return pa.table(arrays)


def _text(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.str_), pa.string())


def _same(word: str, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(word, pa.string()), n)


def _lists(waves: np.ndarray | None, rows: slice) -> pa.Array:
    if waves is None:
        return pa.nulls(rows.stop - rows.start, _WAVE)
    flat = pa.array(np.ascontiguousarray(waves[rows], dtype=np.float64).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=_WAVE)


def _write(tables: Iterator[pa.Table], path: Path) -> Path:
    first = next(tables)
    with replacing(path) as temporary:
        file = parquet.ParquetWriter(temporary, first.schema, compression="zstd")
        with file:
            file.write_table(first, row_group_size=_ROWS)
            for table in tables:
                file.write_table(table, row_group_size=_ROWS)
    return path


def _read(path: Path, wanted: set[str], column: str) -> Iterator[pa.Table]:
    """Yield the rows of each prediction or truth: they stand one after another.

    One is in memory at a time, however many a file has.
    """
    if not path.is_file():
        msg = f"there is no {path.name} in the folder; wanted one that a run has left."
        raise RecordError(msg)
    try:
        with parquet.ParquetFile(path) as file:
            lost = sorted(wanted - {*file.schema_arrow.names})
            if lost or not file.metadata.num_rows:
                msg = (
                    f"{path.name} lacks {', '.join(lost) or 'rows'}; wanted a file "
                    "that a run has left. Tables of one's own are read by "
                    "read_predictions and read_truth."
                )
                raise RecordError(msg)
            groups = range(file.num_row_groups)
            tables = (file.read_row_group(i, use_threads=False) for i in groups)
            yield from _parts(tables, column)
    except _DAMAGED as error:
        msg = f"{path.name} is damaged ({type(error).__name__}). Make the run again."
        raise RecordError(msg) from error


def _parts(tables: Iterator[pa.Table], column: str) -> Iterator[pa.Table]:
    """Join pieces of a file, and cut them where the number in a column changes."""
    waiting: list[pa.Table] = []
    for table in tables:
        place = np.asarray(table.column(column))
        ends = [0, *(np.flatnonzero(np.diff(place)) + 1).tolist(), len(place)]
        for start, stop in pairwise(ends):
            if waiting and waiting[-1].column(column)[0].as_py() != place[start]:
                yield pa.concat_tables(waiting)
                waiting = []
            waiting.append(table.slice(start, stop - start))
    yield pa.concat_tables(waiting)


class _One:
    """Words that all rows of a part share."""

    def __init__(self, part: pa.Table, path: Path) -> None:
        self.part, self.path = part, path

    def any(self, column: str) -> Any:
        values = self.part.column(column).unique()
        if len(values) != 1:
            msg = (
                f"{self.path.name}, column {column!r}: rows of one answer differ "
                f"({len(values)} values). The file was changed; make the run again."
            )
            raise RecordError(msg)
        return values[0].as_py()

    def word(self, column: str) -> str:
        return str(self.any(column))

    def optional(self, column: str) -> float | None:
        value = self.any(column)
        return None if value is None or np.isnan(value) else float(value)


class _Columns:
    """Columns of a part as arrays."""

    def __init__(self, part: pa.Table, path: Path) -> None:
        self.part, self.path = part, path

    def number(self, column: str) -> np.ndarray:
        return np.array(self.part.column(column).to_numpy(), dtype=np.float64)

    def whole(self, column: str) -> np.ndarray:
        return np.array(self.part.column(column).to_numpy(), dtype=np.int64)

    def flag(self, column: str) -> np.ndarray:
        return np.array(self.part.column(column).to_numpy(), dtype=np.bool_)

    def word(self, column: str) -> np.ndarray:
        coded = self.part.column(column).combine_chunks().dictionary_encode()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.combine_chunks()
        names = np.array(coded.dictionary.to_pylist(), dtype=np.str_)
        return np.asarray(names[np.asarray(coded.indices)])

    def waves(self, column: str) -> np.ndarray | None:
        if column not in self.part.column_names:
            return None
        values = self.part.column(column)
        if values.null_count == len(values):
            return None
        flat = np.concatenate(
            [c.flatten().to_numpy(zero_copy_only=False) for c in values.chunks]
        )
        return np.array(flat.reshape(len(values), N_POINTS), dtype=np.float64)


def _split(said: str) -> Any:
    return tuple(word for word in said.split("+") if word)
