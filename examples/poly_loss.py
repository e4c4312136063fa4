"""A loss from a paper, as a file of your own: Poly-1, cross-entropy that also weighs how sure it is.

dmf check plugins=examples/poly_loss.py loss=poly1
dmf train plugins=examples/poly_loss.py loss=poly1+dice loss.terms.poly1.epsilon=2
"""

from typing import Annotated

from annotated_types import Interval
from keras import ops

import dmf_cli


@dmf_cli.loss
def poly1(y_true, y_pred, *, epsilon: Annotated[float, Interval(ge=-1)] = 1.0):
    """Poly-1 loss, the mean over pixels of -log p_t + epsilon (1 - p_t).

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``; one channel is the foreground.
        y_pred: probabilities of the same shape.
        epsilon: weight of the first polynomial term; 0 is cross-entropy.

    Source: Leng et al., ICLR 2022, arXiv 2204.12511.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    if y_true.shape[-1] == 1:
        y_true, y_pred = (ops.concatenate([1.0 - y, y], axis=-1) for y in (y_true, y_pred))
    # A pixel that counts nowhere has 0 in all channels: it must not add its 1 - p_t.
    counted = ops.sum(y_true, axis=-1)
    true = ops.sum(y_true * y_pred, axis=-1)
    pixel = -ops.log(ops.maximum(true, 1e-7)) + epsilon * (1.0 - true)
    return ops.sum(counted * pixel) / ops.maximum(ops.sum(counted), 1.0)
