"""A loss of our own."""

from keras import ops

import dmf_cli
from dmf_cli.ranges import Positive, Share


@dmf_cli.loss
def mine(y_true, y_pred, *, alpha: Share = 0.7, smooth: Positive = 1e-5):
    """One minus the share of the structure that is found, missed pixels counting more than false ones.

    The first line is what ``dmf list`` shows. What stands after the ``*`` can be set on the command line, as
    ``loss.terms.mine.alpha=0.5``; its annotation says what is allowed, its default what it is otherwise.

    Args:
        y_true: one-hot labels ``(batch, height, width, classes)``; with one class a mask of 0 and 1.
        y_pred: probabilities of the same shape.
        alpha: what a missed pixel counts; a false one counts ``1 - alpha``.
        smooth: added to both sides of the ratio, so that an empty mask gives a number.

    Returns:
        One number, the smaller the better.

    Source: where the formula is from.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    pixels = tuple(range(1, len(y_pred.shape) - 1))
    found = ops.sum(y_true * y_pred, axis=pixels)
    missed = ops.sum(y_true * (1 - y_pred), axis=pixels)
    false = ops.sum((1 - y_true) * y_pred, axis=pixels)
    ratio = (found + smooth) / (found + alpha * missed + (1 - alpha) * false + smooth)
    return ops.mean(1 - ratio)
