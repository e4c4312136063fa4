import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from dmf_cli import checking
from dmf_cli import config as configs
from dmf_cli.augmentations import _moves
from dmf_cli.checking.findings import PASSED
from dmf_cli.config.typed import Choice
from dmf_cli.datasets.input import augment, pipeline
from dmf_cli.errors import ConfigError
from dmf_cli.parts import registry
from tests.datasets.input.changes import changed, group
from tests.raised import raises

STILL = dict.fromkeys(("flip", "rotate", "scale", "shift"), 0.0)
OFF = STILL | {"gain": 0.0, "gamma": 0.0}
DRAWN = [[0.657406, 0.19839549], [0.70769644, 0.2851913]]


def batches(prepared, n, seed=0, first_epoch=0, **changes):
    change = augment.make(Choice("strong", changes), seed)
    options = {
        "batch_size": 4,
        "channels_out": 2,
        "seed": seed,
        "first_epoch": first_epoch,
        "augment": change,
    }
    return list(itertools.islice(pipeline.training_batches(prepared, **options).as_numpy_iterator(), n))


def test_none_changes_nothing():
    assert augment.make(Choice("none", {}), 0) is None


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
    with raises(ConfigError, key="augment.rotate", value=200):
        configs.compose(["augment=affine", "augment.rotate=200"])


@pytest.mark.parametrize("name", registry.names("augmentation"))
def test_what_dmf_check_looks_for(name):
    found = list(checking.check("augmentation", name, group(name).params))
    assert [one for one in found if one.state != PASSED] == []
    assert len(found) == 6


@pytest.mark.parametrize("name", ["elastic", "ultrasound", "strong"])
def test_every_group_repeats_and_depends_on_the_sample_alone(prepared, name):
    options = {"batch_size": 4, "channels_out": 2, "seed": 3, "augment": augment.make(group(name), 3)}

    def run(**more):
        found = pipeline.training_batches(prepared, **{**options, **more}).as_numpy_iterator()
        return list(itertools.islice(found, 4))

    first, again, other = run(), run(), run(augment=augment.make(group(name), 4))
    for (x, y), (x2, y2), (x3, _) in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)
        assert np.isfinite(x).all()
        assert not np.array_equal(x, x3)
    images, labels = prepared.images[:3], prepared.labels[:3]
    together, _ = changed(name, images, labels, epoch=7, index=[5, 2, 6])
    alone, _ = changed(name, images[1:2], labels[1:2], epoch=7, index=[2])
    np.testing.assert_allclose(together[1], alone[0], atol=1e-6)
    later, _ = changed(name, images[1:2], labels[1:2], epoch=8, index=[2])
    assert np.abs(later - alone).max() > 0.01


def test_random_numbers_are_the_same_on_every_machine():
    found = augment.draw(1, 2, tf.constant([5, 6]), 3, (2,)).numpy()
    np.testing.assert_allclose(found, DRAWN, rtol=1e-6)


