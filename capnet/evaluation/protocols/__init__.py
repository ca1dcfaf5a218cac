"""Numerical comparisons with the limits of standards; nothing validates a device."""
