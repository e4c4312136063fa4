"""Metrics and settings in words that people read aloud; the command line has its own."""

import re
from collections.abc import Sequence

from dmf_cli.comparison.settings import NAMES, Label
from dmf_cli.terminal.formats import significant

# Values of these are read alone: "var" says more quickly what it is than "weighting=var".
_CLEAR = ("weighting", "loss", "model")
_LABELS = {
    "dice": "Dice", "iou": "IoU", "f1": "F1", "fpr": "false positive rate", "fnr": "false negative rate",
    "npv": "NPV", "cb_dice": "CB-Dice", "hd95": "HD95", "assd": "ASSD", "nsd": "NSD",
    "lesion_sensitivity": "lesion recall", "lesion_fp": "false positives per image", "ece": "ECE",
}  # fmt: skip


def metric(name: str) -> str:
    """``foreground.dice`` as ``Dice``, ``class.malignant.hd95_mm`` as ``HD95 of malignant``."""
    scope, _, leaf = name.rpartition(".")
    leaf = leaf.removesuffix("_mm")
    said = _LABELS.get(leaf, leaf.replace("_", " "))
    if scope.startswith("class."):
        return f"{said} of {scope.removeprefix('class.')}"
    return f"mean {said}" if scope == "mean" else said


def amount(size: float, name: str) -> str:
    """``0.014 Dice``, ``1.4 px HD95``, ``1 false positive per image``: in the unit of the metric ``name``."""
    said, shown, unit = metric(name), significant(size), _unit(name)
    said = said.replace("positives", "positive") if shown == "1" else said
    return " ".join(part for part in (shown, unit, said) if part)


def heading(name: str) -> str:
    """A metric at the head of a column: ``Dice``, ``HD95 (px)``, ``False positives per image``."""
    said, unit = metric(name), _unit(name)
    return f"{said[0].upper()}{said[1:]}" + (f" ({unit})" if unit else "")


def _unit(name: str) -> str:
    leaf = name.rsplit(".", 1)[-1]
    return "mm" if leaf.endswith(("hd95_mm", "assd_mm")) else "px" if leaf in ("hd95", "assd") else ""


def setting(label: Label, others: Sequence[Label] = ()) -> str:
    """``var, cbdice + bce, epochs 40`` for ``weighting=var, loss=cbdice+bce, trainer.epochs=40``.

    Args:
        label: what the setting is.
        others: all labels; a key whose last part another key shares is written in full.
    """
    keys = {key for one in (label, *others) for key, _ in one}
    leaves = [key.rsplit(".", 1)[-1] for key in keys]

    def part(key: str, value: str) -> str:
        value = re.sub(r"(?<=\w)([+])(?=\w)", r" \1 ", value)
        leaf = key.rsplit(".", 1)[-1]
        if key in _CLEAR or key in NAMES.values():
            return value
        return f"{(leaf if leaves.count(leaf) == 1 else key).replace('_', ' ')} {value}"

    return ", ".join(part(key, value) for key, value in label) or "all runs"


def listed(names: Sequence[str], most: int = 3, join: str = "and") -> str:
    """``a, b and c``; of more than ``most`` their number."""
    if len(names) > most:
        return f"{len(names)} settings"
    return f" {join} ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
