"""Text to fine-tune on that says which of it is the prompt. It is cut into tokens as the model does.

A corpus of plain text (``LocalText``, ``JSONL``, ``Parquet``, ``Shakespeare``) is fine-tuned on as well,
every token of it.
"""

from __future__ import annotations

from typing import ClassVar

from effdsl.data import BaseTokenizer, Data, Files, Tokenizer, proper_fraction
from effdsl.declare import identity, keyed, language
from effdsl.validate import number, some_text


@keyed("instructions")
class Instructions(Files):
    """JSON Lines files: one object a line, one example an object, in one of three forms, told apart line by
    line.

    - ``prompt`` and ``completion``: text. The completion and an end of text are learned.
    - ``messages``: a list of ``{"role": ..., "content": ...}``, the last of them the assistant's. They pass
      through the model's chat template; each of the assistant's turns and its end is learned.
    - ``instruction``, ``output`` and, where there is one, ``input``: a prompt in the words of Stanford Alpaca
      (Taori et al. 2023, github.com/tatsu-lab/stanford_alpaca) and its completion.
    """

    tokenizer: Tokenizer = identity(factory=BaseTokenizer, init=False)


@language
class HubInstructions(Data):
    """Base of instructions that are published on the hub.

    Attributes:
        held_out_fraction: share of the examples kept out of training, by the hash of their text.
        revision: a commit hash never changes its meaning; ``main`` may.
        hub_config: which of the configurations of the data set; ``None`` where it has one.
        hub_files: which of its files; ``None`` for all.
    """

    packages = ("datasets",)
    hub_id: ClassVar[str]
    hub_config: ClassVar[str | None] = None
    hub_files: ClassVar[str | None] = None

    held_out_fraction: float = identity(default=0.05, converter=number, validator=proper_fraction)
    tokenizer: Tokenizer = identity(factory=BaseTokenizer, init=False)
    revision: str = identity(default="main", validator=some_text)


@keyed("openo1-sft")
class OpenO1SFT(HubInstructions):
    """OpenO1-SFT, 78,000 questions with a chain of thought and an answer, in English and Chinese; Apache 2.0.

    The prompt is in the words of Stanford Alpaca, the completion is ``output`` as it stands.
    """

    hub_id = "O1-OPEN/OpenO1-SFT"
    hub_files = "OpenO1-SFT.jsonl"  # some revisions have another set beside it


@keyed("medical-o1")
class MedicalO1(HubInstructions):
    """The English part of medical-o1-reasoning-SFT (Chen et al. 2024, arXiv 2412.18925); Apache 2.0.

    The prompt is the question in the words of Stanford Alpaca. The completion is the chain of thought under
    ``## Thinking`` and the response under ``## Final Response``, as its authors train on it.
    """

    hub_id = "FreedomIntelligence/medical-o1-reasoning-SFT"
    hub_config = "en"
