"""Records and their JSON."""

from __future__ import annotations

import json
import math
from typing import Any, get_type_hints

import attrs
import pytest
from effdsl_registry.errors import RecordDamaged, StoreNewer
from effdsl_registry.records import Identity, Provenance, Record, from_json, to_json
from hypothesis import given
from hypothesis import strategies as st

from effdsl.task import ChosenTechnique
from effdsl.workload import Plain

texts = st.text(max_size=20)
integers = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
curves = st.lists(st.tuples(integers, st.floats()), max_size=4)
table_rows = st.dictionaries(texts, finite, max_size=3)
mappings = st.dictionaries(texts, texts, max_size=3)
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: integers,
    int | None: st.none() | integers,
    float | None: st.none() | finite,
    bool | None: st.none() | st.booleans(),
    dict[str, str]: mappings,
    dict[str, Plain]: st.dictionaries(texts, st.none() | texts | integers | finite, max_size=3),
    dict[str, ChosenTechnique]: st.dictionaries(
        texts, st.builds(ChosenTechnique, texts, texts, st.booleans()), max_size=3
    ),
    tuple[str, ...]: st.lists(texts, max_size=3),
}


def instances(cls: type, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(cls, **{name: BY_TYPE[hint] for name, hint in get_type_hints(cls).items()} | fields)


records = st.builds(
    Record,
    key=digests,
    cell=digests,
    lineage=digests,
    canonical=texts,
    attempt=st.uuids().map(str),
    outcome=st.sampled_from(["ok", "oom", "failed"]),
    reason=texts,
    evidence=texts,
    identity=instances(Identity),
    metrics=st.dictionaries(texts, st.floats(), max_size=4),
    missing=mappings,
    provenance=instances(Provenance, code=st.just("") | digests),
    curves=st.dictionaries(texts, curves, max_size=2),
    tables=st.dictionaries(
        texts, st.lists(st.dictionaries(texts, finite, max_size=3), max_size=3).map(tuple)
    ),
    artifacts=mappings,
)


@pytest.mark.slow
@given(records)
def test_a_record_comes_back_from_its_json_as_it_was(record: Record) -> None:
    assert from_json(to_json(record)) == record


@pytest.mark.slow
@given(records)
def test_the_json_of_a_record_is_one_line_that_a_strict_parser_reads(record: Record) -> None:
    text = to_json(record)
    assert "\n" not in text
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))


def test_a_metric_that_is_not_finite_becomes_missing_with_its_value_as_reason(make_record: Any) -> None:
    record = make_record(
        metrics={"ppl": math.inf, "mfu": math.nan, "amu_gb": 1.0}, missing={"mfu": "no peak known"}
    )
    assert record.metrics == {"amu_gb": 1.0}
    assert record.missing == {"ppl": "the value was inf", "mfu": "no peak known"}


def test_a_loss_that_is_not_finite_is_none(make_record: Any) -> None:
    assert make_record(curves={"train": [(1, 2.0), (2, math.nan)]}).curves == {"train": ((1, 2.0), (2, None))}


@pytest.mark.parametrize("field", ["key", "cell", "lineage"])
def test_a_key_that_could_leave_the_folder_is_refused(field: str, make_record: Any) -> None:
    with pytest.raises(ValueError, match=field):
        make_record(**{field: "../" * 20 + "abcd"})


@pytest.mark.parametrize("name", ["../../secret", "a" * 63, "A" * 64])
def test_a_code_set_whose_name_could_leave_the_folder_is_refused(name: str, make_record: Any) -> None:
    with pytest.raises(ValueError, match="code"):
        attrs.evolve(make_record().provenance, code=name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ('{"format": 1, "key"', "not JSON"),
        ("[]", "not a record"),
        ('{"format": "1"}', "not a record"),
        ('{"format": 1}', "key"),
    ],
)
def test_a_file_that_is_no_record_is_refused_with_its_name_and_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(RecordDamaged, match=rf"a\.json: .*{says}"):
        from_json(text, "a.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [("outcome", 3), ("metrics", {"ppl": "low"}), ("canonical", None), ("curves", {"train": [[1]]})],
)
def test_a_field_of_a_wrong_type_is_named_and_never_coerced(
    field: str, value: object, make_record: Any
) -> None:
    content = json.loads(to_json(make_record())) | {field: value}
    with pytest.raises(RecordDamaged, match=field):
        from_json(json.dumps(content))


def test_a_record_of_a_newer_format_asks_for_an_update(make_record: Any) -> None:
    content = json.loads(to_json(make_record())) | {"format": 2}
    with pytest.raises(StoreNewer, match="update effdsl"):
        from_json(json.dumps(content))
