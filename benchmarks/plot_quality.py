"""The README's picture of a study of precisions: what fewer bytes cost in loss, checkpoint by checkpoint.

python benchmarks/plot_quality.py small/precision docs/precision.png [REFERENCE]
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


def main(study: str, target: Path, reference: str | None = None) -> None:
    store = Store.find()
    with store.reading() as connection:
        megabytes = dict(connection.execute(BYTES, [study]).fetchall())
    groups = quality(store, study, reference=reference, on=["perplexity"]).groups
    if not groups:
        raise SystemExit(f"no results of {study!r} in {store.root}")
    figure, axes = plt.subplots(figsize=(8, 4.3), layout="constrained")
    colours = iter(mpl.color_sequences["tab10"])
    for difference in groups[0].differences:
        draw(axes, difference, megabytes[difference.technique], next(colours))
    reference = groups[0].differences[0].reference
    axes.scatter(megabytes[reference], 0, marker="D", color="black", zorder=3, label=reference)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(
        xlabel="weights, MB (lower is better)",
        ylabel=f"loss over {reference}'s, nats per token (lower is better)",
        title=f"dots: checkpoints; bars: 95% intervals over them; triangles: told apart from {reference}",
    )
    axes.title.set_fontsize(10)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    figure.savefig(target, dpi=130)


def draw(axes: Axes, found: QualityDifference, megabytes: float, colour: tuple[float, float, float]) -> None:
    """A precision: its checkpoints, their mean and its interval."""
    if found.difference is None:
        return
    dots = [one.difference for one in found.checkpoints]
    axes.scatter([megabytes] * len(dots), dots, s=10, color=colour, alpha=0.6)
    reach = None if found.high is None else found.high - found.difference
    marker, label = "^" if found.resolved else "o", found.technique
    axes.errorbar(
        megabytes, found.difference, yerr=reach, color=colour, marker=marker, capsize=4, label=label
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
