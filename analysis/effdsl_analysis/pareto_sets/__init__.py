"""Pareto sets: which techniques no other beats in all of some metrics."""
