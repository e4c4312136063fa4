"""A loss that estimates the Hausdorff distance from distance maps of truth and prediction."""

from typing import Literal

from keras import ops

from dmf_cli.losses._distance import border_distance, diagonal, truth_map, unsigned
from dmf_cli.losses._inputs import Tensor, prepare, without_background
from dmf_cli.ops.reduce import average
from dmf_cli.parts import loss
from dmf_cli.ranges import Exponent


@loss
def hausdorff(
    y_true: Tensor,
    y_pred: Tensor,
    distance: Tensor = None,
    *,
    exponent: Exponent = 2.0,
    background: bool = False,
    binarize: Literal["half", "argmax"] = "half",
    inside_only: bool = False,
    normalize: bool = False,
) -> Tensor:
    """Hausdorff loss, the mean of (p - g)^2 (D_p^a + D_g^a) over samples, pixels and classes.

    D is the distance of a pixel to the border of the mask, inside and outside; D_p is that of the binarised
    prediction and has no gradient.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``; above 0.5 is inside.
        y_pred: probabilities of the same shape.
        distance: signed distances of ``y_true``, see :func:`dmf_cli.losses.boundary`; computed here if None.
        exponent: a > 0; large errors weigh more with a larger one.
        background: keep channel 0 in the mean (a lone sigmoid channel is always kept).
        binarize: the predicted mask of a class is p > 0.5 (``"half"``), or where it is the likeliest one of
            several (``"argmax"``), as in the code of the boundary loss.
        inside_only: D is 0 outside of a mask, as in the code of the boundary loss; False is the paper.
        normalize: divide distances by the diagonal of the image, so that the value does not grow with its
            size: it is in [0, 2] then. False is the paper.

    Returns:
        A scalar >= 0, in pixels^a unless ``normalize``; 0 at a perfect match. A mask without a border has
        D = 0: an absent class that is predicted below 0.5 everywhere costs nothing and has no gradient,
        so combine this loss with one that sees it.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Karimi & Salcudean, IEEE Trans. Med. Imaging 39 (2020) 499 (arXiv 1904.10030), its loss by
    distance transforms.

    Example:
        >>> y, p = [[[1.0], [0.0], [0.0]]], [[[1.0], [0.0], [1.0]]]
        >>> round(float(hausdorff(y, p)), 4)  # two pixels off the truth, one off the prediction: 5 / 3
        1.6667
    """
    y_true, y_pred = prepare(y_true, y_pred)
    signed = without_background(truth_map(y_true, distance), background)
    predicted = without_background(_binary(y_pred, binarize), background)
    y_true, y_pred = without_background(y_true, background), without_background(y_pred, background)
    masks = [y_true > 0.5, predicted]
    maps = [unsigned(signed, masks[0]), border_distance(masks[1])]
    if inside_only:
        maps = [ops.where(mask, one, 0.0) for mask, one in zip(masks, maps, strict=True)]
    scale = diagonal(y_pred) if normalize else 1.0
    weight = sum((one / scale) ** exponent for one in maps)
    return average(ops.square(y_pred - y_true) * weight)


def _binary(y_pred: Tensor, binarize: str) -> Tensor:
    """The predicted mask of each class, as booleans."""
    classes = y_pred.shape[-1]
    if binarize == "half" or classes == 1:
        return y_pred > 0.5
    return ops.one_hot(ops.argmax(y_pred, axis=-1), classes) > 0.5


hausdorff.needs = ("distance",)  # type: ignore[attr-defined]
