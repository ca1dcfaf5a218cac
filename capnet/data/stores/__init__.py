"""Tables of beats on disk: one file, or a store of many recordings."""
