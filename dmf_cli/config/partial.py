"""Keys that only some of the options have that a sweep chooses: ``weighting=fixed,var weighting.warmup=2``.

Each job gets the keys that its own option has, as ``dmf replay`` does it; a line says which options go
without. A key that none of them has is an error.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dmf_cli import conf_files
from dmf_cli.config import composer, loader
from dmf_cli.config.types import unknown_key

Words = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Applied:
    """The jobs of a sweep as they are trained.

    Args:
        jobs: the overrides of each, without the keys that its options lack; jobs that are the same without
            them are one.
        notes: a line for each key that not all options have.
    """

    jobs: list[list[str]]
    notes: list[str]


def apply(jobs: Sequence[Sequence[str]], shared: Sequence[str] = ()) -> Applied:
    """The keys of ``jobs`` where they exist.

    Args:
        jobs: the overrides of each job.
        shared: overrides of Hydra's own keys, which hold for all.

    Raises:
        ConfigError: a key that no option of its group has (closest match over all of them).
    """
    dropped: list[set[str]] = [set() for _ in jobs]
    notes, known = [], dict[tuple[str, Words], Any]()
    for key in dict.fromkeys(_key(word) for job in jobs for word in job if "." in _key(word)):
        choices = [_choice(key, job) for job in jobs]
        if len(set(choices)) < 2:
            continue
        group = key.partition(".")[0]
        for choice in set(choices):
            if (group, choice) not in known:
                known[group, choice] = _group(group, choice, shared)
        groups = {choice: known[group, choice] for choice in dict.fromkeys(choices)}
        has = {choice: _has(values, key.split(".")[1:]) for choice, values in groups.items()}
        _check_any(key, groups, has)
        if any(has.values()) and not all(has.values()):
            notes.append(_note(key, has))
            for words, choice in zip(dropped, choices, strict=True):
                words |= set() if has[choice] else {key}
    return Applied(_without(jobs, dropped), notes)


def _key(word: str) -> str:
    """Of ``KEY=VALUE``. ``+KEY`` and ``~KEY`` stay as they are, and so are keys of no group."""
    return word.partition("=")[0]


def _choice(key: str, job: Sequence[str]) -> Words:
    """The words of ``job`` that decide which keys the group of ``key`` has; none if it is no group's."""
    group = key.partition(".")[0]
    if group not in conf_files.groups():
        return ()
    words = [loader.as_hydra(word) for word in job]
    return tuple(word for word in words if _key(word) in (group, *conf_files.PRESETS))


def _group(group: str, choice: Words, shared: Sequence[str]) -> Any:
    """The keys of ``group`` with the options of ``choice``, unresolved, as plain data."""
    from omegaconf import OmegaConf

    raw = composer.compose_raw([*choice, *shared])
    return OmegaConf.to_container(raw[group], resolve=False)


def _has(values: Any, parts: Sequence[str]) -> bool:
    """Whether there is such a key; what a reference or a text stands for is not known here."""
    for part in parts:
        if isinstance(values, str):
            return True
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True


def _check_any(key: str, groups: Mapping[Words, Any], has: Mapping[Words, bool]) -> None:
    group, _, rest = key.partition(".")
    if not any(has.values()) and "." not in rest:
        raise unknown_key(f"{group}.", rest, [str(name) for values in groups.values() for name in values])


def _note(key: str, has: Mapping[Words, bool]) -> str:
    """``weighting.warmup is set for weighting=var only: weighting=fixed has no such key``."""
    has = _shortest(key, has)
    with_it, without = ([choice for choice in has if has[choice] is there] for there in (True, False))
    verb = "has" if len(without) == 1 else "have"
    return f"{key} is set for {_names(with_it)} only: {_names(without)} {verb} no such key"


def _shortest(key: str, has: Mapping[Words, bool]) -> Mapping[Words, bool]:
    """By the option of the group alone, unless a preset decides too."""
    group, found = key.partition(".")[0], dict[Words, bool]()
    for choice, there in has.items():
        own = tuple(word for word in choice if _key(word) == group)
        if not own or found.setdefault(own, there) is not there:
            return has
    return found


def _names(choices: Sequence[Words]) -> str:
    """``weighting=var, mad``."""
    words = [" ".join(choice) or "the default" for choice in choices]
    first = words[0].partition("=")[0]
    alike = all(len(choice) == 1 and _key(choice[0]) == first for choice in choices)
    return ", ".join([words[0], *(word.removeprefix(f"{first}=") if alike else word for word in words[1:])])


def _without(jobs: Sequence[Sequence[str]], dropped: Sequence[set[str]]) -> list[list[str]]:
    """``jobs`` without keys; one that is then the same as an earlier one goes too."""
    made: list[list[str]] = []
    for job, keys in zip(jobs, dropped, strict=True):
        words = [word for word in job if _key(word) not in keys]
        if not keys or words not in made:
            made.append(words)
    return made
