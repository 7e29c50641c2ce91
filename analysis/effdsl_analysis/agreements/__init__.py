"""Whether what was measured orders techniques as the paper's tables do."""
