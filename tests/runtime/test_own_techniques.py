"""Techniques of one's own, from the file that `effdsl new` writes to results; as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # processes that load torch
PARTS = """
from effdsl import *

@technique("twice")
class Twice(FeedForwardTechnique):
    def module(self, shape):
        from torch import nn
        from effdsl_runtime.model.feed_forward import FeedForwardModule
        class Module(FeedForwardModule):
            def __init__(self):
                super().__init__()
                self.up, self.down = nn.Linear(shape.hidden_size, 64), nn.Linear(64, shape.hidden_size)
            def forward(self, x_btd, routings=None):
                return self.down(self.up(x_btd).relu())
        return Module()

@technique("shift")
class Shift(PositionTechnique):
    def stem(self, shape, context_length):
        import torch
        from torch import nn
        from effdsl_runtime.model.decoder import Stem
        class Module(Stem):
            def __init__(self):
                super().__init__()
                self.table = nn.Embedding(context_length, shape.hidden_size)
            def forward(self, x_btd, start):
                return x_btd + self.table.weight[start : start + x_btd.shape[1]]
        return Module()

study = Study(FeedForward([Twice]) * Position([Shift]), [1*M], budget=Budget(steps=3, context_length=32))
"""
WHOLE = """
from effdsl import *

@technique("plain")
class Plain(BackboneTechnique):
    def module(self, shape, context_length):
        from effdsl_runtime.model.build import assemble
        return assemble(Transformer().assemble(shape, Transformer().usual()), context_length)

study = Study(Backbone([Plain, Transformer]), [1*M], budget=Budget(steps=3, context_length=32))
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EFFDSL_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("\n\n".join(f"To be, or not to be: {n}. " * 400 for n in range(40)))


def effdsl(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "effdsl", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_what_new_writes_holds_plans_and_runs_and_is_marked_as_ones_own() -> None:
    assert effdsl("new", "my_attention", "--technique", "attention").returncode == 0
    file = Path("my_attention.py")
    text = file.read_text(encoding="utf-8").replace(
        "steps=100, batch_size=4, context_length=128", "steps=6, context_length=32"
    )
    text = text.replace("repeats=3", "repeats=1, data=LocalText('text.txt', tokenizer=ByteTokenizer())")
    file.write_text(text.replace("import GQA", "import ByteTokenizer, LocalText, GQA"), encoding="utf-8")
    checked = effdsl("check", "my_attention.py")
    assert (checked.returncode, checked.stdout.count("all hold")) == (0, 2), checked.stdout + checked.stderr
    executed = effdsl("execute", "my_attention.py", "--json")
    assert json.loads(executed.stdout)["ran"] == {"ok": 3}, executed.stderr
    found = effdsl("sql", "select technique, flags from results order by technique", "--json")
    rows = {row["technique"]: row["flags"] for row in json.loads(found.stdout)}
    assert {name: "own" in (flags or "") for name, flags in rows.items()} == {
        "GQA": False,
        "MyAttention": True,
        "MyAttention(window=16)": True,
    }


def test_check_names_everything_that_fails() -> None:
    effdsl("new", "wrong", "--technique", "attention")
    text = (
        Path("wrong.py")
        .read_text(encoding="utf-8")
        .replace("(back >= 0) & (back < technique.window)", "back < 9")
    )
    more = "    def parameters(self, shape):\n        return 7\n\n    def module(self"
    Path("wrong.py").write_text(text.replace("    def module(self", more), encoding="utf-8")
    checked = effdsl("check", "wrong.py")
    assert checked.returncode == 1
    assert "causal: position 0 sees a later token" in checked.stdout
    assert "parameters: the built model has" in checked.stdout
    assert "Traceback" not in checked.stdout + checked.stderr


def test_what_cannot_be_built_is_a_sentence_with_its_line() -> None:
    effdsl("new", "wrong", "--technique", "attention")
    text = (
        Path("wrong.py")
        .read_text(encoding="utf-8")
        .replace("def __init__(self):", "def __init__(self, more):")
    )
    Path("wrong.py").write_text(text, encoding="utf-8")
    planned = effdsl("plan", "wrong.py")
    assert planned.returncode == 2
    assert "cannot be built and run: TypeError" in planned.stderr
    assert "wrong.py:" in planned.stderr
    assert "Traceback" not in planned.stderr


@pytest.mark.parametrize("text", [PARTS, WHOLE], ids=["parts", "backbone"])
def test_feed_forwards_positions_and_whole_backbones_go_the_same_way(text: str) -> None:
    Path("mine.py").write_text(text, encoding="utf-8")
    checked = effdsl("check", "mine.py")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_planning_imports_torch_only_where_something_is_to_be_counted() -> None:
    Path("mine.py").write_text(WHOLE, encoding="utf-8")
    code = "import sys; from effdsl_runtime.run_commands import prepare; prepare('mine.py', None); "
    code += "print('torch' in sys.modules)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in "12"
    ]
    assert [ran.stdout.strip() for ran in runs] == ["True", "False"]
