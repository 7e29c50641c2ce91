"""Stands where an environment has no torch."""

raise ImportError("there is no torch here")
