"""Exact Euclidean distances to the border of a mask, in pixels, inside the compiled graph.

SciPy would need a callback to the host, which no compiler can look into. The squared distance is separable:
along one axis after the other it is the lower envelope d(i) = min_j f(j) + (i - j)^2, taken here over all
j, one at a time. That costs the side of the image an axis (128 passes over a mask of 128 x 128 each way)
and holds at most four float32 arrays of the size of the mask, whatever the side; sides of up to 24 pixels
are taken at once, for up to 24 such arrays. Integers up to 2^24 are
exact in float32: so are squared distances in images with a diagonal below 4096 pixels.

A mask without a border (empty, or full) is near to nothing and far from nothing: its distances are 0.
"""

from typing import Any

import numpy as np
from keras import ops

from dmf_cli.errors import ConfigError

Tensor = Any
AT_ONCE = 24  # pixels of a side
FAR = 1e9  # above every squared distance, and as good as infinite


def squared_distance(sites: Tensor) -> Tensor:
    """The squared distance of each pixel to the nearest pixel of ``sites``, float32; 0 if there is none.

    Args:
        sites: booleans, ``(batch, *spatial, classes)``; each sample and channel is one mask.

    Source: Felzenszwalb & Huttenlocher, Theory of Computing 8 (2012) 415 (the separable form).
    """
    squared = ops.cast(ops.where(sites, 0.0, FAR), "float32")
    for axis in range(1, len(squared.shape) - 1):
        squared = _along(squared, axis)
    return ops.where(squared >= FAR, 0.0, squared)


def border_distance(mask: Tensor) -> Tensor:
    """How far each pixel of a mask is from its outside, and each pixel outside from the mask.

    At least 1 (a pixel at the border) where the mask has a border, else 0. No gradient.

    Args:
        mask: booleans, ``(batch, *spatial, classes)``.
    """
    both = squared_distance(ops.concatenate([mask, ops.logical_not(mask)], axis=-1))
    outside, inside = ops.split(both, 2, axis=-1)
    return ops.stop_gradient(ops.sqrt(outside + inside))  # one of them is 0 at each pixel


def signed_distance(mask: Tensor) -> Tensor:
    """The map of the boundary loss: the distance outside, minus (the distance - 1) inside; no gradient.

    So it is 0 at pixels of the mask that touch its border, and everywhere if there is no border.

    Args:
        mask: booleans, ``(batch, *spatial, classes)``.
    """
    distance = border_distance(mask)
    return ops.where(mask, ops.minimum(1.0 - distance, 0.0), distance)


def truth_map(y_true: Tensor, distance: Tensor = None) -> Tensor:
    """Signed distances of the truth: ``distance`` if the pipeline has them, else computed here."""
    if distance is None:
        return signed_distance(y_true > 0.5)
    distance = ops.cast(distance, "float32")
    given, wanted = tuple(distance.shape), tuple(y_true.shape)
    if len(given) != len(wanted) or given[-1] != wanted[-1]:
        reason = f"has shape {given} and y_true {wanted}"
        raise ConfigError(key="distance", reason=reason, allowed="a map of each class")
    return ops.stop_gradient(distance)


def unsigned(signed: Tensor, mask: Tensor) -> Tensor:
    """:func:`border_distance` of ``mask`` from its signed map."""
    axes = tuple(range(1, len(signed.shape) - 1))
    # At a border pixel of the mask the map is 0, as it is everywhere in a mask that is full.
    full = ops.all(mask, axis=axes, keepdims=True)
    return ops.where(ops.logical_and(mask, ops.logical_not(full)), 1.0 - signed, ops.where(mask, 0.0, signed))


def diagonal(tensor: Tensor) -> Tensor:
    """Of an image ``(batch, *spatial, classes)``, in pixels: no distance in it is larger."""
    sides = [ops.cast(side, "float32") for side in ops.shape(tensor)[1:-1]]
    return ops.sqrt(sum(side * side for side in sides))


def signed_distance_numpy(labels: np.ndarray) -> np.ndarray:
    """:func:`signed_distance` of ``labels > 0.5`` by SciPy: what an input pipeline adds to its targets.

    Args:
        labels: one-hot, ``(batch, *spatial, classes)``.

    Returns:
        float32, the shape of ``labels``.
    """
    masks = np.asarray(labels) > 0.5
    signed = np.empty(masks.shape, np.float32)
    for sample in range(len(masks)):
        last: np.ndarray | None = None
        for channel in range(masks.shape[-1]):
            mask = masks[sample, ..., channel]
            # Two classes have one border, and most of the time would go into finding it twice.
            if last is None or not np.array_equal(last, ~mask):
                distance = _border_numpy(mask)
            last = mask
            signed[sample, ..., channel] = np.where(mask, np.minimum(1.0 - distance, 0.0), distance)
    return signed


def _border_numpy(mask: np.ndarray) -> np.ndarray:
    """:func:`border_distance` of one mask ``(*spatial)`` by SciPy."""
    from scipy.ndimage import distance_transform_edt

    if mask.all() or not mask.any():
        return np.zeros(mask.shape)
    distance: np.ndarray = distance_transform_edt(mask) + distance_transform_edt(~mask)
    return distance


def _along(squared: Tensor, axis: int) -> Tensor:
    """The lower envelope along one axis, with the axis in front: a slice is then one piece of memory."""
    values = ops.moveaxis(squared, axis, 0)
    n = ops.shape(values)[0]
    places = ops.reshape(ops.arange(n, dtype="float32"), (-1, *[1] * (len(values.shape) - 1)))
    if isinstance(n, int) and n <= AT_ONCE:  # a loop would take longer to compile than to run
        steps = places[:, None] - places[None]
        return ops.moveaxis(ops.min(values[:, None] + steps * steps, axis=0), 0, axis)

    def closer(j: Tensor, best: Tensor) -> Tensor:
        step = places - ops.cast(j, "float32")
        return ops.minimum(best, values[j][None] + step * step)

    return ops.moveaxis(ops.fori_loop(0, n, closer, values), 0, axis)
