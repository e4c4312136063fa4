import itertools

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli.datasets import augment, pipeline
from dmf_cli.errors import ConfigError

STILL = {"name": "affine", "flip": 0.0, "rotate": 0.0, "scale": 0.0, "shift": 0.0, "gain": 0.0, "gamma": 0.0}


@pytest.fixture
def prepared():
    """Eight images of a bright square with its mask, off the centre."""
    inputs, labels = np.full((8, 32, 32, 1), 0.25, np.float32), np.zeros((8, 32, 32), np.uint8)
    inputs[:, 8:14, 20:28], labels[:, 8:14, 20:28] = 0.75, 1
    return pipeline.Prepared(inputs, labels, tuple("abcdefgh"))


def batches(prepared, n, seed=0, first_epoch=0, **changes):
    change = augment.make({**STILL, **changes}, seed)
    options = {
        "batch_size": 4,
        "channels_out": 2,
        "seed": seed,
        "first_epoch": first_epoch,
        "augment": change,
    }
    return list(itertools.islice(pipeline.training_batches(prepared, **options).as_numpy_iterator(), n))


def test_none_changes_nothing():
    assert augment.make({"name": "none"}, 0) is None


def test_limits_of_zero_change_nothing(prepared):
    for x, y in batches(prepared, 2):
        np.testing.assert_allclose(x, prepared.images[:4], rtol=1e-6)
        np.testing.assert_array_equal(y[..., 1], prepared.labels[:4])


def test_a_mirror_is_exact_and_comes_with_its_probability(prepared):
    (x, y), *_ = batches(prepared, 1, flip=1.0)
    np.testing.assert_allclose(x, prepared.images[:4, :, ::-1], rtol=1e-6)
    np.testing.assert_array_equal(y[..., 1], prepared.labels[:4, :, ::-1])
    mirrored = [bool(label[10, 6, 1]) for _, y in batches(prepared, 40, flip=0.5) for label in y]
    assert 0.35 < np.mean(mirrored) < 0.65


@pytest.mark.parametrize("change", [{"rotate": 25.0}, {"scale": 0.3}, {"shift": 0.2}])
def test_image_and_mask_move_together(prepared, change):
    moved = 0
    for x, y in batches(prepared, 4, **change):
        bright, mask = x[..., 0] > 0.5, y[..., 1] > 0
        assert 2 * (bright & mask).sum() / (bright.sum() + mask.sum()) > 0.9
        assert (y.sum(axis=-1) == 1).all()
        moved += int((mask != (prepared.labels[:4] > 0)).any())
    assert moved == 4


def test_gain_and_gamma_change_grey_values_alone(prepared):
    for x, y in batches(prepared, 2, gain=0.3, gamma=0.3):
        assert np.abs(x - prepared.images[:4]).max() > 0.01
        np.testing.assert_array_equal(y[..., 1], prepared.labels[:4])
        assert np.isfinite(x).all()


def test_it_is_a_function_of_seed_epoch_and_sample(prepared):
    changes = {"flip": 0.5, "rotate": 20.0, "shift": 0.1}
    first, again = batches(prepared, 6, **changes), batches(prepared, 6, **changes)
    resumed, other = batches(prepared, 2, first_epoch=2, **changes), batches(prepared, 6, seed=1, **changes)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first[4:], resumed, strict=True))
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))
    assert not np.array_equal(first[0][0], first[2][0])


def test_limits_are_checked_with_the_config():
    with pytest.raises(ConfigError, match=r"augment\.rotate"):
        configs.compose(["augment=affine", "augment.rotate=200"])
