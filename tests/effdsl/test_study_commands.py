"""``effdsl new``, ``ls`` and the command group, as a user types them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import effdsl
from effdsl.built_in import built_in
from effdsl.cli import COMMANDS, group
from effdsl.hardware import CATALOG, Hardware
from effdsl.loading import find_study, load_study
from effdsl.metrics import BY_NAME, METRICS
from effdsl.plan import TaskState
from effdsl.planner import make_plan
from effdsl.techniques.technique import Technique

LAPTOP = Hardware(name="a laptop", kind="cpu")


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "effdsl", *args], capture_output=True, text=True, check=False
    )


def test_a_new_study_plans_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies").mkdir()
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(group, ["new", "my_study"])
    assert "effdsl plan studies/my_study.py" in made.output
    plan = make_plan(load_study("my_study").study, LAPTOP)
    assert plan.study == "my_study"
    assert plan.counts()[TaskState.NEW] == 9
    again = CliRunner().invoke(group, ["new", "my_study"])
    assert (again.exit_code, "exists" in again.output) == (2, True)
    odd = CliRunner().invoke(group, ["new", "my-study"])
    assert odd.exit_code == 2


@pytest.mark.parametrize(
    ("stage", "counts"),
    [
        # three repeats of the base, three trials of two methods, three repeats of those
        ("fine-tuning", {TaskState.NEW: 3, TaskState.WAITING: 12}),
        # three repeats of the base, and of each four formats
        ("inference", {TaskState.NEW: 3, TaskState.WAITING: 12}),
    ],
)
def test_a_new_study_plans_from_its_base_to_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, counts: dict[TaskState, int]
) -> None:
    """All in 110 columns."""
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(group, ["new", "my_study", "--stage", stage])
    assert "effdsl execute my_study.py" in made.output
    plan = make_plan(load_study("my_study.py").study, LAPTOP)
    assert (plan.study, plan.counts()) == ("my_study", dict.fromkeys(TaskState, 0) | counts)
    text = (tmp_path / "my_study.py").read_text(encoding="utf-8")
    assert text.startswith('"""my_study: ')
    assert max(map(len, text.splitlines())) <= 110


def test_a_study_beside_is_found_without_its_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `effdsl new` writes one where there is no folder of studies; one in that folder comes first."""
    monkeypatch.chdir(tmp_path)
    Path("base.py").write_text("study = 1", encoding="utf-8")
    assert find_study("base") == Path("base.py").resolve()
    Path("studies").mkdir()
    Path("studies/base.py").write_text("study = 2", encoding="utf-8")
    assert find_study("base") == Path("studies/base.py").resolve()


def test_a_technique_of_ones_own_is_pretrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--stage", "fine-tuning", "--technique", "attention"]
    refused = CliRunner().invoke(group, ["new", "my_attention", *options])
    assert (refused.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "--technique is for --stage pretraining" in refused.output


@pytest.mark.parametrize("name", ["class", "my-study", "1st", "a/import"])
def test_a_study_gets_a_name_that_python_can_import(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(group, ["new", name])
    assert result.exit_code == 2
    assert "letters, digits and _" in result.output
    assert not list(tmp_path.iterdir())


def test_ls_says_so_when_there_is_no_such_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(group, ["ls", "nowhere"])
    assert (result.exit_code, "there is no folder nowhere" in result.output) == (2, True)


def test_ls_reads_studies_without_running_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies").mkdir()
    source = '"""What it asks."""\nraise SystemExit\nstudy = Study(axis=Attention([MQA]))\n'
    (tmp_path / "studies" / "one.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    listed = CliRunner().invoke(group, ["ls"])
    assert listed.output == "one\tAttention([MQA])\tWhat it asks.\n"
    assert '"axis": "Attention([MQA])"' in CliRunner().invoke(group, ["ls", "--json"]).output
    (tmp_path / "studies" / "one.py").write_text("study = Study(Position([RoPE]), [1*M])\n")
    assert CliRunner().invoke(group, ["ls"]).output == "one\tPosition([RoPE])\t\n"


def test_ls_names_files_that_python_cannot_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "bad.py").write_text("study = Study(\n")
    (tmp_path / "studies" / "binary.py").write_bytes(b"study = \xff")
    (tmp_path / "studies" / "helper.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    listed = CliRunner().invoke(group, ["ls"])
    assert listed.stderr.splitlines() == [
        f"studies/{name}.py is not Python; `effdsl plan studies/{name}.py` says why"
        for name in ("bad", "binary")
    ]
    assert "bad" not in listed.stdout


def run_main(body: str) -> subprocess.CompletedProcess[str]:
    """The command line with its command ``new`` replaced by ``body``."""
    code = "import signal, sys, click, effdsl.cli, effdsl.study_commands\n"
    code += "@click.command()\ndef new():\n    " + body.replace("\n", "\n    ") + "\n"
    code += "effdsl.study_commands.new = new; sys.argv = ['effdsl', 'new']; effdsl.cli.main()\n"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "signal.raise_signal(signal.SIGINT)",
        "raise RuntimeError('Query interrupted')",
    ],
    ids=["python", "duckdb's word for it"],
)
def test_an_interrupt_ends_with_130_and_one_word(body: str) -> None:
    """In our own code as well as in a query, which turns Ctrl-C into an error of its own."""
    ended = run_main(body)
    assert ended.returncode == 130
    assert ended.stderr.strip() == "interrupted"


@pytest.mark.slow
def test_an_exit_code_and_an_error_of_our_own_stay_what_they_are() -> None:
    assert run_main("click.echo('said'); sys.exit(4)").returncode == 4
    assert run_main("raise click.UsageError('so')").returncode == 2
    broken = run_main("raise RuntimeError('a mistake of ours')")
    assert broken.returncode == 1
    assert "Traceback" in broken.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("arguments", [["ls"], ["--help"]], ids=" ".join)
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "effdsl", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (ended.returncode, ended.stderr) == (1, "cannot be written: No space left on device\n")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder where nobody can make a file")
def test_a_file_that_cannot_be_made_is_one_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "effdsl", "new", "mine"], cwd="/proc", capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("mine.py cannot be read or written: ")
    assert ended.stderr.count("\n") == 1


def test_a_pipe_that_closes_is_no_mistake() -> None:
    command = f"{sys.executable} -m effdsl --help | true; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert ended.stderr == ""


def test_help_imports_nothing_heavy() -> None:
    code = "import atexit, sys, effdsl.cli\n"
    code += "atexit.register(lambda: print(sorted({m.split('.')[0] for m in sys.modules})))\n"
    code += "sys.argv = ['effdsl', '--help']; effdsl.cli.main()"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = printed.splitlines()[-1]
    for heavy in ("torch", "transformers", "numpy", "duckdb", "rich", "attr"):
        assert f"'{heavy}'" not in loaded


def test_planning_imports_neither_torch_nor_numpy() -> None:
    code = "import sys; from effdsl import *; make_plan(Study(Attention([MQA]), [3*M]), A100)\n"
    code += "print(list(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'torch'" not in loaded
    assert "'numpy'" not in loaded


def test_the_command_plan_imports_neither_torch_nor_numpy(
    tmp_path: Path,
) -> None:
    """Where no technique of a user's own is to be counted."""
    file = tmp_path / "mine.py"
    file.write_text("from effdsl import *\nstudy = Study(Attention([MQA]), [3*M])\n", encoding="utf-8")
    code = (
        f"import sys; sys.argv = ['effdsl', 'plan', {str(file)!r}, '--store', {str(tmp_path / 'store')!r}]\n"
    )
    code += "from effdsl.cli import main\ntry:\n    main()\nfinally:\n    print(list(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "Plan: 3 new" in loaded
    assert "'torch'" not in loaded
    assert "'numpy'" not in loaded


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    helped = CliRunner().invoke(group, [command, "--help"])
    assert helped.exit_code == 0, helped.output
    assert "Usage:" in helped.output


