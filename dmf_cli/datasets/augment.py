"""Random changes of training images, each a pure function of (seed, epoch, sample index).

So a run repeats bitwise however its input is parallelised, and a resumed run sees what it would have seen.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

# (images, labels, epoch, indices) -> (images, labels), all tensors of one batch
Augment = Callable[[Any, Any, Any, Any], tuple[Any, Any]]
DRAWS = 7  # random numbers a sample


def make(config: Mapping[str, Any], seed: int) -> Augment | None:
    """The augmentation of the ``augment`` group, or None for ``name: none``.

    Args:
        config: ``name``; for ``affine`` also ``flip`` (probability of a left-right mirror), ``rotate``
            (degrees), ``scale`` and ``shift`` (shares), ``gain`` and ``gamma`` (shares); each is the largest
            change to either side.
        seed: of the run.
    """
    if config["name"] == "none":
        return None
    limits = {key: float(value) for key, value in config.items() if key != "name"}
    return lambda images, labels, epoch, index: _affine(images, labels, _draw(seed, epoch, index), limits)


def _draw(seed: int, epoch: Any, index: Any) -> Any:
    """``(batch, DRAWS)`` numbers in [-1, 1); one stateless stream for each (seed, epoch, sample)."""
    import tensorflow as tf

    def one(sample: Any) -> Any:
        # Room for 2**32 samples in an epoch before two streams meet.
        counter = tf.cast(epoch, tf.int64) * 2**32 + tf.cast(sample, tf.int64)
        key = tf.stack([tf.constant(seed, tf.int64), counter])
        return tf.random.stateless_uniform((DRAWS,), key, -1.0, 1.0)

    return tf.map_fn(one, index, fn_output_signature=tf.float32)


def _affine(images: Any, labels: Any, draws: Any, limits: Mapping[str, float]) -> tuple[Any, Any]:
    """Mirror, turn, scale and shift about the centre; then gain and gamma of the image alone."""
    import tensorflow as tf

    height, width = images.shape[1], images.shape[2]
    matrix = _matrix(draws, limits, height, width)
    moved = _transform(images, matrix, "BILINEAR")
    labels = _transform(labels[..., None], matrix, "NEAREST")[..., 0]
    gain, gamma = draws[:, 5] * limits["gain"], draws[:, 6] * limits["gamma"]
    gain, gamma = (1.0 + v[:, None, None, None] for v in (gain, gamma))
    # The power needs values in [0, 1], which only `normalize=unit` and `minmax` give; others keep theirs.
    toned = tf.where(tf.reduce_min(moved) >= 0.0, tf.maximum(moved, 1e-6) ** gamma, moved)
    return gain * toned, labels


def _matrix(draws: Any, limits: Mapping[str, float], height: int, width: int) -> Any:
    """``(batch, 8)`` projective parameters that map output to input pixels."""
    import tensorflow as tf

    # draws are uniform in [-1, 1): below 2 p - 1 with probability p
    mirror = tf.where(draws[:, 0] < 2.0 * limits["flip"] - 1.0, -1.0, 1.0)
    angle = draws[:, 1] * limits["rotate"] * math.pi / 180.0
    size = 1.0 + draws[:, 2] * limits["scale"]
    right, down = draws[:, 3] * limits["shift"] * width, draws[:, 4] * limits["shift"] * height
    cos, sin = tf.cos(angle) / size, tf.sin(angle) / size
    cx, cy = (width - 1) / 2.0, (height - 1) / 2.0
    a, b, c, d = mirror * cos, -mirror * sin, sin, cos
    zero = tf.zeros_like(a)
    x0, y0 = cx - a * (cx + right) - b * (cy + down), cy - c * (cx + right) - d * (cy + down)
    return tf.stack([a, b, x0, c, d, y0, zero, zero], axis=1)


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
