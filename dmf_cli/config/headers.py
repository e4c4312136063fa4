"""What the comments of a YAML file say: its header, and the meaning of each key.

    # Title: what it is, in one line.
    # Source: where it comes from.
    # Note: what else is known of it.
    # Run: the command that uses it.
    # Time: how long it takes, of experiments.
    key: value  # meaning

Read as text, because a YAML parser throws comments away. ``dmf list`` and ``dmf train --help`` show them.
"""

import dataclasses
import re
from pathlib import Path

_KEY = re.compile(r"^(\s*)([A-Za-z_][\w]*):(?:\s|$)")
_COMMENT = re.compile(r"\s#\s+((?:(?!\s#\s).)+)$")
_FIELD = re.compile(r"^(Source|Note|Run|Time):\s*(.*)$")


@dataclasses.dataclass(frozen=True)
class Header:
    """The header comment of a YAML file; empty strings for what it does not say."""

    title: str = ""
    source: str = ""
    run: str = ""
    time: str = ""
    note: str = ""


def read_header(path: Path) -> Header:
    """The header of the YAML file at ``path``; lines that continue a field are joined to it."""
    fields, current = dict.fromkeys(("title", "source", "note", "run", "time"), ""), "title"
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.lstrip("#").strip()
        if text.startswith("@"):  # Hydra's own header, such as "@package _global_"
            continue
        match = _FIELD.match(text)
        if match:
            current, text = match[1].lower(), match[2]
        fields[current] = f"{fields[current]} {text}".strip()
    fields["title"] = fields["title"].removeprefix("Title: ")
    return Header(**fields)


def key_comments(path: Path) -> dict[str, str]:
    """Dotted key -> meaning, for each key of the YAML file at ``path`` ("" where there is none).

    Hydra's list of ``defaults`` is no key of the config.
    """
    found: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        key = _KEY.match(line)
        if key is None:
            continue
        indent = len(key[1])
        parents = [p for p in parents if p[0] < indent]
        parents.append((indent, key[2]))
        comment = _COMMENT.search(line)
        found[".".join(name for _, name in parents)] = comment[1] if comment else ""
    found.pop("defaults", None)
    return found
