import itertools

import numpy as np
import pytest

from dmf_cli.datasets import images, pipeline
from dmf_cli.datasets.order import epoch_order
from dmf_cli.errors import DatasetError


@pytest.fixture
def prepared():
    """Ten 2x2 images, image i filled with i and labelled i % 3."""
    inputs = np.arange(10, dtype=np.float32)[:, None, None, None] * np.ones((10, 2, 2, 1), np.float32)
    labels = (np.arange(10) % 3).astype(np.uint8)[:, None, None] * np.ones((10, 2, 2), np.uint8)
    where = images.geometry((2, 2), (2, 2), "stretch")
    return pipeline.Prepared(inputs, labels, (where,) * 10, tuple(map(str, range(10))))


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
    with pytest.raises(DatasetError, match=r"batch_size is 11 .* use trainer\.batch_size=10 or less"):
        batches(prepared, batch_size=11)


def test_images_are_decoded_once_and_in_order(busi):
    from dmf_cli.datasets.folder import FolderDataset
    from tests.datasets.conftest import BUSI

    data, calls = FolderDataset(**BUSI, dir=busi), []
    found = pipeline.load_prepared(data, [3, 0], image_size=[8, 16], progress=lambda: calls.append(1))
    assert found.images.shape == (2, 8, 16, 1)
    assert found.labels.shape == (2, 8, 16)
    assert found.ids == ("malignant/malignant (1)", "benign/benign (1)")
    assert len(calls) == 2
