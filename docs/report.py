"""The README's first picture: parts of the report, as Chromium shows them.

effdsl report -o report.html
PYTHONPATH=tests/analysis/report python docs/report.py report.html docs/report.png
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import chromium
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

WIDTH = 700
GAP = 26
SCALE = 2
COLUMNS = (
    (
        "#printed .rankings > :nth-child(1)",
        "#printed .rankings > :nth-child(5)",
        "#printed .rankings > :nth-child(9)",
    ),
    ("#printed .tradeoff", "#claims .bar", "#claims table.claims"),
)
"""What stands below what, in each column."""

TALLEST = {"#claims table.claims": 298}
PREPARE = """
document.documentElement.style.setProperty('scrollbar-width', 'none');
for (const id of ['C2', 'C5', 'C15', 'C38'])
  [...document.querySelectorAll('#claims table.claims tbody tr')]
    .find(row => row.cells[0].textContent === id).dataset.kept = '1';
for (const row of document.querySelectorAll('#claims table.claims tbody tr'))
  if (!row.dataset.kept) row.remove();
document.querySelectorAll('#claims details').forEach((d, i) => { d.open = i === 0; });
"""


def main(report: Path, target: Path) -> None:
    with chromium.page() as page:
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH, height=1000, deviceScaleFactor=SCALE, mobile=False,
        )  # fmt: skip
        page.open(report)
        page.ask(PREPARE)
        columns = [[part(page, selector) for selector in column] for column in COLUMNS]
    stacked = [np.concatenate([padded(image) for image in column]) for column in columns]
    height = max(len(column) for column in stacked)
    whole = np.concatenate([filled(column, height) for column in stacked], axis=1)
    plt.imsave(target, np.clip(whole, 0, 1))


def part(page: chromium.Page, selector: str) -> NDArray[np.float32]:
    """One element of the page."""
    box = page.ask(
        f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView();"
        "return new Promise(done => setTimeout(() => { const b = e.getBoundingClientRect();"
        "done({x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height}) }, 400)) })()"
    )
    box["height"] = min(box["height"], TALLEST.get(selector, box["height"]))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part.png"
        page.picture(file, clip={**box, "scale": 1}, captureBeyondViewport=True)
        return plt.imread(io.BytesIO(file.read_bytes()))[..., :3]


def padded(image: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = np.ones((len(image) + 2 * GAP, WIDTH * SCALE, 3), np.float32)
    left = (wide.shape[1] - image.shape[1]) // 2
    wide[GAP : GAP + len(image), left : left + image.shape[1]] = image
    return wide


def filled(image: NDArray[np.float32], height: int) -> NDArray[np.float32]:
    return np.concatenate([image, np.ones((height - len(image), *image.shape[1:]), np.float32)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
