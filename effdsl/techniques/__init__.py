"""Techniques: the points on each axis of a study, and what decoders are made of them."""
