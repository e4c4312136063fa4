"""Tiny runs on the embedded dataset: 32x32 images, 4 filters, a few steps."""

import contextlib

import pytest

from dmf_cli import config as configs
from tests.undrawn import undrawn

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
ENCODER = ((1, 3, 2, 4, 1),) * 4  # the stages of an EfficientNet with one small block at each stride


@pytest.fixture
def drawn():
    """Whoever asks for this has the figures of a run drawn; they are tests/figures/test_run_figures.py's."""


@pytest.fixture(autouse=True)
def _figures_are_composed_and_not_drawn(request):
    with contextlib.nullcontext() if "drawn" in request.fixturenames else undrawn():
        yield


@pytest.fixture
def tiny(tmp_path):
    """``tiny("seed=1", ...)`` composes a small run whose folder is ``tmp_path/run``."""

    def compose(*overrides, run="run"):
        places = (f"run_dir={tmp_path / run}", f"output_root={tmp_path / 'outputs'}")
        return configs.compose([*TINY, *places, *overrides])

    return compose


@pytest.fixture
def small_encoder(monkeypatch):
    """The encoder of ``model=unet_encoder model.pretrained=false`` is small."""
    from dmf_cli.models import _efficientnet_lite  # with Keras, which processes that use this file load later

    monkeypatch.setattr(_efficientnet_lite, "STAGES", ENCODER)
