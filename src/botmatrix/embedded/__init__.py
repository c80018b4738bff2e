"""Engines and parts as child processes of `botmatrix up`."""
