"""Signals: array in, array out.

Filters, resampling, beats, feet, quality. Names are loaded on first use, so that
importing this room costs no torch and no neurokit2.
"""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.signal.beats import beats_in, beats_of
    from capnet.signal.feet import pulse_feet
    from capnet.signal.fir import LinearPhaseFIR, lowpass_taps
    from capnet.signal.frontend import RATE, BeatFrontend, beats_of_windows, smooth
    from capnet.signal.gate import judge_beats
    from capnet.signal.grid import on_grid
    from capnet.signal.indices import (
        augmentation,
        ejection_time,
        ejection_time_of_flow,
        form_factor,
        pressure_levels,
        pulse_amplification,
        pulse_wave_velocity,
        transit_time,
    )
    from capnet.signal.interpolate import catmull_rom
    from capnet.signal.line import abp_verdict, cuffs_from_abp
    from capnet.signal.pieces import Piece, pieces_of
    from capnet.signal.pressure import beat_pressures, judge_pressure
    from capnet.signal.rises import steep_rises
    from capnet.signal.rpeaks import r_peaks

__all__ = [
    "RATE",
    "BeatFrontend",
    "LinearPhaseFIR",
    "Piece",
    "abp_verdict",
    "augmentation",
    "beat_pressures",
    "beats_in",
    "beats_of",
    "beats_of_windows",
    "catmull_rom",
    "cuffs_from_abp",
    "ejection_time",
    "ejection_time_of_flow",
    "form_factor",
    "judge_beats",
    "judge_pressure",
    "lowpass_taps",
    "on_grid",
    "pieces_of",
    "pressure_levels",
    "pulse_amplification",
    "pulse_feet",
    "pulse_wave_velocity",
    "r_peaks",
    "smooth",
    "steep_rises",
    "transit_time",
]

_HOMES = {
    "transit_time": "indices",
    "pulse_wave_velocity": "indices",
    "pulse_amplification": "indices",
    "pressure_levels": "indices",
    "form_factor": "indices",
    "ejection_time_of_flow": "indices",
    "ejection_time": "indices",
    "augmentation": "indices",
    "RATE": "frontend",
    "BeatFrontend": "frontend",
    "LinearPhaseFIR": "fir",
    "abp_verdict": "line",
    "beat_pressures": "pressure",
    "beats_in": "beats",
    "beats_of": "beats",
    "beats_of_windows": "frontend",
    "catmull_rom": "interpolate",
    "cuffs_from_abp": "line",
    "judge_beats": "gate",
    "judge_pressure": "pressure",
    "lowpass_taps": "fir",
    "on_grid": "grid",
    "Piece": "pieces",
    "pieces_of": "pieces",
    "pulse_feet": "feet",
    "r_peaks": "rpeaks",
    "smooth": "frontend",
    "steep_rises": "rises",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
