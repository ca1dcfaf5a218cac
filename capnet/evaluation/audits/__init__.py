"""Whether a result can mean anything: circular targets, leaks, foreign tables."""
