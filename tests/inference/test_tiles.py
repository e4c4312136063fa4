"""Whole images by networks that take patches, which are NumPy functions here."""

import numpy as np
import pytest
from PIL import Image

from dmf_cli.datasets.input.patches import grid
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.inference.calibration import tempered
from dmf_cli.inference.find_files import find
from dmf_cli.inference.predict_files import predict_files
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.tiles import tiled, weights

IMAGES = np.random.default_rng(0).random((3, 13, 20, 1)).astype(np.float32)


def identity(patches):
    assert patches.shape == (3, 5, 8, 1)  # always as many: nothing is compiled again
    return patches


def test_a_network_that_gives_its_input_gives_the_whole_image():
    np.testing.assert_allclose(tiled(identity, (5, 8), 3)(IMAGES), IMAGES, atol=1e-6)


def test_tiles_overlap_by_half_at_least_and_reach_every_edge():
    corners = grid((13, 20), (5, 8), 0.5)
    for side, (length, size) in enumerate(((13, 5), (20, 8))):
        places = sorted({corner[side] for corner in corners})
        assert (places[0], places[-1]) == (0, length - size)
        assert np.diff(places).max() <= size / 2
    assert grid((5, 8), (5, 8), 0.5) == [(0, 0)]


def test_the_middle_of_a_tile_counts_most_and_nothing_is_lost_at_its_edge():
    found = weights((16, 32))
    assert (found.max(), found[8, 16]) == (1, 1)
    assert found.min() > 0
    assert found[0, 16] == pytest.approx(np.exp(-(4**2) / 2))  # half a side is four times its eighth


def test_a_tile_that_is_wrong_at_its_edges_does_little_harm():
    def framed(patches):
        found = patches.copy()
        found[:, [0, -1]], found[:, :, [0, -1]] = 1, 1
        return found

    images = np.zeros((2, 24, 24, 1), np.float32)
    found = tiled(framed, (8, 8), 4)(images)
    assert found[:, 4:-4, 4:-4].max() < 0.2


def test_mirrors_are_of_each_tile_and_the_temperature_of_the_joined_image():
    asked = []

    def network(patches):
        asked.append(patches.shape)
        return patches * np.linspace(0.2, 1, 8, dtype=np.float32)[:, None]

    spec = InputSpec((13, 20), patch=(5, 8))
    prediction = Prediction(spec, mirror=True, temperature=2.0)
    found = prediction.applied(network, 3)(IMAGES)
    one = Prediction(InputSpec((5, 8)), mirror=True).applied(network, 3)
    np.testing.assert_array_equal(found, tempered(tiled(one, (5, 8), 3)(IMAGES), 2.0))
    assert set(asked) == {(3, 5, 8, 1)}


def test_tiles_of_several_images_fill_a_batch():
    sizes = []

    def network(patches):
        sizes.append(len(patches))
        return patches

    tiles = 3 * len(grid((13, 20), (5, 8), 0.5))
    np.testing.assert_allclose(tiled(network, (5, 8), 16)(IMAGES), IMAGES, atol=1e-6)
    assert sizes == [16] * -(-tiles // 16)


def test_an_image_alone_costs_its_own_tiles_however_large_a_batch_is(tmp_path):
    Image.fromarray(np.arange(260, dtype=np.uint8).reshape(13, 20)).save(tmp_path / "a.png")
    spec, asked = InputSpec((13, 20), patch=(5, 8)), []

    def network(patches):
        asked.append(len(patches))
        return patches

    options = {"prediction": Prediction(spec), "classes": ("background", "lesion"), "batch_size": 16}
    predict_files(network, find([tmp_path], tmp_path / "out"), tmp_path / "out", **options)
    assert sum(asked) == 16 * -(-len(grid((13, 20), (5, 8), 0.5)) // 16)
