"""A folder of patients: layout, check, references, beats, examples."""