def test_bending_moves_image_and_mask_alike_and_keeps_the_classes():
    y, x = np.mgrid[:48, :40]
    labels = ((y // 12 + x // 10) % 3).astype(np.uint8) * np.array([1, 2, 3, 1], np.uint8)[:, None, None]
    images = np.eye(7, dtype=np.float32)[labels]
    still = OFF | {"elastic": 0.06}
    moved, marked = changed("elastic", images, labels, **still)
    assert (marked != labels).mean() > 0.05
    assert all(
        set(np.unique(after)) <= set(np.unique(before)) for after, before in zip(marked, labels, strict=True)
    )
    # Where the image is not a mixture of two classes it shows that of the mask.
    sure = moved.max(axis=-1) > 0.75
    assert sure.mean() > 0.6
    np.testing.assert_array_equal(moved.argmax(axis=-1)[sure], marked[sure])


def test_the_largest_bending_that_is_allowed_does_not_fold():
    nodes, size = 7, 64
    worst = np.where(np.indices((nodes, nodes)).sum(axis=0) % 2, 1.0, -1.0)[..., None].repeat(2, -1)
    bend = tf.constant(0.999 / (4 * (nodes - 3)) * worst[None], tf.float32)
    still = tuple(tf.constant([v]) for v in (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    rows, columns = (np.asarray(v[0]) for v in _moves._places(still, bend, size, size))
    (ry, rx), (cy, cx) = np.gradient(rows), np.gradient(columns)
    assert (ry * cx - rx * cy).min() > 0
    np.testing.assert_allclose(_moves.spline(33, 9).sum(axis=1), 1.0, rtol=1e-6)


def test_without_bending_the_elastic_group_is_affine():
    rng = np.random.default_rng(0)
    images, labels = rng.random((4, 32, 32, 1), np.float32), rng.integers(0, 2, (4, 32, 32), np.uint8)
    plain, _ = changed("affine", images, labels, epoch=2)
    also, _ = changed("elastic", images, labels, epoch=2, elastic=0.0)
    np.testing.assert_array_equal(plain, also)
    bent, _ = changed("elastic", images, labels, epoch=2, elastic=1e-6)
    # The same places, taken by our own interpolation, and the same mirror beyond the border.
    assert np.median(np.abs(bent - plain)) < 1e-3
    assert (np.abs(bent - plain) > 0.05).mean() < 0.01


def test_one_change_at_a_time_is_that_of_the_layer_of_keras():
    y, x = np.mgrid[:32, :32] / 32
    images = (np.sin(5 * x) + np.cos(7 * y + x))[None, ..., None].astype(np.float32)
    layers, inner = keras.layers, (slice(None), slice(6, -6), slice(6, -6))

    def ours(draw, limits):
        draws = np.zeros((1, 7), np.float32)
        draws[0, :3] = draw
        moved, _ = _moves.move(
            tf.constant(images), tf.zeros((1, 32, 32), tf.uint8), draws, **(STILL | limits)
        )
        return moved.numpy()[inner]

    def theirs(layer):
        return keras.ops.convert_to_numpy(layer(images, training=True))[inner]

    turned = theirs(layers.RandomRotation((0.05, 0.05), fill_mode="reflect"))
    np.testing.assert_allclose(ours((1, 1, 0), {"rotate": 18.0}), turned, atol=1e-4)
    zoomed = theirs(layers.RandomZoom((-0.2, -0.2), (-0.2, -0.2), fill_mode="reflect"))
    np.testing.assert_allclose(ours((1, 0, 1), {"scale": 0.25}), zoomed, atol=1e-4)
    mirrored = ours((-1, 0, 0), {"flip": 0.5})
    np.testing.assert_allclose(mirrored, images[:, :, ::-1][inner], atol=1e-5)


def test_depth_gain_shadow_and_speckle_do_what_they_say(prepared):
    flat, labels = np.full((8, 32, 32, 1), 0.5, np.float32), prepared.labels
    off = OFF | {"speckle": 0.0, "tgc": 0.0, "shadow": 0.0}
    found, marked = changed("ultrasound", flat, labels, **off)
    np.testing.assert_array_equal(found, flat)
    tgc, _ = changed("ultrasound", flat, labels, **{**off, "tgc": 0.4})
    np.testing.assert_allclose(tgc.std(axis=2), 0.0, atol=1e-6)
    assert 0.6 <= (tgc / flat).min() < 0.9 < 1.1 < (tgc / flat).max() <= 1.4
    shadow = {"shadow": 1.0, "shadow_width": 0.5, "shadow_strength": 0.8}
    dark, _ = changed("ultrasound", flat, labels, **{**off, **shadow})
    assert (np.diff(dark, axis=1) < 1e-6).all()  # darker and darker downwards
    assert ((dark[:, -1].min(axis=1) < 0.4) & (dark[:, -1].max(axis=1) == 0.5)).all()
    rare, _ = changed("ultrasound", flat, labels, **{**off, **shadow, "shadow": 0.0})
    np.testing.assert_array_equal(rare, flat)
    grainy, _ = changed("ultrasound", flat, labels, **{**off, "speckle": 0.3})
    factor = grainy / flat
    assert abs(factor.mean() - 1) < 0.02
    assert 0.05 < factor.std() < 0.3
    assert np.corrcoef(factor[:, :, 1:].ravel(), factor[:, :, :-1].ravel())[0, 1] > 0.4
    np.testing.assert_array_equal(marked, labels)


def test_a_region_of_the_image_before_it_comes_with_its_labels():
    marks = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 16, 20), np.uint8)
    images = 0.25 * marks[..., None].astype(np.float32)
    x, y = changed("strong", images, marks, **dict.fromkeys(group("strong").params, 0) | {"cutmix": 1.0})
    np.testing.assert_allclose(x, 0.25 * y[..., None], atol=2e-6)
    for number, label in enumerate(y):
        assert set(np.unique(label)) <= {number, (number - 1) % 4}
    inside = y != marks
    box = inside.any(axis=1)[:, None, :] & inside.any(axis=2)[:, :, None]
    np.testing.assert_array_equal(inside, box)
    assert 0.1 < inside.mean() < 0.6


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("augment.elastic=0.2", r"augment\.elastic is 0\.2, with 4 cells.* less than 0\.0625"),
        ("augment.elastic_cells=0", r"augment\.elastic_cells is 0: give a whole number from 1 to"),
        ("augment.speckle=2", r"unknown key 'augment\.speckle'"),
    ],
)
def test_a_bending_that_would_fold_and_other_wrong_keys(override, says):
    with pytest.raises(ConfigError, match=says):
        configs.compose(["augment=elastic", override])


