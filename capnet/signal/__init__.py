"""Signals: array in, array out.

Filters, resampling, beats, feet, quality. Names are loaded on first use, so that
importing this room costs no torch and no neurokit2.
"""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.signal.beats import abp_verdict, beats_of, cuffs_from_abp
    from capnet.signal.feet import pulse_feet
    from capnet.signal.fir import LinearPhaseFIR, lowpass_taps
    from capnet.signal.frontend import RATE, BeatFrontend, beats_of_windows, smooth
    from capnet.signal.gate import judge_beats
    from capnet.signal.grid import on_grid
    from capnet.signal.interpolate import catmull_rom
    from capnet.signal.pressure import beat_pressures, judge_pressure
    from capnet.signal.rises import steep_rises
    from capnet.signal.rpeaks import r_peaks

__all__ = [
    "RATE",
    "BeatFrontend",
    "LinearPhaseFIR",
    "abp_verdict",
    "beat_pressures",
    "beats_of",
    "beats_of_windows",
    "catmull_rom",
    "cuffs_from_abp",
    "judge_beats",
    "judge_pressure",
    "lowpass_taps",
    "on_grid",
    "pulse_feet",
    "r_peaks",
    "smooth",
    "steep_rises",
]

_HOMES = {
    "RATE": "frontend",
    "BeatFrontend": "frontend",
    "LinearPhaseFIR": "fir",
    "abp_verdict": "beats",
    "beat_pressures": "pressure",
    "beats_of": "beats",
    "beats_of_windows": "frontend",
    "catmull_rom": "interpolate",
    "cuffs_from_abp": "beats",
    "judge_beats": "gate",
    "judge_pressure": "pressure",
    "lowpass_taps": "fir",
    "on_grid": "grid",
    "pulse_feet": "feet",
    "r_peaks": "rpeaks",
    "smooth": "frontend",
    "steep_rises": "rises",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
