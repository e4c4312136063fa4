"""Values that no key of a config takes, made of what each key says that it takes."""

import copy
import functools
import math
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from dmf_cli import conf_files, config
from dmf_cli.config import checks, dataset_schema, fields, schema
from dmf_cli.parameters import bounds
from tests.bad_inputs.answer import Case
from tests.config.test_absurd import GIVEN, numbers

NEVER_A_NUMBER = {"text": "abc", "nested": [[1]], "mapping": {"a": 1}, "nan": math.nan, "inf": math.inf}
NEVER_A_CHOICE = {"text": "abcde", "nested": [["a"]], "mapping": {"a": 1}, "number": 10**20, "empty": ""}
PARTS = ("model", "weighting", "augment")


def cases() -> Iterator[Case]:
    """Each number beyond its ends and no number, each choice as another, in every option of every group."""
    seen = set()
    for group in conf_files.groups():
        for option in conf_files.options(group) if group not in conf_files.PRESETS else ():
            base = _composed(group, option)
            for key, hint in _hints(base).items():
                for name, value in _wrong(hint).items():
                    said = f"{_owner(base, key)}{key}={name}"
                    if said not in seen and (key.startswith(group) or (group, option) == ("model", "unet")):
                        seen.add(said)
                        yield Case(
                            "value of a config", said, functools.partial(_given, base, key, value), key
                        )


@functools.cache
def _composed(group: str, option: str) -> Mapping[str, Any]:
    return config.compose([f"{group}={option}", *GIVEN.get(option, [])]).plain


def _given(base: Mapping[str, Any], key: str, value: Any, _: Any) -> typing.Callable[[], Any]:
    changed = copy.deepcopy(dict(base))
    *above, last = key.split(".")
    node = functools.reduce(lambda one, name: one[name], above, changed)
    node[last] = value
    return lambda: checks.validate(changed)


def _owner(base: Mapping[str, Any], key: str) -> str:
    """Options of one group may have keys of one name."""
    values = base[key.partition(".")[0]]
    return f"{values.get('name')}: " if isinstance(values, Mapping) and "terms" not in key else ""


def _hints(base: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted key -> annotation, of the keys that ``base`` has."""
    kinds = {group: fields.of_class(kind) for group, kind in schema.PLAIN.items()}
    kinds |= {
        group: fields.of_class(named[base[group]["name"]])
        for group, named in schema.NAMED.items()
        if base.get(group, {}).get("name") in named
    }
    kinds |= {group: fields.of_option(group, base[group]["name"]) for group in PARTS if _is_part(base, group)}
    kinds["dataset"] = fields.of_class(dataset_schema.DATASETS[base["dataset"]["kind"]])
    found = {f"{group}.{key}": hint for group, hints in kinds.items() for key, hint in hints.items()}
    found |= fields.of_class(schema.Root)
    for term in base["loss"]["terms"]:
        found |= {f"loss.terms.{term}.{key}": hint for key, hint in fields.of_term(term).items()}
    return {key: hint for key, hint in found.items() if _has(base, key)}


def _is_part(base: Mapping[str, Any], group: str) -> bool:
    return bool(base.get(group)) and base[group].get("name") not in (None, "none")


def _has(base: Mapping[str, Any], key: str) -> bool:
    node: Any = base
    for name in key.split("."):
        if not isinstance(node, Mapping) or name not in node:
            return False
        node = node[name]
    return not isinstance(node, Mapping)


def _wrong(hint: Any) -> dict[str, Any]:
    found = list(numbers(hint))
    if _is_choice(hint) and not found:
        return NEVER_A_CHOICE
    if len(found) != 1 or typing.get_origin(_plain(hint)) in (list, tuple, dict):
        return {}
    sides = bounds(found[0])
    low, high = sides.get("ge", sides.get("gt")), sides.get("le", sides.get("lt"))
    wrong = {} if low is None else {"below": low - 1}
    wrong |= {} if high is None else {"above": high + 1, "far above": 10**23}
    return {**wrong, **NEVER_A_NUMBER} if not _takes_text(hint) else wrong


def _plain(hint: Any) -> Any:
    """``hint`` without what is annotated."""
    return typing.get_args(hint)[0] if hasattr(hint, "__metadata__") else hint


def _is_choice(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.Literal or hint is bool


def _takes_text(hint: Any) -> bool:
    return hint is Any or any(one in (str, Any, list, dict) or _takes_text(one) for one in _inner(hint))


def _inner(hint: Any) -> list[Any]:
    origin = typing.get_origin(hint)
    inner = [] if origin is typing.Literal else list(typing.get_args(hint))
    return [*inner, *([origin] if origin in (list, tuple, dict) else [])]
