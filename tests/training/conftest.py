"""Tiny runs on the embedded dataset: 32x32 images, 4 filters, a few steps."""

import pytest

from dmf_cli import config as configs

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
def tiny(tmp_path):
    """``tiny("seed=1", ...)`` composes a small run whose folder is ``tmp_path/run``."""

    def compose(*overrides, run="run"):
        places = (f"run_dir={tmp_path / run}", f"output_root={tmp_path / 'outputs'}")
        return configs.compose([*TINY, *places, *overrides])

    return compose
