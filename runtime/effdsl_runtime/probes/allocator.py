"""What torch's own allocator says about a GPU's memory."""

from __future__ import annotations

import sys

import attrs


@attrs.frozen
class AllocatorPeak:
    """Largest memory in bytes since the process started: in tensors, and held by the allocator."""

    allocated_bytes: int
    reserved_bytes: int


def allocator_peak() -> AllocatorPeak | None:
    """Peak of the current CUDA device; ``None`` where nothing ran on CUDA.

    Without CUDA torch answers 0, which would read as a measurement. Torch is not imported for this.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return AllocatorPeak(torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved())
