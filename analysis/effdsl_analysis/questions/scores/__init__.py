"""The paper's own scores."""

from effdsl_analysis.questions.scores import scoring_text as scoring_text
