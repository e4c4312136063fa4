"""Large libraries are loaded without their greetings."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from dmf_cli.errors import debugging


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what C++ libraries write to stderr while they load (``DMF_DEBUG=1`` shows it).

    TensorFlow greets with half a page about CUDA and oneDNN that no setting of its own turns off.
    """
    if debugging():
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
