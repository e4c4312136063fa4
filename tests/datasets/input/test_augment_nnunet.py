"""``augment=nnunet``: each change is the formula of nnU-Net."""

import numpy as np
import tensorflow as tf

from dmf_cli.datasets.input import augment
from tests.datasets.input.changes import group

QUIET = ("rotate", "scale", "noise", "blur", "brightness", "contrast", "low_resolution", "gamma",
         "gamma_inverted", "flip", "flip_vertical")  # fmt: skip
GREY = np.random.default_rng(3).random((6, 24, 20, 2), np.float32)
ZEROS = np.zeros(GREY.shape[:3], np.uint8)


def nnunet(images=GREY, labels=ZEROS, **changes):
    """With nothing but ``changes``, eagerly: compiling takes longer than all that is tested here."""
    change = augment.make(group("nnunet", **{**dict.fromkeys(QUIET, 0.0), "channel": 1.0, **changes}), 0)
    batch = tf.constant(images), tf.constant(labels), tf.constant(0), tf.range(len(images))
    return [part.numpy() for part in change(*batch)]


def test_each_change_of_nnunet_is_its_formula():
    np.testing.assert_array_equal(nnunet()[0], GREY)
    axes = {"axis": (1, 2), "keepdims": True}
    mean, low, high = GREY.mean(**axes), GREY.min(**axes), GREY.max(**axes)
    gains = nnunet(brightness=1.0)[0] / GREY
    assert np.ptp(gains, axis=(1, 2)).max() < 1e-5
    assert 0.75 <= gains.min() < 0.95 < 1.05 < gains.max() <= 1.25
    far = nnunet(contrast=1.0, contrasts=[1.2, 1.2])[0]
    np.testing.assert_allclose(far, np.clip(mean + 1.2 * (GREY - mean), low, high), atol=1e-6)
    for key in ("gamma", "gamma_inverted"):
        sign = 1 if key == "gamma" else -1
        bent = nnunet(**{key: 1.0, "exponents": [1.4, 1.4]})[0]
        for value in (bent.mean(**axes) - mean, bent.std(**axes) - GREY.std(**axes)):
            assert np.abs(value).max() < 1e-5
        power = ((sign * GREY - (sign * GREY).min(**axes)) / (high - low)) ** 1.4
        alike = np.corrcoef(power[0, ..., 0].ravel(), sign * bent[0, ..., 0].ravel())
        assert alike[0, 1] > 1 - 1e-5
    noise = nnunet(noise=1.0)[0] - GREY
    np.testing.assert_allclose(noise[..., 0], noise[..., 1], atol=1e-6)
    strength = noise.std(axis=(1, 2, 3)) / GREY.std(axis=(1, 2, 3))
    assert 0 < strength.min() < strength.max() < 0.11


def test_blur_and_low_resolution_of_nnunet():
    from scipy import ndimage

    smooth = nnunet(blur=1.0, sigmas=[0.8, 0.8])[0]
    known = ndimage.gaussian_filter(GREY, (0, 0.8, 0.8, 0), mode="reflect", radius=(0, 3, 3, 0))
    np.testing.assert_allclose(smooth, known, atol=1e-5)
    small = nnunet(low_resolution=1.0, resolutions=[0.5, 0.5])[0]
    coarse = tf.image.resize(GREY, (12, 10), "nearest")
    np.testing.assert_allclose(small, tf.image.resize(coarse, (24, 20)), atol=1e-5)
    half = nnunet(low_resolution=1.0, channel=0.5)[0]
    assert 0 < (half == GREY).all(axis=(1, 2)).sum() < 12


def test_geometry_of_nnunet_moves_image_and_mask_alike(prepared):
    images, labels = prepared.images, prepared.labels
    for change in ({"rotate": 1.0}, {"scale": 1.0}, {"flip": 0.5, "flip_vertical": 0.5}):
        moved, marked = nnunet(images, labels, **change)
        bright = moved[..., 0] > 0.5
        assert 2 * (bright & (marked > 0)).sum() / (bright.sum() + (marked > 0).sum()) > 0.9
        assert (marked != labels).any()
    areas = nnunet(images, labels, scale=1.0)[1].sum(axis=(1, 2)) / labels.sum(axis=(1, 2))
    assert areas.max() <= 1 / 0.6**2
    assert areas.min() >= 1 / 1.5**2
    wide = np.zeros((8, 16, 64, 1), np.float32)
    wide[:, :, 32:] = 1.0
    assert (
        nnunet(wide, wide[..., 0].astype(np.uint8), rotate=1.0)[0][:, 8, 44] > 0.99
    ).all()  # 15 degrees at most


def test_cutmix_mixes_its_share_of_the_images_and_their_labels_by_one_region():
    rng = np.random.default_rng(0)
    images = rng.random((120, 16, 20, 1), np.float32)
    labels = rng.integers(0, 3, images.shape[:3]).astype(np.uint8)
    batch = tf.constant(images), tf.constant(labels), tf.constant(0), tf.range(len(images))
    alone, mixed = (
        [part.numpy() for part in augment.make(group("nnunet", cutmix=share), 0)(*batch)]
        for share in (0.0, 0.3)
    )
    changed = (mixed[0] != alone[0]).any(axis=-1)
    region = changed.any(axis=1)[:, None, :] & changed.any(axis=2)[:, :, None]  # the rectangle around it
    assert 0.2 < region.any(axis=(1, 2)).mean() < 0.4
    for before, after in zip(alone, mixed, strict=True):
        inside = region.reshape(region.shape + (1,) * (before.ndim - 3))
        np.testing.assert_array_equal(after, np.where(inside, np.roll(before, 1, axis=0), before))
    assert (mixed[1] != alone[1]).any()
