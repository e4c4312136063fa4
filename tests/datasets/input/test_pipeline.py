import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from dmf_cli import fuse
from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.input import pipeline
from dmf_cli.datasets.input.order import epoch_order, lesion_weights, weighted_order
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.errors import DatasetError
from dmf_cli.metrics.streaming import ForegroundDice
from tests.datasets.conftest import BUSI
from tests.raised import raises


@pytest.fixture
def prepared():
    """Ten 2x2 images, image i filled with i and labelled i % 3."""
    inputs = np.arange(10, dtype=np.float32)[:, None, None, None] * np.ones((10, 2, 2, 1), np.float32)
    labels = (np.arange(10) % 3).astype(np.uint8)[:, None, None] * np.ones((10, 2, 2), np.uint8)
    return pipeline.Prepared(inputs, labels, tuple(map(str, range(10))))


def seen(batches, n):
    return [x[:, 0, 0, 0].astype(int).tolist() for x, _ in itertools.islice(batches.as_numpy_iterator(), n)]


def batches(prepared, **changes):
    options = {"batch_size": 3, "channels_out": 3, "seed": 5, **changes}
    return pipeline.training_batches(prepared, **options)


def test_order_is_a_permutation_that_depends_on_seed_and_epoch_alone():
    assert sorted(epoch_order(1, 2, 50)) == list(range(50))
    np.testing.assert_array_equal(epoch_order(1, 2, 50), epoch_order(1, 2, 50))
    assert not np.array_equal(epoch_order(1, 2, 50), epoch_order(1, 3, 50))
    assert not np.array_equal(epoch_order(1, 2, 50), epoch_order(2, 2, 50))
    assert epoch_order(0, 0, 6).tolist() == [4, 0, 3, 5, 2, 1]  # the same on every machine


def test_samples_are_shuffled_anew_each_epoch_and_seen_once(prepared):
    steps = seen(batches(prepared), 6)
    first, second = [*itertools.chain(*steps[:3])], [*itertools.chain(*steps[3:])]
    assert len(set(first)) == len(set(second)) == 9
    assert first != second
    assert steps == seen(batches(prepared), 6)
    assert steps != seen(batches(prepared, seed=6), 6)


def test_epoch_k_is_the_same_wherever_the_run_was_resumed(prepared):
    assert seen(batches(prepared), 9)[6:] == seen(batches(prepared, first_epoch=2), 3)


def test_targets_are_one_hot_or_one_foreground_channel(prepared):
    x, y = next(batches(prepared).as_numpy_iterator())
    assert y.shape == (3, 2, 2, 3)
    np.testing.assert_array_equal(y.argmax(-1)[:, 0, 0], x[:, 0, 0, 0] % 3)
    x, y = next(batches(prepared, channels_out=1).as_numpy_iterator())
    np.testing.assert_array_equal(y[:, 0, 0, 0], (x[:, 0, 0, 0] % 3 > 0).astype(np.float32))


def test_evaluation_keeps_the_order_and_the_last_images(prepared):
    found = pipeline.evaluation_batches(prepared, batch_size=4, channels_out=3)
    assert seen(found, 99) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(found) == 3


def test_a_batch_larger_than_the_split_is_an_error(prepared):
    with raises(DatasetError, key="trainer.batch_size", value=11) as caught:
        batches(prepared, batch_size=11)
    assert str(caught.value) == (
        "trainer.batch_size is 11, and the training split has 10 image(s): use trainer.batch_size=10 or less"
    )


def test_images_are_decoded_once_and_in_order(busi):
    data, calls = FolderDataset(**BUSI, dir=busi), []
    found = pipeline.load(data, [3, 0], InputSpec((8, 16)), progress=lambda: calls.append(1))
    assert found.images.shape == (2, 8, 16, 1)
    assert found.labels.shape == (2, 8, 16)
    assert found.ids == ("malignant/malignant (1)", "benign/benign (1)")
    assert len(calls) == 2


def test_training_shapes_are_static_for_the_compiler(prepared):
    x, y = batches(prepared).element_spec
    assert (x.shape, y.shape) == ((3, 2, 2, 1), (3, 2, 2, 3))


def test_a_damaged_image_is_reported_before_it_is_needed(busi):
    data = FolderDataset(**BUSI, dir=busi)
    path = busi / "benign/benign (2).png"
    path.write_bytes(path.read_bytes()[:-60])
    pipeline.check_readable(data, [0, 2])
    with pytest.raises(DatasetError, match=r"benign \(2\)\.png cannot be read"):
        pipeline.check_readable(data, [0, 1, 2])


