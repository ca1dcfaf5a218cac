"""Estimators of central pressure: the deep one, its floors, its controls."""
