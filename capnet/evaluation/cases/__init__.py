"""One person: waves, estimates with intervals, change against measurement error.

A case says what a method answers about a person and how far that can be trusted. It
makes no diagnosis.
"""
