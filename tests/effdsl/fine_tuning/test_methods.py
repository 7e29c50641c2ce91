"""Fine-tuning methods as declared: names, keys, refusals, and how their costs relate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effdsl.built_in import built_in
from effdsl.from_canonical import decoded
from effdsl.key import canonical_json
from effdsl.language_model import LanguageModel
from effdsl.problems import StudyError
from effdsl.public_models import public_model
from effdsl.techniques.fine_tuning.composed import LoHa, LoKr
from effdsl.techniques.fine_tuning.low_rank import DoRA, LoRA, LoRAPlus, PiSSA, RSLoRA
from effdsl.techniques.fine_tuning.method import Method
from effdsl.techniques.fine_tuning.scaled import IA3, OFT, AdaLoRA
from effdsl.techniques.fine_tuning.targets import ALL_LINEAR
from effdsl.techniques.fine_tuning.whole_layers import Freeze, Full
from effdsl.techniques.technique import Unsupported


def model_of(name: str) -> LanguageModel:
    public = public_model(name)
    assert public is not None
    return public.language_model()


LLAMA, QWEN, MISTRAL = map(model_of, ("llama-3.1-8b", "qwen2.5-7b", "mistral-7b"))
EVERY = [cls() for cls in built_in(Method)]


@pytest.mark.parametrize(
    ("method", "model", "published"),
    [
        (LoRA(), LLAMA, 20_971_520),
        (LoRA(), QWEN, 20_185_088),
        (LoRA(), MISTRAL, 20_971_520),
        (LoRA(rank=16, targets=["q_proj", "v_proj"]), LLAMA, 6_815_744),
        (Full(), LLAMA, 8_030_261_248),
    ],
    ids=str,
)
def test_published_numbers_of_trainable_parameters(
    method: Method, model: LanguageModel, published: int
) -> None:
    """As LlamaFactory and peft print them for these models."""
    assert method.resolve(model).trainable_parameters(model) == published


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (LoRA(), "LoRA"),
        (LoRA(targets=ALL_LINEAR), "LoRA"),
        (LoRA(targets=LLAMA.names[::-1]), "LoRA"),
        (LoRA(rank=16, targets=["v_proj", "q_proj"]), "LoRA(rank=16, targets=('q_proj', 'v_proj'))"),
        (LoRAPlus(ratio=4), "LoRAPlus(ratio=4.0)"),
        (PiSSA(iterations=None), "PiSSA(iterations=None)"),
        (Freeze(), "Freeze"),
        (Freeze(trainable_layers=2), "Freeze"),
        (Freeze(frozen_layers=30), "Freeze"),
        (Freeze(frozen_layers=8), "Freeze(trainable_layers=24)"),
        (Full(), "Full"),
        (OFT(block_size=64), "OFT(block_size=64)"),
        (IA3(targets=["v_proj", "k_proj", "down_proj"]), "IA3"),
    ],
    ids=str,
)
def test_a_name_is_the_method_and_what_differs_from_its_defaults(method: Method, name: str) -> None:
    """Whether resolved or not; methods that mean the same have one name."""
    assert method.label(LLAMA) == method.resolve(LLAMA).label(LLAMA) == name


@pytest.mark.parametrize("method", EVERY, ids=str)
def test_a_method_is_resolved_once_and_comes_back_from_its_key(method: Method) -> None:
    """What is open as declared is closed for a model, and all of it is in the key."""
    closed = method.resolve(LLAMA)
    assert closed.resolve(LLAMA) == closed
    assert decoded(canonical_json(closed)) == closed


def test_methods_that_differ_in_nothing_but_their_class_differ_in_their_keys() -> None:
    """LoRA, rsLoRA and DoRA have the same fields."""
    keys = {canonical_json(method.resolve(LLAMA)) for method in EVERY}
    assert len(keys) == len(EVERY)


@pytest.mark.parametrize("method", EVERY, ids=str)
@given(sequences=st.integers(1, 16), context_length=st.integers(1, 8192))
def test_causality_only_leaves_out_scores(method: Method, sequences: int, context_length: int) -> None:
    """One token sees itself in both counts; of more, queries see half of the keys on average."""
    closed = method.resolve(LLAMA)
    full = closed.step_flops(LLAMA, sequences, context_length)
    causal = closed.causal_step_flops(LLAMA, sequences, context_length)
    assert full / 2 < causal <= full
    assert (causal == full) == (context_length == 1)


@given(layers=st.integers(1, LLAMA.layers), context_length=st.integers(1, 8192))
def test_training_more_layers_costs_more_and_all_of_them_less_than_everything(
    layers: int, context_length: int
) -> None:
    """Embedding and output layer are not trained by Freeze; the backward pass stops where it may."""
    method = Freeze(trainable_layers=layers).resolve(LLAMA)
    flops = method.step_flops(LLAMA, 2, context_length)
    assert flops < Full().step_flops(LLAMA, 2, context_length)
    if layers > 1:
        frozen = LLAMA.layers - layers + 1
        assert Freeze(frozen_layers=frozen).resolve(LLAMA) == Freeze(trainable_layers=layers - 1)
        assert Freeze(trainable_layers=layers - 1).step_flops(LLAMA, 2, context_length) < flops


def test_a_lora_costs_two_thirds_of_training_everything() -> None:
    """No gradients of weights; the adapters themselves add little."""
    ratio = LoRA().resolve(LLAMA).step_flops(LLAMA, 1, 1024) / Full().step_flops(LLAMA, 1, 1024)
    assert ratio == pytest.approx(2 / 3, rel=0.03)


def test_methods_that_differ_in_start_or_optimizer_cost_what_lora_costs() -> None:
    """Only DoRA adds work: its norms, once a pass, and its magnitudes."""
    lora, *others, dora = (m.resolve(LLAMA) for m in (LoRA(), LoRAPlus(), RSLoRA(), PiSSA(), DoRA()))
    for other in others:
        assert other.trainable_parameters(LLAMA) == lora.trainable_parameters(LLAMA)
        assert other.step_flops(LLAMA, 2, 512) == lora.step_flops(LLAMA, 2, 512)
    norms = [dora.step_flops(LLAMA, n, 512) - lora.step_flops(LLAMA, n, 512) for n in (1, 4)]
    assert norms[0] == norms[1] > 0


@pytest.mark.parametrize(
    ("method", "message", "hint"),
    [
        (LoRA(targets=["query_key_value"]), "no layer has a linear called query_key_value", "q_proj, k_proj"),
        (Freeze(trainable_layers=33), "the model has 32 layers", "1 to 32"),
        (Freeze(frozen_layers=32), "the model has 32 layers", "1 to 32"),
        (PiSSA(rank=2000), "only 1024 singular values", "up to 1024"),
        (OFT(block_size=24), "does not divide the 4096 inputs of q_proj", "block_size="),
    ],
    ids=str,
)
def test_what_cannot_be_applied_to_a_model_is_refused_for_it(method: Method, message: str, hint: str) -> None:
    """With what would be allowed."""
    with pytest.raises(Unsupported, match=message) as refused:
        method.resolve(LLAMA)
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: LoRA(rank=0), "must be a whole number of at least 1"),
        (lambda: LoRA(dropout=1), "must be at least 0 and below 1"),
        (lambda: LoRA(targets="q_proj"), "must be a list of names"),
        (lambda: LoRA(targets=[]), "must be a list of names"),
        (lambda: LoRAPlus(ratio=0), "must be a number above 0"),
        (lambda: Freeze(trainable_layers=2, frozen_layers=8), "give one of them"),
        (lambda: Freeze(frozen_layers=0), "must be a whole number of at least 1"),
        (lambda: OFT(block_size=1), "leaves nothing to turn"),
        (lambda: AdaLoRA(rank=16), "more than the initial_rank=12"),
    ],
)
def test_a_value_that_is_never_allowed_is_refused_where_it_is_declared(
    declare: Callable[[], object], message: str
) -> None:
    """Before any model is known."""
    with pytest.raises(StudyError, match=message):
        declare()


def test_an_open_method_prices_nothing() -> None:
    """Targets and layers are names and numbers only once a model is known."""
    for method in (LoRA(), Freeze()):
        with pytest.raises(ValueError, match=r"resolve\(model\) first"):
            method.trainable_parameters(LLAMA)


def test_a_side_is_split_as_peft_splits_it() -> None:
    """LoKr of a prime number of outputs keeps them whole."""
    names = ["q_proj"]
    assert LoKr(targets=names).added_parameters(LLAMA, LLAMA.linears[0]) == 64 * 64 + 8 * 128
    assert LoHa(targets=names).added_parameters(LLAMA, LLAMA.linears[0]) == 2 * 8 * 8192


def test_what_adalora_saves_is_known_only_after_training() -> None:
    """The ranks that are left of each target are what it learns."""
    assert AdaLoRA().resolve(LLAMA).adapter_bytes(LLAMA) is None
