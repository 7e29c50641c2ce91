"""What the times of requests say: how soon the first token comes, how steadily the others, how many a second.

As vLLM's benchmarks and MLPerf define them. Tokens are counted as the engine made them; text is never cut
again to count it.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from effdsl_runtime.observation import Row

NS = 1e-9
BATCH_SIZE = "batch_size"


@attrs.frozen
class Request:
    """A sequence that was continued.

    Attributes:
        arrival_ns: when it was handed over, in ``time.perf_counter_ns``.
        tokens_ns: when each new token was there; at least one.
    """

    arrival_ns: int
    tokens_ns: tuple[int, ...]

    @property
    def latency_s(self) -> float:
        """From arrival to the last token."""
        return (self.tokens_ns[-1] - self.arrival_ns) * NS

    @property
    def first_token_s(self) -> float:
        """Time to first token (TTFT)."""
        return (self.tokens_ns[0] - self.arrival_ns) * NS

    @property
    def between_s(self) -> list[float]:
        """Inter-token latencies (ITL): the gaps between tokens, the first token's time not among them."""
        pairs = zip(self.tokens_ns, self.tokens_ns[1:], strict=False)
        return [(later - earlier) * NS for earlier, later in pairs]

    @property
    def per_token_s(self) -> float | None:
        """Time per output token (TPOT): the mean of the gaps; ``None`` of a single token."""
        return (
            (self.tokens_ns[-1] - self.tokens_ns[0]) * NS / (len(self.tokens_ns) - 1)
            if self.between_s
            else None
        )


def of_loads(loads: Sequence[Row]) -> Row:
    """Metrics of several batch sizes, each with its :func:`summary`: those of the first, and the rate of the
    largest where there are others."""
    values = {name: value for name, value in loads[0].items() if name != BATCH_SIZE}
    if len(loads) > 1:
        largest = max(loads, key=lambda load: load[BATCH_SIZE])
        values["batched_tokens_per_s"] = largest["it_tokens_per_s"]
    return values


def summary(requests: Sequence[Request], prompt_tokens: int, seconds: float, alike: int = 1) -> Row:
    """What requests that took ``seconds`` show, by the names of metrics.

    ``it_tokens_per_s`` is eq. 6: all tokens made over the time it took. ``prefill_tokens_per_s`` and
    ``decode_tokens_per_s`` are of the requests' own phases; of requests that overlap they say how fast one is
    served, not how fast the device works.

    Args:
        alike: how many sequences each request stands for, which were computed together.
    """
    made = alike * sum(len(request.tokens_ns) for request in requests)
    gaps = [gap for request in requests for gap in request.between_s]
    firsts = [request.first_token_s for request in requests]
    found: Row = {
        "ttft_s": float(np.median(firsts)),
        "ttft_p99_s": float(np.percentile(firsts, 99)),
        "it_tokens_per_s": made / seconds,
        "prefill_tokens_per_s": alike * prompt_tokens * len(requests) / sum(firsts),
    }
    if gaps:
        per_token = [one for request in requests if (one := request.per_token_s) is not None]
        p50, p95, p99 = np.percentile(gaps, (50, 95, 99))
        found |= {
            "tpot_s": float(np.mean(per_token)),
            "itl_p50_s": float(p50),
            "itl_p95_s": float(p95),
            "itl_p99_s": float(p99),
            "decode_tokens_per_s": alike * len(gaps) / sum(gaps),
        }
    return found
