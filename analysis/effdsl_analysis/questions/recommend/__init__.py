"""What to choose under conditions, and what the choice hangs on."""

from effdsl_analysis.questions.recommend import recommendation_text as recommendation_text
