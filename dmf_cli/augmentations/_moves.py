"""Mirror, rotation, scale, shift and elastic bending of images with their labels, in one resampling.

One resampling, because each further one would blur the image; and the labels take the very same places,
with the nearest pixel in place of an interpolation, so that they stay class indices.
"""

import functools
import math
from typing import Any

import numpy as np


def move(
    images: Any,
    labels: Any,
    draws: Any,
    *,
    flip: float,
    rotate: float,
    scale: float,
    shift: float,
    bend: Any = None,
) -> tuple[Any, Any]:
    """``images`` ``(batch, H, W, C)`` and ``labels`` ``(batch, H, W)``, moved alike.

    Args:
        images: float32.
        labels: class indices.
        draws: ``(batch, >= 5)`` in [-1, 1): mirror, rotation, scale, shift right, shift down.
        flip: probability of a left-right mirror.
        rotate: largest change to either side, in degrees; ``scale`` and ``shift`` likewise, as shares.
        scale: see ``rotate``.
        shift: see ``rotate``.
        bend: ``(batch, nodes, nodes, 2)`` displacements (down, right) of the nodes of a grid, as shares of
            the shorter side; cubic B-splines lie between them. None: no bending.
    """
    height, width = images.shape[1], images.shape[2]
    numbers = _coefficients(draws, (flip, rotate, scale, shift), height, width)
    if bend is None:
        matrix = _matrix(numbers)
        return transformed(images, matrix), transformed_labels(labels, matrix)
    rows, columns = _places(numbers, bend, height, width)
    return _bilinear(images, rows, columns), _nearest(labels, rows, columns)


def around_centre(radians: Any, size: Any, height: int, width: int) -> Any:
    """``(batch, 8)`` projective parameters of rotations and scales, ``(batch,)``, around the centre."""
    import tensorflow as tf

    cos, sin = tf.cos(radians) / size, tf.sin(radians) / size
    cx, cy = (width - 1) / 2.0, (height - 1) / 2.0
    return _matrix((cos, -sin, cx - cos * cx + sin * cy, sin, cos, cy - sin * cx - cos * cy))


def transformed(images: Any, matrix: Any) -> Any:
    """``images`` ``(batch, H, W, C)`` at the places that ``matrix`` ``(batch, 8)`` says, interpolated."""
    return _transform(images, matrix, "BILINEAR")


def transformed_labels(labels: Any, matrix: Any) -> Any:
    """``labels`` ``(batch, H, W)`` there, by the nearest pixel."""
    return _transform(labels[..., None], matrix, "NEAREST")[..., 0]


def _coefficients(
    draws: Any, limits: tuple[float, float, float, float], height: int, width: int
) -> tuple[Any, ...]:
    """``a b x0 c d y0``, each ``(batch,)``: (x, y) comes from (a x + b y + x0, c x + d y + y0)."""
    import tensorflow as tf

    flip, rotate, scale, shift = limits
    # draws are uniform in [-1, 1): below 2 p - 1 with probability p
    mirror = tf.where(draws[:, 0] < 2.0 * flip - 1.0, -1.0, 1.0)
    angle = draws[:, 1] * rotate * math.pi / 180.0
    size = 1.0 + draws[:, 2] * scale
    right, down = draws[:, 3] * shift * width, draws[:, 4] * shift * height
    cos, sin = tf.cos(angle) / size, tf.sin(angle) / size
    cx, cy = (width - 1) / 2.0, (height - 1) / 2.0
    a, b, c, d = mirror * cos, -mirror * sin, sin, cos
    x0, y0 = cx - a * (cx + right) - b * (cy + down), cy - c * (cx + right) - d * (cy + down)
    return a, b, x0, c, d, y0


def _matrix(numbers: tuple[Any, ...]) -> Any:
    """``(batch, 8)`` projective parameters."""
    import tensorflow as tf

    zero = tf.zeros_like(numbers[0])
    return tf.stack([*numbers, zero, zero], axis=1)


def _transform(images: Any, matrix: Any, interpolation: str) -> Any:
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=matrix,
        output_shape=images.shape[1:3],
        interpolation=interpolation,
        fill_mode="REFLECT",
        fill_value=0.0,
    )


@functools.cache
def spline(n: int, nodes: int) -> np.ndarray:
    """Weights ``(n, nodes)`` of uniform cubic B-splines at ``n`` pixels; each row sums to 1.

    So a curve never leaves the range of its nodes, and its slope is at most their largest step.
    """
    place = (np.arange(n) + 0.5) / n * (nodes - 3)
    cell = np.minimum(place.astype(int), nodes - 4)
    t = place - cell
    basis = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (t + t**2 - t**3) + 1, t**3)
    weights = np.zeros((n, nodes))
    for k, values in enumerate(basis):
        weights[np.arange(n), cell + k] = values / 6.0
    return weights.astype(np.float32)


def _places(numbers: tuple[Any, ...], bend: Any, height: int, width: int) -> tuple[Any, Any]:
    """Row and column ``(batch, H, W)`` in the input of each output pixel: bent first, then turned."""
    import tensorflow as tf

    nodes = bend.shape[1]
    shift = tf.einsum("hk,bklc,wl->bhwc", spline(height, nodes), bend, spline(width, nodes))
    shift *= float(min(height, width))
    y = tf.range(height, dtype=tf.float32)[None, :, None] + shift[..., 0]
    x = tf.range(width, dtype=tf.float32)[None, None, :] + shift[..., 1]
    a, b, x0, c, d, y0 = (number[:, None, None] for number in numbers)
    return c * x + d * y + y0, a * x + b * y + x0


def _bilinear(images: Any, rows: Any, columns: Any) -> Any:
    import tensorflow as tf

    top, left = tf.floor(rows), tf.floor(columns)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    upper = (1.0 - right) * _take(images, top, left) + right * _take(images, top, left + 1.0)
    lower = (1.0 - right) * _take(images, top + 1.0, left) + right * _take(images, top + 1.0, left + 1.0)
    return (1.0 - down) * upper + down * lower


def _nearest(labels: Any, rows: Any, columns: Any) -> Any:
    import tensorflow as tf

    return _take(labels, tf.floor(rows + 0.5), tf.floor(columns + 0.5))


def _take(values: Any, rows: Any, columns: Any) -> Any:
    """Pixels at whole ``rows`` and ``columns``; beyond the border lies the mirror image."""
    import tensorflow as tf

    height, width = values.shape[1], values.shape[2]
    flat = tf.reshape(values, (-1, height * width, *values.shape[3:]))
    place = _reflected(rows, height) * width + _reflected(columns, width)
    taken = tf.gather(flat, tf.reshape(place, (-1, height * width)), batch_dims=1)
    return tf.reshape(taken, (-1, *values.shape[1:]))


def _reflected(index: Any, n: int) -> Any:
    """... 1 0 | 0 1 ... n-1 | n-1 n-2 ..., as the projective transform has it."""
    import tensorflow as tf

    index = tf.math.floormod(tf.cast(index, tf.int32), 2 * n)
    return tf.minimum(index, 2 * n - 1 - index)
