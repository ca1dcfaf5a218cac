"""What identifies a person: pseudonyms, and a search for what was left."""
