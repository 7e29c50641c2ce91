"""The same model as in small/smollm, served by vLLM: `effdsl env create vllm` makes what it needs."""

from smollm import study as by_transformers

from effdsl import VLLM

study = by_transformers.derive(engine=VLLM())
