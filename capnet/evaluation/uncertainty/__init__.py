"""Intervals and refusals, measured: coverage, width, risk."""
