"""The five lines that load a trained network run as they stand, and give the masks of ``dmf predict``."""

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import models
from dmf_cli.cli.main import main
from dmf_cli.run_folder.folder import RunFolder

PAGE = Path(__file__).parents[2] / "docs/howto/load-a-network.md"


def make_run(path: str) -> None:
    """A completed run whose network is far from the same probability everywhere."""
    keras.utils.set_random_seed(3)
    network = models.unet((24, 32, 1), 2, filters=2, depth=2, convs=1)
    for weight in network.trainable_weights:
        weight.assign(weight + 0.5 * np.random.default_rng(0).standard_normal(weight.shape).astype("float32"))
    words = ["dataset=folder", "dataset.dir=.", "dataset.image_size=[24,32]", "trainer.device=cpu"]
    words += ["model.filters=2", "model.depth=2", "model.convs=1"]
    run = RunFolder.claim(path)
    run.write_config(configs.to_yaml(configs.compose(words)))
    run.write_status("completed", best={"epoch": 1, "val_foreground_dice": 0.5})
    run.release()
    network.save(run.best_model)


def test_the_five_lines_give_the_mask_of_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len([line for line in code.splitlines() if line and "import" not in line]) == 5
    monkeypatch.chdir(tmp_path)
    make_run("runs/first")
    pixels = np.random.default_rng(1).integers(0, 255, (17, 23), dtype=np.uint8)
    Image.fromarray(pixels).resize((71, 53), Image.Resampling.BILINEAR).save("photo.png")
    names: dict[str, Any] = {}
    exec(compile(code, PAGE.name, "exec"), names)
    assert main(["predict", "runs/first", "photo.png", "-o", "masks"]) == 0
    with Image.open("masks/masks/photo.png") as image:
        expected = np.asarray(image) > 0
    assert 0 < expected.sum() < expected.size
    np.testing.assert_array_equal(names["mask"], expected)
