import itertools

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli.datasets.base import IGNORED
from dmf_cli.datasets.input import patches, pipeline, run_data
from dmf_cli.datasets.input.prepared import Prepared
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.errors import ConfigError
from dmf_cli.run_folder import identity


@pytest.fixture
def part():
    """Three images whose pixels are their own numbers; the second has two classes, the third none."""
    pixels = np.arange(3 * 20 * 14, dtype=np.float32).reshape(3, 20, 14, 1)
    labels = np.zeros((3, 20, 14), np.uint8)
    labels[0, 2:4, 1:4] = 1
    labels[1, 10:18, 3:9], labels[1, 19, 13], labels[2, :3] = 1, 2, IGNORED
    return Prepared(pixels, labels, ("a", "b", "c"))


@pytest.mark.parametrize("patch", [(8, 8), (20, 14), (7, 5), (1, 14)])
def test_the_tiles_of_an_image_cover_it_and_are_whole(part, patch):
    tiles = patches.Tiles(part, patch)
    assert len(tiles) == 3 * -(-20 // patch[0]) * -(-14 // patch[1])
    images, labels = tiles.rows(np.arange(len(tiles)))
    assert images.shape == (len(tiles), *patch, 1) == (len(tiles), *tiles.shape)
    assert set(images.ravel()) == set(part.images.ravel())
    whole = dict(zip(part.images.ravel(), part.labels.ravel(), strict=True))
    assert [whole[pixel] for pixel in images.ravel()] == labels.ravel().tolist()
    assert len(set(tiles.ids)) == len(tiles)


def test_an_image_is_read_once_for_all_of_its_tiles(part):
    read = []
    rows = part.rows
    part.rows = lambda index: (read.append(index.tolist()), rows(index))[1]
    images, _ = patches.Tiles(part, (10, 7)).rows(np.array([5, 4, 0, 7]))
    assert read == [[0, 1]]
    np.testing.assert_array_equal(images[2, ..., 0], part.images[0, :10, :7, 0])
    assert patches.in_tiles(part, None) is part


def test_a_patch_is_a_function_of_seed_epoch_and_sample(part):
    sample = patches.sampled(part, (8, 6), 3, 0.0)
    together, labels = sample(5, np.array([0, 1, 2, 4]))
    alone, _ = sample(5, np.array([2]))
    np.testing.assert_array_equal(together[2], alone[0])
    assert labels.shape == (4, 8, 6)
    corners = {int(sample(epoch, np.array([1]))[0][0, 0, 0, 0]) - 280 for epoch in range(300)}
    rows, columns = {corner // 14 for corner in corners}, {corner % 14 for corner in corners}
    assert rows == set(range(13))
    assert columns == set(range(9))
    assert not np.array_equal(together[1], together[3])  # the second copy of an image
    assert not np.array_equal(patches.sampled(part, (8, 6), 4, 0.0)(5, np.arange(3))[0], together[:3])


def test_forced_patches_hold_foreground_a_rare_class_as_often_as_a_frequent_one(part):
    forced = patches.sampled(part, (5, 5), 0, 1.0)
    found = [forced(epoch, np.arange(3))[1] for epoch in range(60)]
    assert all((labels[0] == 1).any() for labels in found)
    rare = np.mean([(labels[1] == 2).any() for labels in found])
    assert 0.3 < rare < 0.7
    assert len({labels[2].tobytes() for labels in found}) > 1  # without any: anywhere
    half = patches.sampled(part, (5, 5), 0, 0.5)
    share = np.mean([(half(epoch, np.array([0]))[1] == 1).any() for epoch in range(200)])
    free = np.mean(
        [(patches.sampled(part, (5, 5), 0, 0.0)(e, np.array([0]))[1] == 1).any() for e in range(200)]
    )
    assert share == pytest.approx(0.5 + 0.5 * free, abs=0.1)


def test_batches_are_of_patches_and_an_image_comes_once_an_epoch(part):
    options = {"batch_size": 3, "channels_out": 1, "seed": 0, "patch": (6, 4), "foreground": 0.5}
    batches = pipeline.training_batches(part, **options, distance=True)
    for x, y in itertools.islice(batches.as_numpy_iterator(), 3):
        assert x.shape == (3, 6, 4, 1)
        assert y["labels"].shape == y["distance"].shape == x.shape
        assert sorted(x[:, 0, 0, 0] // 280) == [0, 1, 2]
    sample = patches.sampled(part, (6, 4), 0, 0.5)
    again = next(pipeline.training_batches(part, **options, first_epoch=2).as_numpy_iterator())[0]
    np.testing.assert_array_equal(again, x)
    assert any(np.array_equal(one, x[0]) for one in sample(2, np.arange(3))[0])
    (x, _), *_ = pipeline.evaluation_batches(patches.Tiles(part, (6, 4)), batch_size=48, channels_out=1)
    assert x.shape == (48, 6, 4, 1)


def test_the_network_and_the_losses_are_tried_with_patches(part):
    class Three:
        classes, channels = ("background", "one", "two"), 1

    data = run_data.Data(Three(), None, 3, part, part, patch=(6, 4))
    assert data.shape == (6, 4, 1)
    probe = data.probe()
    assert probe.shape[1:] == (6, 4, 3)
    assert (probe.sum(axis=(0, 1, 2)) > 0).all()
    assert run_data.Data(Three(), None, 3, part, part).shape == (20, 14, 1)


def test_the_size_of_the_network_is_that_of_a_patch():
    config = configs.compose(["dataset.image_size=[96,64]", "dataset.patch=48", "trainer.foreground=0.33"])
    spec = InputSpec.of(config.dataset)
    assert (spec.size, spec.patch, spec.network_size) == ((96, 64), (48, 48), (48, 48))
    assert InputSpec.of(configs.compose([]).dataset).network_size == (128, 128)
    plain = configs.compose(["dataset.image_size=[96,64]"])
    without = plain.with_group("dataset", {k: v for k, v in plain.plain["dataset"].items() if k != "patch"})
    earlier = {k: v for k, v in without.plain["trainer"].items() if k != "foreground"}
    assert identity.run_id(without.with_group("trainer", earlier)) == identity.run_id(plain)
    assert identity.run_id(config) != identity.run_id(plain)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["dataset.patch=129"], r"dataset\.patch is 129, and dataset\.image_size is 128x128: give a part"),
        (["dataset.patch=[64,200]", "dataset.resize=letterbox"], r"dataset\.patch is \[64, 200\], and"),
        (["dataset.patch=0"], r"dataset\.patch is 0: give one side in pixels"),
        (["trainer.foreground=0.5"], r"trainer\.foreground is 0\.5, and dataset\.patch is null"),
    ],
)
def test_patches_that_cannot_be(given, says):
    with pytest.raises(ConfigError, match=says):
        configs.compose(given)
