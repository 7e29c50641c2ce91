"""Verdicts on what the paper claims: one SQL file per statement."""

from effdsl_analysis.verdicts import claims_text as claims_text
