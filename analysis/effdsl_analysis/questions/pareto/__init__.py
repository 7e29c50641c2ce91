"""Pareto sets: which techniques no other beats in all of some metrics."""

from effdsl_analysis.questions.pareto import paretoset_text as paretoset_text
from effdsl_analysis.questions.pareto import published_paretoset_text as published_paretoset_text
