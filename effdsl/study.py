"""A study: a declared question. It holds what was written; ``effdsl.plan`` works out what it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import attrs

from effdsl.axes import Axes, Axis
from effdsl.costs.price import Rates
from effdsl.data import Data
from effdsl.declare import Invalid, default_of, evolve, language, transport
from effdsl.engine import Engine
from effdsl.evaluation import Evaluation, Perplexity
from effdsl.hardware import THIS_MACHINE, Hardware, ThisMachine
from effdsl.load import Load
from effdsl.problems import Problem, is_broken, report, spelled
from effdsl.subject import Subject
from effdsl.training import Budget, Recipe
from effdsl.units import Count, plain
from effdsl.validate import at_least_zero, number, optional, text

Override = Budget | Recipe
MOST_REPEATS = 1000


def _distinct(values: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(values)) != len(values) or not all(type(v) is int and 0 <= v < 2**63 for v in values):
        raise Invalid("seeds must be different whole numbers from 0 to 2**63 - 1")
    if not values:
        raise Invalid("needs at least one seed")
    return values


@attrs.frozen(init=False)
class Seeds:
    """The repeats of every cell, by name: ``Seeds(0, 1, 2)``. ``repeats=3`` means just that."""

    values: tuple[int, ...]

    def __init__(self, *values: int) -> None:
        try:
            object.__setattr__(self, "values", _distinct(tuple(map(plain, values))))
        except Invalid as error:
            report(Problem(f"Seeds({', '.join(map(spelled, values))}): {error}", "e.g. Seeds(0, 1, 2)"))
            object.__setattr__(self, "values", (0,))


def _axes(value: Any) -> Any:
    if isinstance(value, Axis):
        value = Axes((value,))
    if not isinstance(value, Axes):
        raise Invalid(f"{spelled(value)} is not an axis", "e.g. axis=Attention([MQA, GQA, MLA])")
    kinds = [type(axis).__name__ for axis in value.axes]
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        raise Invalid(
            f"{', '.join(twice)} appears more than once", "put all techniques of one kind on one axis"
        )
    return value


def _models(value: Any) -> Any:
    listed = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if any(isinstance(model, Study) for model in listed):
        raise Invalid(
            "a study is no model, but trains some", "models=Trained(study), for each model that it trains"
        )
    wrong = [model for model in listed if not is_broken(model) and not isinstance(model, Subject)]
    if wrong:
        raise Invalid(
            f"{', '.join(map(spelled, wrong))}: no model that is declared",
            "axes of pretraining take sizes instead, e.g. scales=[3*M]",
        )
    if len(set(listed)) != len(listed):
        raise Invalid("a model appears more than once")
    return listed


def _scales(value: Any) -> Any:
    listed = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    wrong = [scale for scale in listed if not is_broken(scale) and not _is_scale(scale)]
    if wrong:
        shown = ", ".join(map(repr, wrong))
        raise Invalid(f"{shown}: not a number of parameters above 0, with a unit", "e.g. 3*M or 0.5*B")
    if len(set(listed)) != len(listed):
        raise Invalid("a scale appears more than once")
    return tuple(listed)


def _is_scale(value: object) -> bool:
    return isinstance(value, Count) and value.value > 0


def _seeds(value: Any) -> Any:
    if isinstance(value, Seeds):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_REPEATS:
        raise Invalid(
            f"must be a number of repeats from 1 to {MOST_REPEATS:,}, or Seeds(...)",
            "e.g. repeats=3 or repeats=Seeds(0, 1, 2)",
        )
    return Seeds(*range(value))


def _hardware(value: Any) -> Any:
    if not isinstance(value, (Hardware, ThisMachine)):
        raise Invalid("is not hardware", "e.g. hw=GH200, hw=48 * GH200 or hw=THIS_MACHINE")
    return value


def _per_scale(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise Invalid(
            "must map a scale to what differs there", "e.g. per_scale={3*B: Budget(micro_batch_size=1)}"
        )
    result: dict[Count, tuple[Override, ...]] = {}
    for scale, given in value.items():
        if not _is_scale(scale):
            raise Invalid(f"{scale!r} is not a scale", "e.g. 3*M or 0.5*B")
        overrides = tuple(given) if isinstance(given, (list, tuple)) else (given,)
        if not all(isinstance(o, (Budget, Recipe)) or is_broken(o) for o in overrides):
            raise Invalid(f"at {scale}: {given!r} is neither a Budget nor a Recipe")
        result[scale] = overrides
    return result


def _of(kind: type, example: str) -> Callable[[Any, Any, Any], None]:
    def check(_: Any, field: Any, value: Any) -> None:
        if not isinstance(value, kind):
            raise Invalid(f"is not a {kind.__name__}", f"e.g. {field.name}={example}")

    return check


def _optional_engine(_: Any, field: Any, value: Any) -> None:
    if value is not None and not isinstance(value, Engine):
        raise Invalid("is not an engine", "e.g. engine=Torch()")


def _optional_data(_: Any, field: Any, value: Any) -> None:
    if value is not None and not isinstance(value, Data):
        raise Invalid("is not data", "e.g. data=Shakespeare() or data=LocalText('corpus/*.txt')")


def _evaluations(value: Any) -> Any:
    given = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    listed = tuple(one() if isinstance(one, type) and issubclass(one, Evaluation) else one for one in given)
    wrong = [one for one in listed if not is_broken(one) and not isinstance(one, Evaluation)]
    if wrong:
        raise Invalid(f"{', '.join(map(spelled, wrong))}: no evaluation", "e.g. evaluation=[Perplexity()]")
    names = [name for one in listed if isinstance(one, Evaluation) for name in one.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Invalid(f"{', '.join(twice)}: evaluated more than once", "a score has one column; keep one")
    return listed


def _true_or_false(_: Any, field: Any, value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise Invalid("must be True or False", "leave it out to keep weights of at most 2 GB")


def _callable_or_none(_: Any, field: Any, value: Any) -> None:
    if value is not None and not callable(value):
        raise Invalid("must be a function of a cell", "e.g. keep=lambda cell: cell.scale <= 1.5*B")


@language
class Study:
    """A question: techniques on one or more axes, at some scales, on some hardware.

    Attributes:
        axis: one axis, or a product ``Attention([...]) * Position([...])``.
        scales: parameter counts, e.g. ``[0.5*B, 1.5*B, 3*B]``; each gets a shape by a documented rule.
        hw: hardware, e.g. ``GH200`` or ``48 * GH200``; default the machine that runs the study.
        data: what is trained on; default Shakespeare below 100M parameters, FineWeb-Edu from there on.
        budget: how much is trained; default 20 tokens per parameter.
        recipe: how it is trained; the same for every technique.
        repeats: number of seeds, or ``Seeds(...)``.
        engine: what runs it; default the embedded engine of the stage.
        models: weights that exist, where the stage takes such.
        load: what an inference is asked to do; default one sequence at a time.
        evaluation: how good the models of an inference are found to be; default their perplexity,
            ``[]`` for their speed and memory alone.
        price_per_device_hour: US dollars, for estimates of cost.
        gco2e_per_kwh: grams of CO2e that a kWh of electricity emits, for estimates of emissions.
        keep: a function of a :class:`effdsl.choice.Choice`; combinations for which it is false are left out.
        per_scale: budget or recipe that differs at a scale; what it leaves open stays as above.
        keep_checkpoints: whether trained weights stay in the store; default those of at most 2 GB.
        name: default the file's name.
        notes: free text.
    """

    axis: Axes = transport(converter=_axes)
    scales: tuple[Count, ...] = transport(default=(), converter=_scales)
    hw: Hardware | ThisMachine = transport(default=THIS_MACHINE, converter=_hardware)
    data: Data | None = transport(default=None, validator=_optional_data)
    budget: Budget = transport(factory=Budget, validator=_of(Budget, "Budget(steps=300)"))
    recipe: Recipe = transport(factory=Recipe, validator=_of(Recipe, "Recipe(learning_rate=1e-3)"))
    repeats: Seeds = transport(default=3, converter=_seeds)
    engine: Engine | None = transport(default=None, validator=_optional_engine)
    models: tuple[Subject, ...] = transport(default=(), converter=_models)
    load: Load = transport(factory=Load, validator=_of(Load, "Load(batch_size=8)"))
    evaluation: tuple[Evaluation, ...] = transport(default=(Perplexity(),), converter=_evaluations)
    price_per_device_hour: float | None = transport(
        default=None, converter=number, validator=optional(at_least_zero)
    )
    gco2e_per_kwh: float | None = transport(default=None, converter=number, validator=optional(at_least_zero))
    keep: Callable[[Any], bool] | None = transport(default=None, validator=_callable_or_none)
    per_scale: Mapping[Count, tuple[Override, ...]] = transport(factory=dict, converter=_per_scale)
    keep_checkpoints: bool | None = transport(default=None, validator=_true_or_false)
    name: str = transport(default="", validator=text)
    notes: str = transport(default="", validator=text)

    def __attrs_post_init__(self) -> None:
        if self.per_scale and not self.scales:
            raise Invalid(
                "per_scale= is for the scales= of a study, and this one has none",
                "models that exist share a budget and a recipe: where they differ, write a study for each",
            )
        unknown = [str(scale) for scale in self.per_scale if scale not in self.scales]
        if unknown:
            scales = ", ".join(map(str, self.scales))
            raise Invalid(f"per_scale: {', '.join(unknown)} is not among the scales", f"scales: {scales}")

    OF_SOME_STAGES: ClassVar[tuple[str, ...]] = (
        "scales",
        "models",
        "data",
        "budget",
        "recipe",
        "load",
        "evaluation",
        "per_scale",
    )
    """Fields that only some stages take."""

    def given(self) -> tuple[str, ...]:
        """Which of :attr:`OF_SOME_STAGES` it says something for."""
        return tuple(name for name in self.OF_SOME_STAGES if getattr(self, name) != default_of(Study, name))

    def derive(self, **changes: Any) -> Study:
        """A study like this one with some fields changed; cells that stay the same keep their results.

        Overrides at scales that the new study lacks are dropped.
        """
        scales = _scales(changes.get("scales", self.scales))
        kept = {scale: given for scale, given in self.per_scale.items() if scale in scales}
        return evolve(self, **({"name": "", "per_scale": kept} | changes))

    @property
    def rates(self) -> Rates:
        """What an hour of a device costs and what a kWh emits, where the study says so."""
        return Rates(self.price_per_device_hour, self.gco2e_per_kwh)

    def budget_at(self, scale: Count) -> Budget:
        """The declared budget at ``scale``."""
        budget = self.budget
        for override in self._overrides(scale):
            if isinstance(override, Budget):
                budget = budget.overridden_by(override)
        return budget

    def recipe_at(self, scale: Count) -> Recipe:
        """The declared recipe at ``scale``."""
        recipes = [override for override in self._overrides(scale) if isinstance(override, Recipe)]
        return recipes[-1] if recipes else self.recipe

    def _overrides(self, scale: Count) -> Iterable[Override]:
        return self.per_scale.get(scale, ())

    def _repr_html_(self) -> str:
        from effdsl.display import study_html

        return study_html(self)
