"""Which key is meant by the last part of its name alone, or by what people call it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dmf_cli import conf_files
from dmf_cli.config import keys

MOST = 4  # keys that a message names


def whole_keys(name: str, spoken: str | None, config: Any) -> list[str]:
    """The keys that end in ``name``, or that people call so: ``trainer.epochs`` for ``epochs``.

    Those of the config come first, then those of other options, with the choices that would bring them.

    Args:
        name: what was typed, without a dot.
        spoken: the key, or the end of it, that people mean by it.
        config: the config without its overrides of keys; None: none can be composed.
    """
    known = leaves(config or {})
    own = [*_ending(known, name), *(_ending(known, spoken) if spoken else ())]
    groups = {key.partition(".")[0] for key in own}
    others = {
        key: f"{key} (of {joined(choices)})"
        for key, choices in keys.of_options().items()
        if (key.endswith(f".{name}") or key == spoken)
        and not _is_choice(key)
        and key.partition(".")[0] not in groups
    }
    return [*dict.fromkeys(own), *others.values()][:MOST]


def leaves(config: Any) -> list[str]:
    """The keys of ``config`` that have values, without those that the choice of an option sets."""
    return [key for key in _leaves(config) if not _is_choice(key)]


def _ending(known: Iterable[str], name: str) -> list[str]:
    """The keys that are or end in ``name``; optimizer.x rather than loss.terms.bce.x."""
    ending = [key for key in known if key == name or key.endswith(f".{name}")]
    return [key for key in ending if key.count(".") == 1] or ending


def _is_choice(key: str) -> bool:
    """``model.name`` and the like, which model=NAME chooses; datasets alone may be called as one likes."""
    group, _, rest = key.partition(".")
    return rest == "name" and group != "dataset" and group in conf_files.groups()


def joined(choices: Sequence[str]) -> str:
    """``dataset=busi|folder``."""
    group = choices[0].partition("=")[0]
    return f"{group}={'|'.join(choice.partition('=')[2] for choice in choices)}"


def _leaves(node: Any, prefix: str = "") -> Iterator[str]:
    for key in node:
        whole, value = f"{prefix}{key}", None if _unset(node, key) else node[key]
        if hasattr(value, "keys") and value:
            yield from _leaves(value, f"{whole}.")
        else:
            yield whole


def _unset(node: Any, key: Any) -> bool:
    """Whether it is still to be given or refers to something: no keys to look into."""
    return isinstance(node, DictConfig) and (
        OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key)
    )
