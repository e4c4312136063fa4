"""Wrong values are reported in eager mode, and never where a network is trained."""

import functools
import pickle

import keras
import numpy as np
import pytest
from keras import ops

from dmf_cli import fuse, losses
from dmf_cli.errors import ConfigError
from dmf_cli.fusion import arguments
from dmf_cli.ops.backend import compiled
from tests.losses.cases import NAMES, random_case
from tests.raised import raises

Y, P = random_case((2, 4, 5, 3))
each_loss = pytest.mark.parametrize("name", NAMES)


def changed(array: np.ndarray, value: float) -> np.ndarray:
    array = array.copy()
    array[0, 1, 2, 0] = value
    return array


@each_loss
def test_good_values_pass_and_give_the_same(name: str) -> None:
    loss = getattr(losses, name)
    for y, p in ((Y, P), (Y, Y), (Y.astype("float16"), P.astype("float16")), random_case((1, 3, 1))):
        assert float(loss(y, p)) == float(losses.get(name)(y, p))


@each_loss
@pytest.mark.parametrize(
    ("y", "p", "match"),
    [
        (Y, changed(P, np.nan), "y_pred has 1 value of 120 that are NaN or infinite"),
        (Y, changed(P, np.inf), "NaN or infinite"),
        (Y, changed(P, 1.5), "y_pred has values from .* to 1.5: give probabilities from 0 to 1"),
        (Y, 20 * P - 10, "the output of a softmax or a sigmoid"),
        (changed(Y, 2.0), P, "y_true has values from 0 to 2: give one-hot labels of 3 classes"),
        (255 * Y[..., :1], P[..., :1], "y_true has values from 0 to 255: give a mask of 0 and 1"),
        (0 * Y, P, "y_true does not sum to 1 over the classes at 40 pixels of 40: a label is outside"),
        (changed(Y, np.nan), P, "y_true has values from nan"),
    ],
    ids=["nan", "inf", "large", "logits", "label", "mask", "outside", "nan label"],
)
def test_bad_values_are_one_clear_error(name: str, y, p, match: str) -> None:
    with pytest.raises(ConfigError, match=match) as error:
        getattr(losses, name)(y, p)
    assert "\n" not in str(error.value)


def test_a_label_outside_of_the_classes_is_reported_after_one_hot_encoding() -> None:
    one_hot = np.eye(4)[np.full((1, 4), 3)][..., :3]  # what keras.ops.one_hot gives on TensorFlow and JAX
    with raises(ConfigError, key="y_true", hint="give one-hot labels of 3 classes (0 to 2)"):
        losses.dice(one_hot, np.full((1, 4, 3), 1 / 3))


def test_rounding_is_no_error() -> None:
    losses.dice(Y, np.clip(P, 0, 1) * np.float32(1.0000002))
    losses.bce(Y[..., :1], np.full(Y[..., :1].shape, -1e-7))


def test_tensors_with_a_gradient_are_looked_at_without_harm(gradient) -> None:
    value, slope = gradient(lambda p: losses.dice(Y, p), P)
    assert np.isfinite(value)
    assert np.any(slope)


def test_a_compiled_function_does_not_look() -> None:
    if keras.backend.backend() == "torch":
        return_value = losses.get("dice")(Y, changed(P, np.nan))  # PyTorch does not trace here
    else:
        return_value = compiled(losses.dice)(
            ops.convert_to_tensor(Y), ops.convert_to_tensor(changed(P, np.nan))
        )
    assert np.isnan(float(return_value))


@pytest.mark.parametrize("wrap", [lambda f: f, functools.partial], ids=["function", "partial"])
def test_a_term_of_a_fused_model_never_looks(wrap) -> None:
    loss = arguments.resolve_loss(wrap(losses.dice))
    assert np.isnan(float(loss(Y, changed(P, np.nan))))
    assert float(loss(2 * Y, P)) < 1.0


def test_nan_reaches_the_guards_of_the_training_in_eager_mode() -> None:
    network = keras.Sequential([keras.Input((4, 5, 1)), keras.layers.Conv2D(3, 1, activation="softmax")])
    model = fuse(network, {"dice": losses.dice, "ce": "ce"}, "fixed")
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    x = np.full((2, 4, 5, 1), np.nan, "float32")
    model.fit(x, Y, batch_size=2, verbose=0)
    assert model.memory["skipped"] == 1


def test_other_functions_are_left_as_they_are() -> None:
    def mine(y_true, y_pred):
        return ops.mean(y_pred)

    assert losses.unchecked(mine) is mine


@each_loss
def test_a_checked_loss_can_be_sent_to_another_process(name: str) -> None:
    assert pickle.loads(pickle.dumps(getattr(losses, name))) is getattr(losses, name)
    assert pickle.loads(pickle.dumps(losses.get(name))).func is losses.get(name).func
