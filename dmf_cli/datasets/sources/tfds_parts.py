"""Which images of a set of tensorflow-datasets are trained, validated and tested on."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow_datasets as tfds

from dmf_cli.errors import ConfigError, UnknownNameError

# What tensorflow-datasets calls our parts, by custom.
CUSTOM = {"train": ("train",), "val": ("validation", "val"), "test": ("test",)}


class Place(NamedTuple):
    """Where an image is: a split of the set, and its position there."""

    split: str
    position: int


def places_of(info: Any, parts: str | Mapping[str, str]) -> dict[str, list[Place]]:
    """Part -> its images; one part ``all`` without a division."""
    if isinstance(parts, str) and parts not in ("own", "pool"):
        raise UnknownNameError("dataset.parts", parts, ["own", "pool", "{train: ..., val: ..., test: ...}"])
    if not isinstance(parts, str):
        if set(parts) != set(CUSTOM) or not all(parts.values()):
            raise ConfigError(
                key="dataset.parts",
                value=dict(parts),
                allowed="train, val and test, as {train: 'train[:80%]', val: 'train[80%:]', test: test}, or "
                "own, or pool",
            )
        found = {part: _slice(info, str(parts[part])) for part in CUSTOM}
        _check_disjoint(found)
        return found
    own = {part: next((n for n in names if n in info.splits), None) for part, names in CUSTOM.items()}
    if parts == "own" and all(own.values()):
        return {part: _slice(info, str(name)) for part, name in own.items()}
    return {"all": [place for name in sorted(info.splits) for place in _slice(info, name)]}


def _slice(info: Any, spec: str) -> list[Place]:
    """The images of a split in the words of tensorflow-datasets, such as ``train[:80%]``."""
    try:
        instructions = tfds.core.ReadInstruction.from_spec(spec).to_absolute(info.splits)
    except (ValueError, AssertionError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"{spec!r} is no split of {info.name} ({reason})", hint=f"it has {', '.join(info.splits)}"
        ) from None
    found = []
    for part in instructions:
        last = info.splits[part.splitname].num_examples if part.to is None else part.to
        found += [Place(part.splitname, i) for i in range(part.from_ or 0, last)]
    if not found:
        raise ConfigError(f"{spec!r} of {info.name} is empty", hint=f"it has {', '.join(info.splits)}")
    return found


def _check_disjoint(found: Mapping[str, Sequence[Place]]) -> None:
    first: dict[Place, str] = {}
    for part, places in found.items():
        for place in places:
            if first.setdefault(place, part) != part:
                raise ConfigError(
                    key="dataset.parts",
                    reason=f"puts {place.split}/{place.position:06d} into {first[place]} and {part}",
                    hint="an image may be in one part only",
                )
