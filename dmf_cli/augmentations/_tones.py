"""Changes of grey values: gain and gamma, depth gain, acoustic shadow, speckle. Labels stay as they are.

All but gamma multiply, so that zero stays zero: black with ``normalize=unit`` and ``minmax``, the mean grey
with ``zscore``.
"""

from typing import Any

from dmf_cli.augmentations._moves import spline

SLIDERS = 8  # of the time-gain compensation, as on many consoles


def gain_and_gamma(images: Any, gain: Any, gamma: Any) -> Any:
    """``(1 + gain) images ** (1 + gamma)``; one value an image, ``(batch,)``."""
    import tensorflow as tf

    gain, gamma = (1.0 + v[:, None, None, None] for v in (gain, gamma))
    # The power needs values in [0, 1], which only `normalize=unit` and `minmax` give; others keep theirs.
    toned = tf.where(tf.reduce_min(images) >= 0.0, tf.maximum(images, 1e-6) ** gamma, images)
    return gain * toned


def depth_gain(images: Any, sliders: Any) -> Any:
    """Time-gain compensation set otherwise: a smooth factor ``1 + curve`` over the rows.

    Args:
        images: ``(batch, H, W, C)``; depth goes down.
        sliders: ``(batch, SLIDERS)`` changes, between which cubic B-splines lie.
    """
    import tensorflow as tf

    curve = tf.einsum("hk,bk->bh", spline(images.shape[1], SLIDERS), sliders)
    return images * (1.0 + curve[:, :, None, None])


def shadow(images: Any, draws: Any, *, probability: float, largest: float, darkest: float) -> Any:
    """An acoustic shadow: a dark column with soft edges from some depth to the bottom.

    Args:
        images: ``(batch, H, W, C)``.
        draws: ``(batch, 5)`` in [-1, 1): whether, where, how wide, from which depth, how dark.
        probability: of a shadow.
        largest: width, share of the side.
        darkest: largest share of brightness that is lost.
    """
    import tensorflow as tf

    height, width = images.shape[1], images.shape[2]
    chance, centre, wide, top, dark = tf.unstack(0.5 + 0.5 * draws, axis=1)
    half = 0.5 * largest * (0.3 + 0.7 * wide)
    strength = darkest * (0.5 + 0.5 * dark) * tf.cast(chance < probability, tf.float32)
    x = (tf.range(width, dtype=tf.float32) + 0.5) / width
    y = (tf.range(height, dtype=tf.float32) + 0.5) / height
    # Full inside, gone at `half` from the centre; full a tenth of the image below its top.
    across = _ramp((half[:, None] - tf.abs(x - centre[:, None])) / (0.8 * half[:, None] + 1e-6))
    down = _ramp((y - 0.7 * top[:, None]) / 0.1)
    return images * (1.0 - strength[:, None, None] * down[:, :, None] * across[:, None, :])[..., None]


def speckle(images: Any, noise: Any, strength: Any) -> Any:
    """Multiplicative noise with grains of about two pixels: ``images (1 + strength grain)``.

    Args:
        images: ``(batch, H, W, C)``.
        noise: ``(batch, H + 2, W + 2)`` standard normal.
        strength: ``(batch,)`` standard deviation of the factor.
    """
    import tensorflow as tf

    rows = noise[:, :-2] + 2.0 * noise[:, 1:-1] + noise[:, 2:]
    grain = rows[:, :, :-2] + 2.0 * rows[:, :, 1:-1] + rows[:, :, 2:]
    factor = 1.0 + strength[:, None, None] * grain / 6.0  # 1 2 1 along both axes has a norm of 6
    return images * tf.maximum(factor, 0.0)[..., None]


def _ramp(t: Any) -> Any:
    """0 below 0, 1 above 1, smooth between."""
    import tensorflow as tf

    t = tf.clip_by_value(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
