"""Tiny runs on the embedded dataset: 32x32 images, 4 filters, a few steps."""

import io

import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli.figures import style as figures
from dmf_cli.files import write_atomic

TINY = (
    "dataset.count=24",
    "dataset.image_size=32",
    "dataset.size=32",
    "model.filters=4",
    "model.depth=2",
    "model.convs=1",
    "augment=none",
    "report=false",
    "trainer.epochs=2",
    "trainer.batch_size=4",
)


@pytest.fixture
def drawn():
    """Whoever asks for this has the figures of a run drawn; they are tests/figures/test_run_figures.py's."""


@pytest.fixture(autouse=True)
def _figures_are_composed_and_not_drawn(request):
    """To draw its five figures takes a third of a tiny run: a picture of one pixel is written for each."""
    if "drawn" in request.fixturenames:
        yield
        return
    pixel = io.BytesIO()
    Image.new("L", (1, 1)).save(pixel, "png")
    with pytest.MonkeyPatch.context() as patch:  # not the test's own, which some undo
        patch.setattr(figures, "save", lambda path, figure: write_atomic(path, pixel.getvalue()))
        yield


@pytest.fixture
def tiny(tmp_path):
    """``tiny("seed=1", ...)`` composes a small run whose folder is ``tmp_path/run``."""

    def compose(*overrides, run="run"):
        places = (f"run_dir={tmp_path / run}", f"output_root={tmp_path / 'outputs'}")
        return configs.compose([*TINY, *places, *overrides])

    return compose
