"""Beats on disk, who is held out from whom, and batches for training."""
