"""A metric of the surface, as a file of your own: Boundary IoU.

dmf check plugins=examples/boundary_iou.py metric=boundary_iou
dmf train plugins=examples/boundary_iou.py metrics=default+boundary_iou metrics.own.boundary_iou.width=3
dmf compare outputs --metric boundary_iou
"""

import math

import numpy as np
from scipy import ndimage

import dmf_cli
from dmf_cli.ranges import Count


@dmf_cli.metric(better="high")
def boundary_iou(truth, prediction, *, width: Count = 2):
    """Boundary IoU: intersection over union of the pixels near the two contours.

    Args:
        truth: boolean mask ``(height, width)``.
        prediction: mask of the same shape.
        width: of the band inside each contour, in pixels.

    Returns:
        A number in [0, 1]; NaN where both masks are empty.

    Source: Cheng et al., CVPR 2021, arXiv 2103.16562.
    """
    bands = [mask & ~ndimage.binary_erosion(mask, iterations=width) for mask in (truth, prediction)]
    union = np.count_nonzero(bands[0] | bands[1])
    return np.count_nonzero(bands[0] & bands[1]) / union if union else math.nan
