"""The keys of a config, as tests walk over them."""

from collections.abc import Iterator, Mapping
from typing import Any


def keys_of(node: Mapping[Any, Any], prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every key below ``node``, groups among them."""
    for key, value in node.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from keys_of(value, (*prefix, key))
