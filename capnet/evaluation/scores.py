"""One row of the table: what a method reached, and what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from capnet.evaluation.beat_scores import (
    INDEX_BEATS,
    Columns,
    change_columns,
    number_parts,
    subject_columns,
    wave_columns,
)
from capnet.evaluation.functionals import STATISTICS, estimate, value
from capnet.evaluation.protocols.aami import compare_with_aami
from capnet.evaluation.statistics.bootstrap import SURE_SUBJECTS, Interval
from capnet.evaluation.truth import Truth
from capnet.metrics.indices import WaveIndices, wave_indices
from capnet.prediction import Prediction
from capnet.types import Flags, Role

__all__ = ["WITH_INTERVAL", "Ground", "MethodScore", "Scored", "score_method"]

WITH_INTERVAL: Final = (
    *("wave_rmse", "shape_rmse", "amplification_r2"),
    *("sbp_bias", "sbp_sd", "sbp_mae", "sbp_rmse", "pp_rmse", "map_rmse"),
    *("sbp_mase", "sbp_explained_deviation", "sbp_tracking"),
)
"""Statistics that carry a 95 % interval over subjects."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What all methods of an evaluation are scored on.

    Attributes:
        truth: One row a beat.
        known: Which beats have a truth. Shape (beat,).
        names: Of the subjects, sorted. Shape (subject,).
        code: Which subject each beat is of, a position in ``names``. Shape (beat,).
    """

    truth: Truth
    known: Flags
    names: np.ndarray
    code: np.ndarray

    @classmethod
    def of(cls, truth: Truth) -> "Ground":
        """Look once at what every method needs."""
        names, code = np.unique(truth.subject, return_inverse=True)
        return cls(truth=truth, known=truth.known, names=names, code=code)

    @cached_property
    def looked_at(self) -> np.ndarray:
        """Beats whose indices are read: `INDEX_BEATS` of each subject at most.

        Evenly spread over the beats of a subject with a truth, in their order in time.
        Shape (beat,), indices ascending.
        """
        rows = np.flatnonzero(self.known)
        order = rows[np.lexsort((self.truth.time[rows], self.code[rows]))]
        count = np.bincount(self.code[order], minlength=len(self.names))
        start = np.repeat(np.cumsum(count) - count, count)
        place, of = np.arange(len(order)) - start, np.repeat(count, count)
        # Taken where the share of beats so far steps over the next of the eighths.
        step = np.minimum(of, INDEX_BEATS)
        taken = (place + 1) * step // of > place * step // of
        return np.sort(order[taken])

    @cached_property
    def indices(self) -> WaveIndices | None:
        """AIx, form factor and ejection time of the true waves `looked_at`."""
        waves = self.truth.reference
        if waves is None:
            return None
        return wave_indices(waves[self.looked_at], self.truth.duration[self.looked_at])


@dataclass(frozen=True, eq=False)
class Scored:
    """A prediction on its ground; scores of waves are read once and kept.

    Attributes:
        ground: What it is held against.
        prediction: What one method says.
    """

    ground: Ground
    prediction: Prediction

    @property
    def key(self) -> tuple[str, int]:
        """Name and k."""
        return self.prediction.method, self.prediction.k

    @cached_property
    def beats(self) -> Flags:
        """Which beats have both an answer and a truth. Shape (beat,)."""
        return np.asarray(self.prediction.accepted & self.ground.known)

    @cached_property
    def waves(self) -> Columns:
        """Scores of the waves of the scored beats (`wave_columns`), in their order.

        Columns of shape (scored beat,); none where the method answers no wave. The
        beats are ``np.flatnonzero(scored.beats)``.
        """
        return wave_columns(self.prediction, self.ground.truth, self.beats)

    @cached_property
    def subjects(self) -> Columns:
        """Means over the scored beats of each subject, NaN without one."""
        return self._columns(self.beats, self.waves) | self._index_columns(self.beats)

    def on(self, shared: Flags, beside: "Scored | None" = None) -> Columns:
        """Return the means over some of the scored beats only.

        Args:
            shared: Which; all of them scored. Shape (beat,).
            beside: Another method: an index of a wave then counts only where the
                other's can be read, too, so that both have the same beats.
        """
        if np.array_equal(shared, self.beats):
            found = self.subjects
        else:
            kept = shared[self.beats]
            found = self._columns(shared, {k: v[kept] for k, v in self.waves.items()})
        return found | self._index_columns(shared, beside)

    @cached_property
    def _indices(self) -> Columns:
        """Errors of the indices of the beats looked at, NaN where one abstains."""
        true, rows = self.ground.indices, self.ground.looked_at
        wave = self.prediction.waveform
        if wave is None or true is None or not self.waves:
            return {}
        own = wave_indices(wave[rows], self.ground.truth.duration[rows])
        return {
            "aix_abs": np.abs(own.aix - true.aix),
            "form_factor_abs": np.abs(own.form_factor - true.form_factor),
            "ejection_time_abs": 1e3 * np.abs(own.ejection_time - true.ejection_time),
        }

    def _index_columns(self, rows: Flags, beside: "Scored | None" = None) -> Columns:
        looked_at = self.ground.looked_at
        kept = rows[looked_at]
        found = {}
        for name, own in self._indices.items():
            other = own if beside is None else beside._indices.get(name, own)
            found[name] = np.where(np.isfinite(other), own, np.nan)[kept]
        code = self.ground.code[looked_at[kept]]
        return subject_columns(found, code, len(self.ground.names))

    def _columns(self, rows: Flags, waves: Columns) -> Columns:
        ground, n = self.ground, len(self.ground.names)
        code = ground.code[rows]
        found = subject_columns(waves, code, n)
        for part in number_parts(self.prediction, ground.truth, rows):
            found |= subject_columns(part, code, n)
        if len(code):
            predicted, true = self.prediction.csbp, ground.truth.pressures[:, 0]
            found |= change_columns(
                predicted[rows].astype(np.float64), true[rows], code, n
            )
        return found


@dataclass(frozen=True)
class MethodScore:
    """One row of the table.

    Attributes:
        method: Name of the method.
        role: Deep, floor or control.
        k: Labelled target subjects it has seen.
        subjects: With at least one scored beat.
        beats: With both an answer and a truth.
        accepted_fraction: Share of all beats that it answered.
        values: Statistics by name (`capnet.evaluation.functionals.STATISTICS`), mmHg,
            ms or no unit; None where the method does not answer or the statistic is
            not defined.
        intervals: 95 % intervals over subjects of `WITH_INTERVAL`.
        counts: Subjects behind each value: fewer than ``subjects`` where a quantity
            cannot be read of everybody (a slope of one beat, a wave without a notch).
    """

    method: str
    role: Role
    k: int
    subjects: int
    beats: int
    accepted_fraction: float
    values: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]
    counts: Mapping[str, int]

    @property
    def key(self) -> tuple[str, int]:
        """Name and k: what tells this row from the others."""
        return self.method, self.k

    @property
    def few(self) -> bool:
        """Whether intervals may hold the truth less often than they say.

        They were measured from `capnet.evaluation.statistics.bootstrap.SURE_SUBJECTS`
        subjects on.
        """
        return self.subjects < SURE_SUBJECTS

    @property
    def aami(self) -> str | None:
        """Numerical comparison of the SBP errors with the AAMI limits."""
        bias, spread = self.values["sbp_bias"], self.values["sbp_sd"]
        return compare_with_aami(bias, spread, subjects=self.subjects)

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON (no NaN)."""
        return {
            "method": self.method,
            "role": self.role,
            "k": self.k,
            "subjects": self.subjects,
            "beats": self.beats,
            "accepted_fraction": self.accepted_fraction,
            "few_subjects": self.few,
            "values": dict(self.values),
            "counts": dict(self.counts),
            "intervals": {
                name: None if found is None else list(found)
                for name, found in self.intervals.items()
            },
            "aami": self.aami,
        }


def score_method(scored: Scored, *, resamples: int, seed: int) -> MethodScore:
    """Score one method.

    Args:
        scored: What it says and what is true.
        resamples: Of subjects, for the intervals.
        seed: Of the resamples.

    Raises:
        ProtocolError: If it answers a quantity on some of its accepted beats only.
        ConfigError: If there are too few resamples.
    """
    p = scored.prediction
    found = {name: value(name, scored.subjects) for name in STATISTICS}
    intervals: dict[str, Interval | None] = {}
    for name in WITH_INTERVAL:
        e = estimate(name, scored.subjects, resamples=resamples, seed=seed)
        intervals[name] = None if e is None else e.interval
    return MethodScore(
        method=p.method,
        role=p.role,
        k=p.k,
        subjects=len(np.unique(scored.ground.code[scored.beats])),
        beats=int(scored.beats.sum()),
        accepted_fraction=float(p.accepted.mean()),
        values={name: v for name, (v, _) in found.items()},
        intervals=intervals,
        counts={name: n for name, (_, n) in found.items()},
    )
