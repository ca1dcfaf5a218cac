"""From the source to a target clinic: divergences, adapters, strategies."""
