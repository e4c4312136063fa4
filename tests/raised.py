"""``pytest.raises`` for the errors of ``dmf``: by their fields, and not by the words of their line."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from dmf_cli.errors import DmfError


@contextlib.contextmanager
def raises(kind: type[DmfError], **fields: Any) -> Iterator[pytest.ExceptionInfo[DmfError]]:
    """Expect a ``kind`` with these fields: ``key`` and ``value`` are equal, of another the text is a part.

    Example:
        >>> with raises(ConfigError, key="trainer.epochs", value=0):
        ...     config.compose(["trainer.epochs=0"])
    """
    with pytest.raises(kind) as caught:
        yield caught
    for name, wanted in fields.items():
        given = getattr(caught.value, name)
        part = isinstance(wanted, str) and name not in ("key", "value")
        fits = wanted in str(given) if part else given == wanted
        assert fits, f"{name} is {given!r} and not {wanted!r}: {caught.value}"
