"""Arrays and tf.data datasets where the name of a dataset stands."""

import numpy as np
import pytest
import tensorflow as tf

import dmf_cli
from dmf_cli.api import objects, own_data
from dmf_cli.cli.main import main
from dmf_cli.errors import DatasetError
from dmf_cli.parts import plugins
from tests.api.conftest import TINY
from tests.raised import raises


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (24, 32, 32), dtype=np.uint8)


@pytest.mark.parametrize(
    ("masks", "classes", "values", "ignore"),
    [
        ([0, 1], ("background", "lesion"), {0: 0, 1: 1}, None),
        ([0, 255], ("background", "lesion"), {0: 0, 255: 1}, None),
        ([0, 1, 2], ("background", "class_1", "class_2"), {0: 0, 1: 1, 2: 2}, None),
        ([0, 1, 255], ("background", "lesion"), {0: 0, 1: 1}, 255),
        ([0], ("background", "lesion"), {0: 0, 1: 1}, None),
    ],
)
def test_what_the_config_has_to_know_follows_from_the_arrays(images, masks, classes, values, ignore):
    labels = np.resize(masks, images.shape)
    known = own_data.pairs((images, labels)).settings
    assert (known["classes"], known["values"], known.get("ignore")) == (classes, values, ignore)
    assert (known["channels"], known["image_size"]) == (1, (32, 32))


def test_images_may_have_sizes_of_their_own_and_any_range(images):
    several = [images[0], images[1][:20].astype("float32")]
    known = own_data.pairs((several, [np.zeros((32, 32)), np.ones((20, 32), bool)])).settings
    assert "image_size" not in known
    assert known["range"] == (0, 255)
    assert "range" not in own_data.pairs((several[:1], [np.zeros((32, 32))])).settings


def test_a_dataset_of_tensorflow_is_the_same_as_its_arrays(images):
    masks = (images > 200).astype("uint8")
    arrays = own_data.pairs((images, masks))
    dataset = tf.data.Dataset.from_tensor_slices((images[..., None], masks[..., None]))
    assert own_data.is_data(dataset)
    assert own_data.pairs(dataset).content == arrays.content
    assert own_data.pairs((images, masks + (images > 250))).content != arrays.content


@pytest.mark.parametrize(
    "wrong",
    [
        lambda i, m: (i, m[:3]),
        lambda i, m: (i, m + 0.5),
        lambda i, m: (i, m - 1),
        lambda i, m: (i[:, :9], m),
        lambda i, m: (i[..., None, None], m),
        lambda i, m: ([], []),
        lambda i, m: (i, 3),
        lambda i, m: ([i[0], np.stack([i[1]] * 3, -1)], m[:2]),
    ],
)
def test_what_is_no_pair_of_images_and_masks_is_refused(images, wrong):
    with raises(DatasetError, key="dataset"):
        own_data.pairs(wrong(images, (images > 200).astype(int)))


def test_keys_of_the_user_win(images):
    pair = (images, (images > 200).astype("uint8"))
    made = objects.named({"dataset": {"name": pair, "image_size": 16}, "dataset.channels": 3})
    assert (made["dataset"]["name"], made["dataset"]["image_size"]) == ("arrays", 16)
    assert "channels" not in made["dataset"]


def test_a_run_on_arrays_is_scored_here_and_a_command_asks_for_them(images, tmp_path, capsys):
    masks = (images > 200).astype("uint8")
    settings = {**TINY, "dataset": (images, masks), "run_dir": tmp_path / "run"}
    run = dmf_cli.train(loss="ce", **settings)
    assert run.config.dataset.kind == "own"
    assert run.evaluate("val").summary["counts"]["images"] == len(run.evaluate("val").scores["id"])
    for plugin in plugins.active():
        plugins.remove(plugin)  # as in another process
    assert main(["eval", str(run.path)]) == 2
    assert "'arrays', an object in no file" in capsys.readouterr().err
