"""How metrics grow with the size of a model, and where techniques cross."""

from effdsl_analysis.questions.scaling import laws_text as laws_text
