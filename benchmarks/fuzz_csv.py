"""Damaged tables of CSV, plain and packed, see `fuzz_tables`."""

from fuzz_tables import Tables

NAME = "csv"
_TABLES = Tables((".csv", ".csv.gz"))
originals = _TABLES.originals
mutate = _TABLES.mutate
wrongly_accepted = _TABLES.wrongly_accepted
escape = _TABLES.escape
huge = _TABLES.huge
