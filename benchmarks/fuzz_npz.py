"""Damaged tables of NumPy's npz, see `fuzz_tables`."""

from fuzz_tables import Tables

NAME = "npz"
_TABLES = Tables((".npz",))
originals = _TABLES.originals
mutate = _TABLES.mutate
wrongly_accepted = _TABLES.wrongly_accepted
escape = _TABLES.escape
huge = _TABLES.huge