def test_a_mistyped_command_names_the_nearest() -> None:
    typed = run("exceute")
    assert typed.returncode == 2
    assert "did you mean 'execute'?" in typed.stderr


@pytest.mark.slow
def test_mistakes_in_a_study_exit_with_2_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("from effdsl import *\nstudy = Study(Attention([MQQA]), [3])\n")
    planned = run("plan", str(tmp_path / "bad.py"))
    assert planned.returncode == 2
    assert "2 problems in the study" in planned.stderr
    assert "Traceback" not in planned.stderr


def test_every_public_name_can_be_imported() -> None:
    """What type checkers read in the file is there at run time, where all techniques are there besides."""
    (listed,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(Path(effdsl.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    techniques = [cls.__name__ for cls in built_in(Technique)]
    assert [name for name in effdsl.__all__ if not hasattr(effdsl, name)] == []
    assert sorted(effdsl.__all__) == sorted({*listed, *techniques})


def test_hardware_has_the_paper_s_memory_and_the_vendor_s_tensor_rate() -> None:
    by_name = {hardware.name: hardware for hardware in CATALOG}
    assert len(by_name) == len(CATALOG) == 19  # Table 1's 18, and GH200
    assert by_name["H200 SXM"].memory == 141 * effdsl.GB
    # Table 1 prints 267.6 TFLOP/s in its FP16 column; the tensor cores do 989 (NVIDIA H200 datasheet).
    assert by_name["H200 SXM"].peak_flops["bfloat16"] == pytest.approx(989.4e12)
    assert effdsl.GH200.memory == 96 * effdsl.GB
    assert all(hardware.source and hardware.bandwidth and hardware.power_limit_w for hardware in CATALOG)
    assert not by_name["V100"].bf16


def test_every_metric_says_what_it_is() -> None:
    assert len(BY_NAME) == len(METRICS)
    assert all(metric.label and metric.definition for metric in METRICS)


def test_ls_lists_what_new_wrote_where_there_is_no_folder_of_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.py").write_text("x = 1", encoding="utf-8")
    CliRunner().invoke(group, ["new", "my_study"])
    assert CliRunner().invoke(group, ["ls"]).output.startswith("my_study\tAttention(")
    assert "other" not in CliRunner().invoke(group, ["ls"]).output


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["ls", "plan my_study.py", "status my_study.py", "sql 'SELECT 1'", "--help"]
)
@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_traceback(command: str, closed: str, tmp_path: Path) -> None:
    (tmp_path / "my_study.py").write_text(
        "from effdsl import *\nstudy = Study(Attention([GQA]), [1*M])\n", encoding="utf-8-sig"
    )
    typed = f"{sys.executable} -m effdsl {command} {closed}"
    ended = subprocess.run(["bash", "-c", typed], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)


@pytest.mark.slow
def test_a_query_from_a_closed_input_is_refused_in_a_sentence(tmp_path: Path) -> None:
    typed = f"{sys.executable} -m effdsl sql <&-"
    ended = subprocess.run(["bash", "-c", typed], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, "Error: give a query, e.g." in ended.stderr) == (2, True)


@pytest.mark.parametrize("name", ["attention", "m", "GQA", "study", "__", "folder/position"])
def test_a_technique_is_never_called_as_something_of_effdsl(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its class would hide what the file imports; nothing is written."""
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(group, ["new", name, "--technique", "attention"])
    assert refused.exit_code == 2
    assert "my_attention is free" in refused.output
    assert list(tmp_path.iterdir()) == []
