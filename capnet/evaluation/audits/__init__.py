"""Whether a result can mean anything: circular targets, leaks, what a run left."""
