"""Damaged tables of Parquet, see `fuzz_tables`."""

from fuzz_tables import Tables

NAME = "parquet"
_TABLES = Tables((".parquet",))
originals = _TABLES.originals
mutate = _TABLES.mutate
wrongly_accepted = _TABLES.wrongly_accepted
escape = _TABLES.escape
huge = _TABLES.huge
