"""What precisions cost in quality, item by item."""

from effdsl_analysis.questions.quality import pairing_text as pairing_text
