"""Models of the hub that the cache lacks, asked for at a small server that answers as the hub does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs
import pytest

from effdsl import Hub, StudyError
from effdsl.subjects import hub as hub_module
from effdsl.subjects.hub import Hub as ResolvedHub
from effdsl.subjects.hub_client import HubClient

from .conftest import COMMIT, CONFIG, planned, result_keys, tuned

pytest.importorskip("huggingface_hub")


@attrs.define
class Answers:
    """What the server has, and what it was asked.

    Attributes:
        files: content by path, as the hub's client asks for it.
        refused: the hub's word for why it gives none, by path: 404 with this code.
    """

    files: dict[str, bytes] = attrs.field(factory=dict)
    refused: dict[str, str] = attrs.field(factory=dict)
    asked: list[str] = attrs.field(factory=list)


def config_of(id: str, revision: str) -> str:
    return f"/{id}/resolve/{revision}/config.json"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """A hub with what a test puts there, and an empty cache."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(answers.files.get(self.path, b""))

        def _answer(self, body: bytes) -> None:
            answers.asked.append(self.path)
            there = self.path in answers.files
            self.send_response(200 if there else 404)
            if there:
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", '"of-the-config"')
                self.send_header("Content-Length", str(len(answers.files[self.path])))
            else:
                self.send_header("X-Error-Code", answers.refused.get(self.path, "RepoNotFound"))
                self.send_header("Content-Length", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{running.server_port}")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_module, "HUB", HubClient())
    yield answers
    running.shutdown()
    running.server_close()


def weights_of(id: str, revision: str = "main") -> ResolvedHub:
    (cell,) = planned(tuned(Hub(id, revision=revision))).cells
    assert isinstance(cell.choice.subject, ResolvedHub)
    return cell.choice.subject


def test_a_model_that_the_cache_lacks_is_planned_by_what_the_hub_has(server: Answers) -> None:
    """Pinned to the commit that it is at, and asked for once: from then on the cache has it."""
    server.files[config_of("owner/unknown", "main")] = json.dumps(CONFIG).encode()
    found = weights_of("owner/unknown")
    assert (found.language_model().layers, found.revision) == (2, COMMIT)
    asked = len(server.asked)
    assert weights_of("owner/unknown") == found
    assert len(server.asked) == asked
    assert result_keys(tuned(Hub("owner/unknown"))) == result_keys(
        tuned(Hub("owner/unknown", revision=COMMIT))
    )


def test_a_model_of_the_papers_is_pinned_where_the_hub_can_be_asked(server: Answers) -> None:
    server.files[config_of("Qwen/Qwen2.5-7B", "main")] = b'{"model_type": "qwen2"}'
    assert weights_of("qwen2.5-7b").revision == COMMIT


@pytest.mark.parametrize("id", ["owner/unknown", "llama-3.2-1b"])
def test_a_revision_that_the_hub_has_not_is_said_by_name(server: Answers, id: str) -> None:
    hub_id = {"llama-3.2-1b": "meta-llama/Llama-3.2-1B"}.get(id, id)
    server.refused[config_of(hub_id, "v9")] = "RevisionNotFound"
    with pytest.raises(
        StudyError, match=f"{hub_id} has no revision 'v9' on the hub\n    give a branch, a tag"
    ):
        planned(tuned(Hub(id, revision="v9")))


def test_a_model_that_the_hub_does_not_show_is_said_to_be_one(server: Answers) -> None:
    with pytest.raises(
        StudyError, match=r"owner/unknown .* not known here: the hub has no such model, or shows"
    ):
        planned(tuned(Hub("owner/unknown")))


def test_a_model_of_the_papers_that_the_hub_does_not_show_is_planned_unpinned(server: Answers) -> None:
    (cell,) = planned(tuned(Hub("llama-3.2-1b"))).cells
    assert cell.remark == "not pinned: nobody could say which commit main is at, and it may change"
    assert cell.cell is not None
    assert cell.cell.workload.details()["base_revision"] == "main, not pinned"  # type: ignore[attr-defined]


def test_a_pinned_model_has_its_commit_in_its_row_and_no_remark(server: Answers) -> None:
    (cell,) = planned(tuned(Hub("llama-3.2-1b", revision=COMMIT))).cells
    assert cell.remark == ""
    assert cell.cell is not None
    assert cell.cell.workload.details()["base_revision"] == COMMIT  # type: ignore[attr-defined]
    assert server.asked == []


@pytest.mark.parametrize("switch", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_nobody_is_asked(server: Answers, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    monkeypatch.setenv(switch, "1")
    server.files[config_of("owner/unknown", "main")] = json.dumps(CONFIG).encode()
    with pytest.raises(StudyError, match=r"hf download owner/unknown config\.json --revision main"):
        planned(tuned(Hub("owner/unknown")))
    assert server.asked == []


def test_a_hub_that_nobody_answers_for_is_the_same_and_is_asked_once(
    server: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []
    connect = socket.create_connection

    def counted(address: tuple[str, int], *args: float) -> socket.socket:
        tried.append(address)
        return connect(address, *args)

    monkeypatch.setattr(socket, "create_connection", counted)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    for id in ("owner/unknown", "owner/another"):
        with pytest.raises(StudyError, match=f"run: hf download {id} config.json --revision main"):
            planned(tuned(Hub(id)))
    assert tried == [("127.0.0.1", 1)]
