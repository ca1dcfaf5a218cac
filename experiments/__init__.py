"""Hydra doors to capnet: thin, and on top of everything."""
