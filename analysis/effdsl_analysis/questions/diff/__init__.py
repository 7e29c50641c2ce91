"""What differs between two results."""

from effdsl_analysis.questions.diff import difference_text as difference_text
