"""The questions that can be asked of evidence, a folder each, named as its command."""
