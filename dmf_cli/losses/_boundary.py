"""The boundary loss: how far from the true border the probability lies."""

from dmf_cli.losses._distance import diagonal, truth_map
from dmf_cli.losses._inputs import Tensor, prepare, without_background
from dmf_cli.ops.reduce import average
from dmf_cli.parts import loss


@loss
def boundary(
    y_true: Tensor,
    y_pred: Tensor,
    distance: Tensor = None,
    *,
    background: bool = False,
    normalize: bool = False,
) -> Tensor:
    """Boundary loss, the mean of p phi over samples, pixels and classes.

    phi is the signed distance to the true border: the distance outside the class, minus (the distance - 1)
    inside it, so that probability far outside costs most and deep inside pays most.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``; above 0.5 is inside.
        y_pred: probabilities of the same shape.
        distance: phi of every channel of ``y_true``, as the input pipeline gives it
            (:func:`dmf_cli.losses.signed_distance_numpy`); computed here if None.
        background: keep channel 0 in the mean (a lone sigmoid channel is always kept).
        normalize: divide distances by the diagonal of the image, so that the value does not grow with its
            size: it is in [-1, 1] then. False is the paper.

    Returns:
        A scalar, in pixels unless ``normalize``. **It can be negative**: the minimum, at p = y, is the
        mean of phi over the inside, 0 at most. A class that is absent from a sample, or fills it, gives 0
        there and no gradient: combine this loss with one that sees those.

    Raises:
        ConfigError: shapes that do not belong together.

    Source: Kervadec et al., MIDL 2019; Med. Image Anal. 67 (2021) 101851 (arXiv 1812.07032).

    Example:
        >>> y, p = [[[0.0], [0.0], [1.0]]], [[[0.5], [0.0], [1.0]]]
        >>> round(float(boundary(y, p)), 4)  # half a pixel of probability, two pixels away: 1 / 3
        0.3333
    """
    y_true, y_pred = prepare(y_true, y_pred)
    phi = truth_map(y_true, distance)
    if normalize:
        phi = phi / diagonal(phi)
    return average(without_background(y_pred, background) * without_background(phi, background))


boundary.can_be_negative = True  # type: ignore[attr-defined]
boundary.needs = ("distance",)  # type: ignore[attr-defined]
