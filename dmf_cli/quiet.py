"""Large libraries are loaded without their greetings."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from dmf_cli.errors import debugging

STDERR = 2
_kept: list[int] = []  # the file of standard error while it is quiet


def stderr() -> int:
    """The file of standard error, also inside :func:`quiet`."""
    return _kept[0] if _kept else STDERR


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what C++ libraries write to stderr while they load (``DMF_DEBUG=1`` shows it).

    TensorFlow greets with half a page about CUDA and oneDNN that no setting of its own turns off.
    """
    if debugging() or _kept:
        yield
        return
    sys.stderr.flush()
    _kept.append(os.dup(STDERR))
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), STDERR)
    try:
        yield
    finally:
        os.dup2(_kept[0], STDERR)
        os.close(_kept.pop())
