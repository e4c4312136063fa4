"""Runs whose figures are composed and not drawn: to draw five of them takes a fifth of a tiny run.

That they are drawn as they should be is looked at by tests/figures and tests/smoke.
"""

import contextlib
import io
from collections.abc import Iterator

import pytest
from PIL import Image

from dmf_cli.figures import style
from dmf_cli.files import write_atomic


@contextlib.contextmanager
def undrawn() -> Iterator[None]:
    """A picture of one pixel is written for each figure."""
    pixel = io.BytesIO()
    Image.new("L", (1, 1)).save(pixel, "png")
    with pytest.MonkeyPatch.context() as patch:  # not the test's own, which some undo
        patch.setattr(style, "save", lambda path, figure: write_atomic(path, pixel.getvalue()))
        yield
