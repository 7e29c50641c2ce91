"""Tasks of lm-evaluation-harness as they stand in a study and in a key, without lm-eval being imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from effdsl import (
    BF16,
    GQA,
    Attention,
    Budget,
    Cloze,
    EfficientLLMTasks,
    LMEval,
    M,
    Perplexity,
    Precision,
    PythonHelp,
    Study,
    StudyError,
    Trained,
)
from effdsl.evaluation import Evaluation
from effdsl.harness import OF_EFFICIENT_LLM
from effdsl.harness_tasks import folders_of, installed_version, tasks_brought, tasks_folder
from effdsl.key import canonical_json

DATA = PythonHelp()
QUESTIONS = [{"question": "2 + 2 =", "choices": ["4", "5"], "answer": 0}]
CODE = "def process_docs(docs):\n    return docs\n"


def task_file(folder: Path, *, code: str = CODE, rows: object = QUESTIONS, more: str = "") -> Path:
    """A task of one's own with a template, code and data beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "rows.jsonl"
    data.write_text(json.dumps(rows), encoding="utf-8")
    (folder / "utils.py").write_text(code, encoding="utf-8")
    (folder / "template").write_text(
        f"output_type: multiple_choice\nprocess_docs: !function utils.process_docs\n{more}", encoding="utf-8"
    )
    file = folder / "mine.yaml"
    file.write_text(
        "include: template\ntask: mine\ndataset_path: json\ntest_split: test\n"
        f"dataset_kwargs:\n  data_files:\n    test: {data}\n",
        encoding="utf-8",
    )
    return file


def key(file: Path) -> str:
    return canonical_json(LMEval(str(file)).resolve(DATA))


def test_a_key_has_what_a_file_says_and_names_and_not_where_it_is(tmp_path: Path) -> None:
    """Code, data and what is included change it one by one; another folder changes nothing."""
    here = key(task_file(tmp_path / "a"))
    assert here == key(task_file(tmp_path / "b"))
    others = [
        key(task_file(tmp_path / "code", code=CODE + "# changed\n")),
        key(task_file(tmp_path / "rows", rows=[*QUESTIONS, *QUESTIONS])),
        key(task_file(tmp_path / "more", more="num_fewshot: 3\n")),
    ]
    assert len({here, *others}) == 4
    assert str(tmp_path) not in here
    assert '"name":"mine"' in here


def test_a_key_has_the_version_of_lm_eval_and_every_option() -> None:
    """Each of the options, and the tasks, tell one evaluation from another."""
    asked = [
        LMEval("leaderboard_musr"),
        LMEval("leaderboard_gpqa"),
        LMEval("leaderboard_musr", limit=10),
        LMEval("leaderboard_musr", few_shot=2),
        LMEval("leaderboard_musr", batch_size=1),
    ]
    keys = [canonical_json(one.resolve(DATA)) for one in asked]
    assert len(set(keys)) == len(keys)
    assert all(f'"version":"{installed_version()}"' in one for one in keys)


def test_keys_of_evaluations_are_what_they_were_when_first_released() -> None:
    """Names of classes may change, these may not; the data are whatever they are."""
    data = canonical_json(DATA.resolve())
    version, task = installed_version(), '{"$":"lm-eval-task","name":"arc_easy","revision":""}'
    forms = [
        canonical_json(one.resolve(DATA.resolve())) for one in (Perplexity(), Cloze(), LMEval("arc_easy"))
    ]
    assert forms == [
        f'{{"$":"perplexity","context_length":256,"data":{data},"tokens":16384}}',
        f'{{"$":"cloze","choices":4,"continuation_words":12,"data":{data},"items":200,"prompt_words":48,"seed":0}}',
        f'{{"$":"lm-eval","batch_size":8,"few_shot":null,"limit":null,"tasks":[{task}],"version":"{version}"}}',
    ]


