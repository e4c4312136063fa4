"""How runs made masks of probabilities. It is a setting like any other: they may differ in it, and say so."""

from collections.abc import Mapping
from typing import Any

THRESHOLD = "metrics.threshold"
# What runs did before there was a choice; the keys are those of the group `predict`.
BEFORE = {
    "predict.mirror": False,
    "predict.decision": "threshold",
    "predict.component": "all",
    "predict.holes": "keep",
    "predict.temperature": "none",
}
_WORDS: dict[str, dict[Any, str]] = {
    "predict.mirror": {True: "mirrored", "both": "mirrored on both axes"},
    "predict.component": {"largest": "largest component", "auto": "largest component if better"},
    "predict.holes": {"fill": "holes filled", "auto": "holes filled if better"},
    "predict.temperature": {"auto": "calibrated"},
}


def completed(config: Mapping[str, Any], classes: int = 2) -> dict[str, Any]:
    """The leaves of a config with every key that masks depend on, and no threshold that decides nothing."""
    leaves = {**BEFORE, **config}
    if classes > 2 or leaves["predict.decision"] != "threshold":
        leaves.pop(THRESHOLD, None)
    return leaves


def rule(config: Mapping[str, Any], threshold: float | None, classes: int) -> str:
    """In words, as it was asked for: ``mirrored, threshold auto``; what ``auto`` chose is a result.

    Args:
        config: of :func:`completed`.
        threshold: that of the scores, None where they do not say it.
        classes: background included.
    """
    by = "" if threshold is None else f"threshold {threshold}"
    if config.get(THRESHOLD) == "auto":
        by = "threshold auto"
    if classes > 2:
        by = "likeliest class"
    if config["predict.decision"] == "dice":
        by = "Dice-optimal"
    mirror, *cleaned = (words.get(config[key], "") for key, words in _WORDS.items())
    return ", ".join(part for part in (mirror, by, *cleaned) if part)


def is_of_masks(key: str) -> bool:
    """Whether a key of a setting says how masks are made, and nothing of the training."""
    return key == THRESHOLD or key.startswith("predict.")
