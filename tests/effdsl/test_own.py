"""A technique of one's own: what changes its key, how it travels, what is said where it is wrong."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from effdsl import counts
from effdsl.counts import Counts
from effdsl.hardware import Hardware
from effdsl.loading import load_study
from effdsl.own import changed_since
from effdsl.plan import Plan
from effdsl.planner import make_plan
from effdsl.problems import StudyError

LAPTOP = Hardware(name="a laptop", kind="cpu")
STUDY = '''"""Mine."""
from effdsl import Attention, AttentionTechnique, Budget, M, Study, identity, technique

def unused():
    return 1

@technique("near")
class Near(AttentionTechnique):
    """The nearest."""
    window: int = identity(default=16)

    def module(self, shape, position):
        from beside import NearAttention
        return NearAttention(self, shape, position)

study = Study(Attention([Near]), [1*M], budget=Budget(steps=3), repeats=1)
'''
BESIDE = '''
from further import scale, other

class NearAttention:
    """Beside."""
    def __init__(self, technique, shape, position):
        self.scale = scale(technique.window)
'''
FURTHER = "def scale(x):\n    return x * 2\n\ndef other():\n    return 1\n"


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As counted elsewhere, without torch."""
    monkeypatch.setattr(counts, "counted", lambda *_: Counts(1000, 6000.0, 300.0, 640.0, 10.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(STUDY)
    (tmp_path / "beside.py").write_text(BESIDE)
    (tmp_path / "further.py").write_text(FURTHER)
    return tmp_path


def plan(file: Path) -> Plan:
    return make_plan(load_study(str(file)).study, LAPTOP)


def key(file: Path) -> str:
    return plan(file).tasks[0].address.key


def replace(file: Path, before: str, after: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("mine.py", "default=16", "default=17"),
        ("mine.py", "return NearAttention(self, shape, position)", "return NearAttention(self, shape, None)"),
        ("beside.py", "scale(technique.window)", "scale(technique.window + 1)"),
        ("further.py", "x * 2", "x * 3"),
    ],
)
def test_other_code_is_another_cell(folder: Path, name: str, before: str, after: str) -> None:
    earlier = key(folder / "mine.py")
    replace(folder / name, before, after)
    assert key(folder / "mine.py") != earlier


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("mine.py", "default=16)", "default=16)  # sixteen"),
        ("mine.py", "The nearest.", "Those that are near."),
        ("mine.py", "return 1", "return 2"),
        ("mine.py", "M, Study", "K, M, Study"),
        ("beside.py", "Beside.", "It lies beside."),
        ("further.py", "x * 2", "(x * 2)"),
        ("mine.py", "def unused", "other = 3\n\ndef unused"),
    ],
)
def test_what_changes_nothing_of_it_leaves_the_key(folder: Path, name: str, before: str, after: str) -> None:
    earlier = key(folder / "mine.py")
    replace(folder / name, before, after)
    assert key(folder / "mine.py") == earlier


def test_names_of_files_and_folders_are_not_in_the_key(folder: Path, tmp_path: Path) -> None:
    earlier = key(folder / "mine.py")
    moved = shutil.copytree(folder, tmp_path / "moved" / "further_away")
    (moved / "mine.py").rename(moved / "yours.py")
    assert key(moved / "yours.py") == earlier
    (moved / "further.py").rename(moved / "sums.py")
    replace(moved / "beside.py", "from further", "from sums")
    assert key(moved / "yours.py") == earlier


def test_a_study_may_take_it_from_a_module_beside_it(folder: Path) -> None:
    lines = STUDY.replace("study = ", "ignored = ")
    (folder / "near_module.py").write_text(lines)
    text = "from near_module import Near\nfrom effdsl import *\n"
    text += "study = Study(Attention([Near]), [1*M], budget=Budget(steps=3), repeats=1)\n"
    (folder / "other.py").write_text(text)
    assert key(folder / "other.py") == key(folder / "mine.py")


def test_a_process_that_knows_nothing_of_it_reads_a_task(folder: Path) -> None:
    task = plan(folder / "mine.py").tasks[0].task
    code = "import pickle, sys; t = pickle.load(sys.stdin.buffer); print(t.workload.architecture.attention)"
    ran = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(task), capture_output=True, check=True
    )
    assert ran.stdout.decode().strip() == "Near()"


def test_a_source_that_changed_after_the_plan_is_not_run_as_what_was_planned(folder: Path) -> None:
    pickled = pickle.dumps(plan(folder / "mine.py").tasks[0].task)
    replace(folder / "mine.py", "default=16", "default=17")
    code = "import pickle, sys; pickle.load(sys.stdin.buffer)"
    ran = subprocess.run([sys.executable, "-c", code], input=pickled, capture_output=True, check=False)
    assert b"has changed since the study was planned; plan it again" in ran.stderr


