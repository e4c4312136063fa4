"""A metric of our own."""

import math

import dmf_cli
from dmf_cli.ranges import Share


@dmf_cli.metric(better="low")
def mine(truth, prediction, *, tolerance: Share = 0.0):
    """Error of the area, as a share of the true area.

    The first line is what ``dmf list`` shows. What stands after the ``*`` can be set on the command line, as
    ``metrics.own.mine.tolerance=0.1``.

    Args:
        truth: mask of one image, boolean ``(height, width)``.
        prediction: the same of the network.
        tolerance: errors up to this share count as 0.

    Returns:
        One number; NaN where it is undefined, which excludes the image from the mean.

    Source: where the formula is from.
    """
    if not truth.any():
        return math.nan
    error = abs(prediction.sum() / truth.sum() - 1.0)
    return float(max(0.0, error - tolerance))
