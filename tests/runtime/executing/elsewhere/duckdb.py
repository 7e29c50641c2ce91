"""Stands where an environment has no duckdb."""

raise ImportError("there is no duckdb here")