def test_what_it_does_not_say_is_counted_and_what_it_says_is_not(folder: Path) -> None:
    text = "    window: int = identity(default=16)\n\n    def parameters(self, shape):\n        return 5\n"
    replace(folder / "mine.py", "    window: int = identity(default=16)\n", text)
    cell = plan(folder / "mine.py").cells[0].cell
    assert cell is not None
    attention, shape = cell.workload.architecture.attention, cell.workload.architecture.shape  # type: ignore[attr-defined]
    assert attention.parameters(shape) == 5
    assert attention.train_flops_per_token(shape, 64) == 6000.0
    assert attention.cache_bytes(shape, 64, 2) == 1280.0


@pytest.mark.parametrize("says", [False, True])
def test_causal_flops_are_known_only_where_the_technique_says_them(folder: Path, says: bool) -> None:
    """Counted they are an upper bound, of which no MFU is made."""
    method = "\n    def causal_train_flops_per_token(self, shape, context_length):\n        return 5.0\n"
    line = "    window: int = identity(default=16)\n"
    replace(folder / "mine.py", line, line + method * says)
    cell = plan(folder / "mine.py").cells[0].cell
    assert cell is not None
    assert cell.workload.architecture.causal_flops_known is says  # type: ignore[attr-defined]


def test_what_is_no_technique_is_said_with_its_line(folder: Path) -> None:
    replace(folder / "mine.py", "class Near(AttentionTechnique)", "class Near")
    with pytest.raises(StudyError, match=r"mine.py:\d+: @technique\('near'\) on Near: no technique"):
        load_study(str(folder / "mine.py"))


@pytest.mark.parametrize(
    "importing", ["from beside import *", "import beside", "from beside import NearAttention"]
)
def test_however_a_file_beside_is_imported_its_code_is_in_the_key(folder: Path, importing: str) -> None:
    """What an import of everything brings only the other file says: all of it counts."""
    text = STUDY.replace("        from beside import NearAttention\n", "").replace(
        "def unused", f"{importing}\n\ndef unused"
    )
    called = "beside.NearAttention" if importing == "import beside" else "NearAttention"
    (folder / "mine.py").write_text(text.replace("return NearAttention", f"return {called}"))
    before = key(folder / "mine.py")
    (folder / "beside.py").write_text(
        BESIDE.replace("scale(technique.window)", "scale(technique.window + 1)")
    )
    assert key(folder / "mine.py") != before


@pytest.mark.parametrize(
    ("field", "says", "advises"),
    [
        ("    window: int = 16", "the field window is declared without identity()", "identity(default=...)"),
        (
            "    def parameters(self, shape):\n        return 'many'\n",
            "Near.parameters fails: TypeError: it gives 'many', which is no number",
            "leave parameters out, and it is counted",
        ),
        (
            "    def parameters(self, shape):\n        return 1 // 0\n",
            "Near.parameters fails: ZeroDivisionError",
            "leave parameters out, and it is counted",
        ),
    ],
    ids=["a field", "no number", "raises"],
)
def test_a_mistake_in_what_it_declares_is_a_sentence_with_its_line(
    folder: Path, field: str, says: str, advises: str
) -> None:
    (folder / "mine.py").write_text(STUDY.replace("    window: int = identity(default=16)", field))
    with pytest.raises(StudyError) as caught:
        plan(folder / "mine.py")
    (problem,) = caught.value.problems
    assert says in problem.message
    assert advises in problem.hint
    assert problem.file == str(folder / "mine.py")
    assert problem.line >= 7


def test_a_technique_whose_field_has_no_default_is_called_by_what_it_was_given(folder: Path) -> None:
    text = STUDY.replace("identity(default=16)", "identity()").replace("[Near]", "[Near(window=3)]")
    (folder / "mine.py").write_text(text)
    assert plan(folder / "mine.py").cells[0].labels.technique == "Near(window=3)"


def test_a_source_that_changes_between_plan_and_start_is_named(folder: Path) -> None:
    """For then what was planned is not there to run; another comment, or file beside, is no change."""
    (task,) = plan(folder / "mine.py").tasks
    (folder / "further.py").write_text(f"# a comment\n{FURTHER}")
    assert changed_since(task.task.workload) == ""
    (folder / "further.py").write_text(FURTHER.replace("x * 2", "x * 3"))
    assert changed_since(task.task.workload).startswith(f"{folder / 'mine.py'} has changed")
    (folder / "mine.py").unlink()
    assert changed_since(task.task.workload).startswith(f"{folder / 'mine.py'} has changed")
