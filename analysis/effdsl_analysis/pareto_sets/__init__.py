"""Pareto sets: which techniques no other beats in all of some metrics."""

from effdsl_analysis.pareto_sets import paretoset_text as paretoset_text
from effdsl_analysis.pareto_sets import published_text as published_text
