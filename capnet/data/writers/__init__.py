"""Writers: a record becomes a file that is there whole or not at all."""
