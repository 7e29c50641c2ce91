"""Weights as Hugging Face directories: how each of our decoders is said there, written and read."""
