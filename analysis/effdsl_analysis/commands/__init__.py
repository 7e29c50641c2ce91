"""The commands that draw conclusions, one module each."""
