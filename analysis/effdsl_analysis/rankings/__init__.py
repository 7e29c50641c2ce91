"""Rankings: of repeats with their ties, of printed values by a rule, and scores."""

from effdsl_analysis.rankings import published_text as published_text
from effdsl_analysis.rankings import ranking_text as ranking_text
from effdsl_analysis.rankings import rule_comparison_text as rule_comparison_text
from effdsl_analysis.rankings import scoring_text as scoring_text
