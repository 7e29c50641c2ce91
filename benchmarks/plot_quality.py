"""The README's picture of a study of precisions: what fewer bytes cost in loss, checkpoint by checkpoint.

python benchmarks/plot_quality.py small/precision docs/precision.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from effdsl_analysis import quality
from effdsl_analysis.questions.quality.pairing import QualityDifference
from effdsl_registry.store import Store
from matplotlib.axes import Axes

BYTES = """
SELECT t.technique, avg(weight_bytes) / 1e6
FROM results JOIN study_tasks t USING (key)
WHERE outcome = 'ok' AND t.study = ? AND weight_bytes IS NOT NULL
GROUP BY ALL
"""
RESOLVED, NOT_RESOLVED = "#D55E00", "#0072B2"


def main(study: str, target: Path) -> None:
    store = Store.find()
    with store.reading() as connection:
        megabytes = dict(connection.execute(BYTES, [study]).fetchall())
    groups = quality(store, study, on=["perplexity"]).groups
    if not groups:
        raise SystemExit(f"no results of {study!r} in {store.root}")
    figure, axes = plt.subplots(figsize=(8, 4.3), layout="constrained")
    for difference in groups[0].differences:
        draw(axes, difference, megabytes[difference.technique])
    reference = groups[0].differences[0].reference
    axes.scatter(megabytes[reference], 0, marker="D", color="black", zorder=3)
    axes.annotate(reference, (megabytes[reference], 0), (6, 6), textcoords="offset points")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(
        xlabel="weights, MB (lower is better)",
        ylabel=f"loss over {reference}'s, nats per token (lower is better)",
        title="dots: checkpoints; bars: 95% intervals over them; orange: told apart from " + reference,
    )
    axes.title.set_fontsize(10)
    axes.grid(alpha=0.3)
    figure.savefig(target, dpi=130)


def draw(axes: Axes, found: QualityDifference, megabytes: float) -> None:
    """A precision: its checkpoints, their mean and its interval."""
    if found.difference is None:
        return
    colour = RESOLVED if found.resolved else NOT_RESOLVED
    dots = [one.difference for one in found.checkpoints]
    axes.scatter([megabytes] * len(dots), dots, s=14, color=colour, alpha=0.6)
    reach = None if found.high is None else found.high - found.difference
    axes.errorbar(megabytes, found.difference, yerr=reach, color=colour, marker="_", capsize=4)
    axes.annotate(found.technique, (megabytes, found.difference), (6, 4), textcoords="offset points")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
