"""What the tested people may have told the trained model: an audit of a split.

Good numbers are most often leaks: the same people, the same segments under another
name, a scaler that has seen the test, labels of those who are tested. Each is looked
for here in the rows themselves. What cannot be seen in rows (hyper-parameters chosen
on the test, another recording of one person) is not found.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float, Shaped

from capnet.data.duplicates import find_duplicates
from capnet.data.splits import Groups, fingerprints, merged
from capnet.errors import ConfigError, ProtocolError, ShapeError
from capnet.evaluation.audits.copies import LEAST, Copies, comparable, find_copies
from capnet.evaluation.audits.fitted import Labels, Table, numbers_of, told_by
from capnet.evaluation.audits.spelling import respelt
from capnet.records import Beats

__all__ = ["Finding", "Leakage", "audit_leakage", "audit_rows"]

Rows = Float[np.ndarray, "_ _"]
Names = Shaped[np.ndarray, " _"]
Numbers = Shaped[np.ndarray, " _"]

Kind = Literal[
    "subject on both sides",
    "group on both sides",
    "same segments",
    "same recording",
    "labels of tested people",
    "transform fitted outside the fold",
]
"""What may have leaked."""

_LONG: Final = 200_000
"""Beats above which a search for recordings takes the first of everybody."""
_FIRST: Final = 20
"""Of each person, then."""
_UNSEEN: Final = (
    "Not seen in rows: another recording of a person, choices made on the tested "
    "people, labels known by other ways."
)


@dataclass(frozen=True)
class Finding:
    """One way in which the tested people are known.

    Attributes:
        kind: What leaked.
        train: Subject (or group, or transform) on the training side.
        test: Subject on the tested side; empty for transforms.
        rows: Tested rows that are concerned.
        distance: Median of noise over signal of copied rows; None for other kinds.
        text: All of it, in words.
    """

    kind: Kind
    train: str
    test: str
    rows: int
    distance: float | None
    text: str

    def to_dict(self) -> dict[str, object]:
        """Return all fields, ready for strict JSON."""
        return {
            "kind": self.kind,
            "train": self.train,
            "test": self.test,
            "rows": self.rows,
            "distance": self.distance,
            "text": self.text,
        }


@dataclass(frozen=True)
class Leakage:
    """What an audit has looked at, and what it found.

    Attributes:
        findings: Ways in which the tested people are known.
        checked: What was looked at, one sentence each.
        undecided: What could not be told, one sentence each.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    undecided: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        return {
            "clean": self.clean,
            "findings": [f.to_dict() for f in self.findings],
            "checked": list(self.checked),
            "undecided": list(self.undecided),
        }

    def __str__(self) -> str:
        head = "no leak was found" if self.clean else f"{len(self.findings)} leaks"
        lines = [f"Leakage audit: {head}."]
        lines += [f"- {f.text}" for f in self.findings]
        lines += [f"? {said}" for said in self.undecided]
        return "\n".join([*lines, *(f"  looked at: {said}" for said in self.checked)])


def audit_leakage(
    train: Beats,
    test: Beats,
    *,
    transforms: Sequence[Any] | Mapping[str, Any] = (),
    groups: Groups | None = None,
    labelled: Iterable[str] = (),
    rows: Callable[[Beats], Rows] | None = None,
) -> Leakage:
    """Look for what the tested people may have told a model that learnt from others.

    Segments are the PPG of each beat, and every wave that both sides have; recordings
    are compared as in `capnet.data.duplicates`, too (copies in another order, cut, with
    more noise).

    Args:
        train: Whom the model learnt from, with all that adaptation saw.
        test: Who is tested.
        transforms: Fitted scalers and the like, see
            `capnet.evaluation.audits.fitted.fitted_on`; by name, if wanted.
        groups: People who belong together (families, twins, virtual neighbours) and
            may not be split.
        labelled: The k labelled subjects of an adaptation, or their fingerprints
            (`capnet.data.splits.fingerprints`).
        rows: What the transforms were fitted on; by default tried are PPG, raw samples,
            readings, covariates and features of accepted and of all beats, and for
            transforms that learn from labels the SBP, DBP and MAP of the reference.

    Returns:
        The audit; printable.

    Raises:
        ProtocolError: If a transform holds no numbers, a side is empty or of no beats,
            or a word stands where a list is wanted.
    """
    _check_beats({"train": train, "test": test})
    _check_sides(len(train), len(test))
    findings: list[Finding] = []
    checked: list[str] = []
    undecided: list[str] = []
    _people(train.subject, test.subject, findings, checked)
    _groups(train.subject, test.subject, groups, findings, checked)
    _labels(test.subject, labelled, findings, checked)
    _segments(
        *(train.ppg, test.ppg, train.subject, test.subject),
        findings=findings,
        checked=checked,
        undecided=undecided,
        what="PPG",
    )
    for name in sorted(train.waves.keys() & test.waves.keys()):
        if train.waves[name].shape[1] == test.waves[name].shape[1]:
            _segments(
                *(train.waves[name], test.waves[name], train.subject, test.subject),
                findings=findings,
                checked=checked,
                undecided=undecided,
                what=name,
            )
    _recordings(train, test, findings, checked)
    tables = _tables(train, test) if rows is None else [_answered(rows, train, test)]
    _transforms(transforms, tables, findings, checked, undecided)
    return Leakage(tuple(findings), (*checked, _UNSEEN), tuple(undecided))


