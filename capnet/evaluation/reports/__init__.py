"""Pages for people and their twins for machines."""
