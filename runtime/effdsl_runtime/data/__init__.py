"""Text made ready to train on: read, cut into tokens, cached on disk, served in batches."""

from effdsl_runtime.data.batches import batches, held_out_windows
from effdsl_runtime.data.corpus import Corpus
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.data.sources import DataError

__all__ = ["Corpus", "DataError", "batches", "held_out_windows", "prepare"]
