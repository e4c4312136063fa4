"""Figures of a comparison as its tables print them."""

import math

from dmf_cli.comparison.intervals import Interval


def between(interval: Interval, sign: str = "") -> str:
    """``[0.790, 0.834]``; a dash where it is not known."""
    if math.isnan(interval.low):
        return "-"
    return f"[{score(interval.low, sign)}, {score(interval.high, sign)}]"


def score(value: float, sign: str = "") -> str:
    """Three decimals, fewer of a large number such as a distance in pixels."""
    size = abs(value)
    return number(value, 3 if size < 10 else 2 if size < 100 else 1, sign)


def number(value: float, digits: int, sign: str = "") -> str:
    """A dash for NaN."""
    return "-" if math.isnan(value) else f"{value:{sign}.{digits}f}"


def p_value(p: float) -> str:
    """``0.031``, ``<0.001``."""
    return "<0.001" if p < 0.001 else number(p, 3)


def spread(mean: float, std: float) -> str:
    """``0.812 ± 0.010``; the mean alone where there is no spread."""
    return score(mean) + ("" if math.isnan(std) else f" ± {score(std)}")
