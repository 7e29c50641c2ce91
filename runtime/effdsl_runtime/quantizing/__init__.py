"""Weights stored in a format: which matrices there are, how each is rounded and packed, what multiplies
it."""

import logging

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # on a CPU it misses what it can do without

from effdsl_runtime.quantizing.in_place import Quantized, quantize  # noqa: E402  whose imports it then warns

__all__ = ["Quantized", "quantize"]
