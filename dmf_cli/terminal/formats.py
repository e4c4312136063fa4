"""How numbers, durations and intervals are written, in terminals, tables, figures and reports alike."""

import math
from typing import Any


def number(value: Any, digits: int = 4) -> str:
    """``0.8123``, or ``1.2e-05`` where fixed digits would show nothing; ``-`` for a value that is missing."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(float(value))
    small = value != 0 and abs(value) < 10.0**-digits
    return f"{value:.1e}" if small or abs(value) >= 1e5 else f"{value:.{digits}f}"


def score(value: float, sign: str = "", digits: int = 3) -> str:
    """Three decimals, fewer of a large number: ``0.812``, ``12.35``, ``723.5``; a dash for NaN.

    Args:
        value: a score, or a difference of two.
        sign: ``+`` to show it for positive numbers too.
        digits: of a value below 10.
    """
    size = abs(value)
    return decimals(value, digits if size < 10 else 2 if size < 100 else 1, sign)


def decimals(value: float, digits: int, sign: str = "") -> str:
    """A fixed number of decimals; a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:{sign}.{digits}f}"


def spread(mean: float, std: float) -> str:
    """``0.812 ± 0.010``; the mean alone where there is no spread."""
    return score(mean) + ("" if math.isnan(std) else f" ± {score(std)}")


def between(low: float, high: float, sign: str = "") -> str:
    """``[0.790, 0.834]``; a dash where it is not known."""
    return "-" if math.isnan(low) else f"[{score(low, sign)}, {score(high, sign)}]"


def p_value(p: float) -> str:
    """``0.031``, ``<0.001``."""
    return "<0.001" if p < 0.001 else decimals(p, 3)


def significant(size: float) -> str:
    """Two digits that count, never as a power of ten: ``0.014``, ``1.4``, ``120``."""
    text = f"{size:.2g}"
    return f"{float(text):.6f}".rstrip("0").rstrip(".") if "e" in text else text


def percent(part: float, whole: float = 1.0, how: str = ".1f") -> str:
    """``12.5 %``; a dash of nothing.

    Args:
        part: of ``whole``.
        whole: 1 if ``part`` is a share already.
        how: the format of the number.
    """
    return f"{100 * part / whole:{how}} %" if whole else "-"


def count(number: int, noun: str = "") -> str:
    """``1 epoch``, ``1,200 epochs``; without a noun the number alone."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if noun else f"{number:,}"


def duration(seconds: float | None) -> str:
    """``0.8 s``, ``42 s``, ``3:07 min``, ``2:05 h``; ``?`` when it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"
