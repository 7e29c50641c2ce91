"""Rankings: of repeats with their ties, of printed values by a rule, and scores."""
