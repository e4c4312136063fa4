"""Training 2N steps is N steps, a checkpoint, a fresh model, N steps: bitwise, for every strategy.

The network has dropout: without the state of its seed generator, which Keras's weight files leave out, the
second half would draw other masks.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from dmf_cli import Auxiliary, lookup, weighting
from dmf_cli.fusion import FusedModel
from dmf_cli.ops.backend import to_numpy
from dmf_cli.training import checkpoint

STEPS, BATCH = 6, 2
OPTIONS = {"warmup": 2, "window": 6, "steps_per_epoch": 2}
STILL = {"equal", "fixed"}  # weights that never move

_rng = np.random.default_rng(0)
X = _rng.normal(size=(STEPS * BATCH, 8, 8, 1)).astype("float32")
Y = np.eye(2, dtype="float32")[(X[..., 0] + _rng.normal(0, 0.5, X.shape[:-1]) > 0.3).astype(int)]


def fused(name: str, seed: int) -> FusedModel:
    """A fresh model; another seed gives other initial values and another dropout."""
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Dropout(0.3, seed=seed),  # without a seed Keras leaves it to PyTorch's own state
            # Not 2 filters here: oneDNN does not repeat the gradient of so narrow a 3x3 kernel bitwise.
            keras.layers.Conv2D(4, 3, padding="same"),
            keras.layers.Conv2D(2, 1, activation="softmax"),
        ]
    )
    known = lookup.keywords(getattr(weighting, name))
    strategy = weighting.get(name, **{key: value for key, value in OPTIONS.items() if key in known})
    model = FusedModel(network, "dice+ce", strategy, Auxiliary("iou", every=3), record_steps=STEPS)
    model.compile(keras.optimizers.Adam(0.05))
    model.optimizer.build(model.trainable_variables)
    return model


def train(model: FusedModel) -> np.ndarray:
    """Half of the training; the weights of each step."""
    model.fit(X, Y, batch_size=BATCH, shuffle=False, verbose=0)
    return np.array([[row["weight.dice"], row["weight.ce"]] for row in model.recorder.take()])


@pytest.mark.parametrize("name", weighting.__registry__)
def test_a_checkpoint_loses_nothing(name: str, tmp_path: Path) -> None:
    whole = fused(name, seed=0)
    train(whole)
    checkpoint.save(tmp_path / "half.npz", whole, {"epoch": 1})
    expected = train(whole)
    second = fused(name, seed=1)
    checkpoint.load(tmp_path / "half.npz", second)
    np.testing.assert_array_equal(train(second), expected)
    assert (len(np.unique(expected, axis=0)) == 1) == (name in STILL)
    assert whole.memory.keys() == second.memory.keys()
    for key, value in whole.memory.items():
        assert value.dtype == second.memory[key].dtype, key
        np.testing.assert_array_equal(value, second.memory[key], err_msg=key)
    for ours, theirs in zip(whole.network.variables, second.network.variables, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs), err_msg=ours.path)


@pytest.mark.parametrize("name", weighting.__registry__)
def test_a_strategy_survives_get_config_and_a_keras_file(name: str, tmp_path: Path) -> None:
    model = fused(name, seed=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert json.loads(json.dumps(again.get_config())) == json.loads(json.dumps(model.get_config()))
    assert type(again.strategy) is type(model.strategy)
    for key, value in model.memory.items():
        np.testing.assert_array_equal(value, again.memory[key], err_msg=key)
