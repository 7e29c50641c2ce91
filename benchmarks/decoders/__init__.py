"""The decoders that `decode_speed.py` compares, each in a process of its own."""
