"""Verdicts on what the paper claims: one SQL file per statement."""
