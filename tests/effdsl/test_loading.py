"""What a user is told about mistakes in a study file: all of them, each with its place, no traceback."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from effdsl import GQA, MQA, Attention, M, NoPE, Position, RoPE, Study
from effdsl.hardware import Hardware
from effdsl.loading import load_study, study_files
from effdsl.plan import TaskState
from effdsl.planner import make_plan
from effdsl.problems import StudyError

LAPTOP = Hardware(name="a laptop", kind="cpu")


def problems(folder: Path, source: str) -> list[str]:
    """The problems of a study file, as the command line prints them."""
    file = folder / "mistaken.py"
    file.write_text(textwrap.dedent(source))
    try:
        loaded = load_study(str(file))
        make_plan(loaded.study, LAPTOP, place=loaded.place)
    except StudyError as error:
        return [str(problem) for problem in error.problems]
    return []


def line(number: int, text: str) -> str:
    return f"mistaken.py:{number}: {text}"


def test_a_wrong_keyword_names_the_nearest_and_the_allowed_ones(tmp_path: Path) -> None:
    (only,) = problems(
        tmp_path,
        """\
        from effdsl import *
        study = Study(
            axis=Attention([MLA(kv_rnk=64)]),
            scales=[3*M],
        )
        """,
    )
    assert line(3, "MLA(kv_rnk=64): unknown keyword 'kv_rnk'") in only
    assert "did you mean 'kv_rank'?" in only
    assert "rope_dim" in only


def test_all_mistakes_are_reported_at_once_each_with_its_line(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """\
        from effdsl import Attention, Budget, GQA, MQQA, RoPE, Study, M
        study = Study(
            axis=Attention([GQA(kv_heads=0), MQQA, RoPE]),
            scales=[3],
            budget=Budget(steps=-5),
            hw=GH2000,
            repeat=3,
        )
        """,
    )
    text = "\n".join(found)
    assert line(1, "effdsl has no 'MQQA'") in text
    assert "did you mean 'MQA'?" in text
    assert line(3, "GQA(kv_heads=0): must be a whole number of at least 1") in text
    assert "RoPE is a technique of the axis position" in text
    assert "scales=[3]" in text
    assert "3: not a number of parameters above 0, with a unit" in text
    assert "e.g. 3*M or 0.5*B" in text
    assert line(5, "Budget(steps=-5)") in text
    assert line(6, "GH2000 is not defined") in text
    assert "write: from effdsl import GH200" in text or "did you mean 'GH200'?" in text
    assert "unknown keyword 'repeat'" in text
    assert "did you mean 'repeats'?" in text
    assert len(found) == 7


def test_a_syntax_error_is_one_line_with_its_place(tmp_path: Path) -> None:
    (only,) = problems(tmp_path, "from effdsl import *\nstudy = Study(axis=[\n")
    assert "mistaken.py:2: syntax error:" in only


def test_a_file_without_a_study_says_how_one_looks(tmp_path: Path) -> None:
    (only,) = problems(tmp_path, "from effdsl import *\nattention = Attention([MQA])\n")
    assert "declares no study" in only
    assert "study = Study(" in only


def test_whatever_a_file_raises_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    (only,) = problems(tmp_path, "x = 1\ny = 1 / 0\n")
    assert line(2, "ZeroDivisionError: division by zero") in only


def test_two_cells_with_the_same_key_are_refused(tmp_path: Path) -> None:
    (only,) = problems(
        tmp_path,
        """\
        from effdsl import *
        study = Study(
            axis=Attention([MQA, MLA,
                            GQA(kv_heads=1)]),
            scales=[3*M])
        """,
    )
    assert line(4, "MQA()") in only
    assert "GQA(kv_heads=1)" in only
    assert "are the same cell at 3M" in only


def test_a_filter_that_removes_everything_is_refused(tmp_path: Path) -> None:
    (only,) = problems(
        tmp_path,
        """\
        from effdsl import *
        study = Study(axis=Attention([MQA, GQA]), scales=[3*M], keep=lambda cell: cell.scale > 1*B)
        """,
    )
    assert "keep= leaves none of the 2 combinations" in only


def test_an_override_at_a_scale_that_the_study_lacks_is_refused(tmp_path: Path) -> None:
    (only,) = problems(
        tmp_path,
        """\
        from effdsl import *
        study = Study(Attention([MQA]), [3*M], per_scale={4*M: Budget(steps=3)})
        """,
    )
    assert line(2, "Study: per_scale: 4M is not among the scales") in only


def test_a_file_that_ends_the_program_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    (only,) = problems(tmp_path, "import sys\nsys.exit(0)\n")
    assert line(2, "SystemExit: 0") in only


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        ("cell.uses('MQA')", "uses() takes a technique, e.g. cell.uses(MQA), not 'MQA'"),
        ("cell.uses(Attention)", "uses() takes a technique"),
        ("cell.attention", "neither True nor False"),
        ("cell.scale < 2", "1M has a unit and 2 has none: write e.g. 2*M"),
    ],
)
def test_a_filter_that_would_keep_the_wrong_ones_is_refused(tmp_path: Path, keep: str, says: str) -> None:
    file = tmp_path / "filtered.py"
    file.write_text(
        f"from effdsl import *\nstudy = Study(Attention([MQA]), [1*M], keep=lambda cell: {keep})\n"
    )
    with pytest.raises(StudyError, match=re.escape(says)):
        make_plan(load_study(str(file)).study, LAPTOP)


def test_axes_that_are_added_are_told_to_be_multiplied(tmp_path: Path) -> None:
    file = tmp_path / "added.py"
    file.write_text("from effdsl import *\nstudy = Study(Attention([MQA]) + Position([NoPE]), [1*M])\n")
    with pytest.raises(StudyError, match="axes are multiplied, not added"):
        load_study(str(file))


def test_a_filter_that_fails_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    (only,) = problems(
        tmp_path,
        """\
        from effdsl import *
        study = Study(axis=Attention([MQA, GQA]), scales=[3*M],
                      keep=lambda cell: cell.size > 1)
        """,
    )
    assert line(3, "keep= fails: AttributeError") in only
    assert "a cell has scale, backbone, aspect, attention, position, feed_forward" in only


def test_a_filter_that_takes_no_cell_is_a_mistake_on_the_line_of_its_study(tmp_path: Path) -> None:
    """The error is raised in our code, which has other lines than the study."""
    (only,) = problems(
        tmp_path,
        """\
        from effdsl import *

        study = Study(axis=Attention([MQA, GQA]), scales=[3*M], keep=lambda: True)
        """,
    )
    assert line(3, "keep= fails: TypeError") in only


def test_mistakes_that_show_when_a_study_is_worked_out_come_at_once_with_their_lines(tmp_path: Path) -> None:
    """Missing files, a filter that fails, batches and shapes that cannot be: none hides another."""
    found = problems(
        tmp_path,
        """\
        from effdsl import *
        few = Budget(steps=10, batch_size=3, micro_batch_size=2)
        study = Study(
            axis=Attention([MQA, GQA]), scales=[0.01*M, 3*M, 4*M],
            data=LocalText("none*.txt"),
            budget=few,
            per_scale={
                4*M: Budget(micro_batch_size=3)},
            keep=lambda cell: cell.foo,
        )
        """,
    )
    assert len(found) == 4
    text = "\n".join(found)
    assert line(2, "at 10K and 3M: batch_size=3 is not a multiple of micro_batch_size=2") in text
    assert line(3, "at 10K: no shape of 10K with a vocabulary of 2,048") in text
    assert line(5, "data: none*.txt: no such file") in text
    assert line(9, "keep= fails: AttributeError") in text


def test_mistakes_of_a_study_without_a_file_have_no_line() -> None:
    """In a notebook there is no file to point into."""
    study = Study(Attention([MQA]), [3 * M], keep=lambda: True)
    with pytest.raises(StudyError) as caught:
        make_plan(study, LAPTOP)
    assert str(caught.value).startswith("keep= fails: TypeError")


def test_ratios_that_mean_the_same_shape_are_refused_with_those_that_differ(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """\
        from effdsl import *
        study = Study(Aspect([AspectRatio(16), AspectRatio(24), AspectRatio(128)]), [3*M, 4*M])
        """,
    )
    assert len(found) == 2
    text = "\n".join(found)
    assert "every ratio is 7 x 192 at 3M" in text
    assert "at 4M a ratio of 16 to 33 is 9 x 192, 34 to 73 is 5 x 256, 74 to 128 is 3 x 320" in text


@pytest.mark.parametrize(
    ("written", "meant"), [("Lora", "LoRA"), ("mla", "MLA"), ("gh200", "GH200"), ("Pissa", "PiSSA")]
)
def test_a_name_in_other_letters_is_the_nearest(written: str, meant: str, tmp_path: Path) -> None:
    """Nearer than any with fewer letters changed: ``Lora`` is ``LoRA`` before it is ``Load``."""
    found = problems(tmp_path, f"import effdsl\nstudy = {written}\n")
    assert any(f"did you mean {meant!r}?" in one or f"import {meant}" in one for one in found)


def test_what_cannot_be_built_at_a_shape_is_planned_as_unsupported_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text("from effdsl import *\nstudy = Study(Attention([GQA(kv_heads=3), MQA]), [3*M])\n")
    plan = make_plan(load_study(str(file)).study, LAPTOP)
    assert plan.counts()[TaskState.UNSUPPORTED] == 3
    assert "does not divide 8 heads; allowed: 1, 2, 4, 8" in plan.cells[0].unsupported
    assert plan.summary().endswith(", 3 unsupported")


def test_studies_may_import_and_derive_from_each_other(tmp_path: Path) -> None:
    (tmp_path / "base_study.py").write_text("from effdsl import *\nstudy = Study(Attention([MQA]), [3*M])\n")
    (tmp_path / "more.py").write_text(
        "from effdsl import GQA, Attention\nfrom base_study import study as base\n"
        "study = base.derive(axis=Attention([GQA]))\n"
    )
    loaded = load_study(str(tmp_path / "more.py"))
    assert loaded.study.name == "more"
    assert str(loaded.study.axis) == "Attention(GQA())"


def test_a_filter_asks_for_any_of_a_kind_or_for_one() -> None:
    study = Study(Attention([MQA, GQA, GQA(kv_heads=4)]), [3 * M], keep=lambda cell: not cell.uses(GQA()))
    kept = [cell.labels.technique for cell in make_plan(study, LAPTOP).cells]
    assert kept == ["MQA", "GQA(kv_heads=4)"]
    study = study.derive(keep=lambda cell: cell.uses(GQA))
    assert [cell.labels.technique for cell in make_plan(study, LAPTOP).cells] == ["GQA", "GQA(kv_heads=4)"]


def test_a_technique_that_is_compared_with_a_class_is_a_mistake_that_says_what_to_write() -> None:
    study = Study(Attention([MQA, GQA]), [3 * M], keep=lambda cell: cell.attention == MQA)
    with pytest.raises(StudyError, match=r"cell\.uses\(MQA\) is any MQA, == MQA\(\)"):
        make_plan(study, LAPTOP)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Study(axis=Attention([GQA]), repeats=1, repeats=2)", "keyword argument repeated"),
        ("Study(axis=GQA, scales=[1*M])", "Study(axis=GQA): GQA is not an axis"),
        ("Study(axis=Attention([GQA]) * GQA, scales=[1*M])", "GQA is not an axis"),
        ("Study(axis=Attention([GQA]), scales=[1*M], repeats=Seeds(1, 1))", "Seeds(1, 1): seeds must be"),
        ("Study(axis=Attention([GQA]), scales=[1*M], repeats=10**6)", "from 1 to 1,000"),
        ("Study(axis=Attention([GQA]), scales=[1*M], notes=3)", "Study(notes=3): must be text in quotes"),
        ("Study(axis=Attention([GQA]), scales=[1*M], name=3)", "Study(name=3): must be text in quotes"),
        (
            "Study(axis=Attention([GQA]), scales=[1*M], hw=2.5 * GH200)",
            "a number of devices is a whole number",
        ),
        ("Study(axis=Attention([GQA]), scales=[1*M], hw=Hardware('x', memory=3))", "must be memory above 0"),
        ("Study(axis=Attention([GQA]), scales=[1*M], hw=2 * THIS_MACHINE)", "this machine is one"),
        ("Study(axis=Attention([GQA]), scales=[1*M], hww=GH200)", "Study(hww=GH200 96GB): unknown"),
        ("Study(axis=Attention([GQA, Mamba]), scales=[1*M])", "Attention(techniques=[GQA, Mamba]): Mamba"),
    ],
)
def test_mistakes_are_named_with_their_line_as_they_stand_in_the_file(
    source: str, expected: str, tmp_path: Path
) -> None:
    found = problems(tmp_path, f"from effdsl import *\nstudy = {source}\n")
    assert any(expected in problem and "mistaken.py:2: " in problem for problem in found), found


@pytest.mark.parametrize("body", ["pass", "def __init__(self): super().__init__(kv_heads=4)"])
@pytest.mark.parametrize("used", ["Wide", "Wide()"])
def test_a_subclass_does_not_pass_for_its_base(body: str, used: str, tmp_path: Path) -> None:
    """It would have the key of its base and another meaning."""
    study = f"study = Study(Attention([MQA, {used}]), [1*M])"
    (only,) = problems(tmp_path, f"from effdsl import *\nclass Wide(GQA):\n    {body}\n{study}\n")
    assert "Wide is a subclass of GQA: its results would pass for those of GQA" in only
    assert "use GQA(...) itself" in only


def test_a_statement_that_python_refuses_later_than_its_parser_is_a_mistake_too(tmp_path: Path) -> None:
    (only,) = problems(tmp_path, "from effdsl import *\nreturn 3\n")
    assert line(2, "SyntaxError: 'return' outside function") in only


def test_what_cannot_be_built_is_named_by_the_same_rule_as_what_can() -> None:
    """The first axis always, of the others what is not usual: one technique has one name down the plan."""
    axis = Attention([GQA(kv_heads=4), GQA(kv_heads=3)]) * Position([RoPE, NoPE])
    cells = make_plan(Study(axis, [3 * M]), LAPTOP).cells
    assert [(cell.labels.technique, bool(cell.unsupported)) for cell in cells] == [
        ("GQA(kv_heads=4)", False),
        ("GQA(kv_heads=4) · NoPE", False),
        ("GQA(kv_heads=3)", True),
        ("GQA(kv_heads=3) · NoPE", True),
    ]


def test_a_study_with_a_byte_order_mark_is_read_as_one_without(tmp_path: Path) -> None:
    file = tmp_path / "marked.py"
    file.write_text(
        '"""About."""\nfrom effdsl import *\nstudy = Study(Attention([GQA]), [1*M])\n', "utf-8-sig"
    )
    assert load_study(str(file)).study.name == "marked"
    assert study_files(tmp_path) == [file]


@pytest.mark.parametrize(("typed", "meant"), [("MQB", "MQA"), ("GB2", "GB"), ("MM", "M")])
@pytest.mark.parametrize("imported", ["*", "Study, Attention, M, {typed}"])
def test_an_unknown_name_is_a_technique_before_it_is_a_unit(
    tmp_path: Path, typed: str, meant: str, imported: str
) -> None:
    file = tmp_path / "a.py"
    names = imported.format(typed=typed)
    file.write_text(f"from effdsl import {names}\nstudy = Study(Attention([{typed}]), [1*M])\n", "utf-8")
    with pytest.raises(StudyError, match=f"did you mean '{meant}'"):
        load_study(str(file))
