"""``prediction.json``: what validation images chose, by the settings that asked for it.

Beside each choice are the network (a hash of its file) and the input that it was made for. A choice for
another network or input, or one that somebody has damaged by hand, does not count.
"""

import json
import logging
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dmf_cli import bounded, hashes
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.errors import RunFolderError
from dmf_cli.files import disk_errors, write_atomic

log = logging.getLogger("dmf")

NAME = "prediction.json"
Entry = dict[str, Any]
# The settings that a field depends on, beside the network and the input; cleaning depends on all.
DEPENDS = {
    "temperature": ("predict.mirror",),
    "threshold": (
        *("predict.mirror", "predict.temperature", "predict.decision"),
        *("metrics.empty", "eval.resolution"),
    ),
}


def read(folder: Path) -> dict[str, Entry]:
    """What was chosen for a run, by the settings that asked for it; nothing if it cannot be read."""
    try:
        found = bounded.read_json(folder / NAME)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(folder: Path, entries: Mapping[str, Entry]) -> None:
    """Keep ``entries``; where nothing can be written, say so and go on."""
    try:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / NAME, json.dumps(entries, indent=2, allow_nan=False) + "\n")
    except RunFolderError as error:
        log.warning("%s; what the validation images chose is not kept", error)


def short(content: str) -> str:
    """What is kept of the hash of a network's file."""
    return content[:12]


def network_hash(files: Iterable[Path]) -> str | None:
    """The first 12 hex digits of the SHA-256 of a network's file, of several that of these; None: no file."""
    try:
        found = [short(hashes.of_file(file)) for file in files]
    except OSError:
        return None
    return found[0] if len(found) == 1 else short(hashes.digest(" ".join(found)))


def input_of(spec: InputSpec) -> dict[str, Any]:
    """How images become inputs, by the keys of the ``dataset`` group, JSON-able."""
    return {
        "image_size": list(spec.size),
        "resize": spec.resize,
        "normalize": spec.normalize,
        "channels": spec.channels,
        "patch": None if spec.patch is None else list(spec.patch),
        "range": None if spec.reading.limits is None else list(spec.reading.limits),
    }


def known(entries: Mapping[str, Any], key: str, whose: Entry, wanted: Iterable[str]) -> Entry:
    """``values`` of the fields ``wanted`` that were chosen before, and what was kept beside them.

    Args:
        entries: of :func:`read`.
        key: the settings that ask now.
        whose: ``network`` and ``input`` that they ask for.
        wanted: the fields.
    """
    found: Entry = {"values": {}}
    mine = _words(key)
    fitting = {
        k: e for k, e in entries.items() if _is_sound(e) and {n: e.get(n, ...) for n in whose} == whose
    }
    for name in wanted:
        needs = DEPENDS.get(name)
        for other, entry in fitting.items():
            theirs = _words(other)
            same = other == key if needs is None else all(theirs.get(n) == mine.get(n) for n in needs)
            if same and name in entry["values"]:
                found["values"][name] = entry["values"][name]
                if name == "temperature" and "ece" in entry:
                    found["ece"] = entry["ece"]
                break
    if "decided" in fitting.get(key, {}):  # in place of a threshold
        found["decided"] = fitting[key]["decided"]
    return found


def _words(key: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in key.split() if "=" in word)


def _is_sound(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("values"), dict):
        return False
    return all(_is_value(name, value) for name, value in entry["values"].items())


def _is_value(name: str, value: Any) -> bool:
    """Whether ``value`` can have been chosen for the field ``name``."""
    if name in ("component", "holes"):
        return value in (("all", "largest") if name == "component" else ("keep", "fill"))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return 0 < value < 1 if name == "threshold" else name == "temperature" and value > 0
