"""What cannot be right: one SQL file per rule."""

from effdsl_analysis.questions.audit import audit_text as audit_text
