"""Whether what was measured orders techniques as the paper's tables do."""

from effdsl_analysis.questions.compare import agreement_text as agreement_text