def audit_rows(
    train_x: Shaped[np.ndarray, "..."],
    test_x: Shaped[np.ndarray, "..."],
    train_subject: Shaped[np.ndarray, "..."],
    test_subject: Shaped[np.ndarray, "..."],
    *,
    transforms: Sequence[Any] | Mapping[str, Any] = (),
    groups: Groups | None = None,
    labelled: Iterable[str] = (),
    shifts: int = 2,
    targets: tuple[Numbers, Numbers] | None = None,
) -> Leakage:
    """Audit a split of segments, as `audit_leakage` does one of beats.

    Args:
        train_x: Segments (or other inputs) to learn from. Shape (row, time).
        test_x: Those to be tested on. Shape (row, time).
        train_subject: Whose they are. Shape (row,).
        test_subject: Whose they are. Shape (row,).
        transforms: Fitted on ``train_x``, as it is claimed.
        groups: People who belong together.
        labelled: The k labelled subjects of an adaptation, or their fingerprints.
        shifts: Samples by which a copied segment may be early or late; as many as
            leave 16 that all shifts share.
        targets: Of training and tested rows, for transforms that learn from them, too
            (selection of features, target encoders). Shape (row,) each.

    Returns:
        The audit; printable.

    Raises:
        ShapeError: If the arrays do not agree, or hold no real numbers.
        ConfigError: If shifts are no whole number.
        ProtocolError: If a transform holds no numbers, a side is empty, a row has no
            subject, or a word stands where a list is wanted.
    """
    first, second = _matrix(train_x, "training"), _matrix(test_x, "tested")
    if first.shape[1] != second.shape[1]:
        msg = (
            f"training rows have {first.shape[1]} samples, tested ones "
            f"{second.shape[1]}; wanted the same: read both on one grid."
        )
        raise ShapeError(msg)
    mine = _names(train_subject, len(first), "training")
    theirs = _names(test_subject, len(second), "tested")
    _check_shifts(shifts)
    _check_sides(len(first), len(second))
    findings: list[Finding] = []
    checked: list[str] = []
    undecided: list[str] = []
    _people(mine, theirs, findings, checked)
    _groups(mine, theirs, groups, findings, checked)
    _labels(theirs, labelled, findings, checked)
    _segments(
        *(first, second, mine, theirs),
        findings=findings,
        checked=checked,
        undecided=undecided,
        what="segments",
        shifts=shifts,
    )
    labels = () if targets is None else (_targets(targets, len(first), len(second)),)
    tables = [Table(first, second, labels)]
    _transforms(transforms, tables, findings, checked, undecided)
    return Leakage(tuple(findings), (*checked, _UNSEEN), tuple(undecided))


def _check_sides(train: int, test: int) -> None:
    if not train or not test:
        msg = (
            f"the split has {train} training and {test} tested rows; wanted rows on "
            "both sides."
        )
        raise ProtocolError(msg)


def _matrix(x: Shaped[np.ndarray, "..."], side: str) -> Rows:
    table = np.asarray(x)
    if table.dtype.kind not in "biuf":
        msg = f"{side} rows are of type {table.dtype}; wanted real numbers."
        raise ShapeError(msg)
    if table.ndim != 2 or not table.shape[1]:
        msg = f"{side} rows have shape {table.shape}; wanted (row, time)."
        raise ShapeError(msg)
    return np.asarray(table, dtype=np.float64)


