"""The README's picture: what each technique costs and gives, and how its loss falls.

python benchmarks/plot_study.py small/attention docs/attention.png
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from effdsl_registry.store import Store
from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito

POINTS = """
SELECT technique, seed, ppl, al_s_per_iter * 1000, amu_gb
FROM results
WHERE outcome = 'ok' AND key IN (SELECT key FROM study_tasks WHERE study = ?)
ORDER BY technique, seed
"""
CURVES = """
SELECT technique, step, avg(loss)
FROM loss_curves JOIN results USING (key)
WHERE kind = 'train' AND key IN (SELECT key FROM study_tasks WHERE study = ?)
GROUP BY ALL ORDER BY technique, step
"""
STEPS_SMOOTHED = 5
Point = tuple[str, int, float, float, float]


def main(study: str, target: Path) -> None:
    with Store.find().reading() as connection:
        points = connection.execute(POINTS, [study]).fetchall()
        curves = connection.execute(CURVES, [study]).fetchall()
    if not points:
        raise SystemExit(f"no results of {study!r} in {Store.find().root}")
    techniques = sorted({row[0] for row in points})
    colour = dict(zip(techniques, COLOURS, strict=False))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    draw_points(left, points, colour)
    draw_curves(right, curves, colour)
    figure.savefig(target, dpi=130)


def draw_points(
    axes: Axes, rows: Sequence[tuple[str, int, float, float, float]], colour: dict[str, str]
) -> None:
    """Every repeat as a dot, the mean as a ring: perplexity against time."""
    for technique in colour:
        mine = [row for row in rows if row[0] == technique]
        times, ppls = [row[3] for row in mine], [row[2] for row in mine]
        axes.scatter(times, ppls, s=16, color=colour[technique], alpha=0.6)
        axes.scatter(
            fmean(times), fmean(ppls), s=120, facecolors="none", edgecolors=colour[technique], linewidths=2
        )
        axes.annotate(technique, (fmean(times), fmean(ppls)), (8, 6), textcoords="offset points")
    axes.set(xlabel="AL, ms per iteration (lower is better)", ylabel="held-out perplexity (lower is better)")
    axes.set_title("dots: repeats; rings: means", fontsize=10)
    axes.grid(alpha=0.3)


def draw_curves(axes: Axes, rows: Sequence[tuple[str, int, float]], colour: dict[str, str]) -> None:
    """Training loss, mean over repeats and a few neighbouring points."""
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for technique, step, loss in rows:
        curves[technique].append((step, loss))
    for technique, curve in curves.items():
        losses = [loss for _, loss in curve]
        smooth = [fmean(losses[max(0, i - STEPS_SMOOTHED) : i + 1]) for i in range(len(losses))]
        axes.plot(
            [step for step, _ in curve], smooth, color=colour[technique], label=technique, linewidth=1.5
        )
    axes.set(xlabel="optimizer step", ylabel="training loss, nats per token")
    axes.set_title("mean over repeats", fontsize=10)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
