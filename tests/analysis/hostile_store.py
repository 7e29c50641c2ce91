"""A store whose techniques have names that try to do something on a page."""

from __future__ import annotations

from effdsl_registry.store import Store

from .conftest import Shelf

HOSTILE = "</script><img src=x onerror=alert(1)>"
MARKUP = '<a href="javascript:alert(2)">MLA</a> & <b>x</b> \x1b[31m'


def fill(shelf: Shelf) -> Store:
    """Four techniques with three repeats and loss curves; two have names that try to do something."""
    for technique, ppl, seconds in (
        ("MHA", 50.0, 0.5),
        ("GQA", 50.1, 0.4),
        (HOSTILE, 60.0, 0.6),
        (MARKUP, 45.0, 0.9),
    ):
        for seed in range(3):
            shelf.add(
                technique,
                study="small/attention",
                seed=seed,
                ppl=ppl + seed,
                al_s_per_iter=seconds + 0.01 * seed,
                amu_gb=None if technique == "GQA" else 2.0,
                missing={"amu_gb": "no meter"} if technique == "GQA" else {},
                loss_curve=[(step, 8.0 - step / 50 + seed / 10) for step in range(0, 300, 2)],
            )
    return shelf.store
