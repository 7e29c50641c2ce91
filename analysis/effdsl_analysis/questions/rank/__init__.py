"""Rankings: of repeats with their ties, and of printed values by a rule."""

from effdsl_analysis.questions.rank import published_ranking_text as published_ranking_text
from effdsl_analysis.questions.rank import ranking_text as ranking_text
from effdsl_analysis.questions.rank import rule_comparison_text as rule_comparison_text
