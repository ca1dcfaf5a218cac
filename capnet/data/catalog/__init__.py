"""Public data sets: facts, terms, checksums, and how they are fetched."""

from capnet.data.catalog.entries import CATALOG

__all__ = ["CATALOG"]