def _names(who: Shaped[np.ndarray, "..."], rows: int, side: str) -> Names:
    given = np.asarray(who)
    if given.ndim != 1 or len(given) != rows:
        shape = f"{len(given)}" if given.ndim == 1 else f"an array {given.shape} of"
        msg = f"{rows} {side} rows have {shape} subjects; wanted one each."
        raise ShapeError(msg)
    names = given.astype(np.str_)
    nobody = [name.strip() in ("", "nan", "None", "NaT", "<NA>") for name in names]
    if any(nobody):
        place = nobody.index(True)
        msg = (
            f"{side} row {place} has the subject {str(names[place])!r} ({sum(nobody)} "
            "such rows); wanted a name: without one nobody can say who is on both "
            "sides. Name those rows or leave them out."
        )
        raise ProtocolError(msg)
    return names


def _targets(targets: object, train: int, test: int) -> tuple[Numbers, Numbers]:
    sides = list(targets) if isinstance(targets, tuple | list) else []
    found = [np.asarray(side) for side in sides]
    if [side.shape for side in found] != [(train,), (test,)]:
        shapes = [side.shape for side in found]
        msg = (
            f"targets have shapes {shapes}; wanted two arrays, ({train},) of training "
            f"and ({test},) of tested rows."
        )
        raise ShapeError(msg)
    return found[0], found[1]


def _check_shifts(shifts: object) -> None:
    whole = isinstance(shifts, int | np.integer) and not isinstance(shifts, bool)
    if not whole or int(shifts) < 0:  # type: ignore[call-overload]
        msg = f"shifts = {shifts!r}; wanted a whole number of samples, 0 or more."
        raise ConfigError(msg)


def _check_beats(sides: Mapping[str, object]) -> None:
    for name, beats in sides.items():
        if not isinstance(beats, Beats):
            msg = (
                f"{name} is of type {type(beats).__name__}; wanted Beats. Arrays are "
                "audited by audit_rows."
            )
            raise ProtocolError(msg)


