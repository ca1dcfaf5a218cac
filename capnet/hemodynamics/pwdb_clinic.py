"""The Pulse Wave Database as a clinic: another simulator's people as a table of beats.

No solver of this library made these waves, so what was learned on its virtual people
meets arteries, equations and numerics that it has not seen. See
`capnet.hemodynamics.pwdb` for where the waves are not what they seem.
"""

from typing import Final

import numpy as np
from jaxtyping import Float, Int

from capnet.errors import ConfigError, RecordError
from capnet.hemodynamics.pwdb import PwdbQuality, PwdbWaves
from capnet.records import Beats
from capnet.signal.feet import pulse_feet
from capnet.signal.interpolate import catmull_rom
from capnet.types import N_POINTS, BeatWaves, PerBeat

__all__ = ["pwdb_beats"]

Stored = Float[np.ndarray, "beat time"]
Everyone = Float[np.ndarray, "person time"]
PerPerson = Float[np.ndarray, " person"]

_LEAD: Final = 0.4
"""s of the beat before that are put in front of each beat."""
_TAIL: Final = 0.6
"""s of the beat after that are put behind it."""
_BEFORE, _AFTER = 0.03, 0.2
"""s before and after the onset of aortic inflow between which a pulse rises most."""


def pwdb_beats(
    waves: PwdbWaves,
    quality: PwdbQuality,
    *,
    site: str,
    ppg: str | None = None,
) -> Beats:
    """Return one beat of everybody in the Pulse Wave Database whose waves are sound.

    A beat goes from its foot (intersecting tangents, looked for after the onset of
    aortic inflow) over one period. The stored beat is repeated before and after it.

    Args:
        waves: From `capnet.hemodynamics.pwdb.load_pwdb_waves` or
            `capnet.hemodynamics.pwdb_release.read_pwdb_release`.
        quality: From `capnet.hemodynamics.pwdb.pwdb_quality`, of the same people. Who
            is not ``sound`` is left out, and whose arm shows an ``earlier`` beat than
            the root: such pairs are up to 2 mmHg apart that no artery took.
        site: Where pressure is taken that predicts the aortic one: ``carotid``,
            ``brachial``, ``femoral``, or what else the waves have.
        ppg: Where the photoplethysmogram is taken. By default it is the pressure of
            ``site`` in units of its own pulse height, which no sensor has seen.

    Returns:
        One row a person, named ``pwdb-<number>``. The pressure of ``site`` is in
        ``waves``, the aortic root is the reference, and the cuff is the true systolic
        and diastolic pressure of the brachial artery. The time from the aortic foot to
        that of the site is in ``truth`` (``ptt``, s): there is no ECG. A beat whose
        foot was not found is refused.

    Raises:
        ConfigError: If there are no waves at a site.
        RecordError: If ``quality`` lacks somebody, a wave has no sample, or nobody is
            sound.
    """
    _check_sites(waves, site, ppg)
    lost = np.setdiff1d(waves.index, quality.index)
    if len(lost):
        msg = (
            f"there are waves of subject {lost[0]} ({len(lost)} such subjects), but "
            "nothing is known about their quality; take it from the same folder."
        )
        raise RecordError(msg)
    order = np.argsort(quality.index)
    row = order[np.searchsorted(quality.index, waves.index, sorter=order)]
    rows = np.flatnonzero((quality.sound & ~quality.earlier)[row])
    if not len(rows):
        msg = f"none of {len(waves)} people has sound waves; choose others."
        raise RecordError(msg)
    period, rate = waves.period[rows], waves.sampling_rate

    def beat(stored: Everyone, start: PerPerson) -> tuple[PerBeat, BeatWaves]:
        empty = rows[~np.isfinite(stored[rows]).any(axis=1)]
        if len(empty):
            msg = (
                f"subject {waves.index[empty[0]]} has a wave without any sample; "
                "leave the subject out."
            )
            raise RecordError(msg)
        return _beat(stored[rows], start[rows], period, rate)

    root_foot, root = beat(waves.pressure["aortic_root"], waves.start["aortic_root"])
    foot, wave = beat(waves.pressure[site], waves.start[site])
    reason = np.full(len(rows), "", dtype="<U48")
    reason[~np.isfinite(root_foot)] = "no foot of the aortic_root pulse"
    reason[~np.isfinite(foot) & (reason == "")] = f"no foot of the {site} pulse"
    pulse = wave
    if ppg is not None:
        ppg_foot, pulse = beat(waves.ppg[ppg], waves.ppg_start[ppg])
        reason[~np.isfinite(ppg_foot) & (reason == "")] = f"no foot of the {ppg} PPG"
    above = pulse - pulse[:, :1]
    arm = waves.pressure["brachial"][rows]
    cuff = np.stack([np.nanmax(arm, axis=1), np.nanmin(arm, axis=1)], axis=1)
    return Beats(
        subject=np.array([f"pwdb-{number}" for number in waves.index[rows]]),
        beat=np.zeros(len(rows), dtype=np.int64),
        time=np.zeros(len(rows)),
        duration=period,
        ppg=above / above.max(axis=1, keepdims=True),
        age=quality.age[row][rows],
        cuff=cuff,
        cuff_site=np.full(len(rows), "brachial"),
        calibration="exact",
        accepted=reason == "",
        reason=reason,
        waves={site: wave},
        features={"hr": 60.0 / period},
        reference=root,
        reference_type="simulated",
        truth={
            "brachial_sbp": cuff[:, 0],
            "brachial_dbp": cuff[:, 1],
            "ptt": foot - root_foot,
        },
    )


def _check_sites(waves: PwdbWaves, site: str, ppg: str | None) -> None:
    needed = dict.fromkeys((site, "aortic_root", "brachial"))
    for name in needed:
        if name not in waves.pressure:
            msg = (
                f"there is no pressure at {name!r}; there is at "
                f"{', '.join(waves.pressure)}. Read {name!r}, too."
            )
            raise ConfigError(msg)
    if ppg is not None and ppg not in waves.ppg:
        found = ", ".join(waves.ppg) or "no site"
        msg = f"there is no PPG at {ppg!r}; there is at {found}. Read {ppg!r}, too."
        raise ConfigError(msg)


def _beat(
    stored: Stored, start: PerBeat, period: PerBeat, rate: float
) -> tuple[PerBeat, BeatWaves]:
    """Return when a pulse begins, s after aortic inflow, and one period from there."""
    count: Int[np.ndarray, " beat"] = np.isfinite(stored).sum(axis=1)
    lead = int(_LEAD * rate)
    place = np.arange(lead + stored.shape[1] + int(_TAIL * rate)) - lead
    row = np.take_along_axis(stored, place[None] % count[:, None], axis=1)
    onset = lead - start * rate
    foot = pulse_feet(row, onset, sampling_rate=rate, earliest=-_BEFORE, latest=_AFTER)
    steps = np.arange(N_POINTS) / N_POINTS
    wave = catmull_rom(row, foot[:, None] + steps * period[:, None] * rate)
    return start + (foot - lead) / rate, wave
