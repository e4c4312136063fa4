"""Centre-line Dice: overlap of each mask with the skeleton of the other."""

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._sums import pooled_axes, present_weights, scored, weighted_mean
from dmf_cli.ops.reduce import total
from dmf_cli.parts import loss
from dmf_cli.ranges import Absent, ClassWeights, Iterations, Pool, Positive


@loss
def cldice(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    iterations: Iterations = 3,
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    background: bool = False,
    class_weights: ClassWeights = None,
    absent: Absent = "count",
) -> Tensor:
    """Centre-line Dice loss, 1 - 2 T_p T_s / (T_p + T_s), for vessels and other thin structures.

    T_p = (sum S(p) g + s) / (sum S(p) + s) is the share of the predicted skeleton inside the truth,
    T_s = (sum S(g) p + s) / (sum S(g) + s) that of the true one inside the prediction. The soft skeleton
    S comes from repeated minimum and maximum pooling. Add a loss on whole masks, as its authors do:
    ``loss=0.5*dice+0.5*cldice``.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``, one to three spatial axes.
        y_pred: probabilities of the same shape.
        iterations: >= 0; as many as the largest radius, in pixels, of what is to be thinned.
        pool: see :func:`dmf_cli.losses.dice`.
        smooth: s > 0.
        background: keep channel 0 (a lone sigmoid channel is always kept); a skeleton of the
            background says little.
        class_weights: one number a channel for a weighted mean over classes.
        absent: see :func:`dmf_cli.losses.dice`.

    Returns:
        A scalar in [0, 1]. Pixels off both skeletons have no gradient. Absent classes behave as in
        :func:`dmf_cli.losses.dice`.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Shit et al., CVPR 2021 (arXiv 2003.07311).

    Example:
        >>> y = [[[0.0], [1.0], [1.0], [1.0], [0.0]]]
        >>> round(float(cldice(y, y)), 5)
        0.0
    """
    y_true, y_pred = prepare(y_true, y_pred)
    y_true, y_pred, weights = scored(y_true, y_pred, background, class_weights)
    if len(y_pred.shape) > 5:
        shape = tuple(y_pred.shape)
        raise ConfigError(key="y_pred", reason=f"has shape {shape}", allowed="one to three spatial axes")
    axes = pooled_axes(y_pred, pool)
    precision = _share(soft_skeleton(y_pred, iterations), y_true, axes, smooth)
    sensitivity = _share(ops.stop_gradient(soft_skeleton(y_true, iterations)), y_pred, axes, smooth)
    loss = 1.0 - 2.0 * precision * sensitivity / (precision + sensitivity)
    return weighted_mean(loss, present_weights(total(y_true, axes), weights, absent))


def soft_skeleton(x: Tensor, iterations: int) -> Tensor:
    """What opening takes away from ``x`` and from each of its erosions; exact to ``iterations`` pixels."""
    eroded = _erode(x)
    skeleton = ops.relu(x - _dilate(eroded))
    for _ in range(iterations):
        x, eroded = eroded, _erode(eroded)
        ridge = ops.relu(x - _dilate(eroded))
        skeleton = skeleton + ops.relu(ridge - skeleton * ridge)
    return skeleton


def _share(part: Tensor, whole: Tensor, axes: tuple[int, ...], smooth: float) -> Tensor:
    return (total(part * whole, axes) + smooth) / (total(part, axes) + smooth)


def _erode(x: Tensor) -> Tensor:
    """The minimum over a cross: the pixel and its neighbours along each axis."""
    rank = len(x.shape) - 2
    smallest = -x
    for axis in range(rank):
        smallest = ops.maximum(smallest, _maximum(-x, tuple(3 if i == axis else 1 for i in range(rank))))
    return -smallest


def _dilate(x: Tensor) -> Tensor:
    """The maximum over a square (a cube)."""
    return _maximum(x, (3,) * (len(x.shape) - 2))


def _maximum(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return ops.max_pool(x, size, strides=1, padding="same", data_format="channels_last")
