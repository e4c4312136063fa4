"""A loss without a gradient is reported before the training."""

import numpy as np
import pytest
from keras import ops

from dmf_cli import losses
from dmf_cli.errors import ConfigError
from dmf_cli.fusion.dead_loss import check_alive
from tests.raised import raises


def one_hot(classes: int) -> np.ndarray:
    labels = np.arange(64).reshape(1, 8, 8) % max(2, classes)
    return (labels[..., None] if classes == 1 else np.eye(classes)[labels]).astype("float32")


def argmax_dice(y_true, y_pred):
    """The Dice of the paper's notebook."""
    hard = ops.one_hot(ops.argmax(y_pred, axis=-1), y_pred.shape[-1])
    overlap = ops.sum(y_true * hard)
    return 1.0 - 2.0 * overlap / (ops.sum(y_true) + ops.sum(hard))


@pytest.mark.parametrize("classes", [1, 2, 4])
@pytest.mark.parametrize("name", losses.__registry__)
def test_every_loss_of_ours_trains(name: str, classes: int) -> None:
    check_alive({name: losses.get(name)}, one_hot(classes))


def test_the_notebooks_dice_is_named() -> None:
    with raises(ConfigError, key="auxiliary", hint="not from argmax") as caught:
        check_alive({"ce": losses.ce, "auxiliary": argmax_dice}, one_hot(2))
    assert "\n" not in str(caught.value)


def test_a_gradient_of_0_everywhere_is_named() -> None:
    with raises(ConfigError, key="loss term 'mine'", hint="its gradient is 0"):
        check_alive({"mine": lambda y, p: ops.mean(0.0 * p)}, one_hot(2))
