"""What a plan should say of a cell that can be built, but is not quite what its name promises."""

from __future__ import annotations

from effdsl.shapes import DEEPEST, SHALLOWEST, Shape, reference_parameters, shape_for
from effdsl.techniques.architecture import Architecture
from effdsl.units import Count

FAR_IN_SIZE = 0.2
FAR_IN_RATIO = 1.25


def remark_on(
    scale: Count, ratio: float | None, architecture: Architecture, vocab_size: int, context_length: int
) -> str:
    """Remarks on ``architecture`` where ``scale`` was asked for, separated by ``"; "``; usually none.

    Args:
        ratio: the aspect ratio that was chosen, if any.
    """
    shape = shape_for(scale, vocab_size, ratio)
    remarks = (
        architecture.remark(context_length),
        _size(scale, architecture, shape, context_length),
        "" if ratio is None else _ratio(scale, ratio, shape),
    )
    return "; ".join(filter(None, remarks))


def _size(scale: Count, architecture: Architecture, shape: Shape, context_length: int) -> str:
    """How far the parameters that a token meets are from the transformer's with its usual parts."""
    parameters = architecture.parameters(context_length)
    active = architecture.active_parameters(context_length)
    share = active / reference_parameters(shape) - 1
    if abs(share) <= FAR_IN_SIZE:
        return ""
    what = "parameters" if active == parameters else "active parameters"
    return f"{abs(share):.0%} {'more' if share > 0 else 'fewer'} {what} than {scale}'s usual transformer"


def _ratio(scale: Count, asked: float, shape: Shape) -> str:
    """What the nearest shape makes of the ratio that was asked for, where that is far from it."""
    found = shape.hidden_size / shape.layers
    if max(asked / found, found / asked) <= FAR_IN_RATIO:
        return ""
    return f"a ratio of {asked:g} was asked for, the nearest at {scale} is {found:.3g}"


def ratios_at(scale: Count, vocab_size: int) -> str:
    """Which aspect ratios are which shape at ``scale``, for who asked for two that are the same."""
    found: dict[str, list[int]] = {}
    for ratio in range(DEEPEST, SHALLOWEST + 1):
        shape = shape_for(scale, vocab_size, float(ratio))
        found.setdefault(f"{shape.layers} x {shape.hidden_size}", []).append(ratio)
    if len(found) == 1:
        return f"every ratio is {next(iter(found))} at {scale}; another scale has more shapes"
    ranges = (
        f"{ratios[0]} to {ratios[-1]} is {name}" if len(ratios) > 1 else f"{ratios[0]} is {name}"
        for name, ratios in found.items()
    )
    return f"at {scale} a ratio of {', '.join(ranges)}"
