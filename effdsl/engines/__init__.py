"""The engines: what each runs, and what it needs and refuses."""
