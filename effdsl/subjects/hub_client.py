"""Asks the hub, where it can be reached, for what a plan needs of a model: its ``config.json``, and with it
the commit that a branch is at. Both are kept in the hub's own cache."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from effdsl.declare import Invalid

ENDPOINT = "https://huggingface.co"
PORTS = {"http": 80, "https": 443}
TIMEOUT_S = 3.0
SILENT_S = 60.0
"""How long a hub that did not answer is not asked again: a plan of many models waits for it once."""
ON = frozenset({"1", "ON", "YES", "TRUE"})  # as the hub's client reads its switches


@attrs.define
class HubClient:
    """The hub, as far as it answers."""

    _silent_until: float = 0.0

    def fetch_config(self, id: str, revision: str, cache: Path) -> str:
        """Have ``cache`` hold ``config.json`` of a model, if the hub can be reached and shows it.

        Returns:
            What the hub answered where it did not give it; empty where it did, or could not be asked.

        Raises:
            Invalid: when the hub says that it has no such revision of the model.
        """
        if _is_offline() or time.monotonic() < self._silent_until:
            return ""
        if not _takes_connections(os.environ.get("HF_ENDPOINT") or ENDPOINT):
            self._silent_until = time.monotonic() + SILENT_S
            return ""
        try:
            from huggingface_hub import hf_hub_download
            from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
        except ImportError:
            return ""
        try:
            hf_hub_download(
                id,
                "config.json",
                revision=revision,
                cache_dir=cache,
                endpoint=os.environ.get("HF_ENDPOINT") or None,
                etag_timeout=TIMEOUT_S,
                tqdm_class=_silent(),
            )
        except RevisionNotFoundError:
            raise Invalid(
                f"{id} has no revision {revision!r} on the hub",
                "give a branch, a tag or a commit that it has",
            ) from None
        except RepositoryNotFoundError:  # of those that it shows to few, it says the same
            return (
                "the hub has no such model, or shows it only to who is logged in and has its terms accepted"
            )
        except HfHubHTTPError as error:
            return f"the hub answers {error.response.status_code}"
        except Exception:  # of the libraries below it, which have many ways to say that nobody answers
            self._silent_until = time.monotonic() + SILENT_S
        return ""


HUB = HubClient()


def _is_offline() -> bool:
    return any(os.environ.get(name, "").upper() in ON for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def _takes_connections(endpoint: str) -> bool:
    """Whether the hub, or the proxy before it, can be connected to: its client tries many times, for half a
    minute, and says so each time."""
    from urllib.request import getproxies  # which takes longer to load than a plan without the hub

    scheme = urlsplit(endpoint).scheme
    first = urlsplit(getproxies().get(scheme) or endpoint)
    try:
        with socket.create_connection((first.hostname, first.port or PORTS.get(first.scheme, 80)), TIMEOUT_S):
            return True
    except (OSError, ValueError):
        return False


def _silent() -> Any:
    """A progress bar that shows nothing: a plan is no download."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Silent(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **(options | {"disable": True}))

    return Silent