def test_a_task_that_does_not_exist_is_a_mistake_with_the_nearest_word() -> None:
    """Of names of tasks and of groups."""
    with pytest.raises(StudyError, match="did you mean 'leaderboard_musr'"):
        LMEval("leaderboard_muser")
    with pytest.raises(StudyError, match="did you mean 'leaderboard_mmlu_pro'"):
        LMEval(["leaderboard_musr", "leaderboard_mmlu-pro"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- a\n- b\n", "holds a list"),
        ("task: [a, b]\ngroup: c\n", "has no task: NAME"),
        ("task: a\ninclude: nowhere\n", "nowhere: No such file"),
        ("task: a\ninclude: task.yaml\n", "includes itself"),
        ("task: a\ndataset_kwargs: {data_files: nothing.jsonl}\n", "nothing.jsonl: no such file of data"),
        ("task: [a\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_task_is_a_mistake_that_says_so(tmp_path: Path, content: str, said: str) -> None:
    """Each thing that can be wrong, when the study is planned."""
    file = tmp_path / "task.yaml"
    file.write_text(content, encoding="utf-8")
    from effdsl.declare import Invalid

    with pytest.raises(Invalid, match=said):
        LMEval(str(file)).resolve(DATA)


def test_the_papers_tasks_are_six_that_lm_eval_brings() -> None:
    """Its one name stands for all of them."""
    found = EfficientLLMTasks(limit=5).resolve(DATA)
    assert found.names == OF_EFFICIENT_LLM
    assert len(found.names) == 6
    assert set(found.names) <= set(tasks_brought())
    assert found.limit == 5


def base() -> Trained:
    return Trained(Study(Attention([GQA]), [3 * M], budget=Budget(steps=10), repeats=1))


def study_of(*evaluation: object) -> Study:
    return Study(Precision([BF16]), models=base(), evaluation=list(evaluation))  # type: ignore[arg-type]


def test_a_class_stands_for_its_defaults() -> None:
    """As of techniques."""
    assert study_of(Perplexity, Cloze).evaluation == (Perplexity(), Cloze())


@pytest.mark.parametrize(
    "evaluations",
    [
        (Perplexity(), Perplexity(tokens=10)),
        (LMEval("leaderboard_musr"), EfficientLLMTasks()),
        (LMEval("leaderboard_musr"), LMEval("leaderboard_musr", limit=3)),
    ],
)
def test_what_would_share_a_column_is_refused(evaluations: tuple[Evaluation, ...]) -> None:
    """Two evaluations whose scores have one name."""
    with pytest.raises(StudyError, match="evaluated more than once"):
        study_of(*evaluations)


@pytest.mark.slow
def test_a_plan_imports_no_lm_eval(tmp_path: Path) -> None:
    """With names to look up and a file to hash."""
    file = task_file(tmp_path)
    program = (
        "import sys\n"
        "from effdsl import *\n"
        "from effdsl.planner import make_plan\n"
        "from effdsl.hardware import Hardware\n"
        "base = Study(Attention([GQA]), [3*M], budget=Budget(steps=10), repeats=1)\n"
        f"asked = LMEval(['leaderboard_musr', {str(file)!r}])\n"
        "study = Study(Precision([BF16]), models=Trained(base), evaluation=asked, repeats=1)\n"
        "plan = make_plan(study, Hardware(name='a laptop', kind='cpu'))\n"
        "assert [task.state.value for task in plan.tasks] == ['new', 'waiting']\n"
        "print(sorted({'lm_eval', 'torch', 'transformers', 'datasets'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_names_and_folders_are_those_of_lm_evals_own_index() -> None:
    """Every name that its index has is known, and every group's tasks are in the folders that are read."""
    from lm_eval.tasks import TaskManager

    index = TaskManager().task_index
    assert set(index) <= set(tasks_brought())
    groups = {name: entry for name, entry in index.items() if entry.kind.name == "GROUP" and entry.cfg}
    root = tasks_folder()
    for name, entry in groups.items():
        read = {folder.name for folder in folders_of([name])}
        members = [m if isinstance(m, str) else m.get("task") for m in entry.cfg.get("task") or []]
        for member in members:
            found = index.get(member) if isinstance(member, str) else None
            if found is not None and found.yaml_path is not None:
                assert found.yaml_path.relative_to(root).parts[0] in read, (name, member)
