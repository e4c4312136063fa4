"""Changes of grey values as nnU-Net v2 has them, each channel by itself: planes ``(n, H, W)``.

Noise, contrast and gamma take their scale from the image, so that they mean the same with every
``dataset.normalize``; brightness multiplies, around black with ``unit`` and ``minmax`` and around the mean
with ``zscore``, which is nnU-Net's own.
"""

from typing import Any

EPSILON = 1e-7
TAPS = 7  # of the blur: to either side three standard deviations of the widest, 1 pixel (`ranges.Widths`)


def deviation(batch: Any) -> Any:
    """Standard deviation of each row, with axes of length 1."""
    import tensorflow as tf

    return tf.math.reduce_std(batch, axis=range(1, len(batch.shape)), keepdims=True)


def blur(planes: Any, sigma: Any) -> Any:
    """A Gaussian of ``sigma`` ``(n, 2)`` pixels along rows and columns; mirrored beyond the border."""
    import tensorflow as tf

    half = TAPS // 2
    at = tf.range(-half, half + 1, dtype=tf.float32)
    weights = tf.nn.softmax(-0.5 * (at / tf.maximum(sigma, 1e-3)[..., None]) ** 2)[..., None, None]
    height, width = planes.shape[1:]
    wide = tf.pad(planes, ((0, 0), (half, half), (0, 0)), "SYMMETRIC")
    planes = tf.add_n([weights[:, 0, k] * wide[:, k : k + height] for k in range(TAPS)])
    wide = tf.pad(planes, ((0, 0), (0, 0), (half, half)), "SYMMETRIC")
    return tf.add_n([weights[:, 1, k] * wide[:, :, k : k + width] for k in range(TAPS)])


def contrast(planes: Any, factor: Any) -> Any:
    """Farther from the mean by ``factor`` ``(n,)``, or nearer; never beyond the range that there was."""
    import tensorflow as tf

    mean, low, high = (
        reduce(planes, axis=(1, 2), keepdims=True)
        for reduce in (tf.reduce_mean, tf.reduce_min, tf.reduce_max)
    )
    return tf.clip_by_value(mean + factor[:, None, None] * (planes - mean), low, high)


def low_resolution(planes: Any, share: Any) -> Any:
    """Down to ``share`` ``(n,)`` of the sides by the nearest pixel, and up again by interpolation."""
    return _coarse(_coarse(planes, share, 1), share, 2)


def _coarse(planes: Any, share: Any, axis: int) -> Any:
    import tensorflow as tf

    side = planes.shape[axis]
    few = tf.maximum(tf.round(side * share), 1.0)[:, None]
    place = (tf.range(side, dtype=tf.float32) + 0.5) * few / side - 0.5
    place = tf.clip_by_value(place, 0.0, few - 1.0)
    before = tf.floor(place)
    after = tf.minimum(before + 1.0, few - 1.0)
    first, second = (
        tf.gather(planes, tf.cast((pixel + 0.5) * side / few, tf.int32), axis=axis, batch_dims=1)
        for pixel in (before, after)
    )
    return first + tf.expand_dims(place - before, 3 - axis) * (second - first)


def gamma(planes: Any, exponent: Any) -> Any:
    """``planes ** exponent`` within their own range; mean and standard deviation stay as they were."""
    import tensorflow as tf

    low = tf.reduce_min(planes, axis=(1, 2), keepdims=True)
    span = tf.reduce_max(planes, axis=(1, 2), keepdims=True) - low
    toned = ((planes - low) / tf.maximum(span, EPSILON)) ** exponent[:, None, None]
    mean, new = (tf.reduce_mean(part, axis=(1, 2), keepdims=True) for part in (planes, toned))
    return mean + (toned - new) * deviation(planes) / tf.maximum(deviation(toned), EPSILON)
