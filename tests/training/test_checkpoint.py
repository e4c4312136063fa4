import json
import zipfile

import keras
import numpy as np
import pytest

from dmf_cli.errors import CheckpointError
from dmf_cli.training import checkpoint
from tests.raised import raises


def model(filters=3):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((4, 4, 1)),
        keras.layers.Conv2D(filters, 1),
        keras.layers.Dropout(0.5),
        keras.layers.Conv2D(1, 1),
    ]
    net = keras.Sequential(layers)
    net.compile(keras.optimizers.Adam(0.01), loss="mse")
    net.optimizer.build(net.trainable_variables)
    return net


def steps(net, n):
    x = np.random.default_rng(1).normal(size=(4, 4, 4, 1)).astype("float32")
    for _ in range(n):
        net.train_on_batch(x, x)


def weights(net):
    return [keras.ops.convert_to_numpy(v.value) for v in [*net.variables, *net.optimizer.variables]]


def test_training_goes_on_bitwise_with_dropout_and_optimizer_state(tmp_path):
    whole, first = model(), model()
    steps(whole, 6)
    steps(first, 3)
    checkpoint.save(tmp_path / "last.npz", first, {"epoch": 3})
    second = model()
    assert checkpoint.load(tmp_path / "last.npz", second) == {"epoch": 3}
    steps(second, 3)
    trained = zip(whole.trainable_variables, second.trainable_variables, strict=True)
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in trained)


def test_a_missing_checkpoint_is_an_error_and_not_a_fresh_start(tmp_path):
    with raises(CheckpointError, path="last.npz", reason="is missing"):
        checkpoint.load(tmp_path / "last.npz", model())


def test_a_half_written_checkpoint_is_an_error(tmp_path):
    path = tmp_path / "last.npz"
    checkpoint.save(path, model(), {})
    path.write_bytes(path.read_bytes()[:-200])
    with raises(CheckpointError, path="last.npz", reason="cannot be read"):
        checkpoint.load(path, model())


def test_the_checkpoint_of_another_model_is_refused(tmp_path):
    checkpoint.save(tmp_path / "last.npz", model(3), {"epoch": 1})
    other = model(5)
    before = weights(other)
    with raises(CheckpointError, path="last.npz", reason="another model"):
        checkpoint.load(tmp_path / "last.npz", other)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights(other), strict=True))


def crafted(path, shape, note='{"epoch": 1}'):
    """An archive whose array says to be larger than it is."""
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("model/0000.npy", "w") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<f4", "fortran_order": False, "shape": shape}
            )
        with archive.open("note.npy", "w") as file:
            np.lib.format.write_array(file, np.array(note))


@pytest.mark.parametrize("shape", [(10**7,), (10**13,)])
def test_a_checkpoint_that_is_too_large_is_named_before_anything_is_allocated(tmp_path, shape):
    crafted(tmp_path / "last.npz", shape)
    with pytest.raises(CheckpointError, match=r"last\.npz belongs to another model: it holds [\d,]+ bytes"):
        checkpoint.load(tmp_path / "last.npz", model())


@pytest.mark.parametrize("note", ["", "[]", "{}", json.dumps({"epoch": None})])
def test_a_checkpoint_without_its_epoch(tmp_path, note):
    crafted(tmp_path / "last.npz", (0,), note)
    with raises(CheckpointError, path="last.npz", reason="has no note"):
        checkpoint.load(tmp_path / "last.npz", model())
