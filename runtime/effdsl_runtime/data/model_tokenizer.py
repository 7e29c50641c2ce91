"""The tokenizer of the model that is fine-tuned: where it is, and examples as its tokens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from effdsl.installing import how_to_install
from effdsl.subjects.weights import CONFIG, TOKENIZER_FILES
from effdsl_runtime.data.codec import Lengths, token_bytes
from effdsl_runtime.data.conversations import Completion, Conversation
from effdsl_runtime.data.text_files import DataError

Span = tuple[int, int]


class Example(NamedTuple):
    """A sequence to train on.

    Attributes:
        tokens: its tokens.
        predicted: of each token whether its prediction is learned, and counts in the loss; never the first,
            which nothing comes before.
    """

    tokens: list[int]
    predicted: list[bool]


def tokenizer_folder(source: str | Path, revision: str) -> Path:
    """The folder with the tokenizer of a model: the model's own, or one that the hub's client fills.

    Raises:
        DataError: when neither can be had.
    """
    folder = Path(source)
    if folder.is_dir():
        if not any((folder / name).is_file() for name in TOKENIZER_FILES):
            raise DataError(
                f"{folder} has no tokenizer; write it there with tokenizer.save_pretrained(folder)"
            )
        return folder
    if isinstance(source, Path):
        raise DataError(f"{source}: no such folder; train the base again, or name another")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise DataError(_not_installed(source)) from None
    try:
        wanted = [*TOKENIZER_FILES, CONFIG]
        return Path(snapshot_download(source, revision=revision, allow_patterns=wanted))
    except (OSError, ValueError) as error:  # what the hub's client raises without a network, or a revision
        raise DataError(
            f"the tokenizer of {source} (revision {revision}) cannot be loaded: {error}\n"
            "Run where https://huggingface.co can be reached, or fine-tune a model in a folder"
        ) from error


def tokenizer_digest(folder: Path) -> str:
    """A hash of all that decides on the tokens: the tokenizer's files, what kind of model it is for, which
    transformers lets decide as well, and the version of transformers."""
    digest = hashlib.sha256()
    for name in TOKENIZER_FILES:
        if (folder / name).is_file():
            digest.update(f"{name} {hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n".encode())
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        config = {}
    digest.update(f"{config.get('model_type')} {config.get('tokenizer_class')}\n".encode())
    try:
        digest.update(version("transformers").encode())
    except PackageNotFoundError:
        raise DataError(_not_installed(folder)) from None
    return digest.hexdigest()


def _not_installed(source: object) -> str:
    command = how_to_install("transformers")
    return f"the tokenizer of {source} needs the package transformers; run: {command}"


class ModelTokenizer:
    """Cuts what is fine-tuned on into tokens as trl 1.16 does.

    Attributes:
        end_of_text: the token that ends a text.
        pad: the token that fills a batch up; it may be ``end_of_text``.
        vocab_size: above every token.
        bytes_v: of each token, the bytes of text that it stands for.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise DataError(_not_installed(folder)) from None
        try:
            loaded: Any = AutoTokenizer.from_pretrained(folder)
        except Exception as error:  # whatever the many kinds of tokenizers raise
            raise DataError(f"the tokenizer in {folder} cannot be loaded: {error}") from error
        if not loaded.is_fast:
            raise DataError(f"the tokenizer in {folder} is of Python alone; give the model a tokenizer.json")
        if loaded.eos_token is None:
            raise DataError(
                f"the tokenizer in {folder} has no end-of-text token, so that nothing teaches the model to "
                "stop; give eos_token in its tokenizer_config.json"
            )
        self._folder, self._tokenizer = folder, loaded
        self.end_of_text: int = loaded.eos_token_id
        self.pad: int = self.end_of_text if loaded.pad_token_id is None else loaded.pad_token_id
        self.bytes_v: Lengths = token_bytes(loaded.backend_tokenizer)
        self.vocab_size = len(self.bytes_v)

    def text(self, tokens: list[int]) -> str:
        """What ``tokens`` stand for."""
        text: str = self._tokenizer.decode(tokens)
        return text

    def passages(self, texts: Sequence[str], ends: Sequence[bool]) -> list[list[int]]:
        """The tokens of texts, the end of text after each that ends. A mark's name in a text is text."""
        cut = self._ids(list(texts), split_special_tokens=True)
        for ids, ended in zip(cut, ends, strict=True):
            if ids and ids[-1] == self.end_of_text:  # some tokenizers put it themselves
                ids.pop()
            if ended:
                ids.append(self.end_of_text)
        return cut

    def completions(self, examples: Sequence[Completion]) -> list[Example]:
        """Prompt, completion and end of text; what follows the prompt is predicted.

        A token that spans both is predicted, as is what its tokenizer makes of a mark's name.
        """
        end = self._tokenizer.eos_token
        wholes = [e.text if e.text.endswith(end) else e.text + end for e in examples]
        cut = self._ids([example.prompt for example in examples] + wholes)
        both = zip(cut[: len(examples)], cut[len(examples) :], strict=True)
        return [_after(_shared(prompt, whole), whole) for prompt, whole in both]

    def conversations(self, examples: Sequence[Conversation], places: Sequence[str]) -> list[Example]:
        """Conversations through the chat template; each of the assistant's turns is predicted, and its end.

        Raises:
            DataError: when there is no template, or it does not fit the conversation at its place.
        """
        rendered = [self._rendered(e, place) for e, place in zip(examples, places, strict=True)]
        texts = [text for text, _ in rendered]
        cut = self._tokenizer(
            texts,
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        made = []
        for ids, offsets, (_, spans), place in zip(
            cut["input_ids"], cut["offset_mapping"], rendered, places, strict=True
        ):
            predicted = [i > 0 and _touches(token, spans) for i, token in enumerate(offsets)]
            if not any(predicted):
                raise DataError(
                    f"{place}: the model's chat template leaves out what the assistant says; give prompt and "
                    "completion instead of messages, or a model with another template"
                )
            made.append(Example(ids, predicted))
        return made

    def _ids(self, texts: list[str], **options: bool) -> list[list[int]]:
        cut = self._tokenizer(texts, return_attention_mask=False, verbose=False, **options)
        ids: list[list[int]] = cut["input_ids"]
        return ids

    def _rendered(self, conversation: Conversation, place: str) -> tuple[str, list[Span]]:
        """A conversation as text, and where the assistant's turns stand in it.

        Few templates mark them. A turn is what the template adds to all that was said before it, up to where
        the assistant is asked to speak.
        """
        turns = [message._asdict() for message in conversation.messages]
        whole = self._render(turns, place)
        spans = []
        for i, turn in enumerate(turns):
            if turn["role"] != "assistant":
                continue
            before = self._render(turns[:i], place, asking=True)
            after = self._render(turns[: i + 1], place) if i + 1 < len(turns) else whole
            if not (after.startswith(before) and whole.startswith(after)):
                raise DataError(
                    f"{place}: the model's chat template writes a conversation anew when it goes on, so that "
                    f"message {i + 1}, the assistant's, cannot be told from the rest; give prompt and "
                    "completion instead of messages, or a model with another template"
                )
            spans.append((len(before), len(after)))
        return whole, spans

    def _render(self, turns: list[dict[str, str]], place: str, *, asking: bool = False) -> str:
        if self._tokenizer.chat_template is None:
            raise DataError(
                f"{place}: messages need a chat template, and the tokenizer in {self._folder} has none; give "
                "prompt and completion, or fine-tune a model that has one"
            )
        from jinja2 import TemplateError

        try:
            text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=asking)
        except TemplateError as error:  # templates refuse roles and orders of roles by raising one
            raise DataError(f"{place}: the model's chat template refuses the conversation: {error}") from None
        return str(text)


def _shared(some: list[int], others: list[int]) -> int:
    """How many first tokens two texts have in common."""
    pairs = enumerate(zip(some, others, strict=False))
    return next((i for i, (one, other) in pairs if one != other), min(len(some), len(others)))


def _after(prompt: int, tokens: list[int]) -> Example:
    """An example whose first tokens, so many, are the prompt's."""
    return Example(tokens, [i >= max(prompt, 1) for i in range(len(tokens))])


def _touches(token: Span, spans: list[Span]) -> bool:
    return any(token[0] < end and token[1] > start for start, end in spans)
