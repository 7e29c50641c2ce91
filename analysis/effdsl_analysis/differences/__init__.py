"""What differs between two results."""

from effdsl_analysis.differences import difference_text as difference_text
