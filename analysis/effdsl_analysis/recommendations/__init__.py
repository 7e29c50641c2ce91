"""What to choose under conditions, and what the choice hangs on."""