# Pixels, mean and deviation of the images, and the sum of the labels, as they were when each augmentation was
# a branch of one function: runs of then are resumed with the same batches.
RECORDED = {
    "affine": ([0.547001, 0.48093, 0.770865, 0.47701, 0.213608], 1481, [0, 2, 0, 0, 2, 0]),
    "elastic": ([0.645609, 0.396467, 0.822345, 0.477723, 0.213818], 1479, [0, 2, 0, 0, 2, 0]),
    "ultrasound": ([0.545413, 0.460199, 0.911964, 0.476203, 0.233243], 1481, [0, 2, 0, 0, 2, 0]),
    "strong": ([0.348524, 0.290672, 0.567118, 0.464915, 0.263689], 1500, [0, 0, 0, 0, 2, 0]),
}


@pytest.mark.parametrize("name", RECORDED)
def test_the_batches_of_earlier_runs_come_again(name):
    rng = np.random.default_rng(5)
    images = rng.random((3, 24, 20, 1), np.float32)
    labels = rng.integers(0, 3, (3, 24, 20)).astype(np.uint8)
    x, y = changed(name, images, labels, seed=3, epoch=7, index=[5, 2, 6])
    values, sum_of_labels, row = RECORDED[name]
    found = [x[0, 3, 4, 0], x[1, 12, 7, 0], x[2, 20, 15, 0], x.mean(dtype=float), x.std(dtype=float)]
    np.testing.assert_allclose(found, values, rtol=2e-5)
    assert int(y.sum()) == sum_of_labels
    assert y[1, 12, 5:11].tolist() == row


def test_a_group_of_an_earlier_commit_may_lack_a_key():
    """Its default is that of the function, which leaves everything as it is."""
    images = np.random.default_rng(0).random((2, 16, 16, 1), np.float32)
    x, _ = augment.make(Choice("strong", {"flip": 1.0}), 0)(
        tf.constant(images), tf.zeros((2, 16, 16), tf.uint8), tf.constant(0), tf.range(2)
    )
    np.testing.assert_allclose(x, images[:, :, ::-1], rtol=1e-5)
