"""Text made ready to train on: read, cut into tokens, cached on disk, served in batches."""
