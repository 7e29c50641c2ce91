"""The decoder in plain PyTorch: one block, in which the mixer of tokens is swapped and nothing else."""
