"""What cannot be right: one SQL file per rule."""

from effdsl_analysis.audits import audit_text as audit_text
