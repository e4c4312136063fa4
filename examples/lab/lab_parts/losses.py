"""Losses of the lab: dmf train loss=lab_brier+dice."""

from keras import ops

import dmf_cli


@dmf_cli.loss
def lab_brier(y_true, y_pred):
    """Brier score: the mean squared error of the probabilities.

    Source: Brier, Monthly Weather Review 78 (1950) 1.
    """
    return ops.mean(ops.square(ops.cast(y_true, "float32") - ops.cast(y_pred, "float32")))
