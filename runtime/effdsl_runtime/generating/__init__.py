"""Prompts, how models continue them, and what the times of their tokens say."""