class One(Dataset):
    """One image with any labels."""

    name, classes, channels, ids, strata = "one", ("background", "lesion"), 1, ("a",), ("a",)

    def __init__(self, label):
        self.label = np.array(label, np.uint8)

    def load(self, index):
        return Sample(np.zeros((2, 2, 1), np.uint8), self.label)

    def fingerprint(self):
        return "0"


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ([[0, 2], [0, 0]], "'a' has the label 2 and there are 2 classes"),
        ([[0, 1]], r"'a' has labels \(1, 2\) for"),
    ],
)
def test_labels_that_do_not_fit_never_become_targets(label, text):
    with pytest.raises(DatasetError, match=text):
        pipeline.load(One(label), [0], InputSpec((2, 2)))


def test_under_another_backend_the_pipeline_leaves_the_gpu_alone(prepared, monkeypatch):
    asked = []

    def started(*devices):
        asked.append(devices)
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(tf.config, "set_visible_devices", started)
    assert len(seen(batches(prepared), 3)) == 3
    assert asked == [([], "GPU")]


def test_augmentation_is_reported_the_epoch_and_the_sample(prepared):
    def note(images, labels, epoch, index):
        both = tf.stack([tf.fill(tf.shape(index), epoch), index], axis=1)
        return tf.cast(both, tf.float32)[:, None, None, :], labels

    found = batches(prepared, first_epoch=1, augment=note).as_numpy_iterator()
    pairs = [x[:, 0, 0].astype(int) for x, _ in itertools.islice(found, 6)]
    assert [set(x[:, 0]) for x in pairs] == [{1}] * 3 + [{2}] * 3
    assert [x[:, 1].tolist() for x in pairs] == seen(batches(prepared, first_epoch=1), 6)


def test_weights_say_how_often_an_image_comes_and_the_epoch_keeps_its_length():
    weights = np.array([0.5] * 6 + [1.0] * 3 + [4.0])
    counts = np.array(
        [np.bincount(weighted_order(3, epoch, weights) % 10, minlength=10) for epoch in range(200)]
    )
    assert (counts.sum(axis=1) == 10).all()
    assert (np.abs(counts - weights) <= 1.0).all()
    np.testing.assert_allclose(counts.mean(axis=0), weights, atol=0.15)
    np.testing.assert_array_equal(weighted_order(3, 5, weights), weighted_order(3, 5, weights))
    assert not np.array_equal(weighted_order(3, 5, weights), weighted_order(3, 6, weights))
    assert sorted(weighted_order(3, 5, np.ones(50))) == list(range(50))
    found = weighted_order(3, 5, weights)
    assert sorted(found[found % 10 == 9]) == [9, 19, 29, 39]  # copies can be distinguished
    rng = np.random.default_rng(0)
    for n in range(1, 60):
        assert len(weighted_order(0, n, rng.random(n) ** 4 + 1e-9)) == n


def test_small_lesions_weigh_more_and_images_without_one_keep_their_share():
    shares = np.array([0.16, 0.04, 0.01, 0.0, 0.0])
    weights = lesion_weights(shares, 1.0)
    np.testing.assert_allclose(weights[1:3] / weights[0], [2, 4])
    np.testing.assert_allclose(weights[3:], 1.0)
    assert weights.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(lesion_weights(shares, 2.0)[2] / lesion_weights(shares, 2.0)[0], 16)
    np.testing.assert_array_equal(lesion_weights(np.zeros(4), 1.0), np.ones(4))
    np.testing.assert_array_equal(lesion_weights(shares, 0.0), np.ones(5))


def test_copies_of_an_image_are_augmented_each_in_its_own_way(prepared):
    def note(images, labels, epoch, index):
        return tf.cast(index, tf.float32)[:, None, None, None] * tf.ones_like(images), labels

    weights = np.array([5.0] + [0.1] * 9)
    order = weighted_order(5, 0, weights)[:9]
    assert (
        np.concatenate(seen(batches(prepared, weights=weights, augment=note), 3)).tolist() == order.tolist()
    )
    assert np.concatenate(seen(batches(prepared, weights=weights), 3)).tolist() == (order % 10).tolist()


def test_what_is_said_of_the_validation_images_does_not_depend_on_the_size_of_batches():
    rng = np.random.default_rng(0)
    shape = (7, 8, 8)
    part = pipeline.Prepared(
        rng.random((*shape, 1), np.float32), rng.integers(0, 2, shape, np.uint8), "abcdefg"
    )
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 1, activation="softmax")])
    model = fuse(network, "dice+bce", weighting="fixed")
    model.compile(keras.optimizers.SGD(0.1), metrics=[ForegroundDice()])
    found = []
    for size in (7, 4, 3):
        batches = pipeline.evaluation_batches(part, batch_size=size, channels_out=2)
        found.append(model.evaluate(batches, return_dict=True, verbose=0))
    for one in found[1:]:
        assert one == pytest.approx(found[0], rel=1e-5)
