"""Weights of the hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import attrs

from effdsl.declare import Invalid, evolve, identity, keyed, transport
from effdsl.language_model import LanguageModel
from effdsl.problems import nearest
from effdsl.public_models import PUBLIC_MODELS, public_model
from effdsl.subject import Surroundings
from effdsl.subjects.hub_client import HUB
from effdsl.subjects.weights import CONFIG, Weights, positions_in, shape_in, unknown_in
from effdsl.techniques.technique import Unsupported
from effdsl.validate import some_text
from effdsl.workload import Input

COMMIT = re.compile("[0-9a-f]{40}")


@attrs.frozen
class HubDownload(Input):
    """The files of a model of the hub, in the hub's own cache.

    Attributes:
        id, revision: which.
    """

    id: str
    revision: str

    @property
    def packages(self) -> tuple[str, ...]:
        return ("huggingface_hub",)


@keyed("hub")
class Hub(Weights):
    """A model of the hub: ``Hub("Qwen/Qwen2.5-1.5B")``, or by the name that the paper calls it.

    Attributes:
        id: ``owner/name``.
        revision: a commit hash never changes its meaning; a branch may. Where the hub's cache has the model,
            or the hub can be asked, the commit that it is at stands in the key.
        model: its shape, filled in by ``resolve``: from a table of well-known models, or its ``config.json``,
            which is fetched where the hub's cache lacks it.
        longest: tokens of a sequence, filled in likewise where ``config.json`` is there and says so.
        unknown: why it has no ``model``, where it has none.
    """

    id: str = identity(validator=some_text)
    revision: str = identity(default="main", validator=some_text)
    model: LanguageModel | None = identity(default=None, init=False)
    longest: int | None = transport(default=None, init=False, eq=False)
    unknown: str = transport(default="", init=False, eq=False)

    def resolve(self, around: Surroundings) -> Sequence[Hub]:
        known = public_model(self.id)
        id = known.hub_id if known else self.id
        if "/" not in id:
            names = [name for model in PUBLIC_MODELS for name in (model.name, model.hub_id)]
            raise Invalid(f"no model {id!r}", f"{nearest(id, names)}write owner/name, as the hub does")
        revision, answer = pinned(id, self.revision), ""
        if not _config_file(id, revision).is_file() and not (known and COMMIT.fullmatch(revision)):
            answer = HUB.fetch_config(id, revision, hub_cache())
            revision = pinned(id, revision)
        found = evolve(self, id=id, revision=revision)
        config = _config_of(id, revision)
        model = known.language_model() if known else _shape_of(found, config, answer)
        object.__setattr__(found, "model", model)
        object.__setattr__(found, "longest", positions_in(config))
        object.__setattr__(found, "unknown", "" if model else unknown_in(config))
        return (found,)

    def language_model(self) -> LanguageModel:
        if self.model is None:
            raise Unsupported(f"no method can be applied to {self.id}: {self.unknown}")
        return self.model

    @property
    def name(self) -> str:
        known = public_model(self.id)
        return known.name if known else self.id

    @property
    def positions(self) -> int | None:
        return self.longest

    @property
    def is_pinned(self) -> bool:
        """Whether its revision is a commit."""
        return bool(COMMIT.fullmatch(self.revision))

    @property
    def pin(self) -> str:
        return self.revision if self.is_pinned else f"{self.revision}, not pinned"

    def remark(self) -> str:
        if self.is_pinned:
            return ""
        return f"not pinned: nobody could say which commit {self.revision} is at, and it may change"

    def inputs(self) -> tuple[Input, ...]:
        return (HubDownload(self.id, self.revision),)


def hub_cache() -> Path:
    """Where the hub's client keeps what it has fetched."""
    if named := os.environ.get("HF_HUB_CACHE"):
        return Path(named)
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(home).expanduser() / "hub"


def pinned(id: str, revision: str) -> str:
    """The commit that the hub's cache has for a branch; the branch itself where it has none."""
    try:
        commit = (_cached(id) / "refs" / revision).read_text("ascii").strip()
    except OSError:
        return revision
    return commit if COMMIT.fullmatch(commit) else revision


def _cached(id: str) -> Path:
    return hub_cache() / f"models--{id.replace('/', '--')}"


def _config_file(id: str, revision: str) -> Path:
    return _cached(id) / "snapshots" / revision / CONFIG


def _config_of(id: str, revision: str) -> object:
    """What the cache has of a model's ``config.json``; ``None`` where that is nothing."""
    try:
        return json.loads(_config_file(id, revision).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _shape_of(model: Hub, config: object, answer: str) -> LanguageModel | None:
    """By its ``config.json``.

    Args:
        answer: of the hub, where it did not give that.

    Raises:
        Invalid: when there is none, saying how to get it.
    """
    if config is None:
        why = answer or "nothing is planned without it"
        fetch = f"hf download {model.id} {CONFIG} --revision {model.revision}"
        raise Invalid(
            f"the shape of {model.id} (revision {model.revision}) is not known here: {why}",
            f"where the hub can be reached, run: {fetch}; or give its folder: Local('path/to/it')",
        )
    return shape_in(config, _config_file(model.id, model.revision))
