"""``dmf predict`` and ``dmf eval`` of real networks: the same masks, and the mean of several networks."""

import keras
import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import datasets, models
from dmf_cli.cli.main import main
from dmf_cli.datasets.splits import division
from dmf_cli.run_folder.folder import RunFolder
from tests.tables import rows
from tests.undrawn import undrawn

TEST = (3, 4, 5)  # the images that are scored, of six
UNET = ("model.filters=2", "model.depth=2", "model.convs=1")
LARGEST = "predict.component=largest"
SIZES = [(40, 30), (37, 52), (64, 64), (48, 31), (33, 70), (50, 50)]


def pixels(file):
    with Image.open(file) as image:
        return np.asarray(image)


@pytest.fixture
def images(tmp_path):
    """Six noisy images of unlike sizes with a bright blob, and their masks."""
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for number, (height, width) in enumerate(SIZES):
        noise = np.random.default_rng(number).integers(0, 150, (height, width)).astype(np.uint8)
        mask = np.zeros((height, width), np.uint8)
        mask[5 : height // 2, 8 : width - 6] = 255
        Image.fromarray(noise + mask // 3).save(tmp_path / f"images/{number}.png")
        Image.fromarray(mask).save(tmp_path / f"masks/{number}.png")
    return tmp_path


def make_run(path, folder, seed, *words):
    """A completed run, whose network has random weights far from the same probability everywhere."""
    words = ["dataset=folder", f"dataset.dir={folder}", "dataset.masks='masks/{stem}.png'", *words]
    config = configs.compose([*words, "dataset.image_size=32", "trainer.device=cpu"])
    keras.utils.set_random_seed(seed)
    network = getattr(models, config.model.name)((32, 32, 1), 2, **config.model.params)
    rng = np.random.default_rng(seed)
    for weight in network.trainable_weights:
        weight.assign(weight + 0.5 * rng.standard_normal(weight.shape).astype("float32"))
    run = RunFolder.claim(path)
    run.write_config(configs.to_yaml(config))
    split = division.Split((0, 1), (2,), TEST)
    division.save_split(run.split_file, datasets.open_dataset(config.dataset), split)
    run.write_status("completed", best={"epoch": 1, "val_dice": 0.5})
    run.release()
    network.save(run.best_model)
    return run


def test_predict_writes_the_masks_that_eval_has_scored(images):
    run = make_run(images / "run", images, 3, *UNET)
    files = [str(images / f"images/{number}.png") for number in TEST]
    found = []
    for number, how in enumerate(([], ["predict.mirror=true"], ["predict.mirror=true", LARGEST])):
        output = images / f"out{number}"
        with undrawn():
            assert main(["eval", str(run.path), *how, "-o", str(output)]) == 0
        assert main(["predict", str(run.path), *files, *how, "-o", str(output)]) == 0
        (table,) = output.glob("metrics/*_per_image.csv")
        scored = {row["id"]: float(row["foreground.dice"]) for row in rows(table)}
        found.append({f"images/{test}": dice(images, output, test) for test in TEST})
        assert scored == pytest.approx(found[-1], abs=1e-6)
    assert min(map(min, (one.values() for one in found))) > 0
    assert all(len({one[name] for one in found}) == 3 for name in found[0])  # each setting changes each mask


def dice(images, output, number):
    """Of the mask in ``output``, which has the size of its image."""
    truth, mask = (pixels(folder / f"masks/{number}.png") > 0 for folder in (images, output))
    assert truth.shape == mask.shape == SIZES[number]
    return 2 * (truth & mask).sum() / (truth.sum() + mask.sum())


def test_two_unlike_networks_predict_the_mask_of_their_mean(images):
    runs = [
        make_run(images / "a", images, 1, *UNET),
        make_run(images / "b", images, 2, "model=resunet", "model.filters=3", "model.depth=1"),
    ]
    square = images / "images/square.png"
    Image.fromarray(np.random.default_rng(9).integers(0, 255, (32, 32)).astype(np.uint8)).save(square)
    paths, output = [str(run.path) for run in runs], images / "out"
    assert main(["predict", *paths, str(square), "-o", str(output)]) == 0
    batch = pixels(square)[None, ..., None].astype(np.float32) / 255
    networks = [keras.models.load_model(run.best_model, compile=False) for run in runs]
    one, other = (network.predict(batch, verbose=0)[0, ..., 1] for network in networks)
    mask = pixels(output / "masks/square.png") > 0
    np.testing.assert_array_equal(mask, (one + other) / 2 >= 0.5)
    assert (mask != (one >= 0.5)).any()
    assert (mask != (other >= 0.5)).any()
