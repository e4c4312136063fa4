"""Arrays and tf.data datasets where the name of a dataset stands."""

import numpy as np
import pytest
import tensorflow as tf

import dmf_cli
from dmf_cli.api import objects, own_data, words
from dmf_cli.cli.main import main
from dmf_cli.config import compose
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import content
from dmf_cli.errors import DatasetError
from dmf_cli.inference.predict_images import as_image
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


@pytest.mark.parametrize(
    "change",
    [
        lambda x: (x - x.mean()) / x.std(),
        lambda x: x / 200.0,
        lambda x: x / 50.0,
        lambda x: x * 16.0,
        lambda x: np.where(x > 9, x, np.nan),
        lambda x: x / 255.0 - 1e-3,
        lambda x: [*(x[:1] / 2), *(x[1:].astype("uint16") * 9)],
        lambda x: x.astype(object),
    ],
)
def test_values_of_which_nobody_knows_the_white_are_refused(images, change):
    x = images.astype("float32")
    masks = (images > 200).astype("uint8")
    with raises(DatasetError, key="dataset") as caught:
        objects.named({"dataset": (change(x), masks)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("highest", [1, 255])
def test_the_user_may_say_which_values_are_black_and_white(images, highest):
    masks, x = (images > 200).astype("uint8"), images * (highest / 255)
    assert ("range" in objects.named({"dataset": (x, masks)})["dataset"]) == (highest == 255)
    scores = {"name": (x - 3 * highest, masks), "range": (-3 * highest, 0)}
    assert objects.named({"dataset": scores})["dataset"]["range"] == (-3 * highest, 0)
    dotted = {"dataset": scores["name"], "dataset.range": (-3, 0)}
    assert "range" not in objects.named(dotted)["dataset"]


def test_the_type_of_the_pixels_is_part_of_the_hash():
    images, masks = np.zeros((2, 4, 4), "float32"), np.zeros((2, 4, 4), "uint8")
    assert own_data.pairs((images, masks)).content != own_data.pairs((images.view("int32"), masks)).content


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


@pytest.mark.parametrize("values", [None, (0, 255), (-3, 3)])
def test_an_array_is_read_as_training_reads_it(images, values):
    low, high = values or (0, 1)
    array = (low + (high - low) * (images[0] / 255.0)).astype("float32")
    array[:9] = low  # a part of it that is black, as all of another image may be
    pair = {"name": (array[None], (images[:1] > 200).astype("uint8")), "range": values}
    group = objects.named({"dataset": pair})["dataset"]
    config = compose(words.of({"dataset": group}))
    spec = InputSpec.of(config.dataset)
    for one in (array, array[:9]):
        trained = content.read_image(content.Pixels.of("a", one), 1, spec.reading)
        np.testing.assert_array_equal(as_image(own_data.as_trained(one, config.dataset), spec), trained)
    assert as_image(own_data.as_trained(array, config.dataset), spec).max() == pytest.approx(255, abs=1e-3)
    folder = compose(["dataset=phantom"]).dataset
    assert own_data.as_trained(array, folder) is array
    with raises(DatasetError, key="image"):
        as_image(own_data.as_trained(np.zeros((2, 4, 4, 1)), config.dataset), spec)


def test_a_run_on_arrays_is_scored_here_and_a_command_asks_for_them(images, tmp_path, capsys):
    masks = (images > 200).astype("uint8")
    settings = {**TINY, "dataset": (images, masks), "run_dir": tmp_path / "run"}
    run = dmf_cli.train(loss="ce", **settings)
    assert run.config.dataset.kind == "own"
    expected = run.predict(images[0], probabilities=True)
    for same in (images[0] / 255.0, images[0][..., None] / np.float32(255), images[0].astype("float32")):
        np.testing.assert_allclose(run.predict(same, probabilities=True), expected, atol=1e-5)
    assert run.evaluate("val").summary["counts"]["images"] == len(run.evaluate("val").scores["id"])
    for plugin in plugins.active():
        plugins.remove(plugin)  # as in another process
    assert main(["eval", str(run.path)]) == 2
    assert "'arrays', an object in no file" in capsys.readouterr().err