def _listed(value: object, name: str) -> None:
    """Refuse one thing where several are wanted: a word is no list of its letters."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        msg = f"{name} is {value!r:.80}; wanted a list, [...]."
        raise ProtocolError(msg)


def _people(
    train: Names, test: Names, findings: list[Finding], checked: list[str]
) -> None:
    mine, theirs = ({str(n) for n in np.unique(side)} for side in (train, test))
    checked.append(
        f"names of {len(mine)} training and {len(theirs)} tested subjects, however "
        "they are spelt"
    )
    otherwise = respelt(mine, theirs)
    names, count = np.unique(test, return_counts=True)
    for name, rows in zip(map(str, names), map(int, count), strict=True):
        known = name if name in mine else otherwise.get(name)
        if known is None:
            continue
        spelt = "" if known == name else f", spelt {known!r} among those trained on"
        text = f"subject {name!r} is on both sides ({rows} tested rows{spelt})"
        findings.append(Finding("subject on both sides", known, name, rows, None, text))


def _groups(
    train: Names,
    test: Names,
    groups: Groups | None,
    findings: list[Finding],
    checked: list[str],
) -> None:
    if groups is None:
        return
    _listed(groups, "groups")
    groups = list(groups)
    for group in groups:
        _listed(group, "a group among groups")
    together = merged(groups)
    checked.append(f"{len(together)} groups of people who stay together")
    mine = {str(n) for n in np.unique(train)}
    theirs, count = np.unique(test, return_counts=True)
    rows = {str(n): int(c) for n, c in zip(theirs, count, strict=True)}
    for group in together:
        here, there = sorted(group & mine), sorted(group & rows.keys())
        if here and set(there) - set(here):
            other = next(name for name in there if name not in here)
            text = (
                f"{other!r} is tested and belongs to {here[0]!r}, who is trained on "
                f"(a group of {len(group)})"
            )
            total = sum(rows[name] for name in there)
            findings.append(
                Finding("group on both sides", here[0], other, total, None, text)
            )


def _labels(
    test: Names, labelled: Iterable[str], findings: list[Finding], checked: list[str]
) -> None:
    _listed(labelled, "labelled")
    known = {str(name) for name in labelled}
    if not known:
        return
    checked.append(f"{len(known)} labelled subjects of an adaptation")
    names, count = np.unique(test, return_counts=True)
    known |= respelt(known, [str(name) for name in names]).keys()
    for name, rows, print_ in zip(names, count, fingerprints(names), strict=True):
        if str(name) in known or print_ in known:
            text = f"subject {str(name)!r} gave labels and is tested ({rows} rows)"
            findings.append(
                Finding(
                    *("labels of tested people", str(name), str(name)),
                    *(int(rows), None, text),
                )
            )


def _segments(
    train: Rows,
    test: Rows,
    mine: Names,
    theirs: Names,
    *,
    findings: list[Finding],
    checked: list[str],
    undecided: list[str],
    what: str,
    shifts: int = 2,
) -> None:
    """Report copies, one finding a pair of subjects that is not told yet."""
    first, second = (np.asarray(x, dtype=np.float64) for x in (train, test))
    if first.shape[1] < LEAST:
        undecided.append(
            f"{what}: rows have {first.shape[1]} samples, fewer than {LEAST}; no "
            "copies were looked for."
        )
        return
    reach = min(shifts, (first.shape[1] - LEAST) // 2)
    checked.append(
        f"{what}: {len(test)} tested rows against {len(train)}, exact, rescaled, "
        f"shifted by up to {reach} samples, with noise"
    )
    left_out = [int((~comparable(x)).sum()) for x in (first, second)]
    if any(left_out):
        undecided.append(
            f"{what}: {left_out[0]} training and {left_out[1]} tested rows lack "
            "samples or do not vary; no copies of them were looked for."
        )
    copies = find_copies(first, second, subject=mine, shifts=shifts)
    one, other = mine[copies.one].astype(np.str_), theirs[copies.other].astype(np.str_)
    pairs = np.stack([one, other], axis=1)
    if not len(pairs):
        return
    names, code = np.unique(pairs, axis=0, return_inverse=True)
    told = {
        (f.train, f.test)
        for f in findings
        if f.kind in ("same segments", "subject on both sides")
    }
    for i, (here, there) in enumerate(names):
        rows = np.flatnonzero(code.reshape(-1) == i)
        if here == there or (str(here), str(there)) in told:
            continue  # told as a subject on both sides, or by another wave
        part = Copies(*(column[rows] for column in copies))
        findings.append(_copied(part, str(here), str(there)))


def _copied(part: Copies, here: str, there: str) -> Finding:
    distance = float(np.median(part.distance))
    said = []
    if np.abs(part.gain - 1.0).max() > 1e-4 and distance < 1e-4:
        said.append(f"rescaled by {np.median(part.gain):.4g}")
    if part.shift.any():
        said.append(f"shifted by {int(np.median(part.shift[part.shift != 0]))} samples")
    if distance > 1e-4:
        said.append(f"with noise {-20 * np.log10(distance):.0f} dB below the signal")
    how = ", ".join(said) or "exact"
    text = (
        f"{len(part.one)} tested rows of {there!r} are rows of {here!r}, who is "
        f"trained on ({how})"
    )
    return Finding("same segments", here, there, len(part.one), distance, text)


def _recordings(
    train: Beats, test: Beats, findings: list[Finding], checked: list[str]
) -> None:
    """Report recordings under two names that the segments did not tell."""
    sides = []
    for beats, mark in ((train, "a"), (test, "b")):
        bare = beats.replace(
            subject=np.char.add(mark, beats.subject.astype(np.str_)),
            reference=None,
            reference_type="none",
            calibration="none",
            truth={},
            waves={},
            features={},
        )
        sides.append((bare, beats.reference))
    every = Beats.concatenate([bare for bare, _ in sides])
    if all(known is not None for _, known in sides):
        waves = np.concatenate([known for _, known in sides if known is not None])
        every = replace(every, reference=waves, reference_type=train.reference_type)
    what = f"recordings of {len(every.subjects)} people, cut, reordered, with noise"
    if len(every) > _LONG:
        every = every.take(_some(every.subject))
        what += f" (the first {_FIRST} beats of everybody)"
    checked.append(what)
    told = {(f.train, f.test) for f in findings}
    for pair in find_duplicates(every, across=sides[0][0].subjects.tolist()).pairs:
        ends = sorted((pair.one, pair.other))
        if [end[0] for end in ends] != ["a", "b"]:
            continue
        here, there = (end[1:] for end in ends)
        if here == there or (here, there) in told:
            continue
        text = (
            f"{there!r} is a recording of {here!r}, who is trained on "
            f"({pair.beats} beats, noise over signal {pair.distance:.3f})"
        )
        findings.append(
            Finding("same recording", here, there, pair.beats, pair.distance, text)
        )


def _some(subject: Names) -> np.ndarray:
    """Return the first rows of everybody."""
    _, code = np.unique(subject, return_inverse=True)
    order = np.argsort(code, kind="stable")
    count = np.bincount(code)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    return np.sort(order[rank < _FIRST])


def _tables(train: Beats, test: Beats) -> list[Table]:
    """Return what a transform of beats may have been fitted on."""
    sides = [(train, test)]
    if not (train.accepted.all() and test.accepted.all()):
        sides.append((train.take(train.accepted), test.take(test.accepted)))
    found = []
    for first, second in sides:
        labels = _labels_of(first, second)
        mine, theirs = _views(first), _views(second)
        both = sorted(first.features.keys() & second.features.keys())
        if both:
            mine["features"] = _features(first, both)
            theirs["features"] = _features(second, both)
        found += [
            Table(mine[name], theirs[name], labels)
            for name in mine
            if name in theirs and mine[name].shape[1] == theirs[name].shape[1]
        ]
    return found


def _labels_of(train: Beats, test: Beats) -> tuple[Labels, ...]:
    """Return SBP, DBP and MAP of the references."""
    if train.reference is None or test.reference is None:
        return ()
    both = [np.asarray(x, np.float64) for x in (train.reference, test.reference)]
    return (
        (both[0].max(axis=1), both[1].max(axis=1)),
        (both[0].min(axis=1), both[1].min(axis=1)),
        (both[0].mean(axis=1), both[1].mean(axis=1)),
    )


def _answered(rows: Callable[[Beats], Rows], train: Beats, test: Beats) -> Table:
    if not callable(rows):
        msg = f"rows is {rows!r:.80}; wanted a function of beats that returns rows."
        raise ProtocolError(msg)
    first, second = (
        np.asarray(rows(beats), dtype=np.float64) for beats in (train, test)
    )
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        msg = (
            f"rows= answers arrays {first.shape} and {second.shape}; wanted "
            "(row, column) with the same columns."
        )
        raise ShapeError(msg)
    whole = (len(first), len(second)) == (len(train), len(test))
    return Table(first, second, _labels_of(train, test) if whole else ())


def _views(beats: Beats) -> dict[str, Rows]:
    """Return tables of one row a beat that a transform may have been fitted on."""
    scalars = np.column_stack([beats.hr, beats.age, beats.cuff])
    found: dict[str, Rows] = {
        "ppg": beats.ppg,
        "cuff": beats.cuff,
        "scalars": scalars,
        "age and cuff": scalars[:, 1:],
        "all": np.column_stack([beats.ppg, scalars]),
        "hr": scalars[:, :1],
        "age": scalars[:, 1:2],
    }
    found |= {f"feature {k}": v[:, None] for k, v in beats.features.items()}
    found |= {f"wave {k}": v for k, v in beats.waves.items()}
    for name, rows in (("raw", beats.raw), ("reference", beats.reference)):
        if rows is not None:
            found[name] = np.asarray(rows)
    return found


def _features(beats: Beats, names: list[str]) -> Rows:
    return np.column_stack([beats.features[name] for name in names])


def _transforms(
    transforms: Sequence[Any] | Mapping[str, Any],
    tables: list[Table],
    findings: list[Finding],
    checked: list[str],
    undecided: list[str],
) -> None:
    _listed(transforms, "transforms")
    named: Collection[tuple[str, Any]] = (
        list(transforms.items())
        if isinstance(transforms, Mapping)
        else [(_name(t, i), t) for i, t in enumerate(transforms)]
    )
    if named:
        checked.append(f"{len(named)} transforms, by their numbers")
    for name, transform in named:
        numbers_of(transform)
        answers = set()
        for table in tables:
            answers.add(told_by(transform, table))
            if "train" in answers:
                break
        if "train" in answers:
            continue
        outside = answers & {"train and test", "test"}
        if not outside:
            undecided.append(
                f"{name}: its numbers are those of neither the training rows nor all "
                "rows; say what it was fitted on (rows=)."
            )
            continue
        which = "training and tested" if "train and test" in outside else "tested"
        text = f"{name} was fitted on {which} rows: it has exactly their numbers"
        rows = max(len(table.test) for table in tables)
        findings.append(
            Finding("transform fitted outside the fold", name, "", rows, None, text)
        )


def _name(transform: Any, place: int) -> str:
    kind = type(transform).__name__
    plain = kind in ("tuple", "list")
    return f"transform {place + 1}" + ("" if plain else f" ({kind})")
