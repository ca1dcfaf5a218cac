"""Signals: array in, array out.

Denoising, gaps, resampling, the gate, beats and their fiducials, pressure waves, linear
filters, corruptions, displays. Names are loaded on first use, so that importing this
room costs no torch and no neurokit2.
"""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.signal.alignment import aligned
    from capnet.signal.baseline import remove_baseline
    from capnet.signal.beats import beats_in, beats_of, beats_of_pieces
    from capnet.signal.calibration import (
        FORM_FACTORS,
        Averages,
        Calibrated,
        average_beats,
        calibrate_map_dbp,
        calibrate_sbp_dbp,
        mean_pressure,
    )
    from capnet.signal.corruptions import (
        CORRUPTIONS,
        Corrupted,
        Corruption,
        CorruptionDraw,
        corrupt,
        draw_corruption,
    )
    from capnet.signal.derivatives import savitzky_golay
    from capnet.signal.displays import plot_record, plot_tachogram, plot_transit
    from capnet.signal.feet import pulse_feet
    from capnet.signal.fiducials import FIDUCIALS, Fiducial, Fiducials, find_fiducials
    from capnet.signal.fir import FIRStream, filter_fir
    from capnet.signal.frontend import BeatFrontend, beats_of_windows, smooth
    from capnet.signal.gaps import Filled, fill_gaps
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
    from capnet.signal.linear_filter import LinearFilter, fit_fir
    from capnet.signal.linear_phase import LinearPhaseFIR
    from capnet.signal.pieces import Piece, pieces_of
    from capnet.signal.powerline import powerline_taps, remove_powerline
    from capnet.signal.pressure import beat_pressures, judge_pressure
    from capnet.signal.pulses import Pulses, find_pulses
    from capnet.signal.resampling import resample
    from capnet.signal.rises import steep_rises
    from capnet.signal.rpeaks import r_peaks
    from capnet.signal.sampling import RATE
    from capnet.signal.synchrony import Synchrony, judge_synchrony
    from capnet.signal.tachogram import HeartRates, heart_rate
    from capnet.signal.taps import bandpass_taps, highpass_taps, lowpass_taps
    from capnet.signal.transit import Transit, pulse_arrival, pulse_transit
    from capnet.signal.wavelets import Shrunk, shrink_wavelets
    from capnet.signal.windows import WindowVerdicts, judge_windows

__all__ = [
    "CORRUPTIONS",
    "FIDUCIALS",
    "FORM_FACTORS",
    "RATE",
    "Averages",
    "BeatFrontend",
    "Calibrated",
    "Corrupted",
    "Corruption",
    "CorruptionDraw",
    "FIRStream",
    "Fiducial",
    "Fiducials",
    "Filled",
    "HeartRates",
    "LinearFilter",
    "LinearPhaseFIR",
    "Piece",
    "Pulses",
    "Shrunk",
    "Synchrony",
    "Transit",
    "WindowVerdicts",
    "abp_verdict",
    "aligned",
    "augmentation",
    "average_beats",
    "bandpass_taps",
    "beat_pressures",
    "beats_in",
    "beats_of",
    "beats_of_pieces",
    "beats_of_windows",
    "calibrate_map_dbp",
    "calibrate_sbp_dbp",
    "catmull_rom",
    "corrupt",
    "cuffs_from_abp",
    "draw_corruption",
    "ejection_time",
    "ejection_time_of_flow",
    "fill_gaps",
    "filter_fir",
    "find_fiducials",
    "find_pulses",
    "fit_fir",
    "form_factor",
    "heart_rate",
    "highpass_taps",
    "judge_beats",
    "judge_pressure",
    "judge_synchrony",
    "judge_windows",
    "lowpass_taps",
    "mean_pressure",
    "on_grid",
    "pieces_of",
    "plot_record",
    "plot_tachogram",
    "plot_transit",
    "powerline_taps",
    "pressure_levels",
    "pulse_amplification",
    "pulse_arrival",
    "pulse_feet",
    "pulse_transit",
    "pulse_wave_velocity",
    "r_peaks",
    "remove_baseline",
    "remove_powerline",
    "resample",
    "savitzky_golay",
    "shrink_wavelets",
    "smooth",
    "steep_rises",
    "transit_time",
]

_HOMES = {
    "CORRUPTIONS": "corruptions",
    "FIDUCIALS": "fiducials",
    "FORM_FACTORS": "calibration",
    "RATE": "sampling",
    "Averages": "calibration",
    "BeatFrontend": "frontend",
    "Calibrated": "calibration",
    "Corrupted": "corruptions",
    "Corruption": "corruptions",
    "CorruptionDraw": "corruptions",
    "FIRStream": "fir",
    "Fiducial": "fiducials",
    "Fiducials": "fiducials",
    "Filled": "gaps",
    "HeartRates": "tachogram",
    "LinearFilter": "linear_filter",
    "LinearPhaseFIR": "linear_phase",
    "Piece": "pieces",
    "Pulses": "pulses",
    "Shrunk": "wavelets",
    "Synchrony": "synchrony",
    "Transit": "transit",
    "WindowVerdicts": "windows",
    "abp_verdict": "line",
    "aligned": "alignment",
    "augmentation": "indices",
    "average_beats": "calibration",
    "bandpass_taps": "taps",
    "beat_pressures": "pressure",
    "beats_in": "beats",
    "beats_of": "beats",
    "beats_of_pieces": "beats",
    "beats_of_windows": "frontend",
    "calibrate_map_dbp": "calibration",
    "calibrate_sbp_dbp": "calibration",
    "catmull_rom": "interpolate",
    "corrupt": "corruptions",
    "cuffs_from_abp": "line",
    "draw_corruption": "corruptions",
    "ejection_time": "indices",
    "ejection_time_of_flow": "indices",
    "fill_gaps": "gaps",
    "filter_fir": "fir",
    "find_fiducials": "fiducials",
    "find_pulses": "pulses",
    "fit_fir": "linear_filter",
    "form_factor": "indices",
    "heart_rate": "tachogram",
    "highpass_taps": "taps",
    "judge_beats": "gate",
    "judge_pressure": "pressure",
    "judge_synchrony": "synchrony",
    "judge_windows": "windows",
    "lowpass_taps": "taps",
    "mean_pressure": "calibration",
    "on_grid": "grid",
    "pieces_of": "pieces",
    "plot_record": "displays",
    "plot_tachogram": "displays",
    "plot_transit": "displays",
    "powerline_taps": "powerline",
    "pressure_levels": "indices",
    "pulse_amplification": "indices",
    "pulse_arrival": "transit",
    "pulse_feet": "feet",
    "pulse_transit": "transit",
    "pulse_wave_velocity": "indices",
    "r_peaks": "rpeaks",
    "remove_baseline": "baseline",
    "remove_powerline": "powerline",
    "resample": "resampling",
    "savitzky_golay": "derivatives",
    "shrink_wavelets": "wavelets",
    "smooth": "frontend",
    "steep_rises": "rises",
    "transit_time": "indices",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
