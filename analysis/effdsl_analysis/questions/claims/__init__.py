"""Verdicts on what the paper claims: one SQL file per statement."""

from effdsl_analysis.questions.claims import claims_text as claims_text
