"""The README's pictures: what each technique of a study costs and gives, and how its loss falls.

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
from effdsl_analysis import rank
from effdsl_analysis.questions.rank.ranking import Ranking
from effdsl_registry.store import Store
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from effdsl.metrics import Metric, quality_of

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito

QUALITY = "SELECT max(stage) FROM results JOIN study_tasks t USING (key) WHERE t.study = ?"
POINTS = """
SELECT t.technique, {quality}, al_s_per_iter * 1000
FROM results JOIN study_tasks t USING (key)
WHERE outcome = 'ok' AND t.study = ?
"""
CURVES = """
SELECT t.technique, step, avg(loss)
FROM loss_curves JOIN study_tasks t USING (key)
WHERE kind = 'train' AND t.study = ?
GROUP BY ALL ORDER BY t.technique, step
"""
STEPS_SMOOTHED = 5
MS = 1000
Point = tuple[str, float, float]


def main(study: str, target: Path) -> None:
    store = Store.find()
    with store.reading() as connection:
        quality = quality_of(connection.execute(QUALITY, [study]).fetchone()[0])[0]
        points = connection.execute(POINTS.format(quality=quality.name), [study]).fetchall()
        curves = connection.execute(CURVES, [study]).fetchall()
    if not points:
        raise SystemExit(f"no results of {study!r} in {store.root}")
    techniques = sorted({row[0] for row in points})
    colour = dict(zip(techniques, COLOURS, strict=False))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.3), layout="constrained")
    draw_points(left, points, rank(store, study, metrics=["al_s_per_iter", quality.name]), colour, quality)
    draw_curves(right, curves, colour)
    names = [Line2D([], [], color=colour[name], marker="o", linewidth=2, label=name) for name in techniques]
    figure.legend(handles=names, loc="outside upper center", ncols=len(names), frameon=False)
    figure.savefig(target, dpi=130)


def draw_points(
    axes: Axes, rows: Sequence[Point], ranking: Ranking, colour: dict[str, str], quality: Metric
) -> None:
    """Every repeat as a dot, the mean with its 95% intervals as a cross: quality against time."""
    found = {block.metric.name: {cell.technique: cell for cell in block.ranked} for block in ranking.blocks}
    times, qualities = found["al_s_per_iter"], found[quality.name]
    for technique in colour:
        mine = [row for row in rows if row[0] == technique]
        axes.scatter(
            [row[2] for row in mine], [row[1] for row in mine], s=16, color=colour[technique], alpha=0.6
        )
        time, value = times[technique], qualities[technique]
        axes.errorbar(
            MS * time.mean,
            value.mean,
            xerr=None if time.low is None else MS * (time.mean - time.low),
            yerr=None if value.low is None else value.mean - value.low,
            color=colour[technique],
            elinewidth=1.8,
            capsize=4,
        )
    axes.set(xlabel="AL, ms per iteration (lower is better)", ylabel=f"{quality.label} (lower is better)")
    axes.set_title("dots: repeats; crosses: means with 95% intervals", fontsize=10)
    axes.grid(alpha=0.3)


def draw_curves(axes: Axes, rows: Sequence[tuple[str, int, float]], colour: dict[str, str]) -> None:
    """Training loss, mean over repeats and a few neighbouring points."""
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for technique, step, loss in rows:
        curves[technique].append((step, loss))
    for technique, curve in curves.items():
        losses = [loss for _, loss in curve]
        smooth = [fmean(losses[max(0, i - STEPS_SMOOTHED) : i + 1]) for i in range(len(losses))]
        axes.plot([step for step, _ in curve], smooth, color=colour[technique], linewidth=1.5)
    axes.set(xlabel="optimizer step", ylabel="training loss, nats per token")
    axes.set_title("mean over repeats", fontsize=10)
    axes.grid(alpha=0.3)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
