"""What `gpu.py` measures: one module for each part, in the order in which they matter."""
