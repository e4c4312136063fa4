"""What to write in place of ``--epochs 3``: the settings of dmf are words without dashes."""

import difflib
import re
import shlex
from collections.abc import Iterable, Sequence

from dmf_cli import conf_files
from dmf_cli.errors import UsageError

ROOT = ("seed", "run_dir", "output_root")  # keys beside the groups that other programs have options for
NEAR = 0.6  # of two names, by difflib


def unknown_option(
    typed: str, arguments: Sequence[str], options: Iterable[str], words: Iterable[str], see: str
) -> UsageError:
    """The error for an unknown option.

    Args:
        typed: it, as ``--epochs`` or ``--epochs=3``.
        arguments: the whole command line, in which its value may follow.
        options: those that there are, as ``--multirun``.
        words: keys of the command that are no settings, as ``budget``.
        see: the command that explains the options.
    """
    option, name = typed.partition("=")[0], typed.partition("=")[0].lstrip("-").replace("-", "_")
    value = _value(typed, arguments)
    known = (*conf_files.groups(), *ROOT, *words)
    found = [name] if name.partition(".")[0] in known else _keys(name, arguments)
    if not found:
        given = {one.lstrip("-").replace("-", "_"): one for one in options}
        ends = _ends(arguments) if len(name) > 1 else {}
        near = difflib.get_close_matches(name, [*given, *ends], n=1, cutoff=NEAR)
        if near and near[0] in given:
            return UsageError(
                f"unknown option {option!r}", key=option, hint=f"did you mean {given[near[0]]!r}?"
            )
        found = [ends[near[0]]] if near else []
    if not found:
        return UsageError(f"unknown option {option!r}", key=option, hint=f"see {see}")
    words = " or ".join(_assigned(key, value) for key in found)
    return UsageError(key=option, reason="is no option", hint=f"use {words}")


def _value(typed: str, arguments: Sequence[str]) -> str:
    """What was given with the option, behind = or as the next word."""
    _, equals, value = typed.partition("=")
    if equals:
        return value
    following = arguments[arguments.index(typed) + 1 :] if typed in arguments else []
    return next((one for one in following[:1] if not one.startswith("--") and "=" not in one), "VALUE")


def _keys(name: str, arguments: Sequence[str]) -> list[str]:
    """The keys that end in ``name``, or that people call so."""
    from dmf_cli.config import composer, meant, messages

    spoken = messages.SPOKEN.get(name.lower())
    return meant.whole_keys(name, spoken, composer.base(_overrides(arguments)))


def _ends(arguments: Sequence[str]) -> dict[str, str]:
    """The last part of each key of the config, with the key."""
    from dmf_cli.config import composer, meant

    leaves = meant.leaves(composer.base(_overrides(arguments)) or {})
    return {
        key.rpartition(".")[2]: key for key in sorted(leaves, key=lambda key: key.count("."), reverse=True)
    }


def _overrides(arguments: Sequence[str]) -> list[str]:
    return [one for one in arguments if "=" in one and not one.startswith("-")]


def _assigned(key: str, value: str) -> str:
    """``trainer.epochs=3``, also of a key with a remark behind it."""
    name, space, remark = key.partition(" ")
    word = f"{name}={value}"
    return (word if re.fullmatch(r"[\w.=,+:/~-]*", word) else shlex.quote(word)) + space + remark
