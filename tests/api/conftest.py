"""One tiny run for all tests here: each training takes seconds."""

import numpy as np
import pytest

import dmf_cli
from dmf_cli.parts import plugins
from tests.undrawn import undrawn

TINY = {
    "dataset": {"count": 24, "size": 32, "image_size": 32},
    "model": {"filters": 2, "depth": 2, "convs": 1},
    "trainer": {"epochs": 2, "batch_size": 4},
    "augment": "none",
    "report": False,
}


def squared(y_true, y_pred, *, power: float = 2.0):
    """Mean power of the error."""
    from keras import ops

    return ops.mean(ops.abs(y_true - ops.cast(y_pred, "float32")) ** power)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("DMF_DISPLAY", "quiet")
    with plugins.isolated(), undrawn():
        yield


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Trained with the function above, which is in no file that a config could name."""
    with pytest.MonkeyPatch.context() as patch, plugins.isolated(), undrawn():
        patch.setenv("DMF_DISPLAY", "quiet")
        place = tmp_path_factory.mktemp("api") / "run"
        terms = {"squared": squared, "ce": "ce"}
        return dmf_cli.train(loss=terms, run_dir=place, **{**TINY, "loss.terms.squared.power": 1.5})


@pytest.fixture
def image():
    """Of another size than the network takes."""
    return np.random.default_rng(0).integers(0, 256, (50, 40), dtype=np.uint8)
