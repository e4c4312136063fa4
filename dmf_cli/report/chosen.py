"""What a run chose on its validation images in place of ``auto``, for its page."""

from collections.abc import Mapping
from typing import Any

from dmf_cli.report.table import cell


def described(found: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """``temperature 1.313 (ECE 0.081, then 0.022), by 58 validation images``; empty if nothing was.

    Args:
        found: the contents of ``prediction.json``: settings, as words of the command line -> what was chosen.
        config: of the run; the first of ``found`` whose settings are all its own is taken. Others are of
            `dmf eval` with other settings.
    """
    own = {word.lower() for word in _words(config)}
    for asked, choice in found.items():
        if isinstance(choice, Mapping) and all(word in own for word in asked.split()):
            return _said(choice)
    return ""


def _words(config: Mapping[str, Any]) -> list[str]:
    return [
        f"{group}.{key}={value}"
        for group, values in config.items()
        if isinstance(values, Mapping)
        for key, value in values.items()
    ]


def _said(choice: Mapping[str, Any]) -> str:
    values, ece = choice.get("values"), choice.get("ece")
    if not isinstance(values, Mapping) or not values:
        return ""
    parts = [f"{key} {cell(value).text}" for key, value in values.items()]
    if isinstance(ece, Mapping):
        before, after = (cell(ece.get(when)).text for when in ("before", "after"))
        parts = [f"{p} (ECE {before}, then {after})" if p.startswith("temperature") else p for p in parts]
    return f"{', '.join(parts)}, by {choice.get('images')} validation images"
