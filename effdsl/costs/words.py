"""Seconds, joules, dollars and grams as people read them; empty for what is not known."""

from __future__ import annotations

import re

from effdsl.costs.price import JOULES_PER_KWH, Price

UNITS_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


def three_digits(number: float) -> str:
    """``2499.6`` as ``2,500``, ``0.01234`` as ``0.0123``: at least three digits, never an exponent."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def duration(seconds: float) -> str:
    """``75`` as ``1m15s``; below a second, the one digit that counts."""
    if 0 < seconds < 0.95:
        return f"{float(f'{seconds:.1g}'):g}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600:,}h{whole % 3600 // 60:02d}m"


def seconds_in(text: str) -> float | None:
    """``1m15s``, ``2h30m``, ``1.5h`` or ``2d`` in seconds: what :func:`duration` writes, and more;
    ``None`` for anything else."""
    found = re.fullmatch(r"\s*".join(rf"(?:([\d,]*\.?\d+)\s*{unit})?" for unit in UNITS_S), text.strip())
    if found is None or not any(found.groups()):
        return None
    return sum(
        float((amount or "0").replace(",", "")) * s
        for amount, s in zip(found.groups(), UNITS_S.values(), strict=True)
    )


def energy(joules: float) -> str:
    """``3.6e6`` as ``1 kWh``; watt-hours below one."""
    kwh = joules / JOULES_PER_KWH
    return f"{three_digits(kwh)} kWh" if kwh >= 1 else f"{three_digits(kwh * 1000)} Wh"


def money(usd: float) -> str:
    """``1234.5`` as ``$1,234.50``."""
    return f"${usd:,.2f}" if usd >= 0.01 or usd == 0 else f"${usd:.2g}"


def emission(gco2e: float) -> str:
    """``1500`` as ``1.5 kg``."""
    return f"{three_digits(gco2e / 1000)} kg" if gco2e >= 1000 else f"{three_digits(gco2e)} g"


def in_words(price: Price) -> dict[str, str]:
    """Time, energy, cost and CO2e of a price, in that order."""
    return {
        "time": "" if price.seconds is None else duration(price.seconds),
        "energy": "" if price.joules is None else energy(price.joules),
        "cost": "" if price.usd is None else money(price.usd),
        "CO2e": "" if price.gco2e is None else emission(price.gco2e),
    }


def time_range(price: Price) -> str:
    """Between which times a price probably lies; empty where that says nothing more than its time."""
    if price.seconds_low is None or price.seconds_high is None:
        return ""
    low, high = duration(price.seconds_low), duration(price.seconds_high)
    return f"{low} to {high}" if low != high else ""
