"""The ``dataset`` group of a function that yields cases: its parameters beside the keys of a table."""

from typing import Any

from dmf_cli import conf_files
from dmf_cli.config.headers import key_comments
from dmf_cli.errors import PluginError
from dmf_cli.parts.definitions import Definition

TAKEN = ("name", "kind", "params")
OF_TABLES = ("table", "dir", "columns")


def group(part: Definition) -> dict[str, Any]:
    """The keys of ``dataset=NAME`` with their defaults.

    A parameter that is called like a key of every dataset, such as ``classes``, is that key: its default
    counts, and the function gets the value.

    Raises:
        PluginError: a parameter has the name of a key that means something else.
    """
    import yaml

    if taken := [key for key in part.parameters if key in TAKEN]:
        raise PluginError(
            f"{part.place}: dataset {part.name!r} has a parameter {taken[0]!r}",
            path=part.file,
            key=taken[0],
            hint=f"dataset.{taken[0]} means something else, give it another name",
        )
    of_table = yaml.safe_load(_file().read_text(encoding="utf-8"))
    shared = {key: value for key, value in of_table.items() if key not in OF_TABLES}
    shared |= {key: value for key, value in part.defaults.items() if key in shared}
    return {**part.defaults, **shared, "name": part.name, "kind": "own"}


def meanings() -> dict[str, str]:
    """Key -> what it means, of those that every dataset of this kind has."""
    return {**key_comments(_file()), "kind": "how it is opened: by the function or class of that name"}


def _file() -> Any:
    return conf_files.conf_dir() / "dataset" / "table.yaml"
