"""The augmentation of nnU-Net v2, in its order and with its probabilities."""

import math
from typing import Any

from dmf_cli.augmentations import _moves, _planes
from dmf_cli.augmentations._affine import Draw
from dmf_cli.augmentations._cutmix import cutmix as mixed
from dmf_cli.augmentations._some import some
from dmf_cli.parts import augmentation
from dmf_cli.ranges import Angle, Factors, Fraction, Share, Shares, Widths

LONG, SLIGHT = 1.5, 15.0  # an image longer than that is turned no further than so many degrees
TONES = 8  # numbers of an image: seven chances and the strength of the noise
VALUES = 9  # numbers of a channel


@augmentation
def nnunet(
    images: Any,
    labels: Any,
    draw: Draw,
    *,
    rotate: Share = 0.0,
    angle: Angle = 0.0,
    scale: Share = 0.0,
    sizes: Factors = (1.0, 1.0),
    noise: Share = 0.0,
    deviation: Fraction = 0.0,
    blur: Share = 0.0,
    sigmas: Widths = (0.0, 0.0),
    brightness: Share = 0.0,
    gains: Factors = (1.0, 1.0),
    contrast: Share = 0.0,
    contrasts: Factors = (1.0, 1.0),
    low_resolution: Share = 0.0,
    resolutions: Shares = (1.0, 1.0),
    channel: Share = 1.0,
    gamma_inverted: Share = 0.0,
    gamma: Share = 0.0,
    exponents: Factors = (1.0, 1.0),
    flip: Share = 0.0,
    flip_vertical: Share = 0.0,
    cutmix: Share = 0.0,
) -> tuple[Any, Any]:
    """Rotation, scale, noise, blur, brightness, contrast, low resolution, gamma and mirrors, now and then.

    Args:
        images: see :func:`dmf_cli.augmentations.affine`; so is ``labels``.
        labels: see ``images``.
        draw: see ``images``; streams 0 and 6 to 9.
        rotate: probability of a rotation.
        angle: largest rotation, degrees to either side; 15 where one side is above 1.5 times the other.
        scale: probability of another scale.
        sizes: smallest and largest size of the part of the image that is shown, as a factor.
        noise: probability of Gaussian noise.
        deviation: its largest standard deviation, share of that of the image.
        blur: probability of a blur.
        sigmas: smallest and largest standard deviation of it, pixels; each axis has its own.
        brightness: probability of another brightness.
        gains: its smallest and largest factor.
        contrast: probability of another contrast; the range of grey values is kept.
        contrasts: its smallest and largest factor.
        low_resolution: probability of a lower resolution.
        resolutions: its smallest and largest share of the sides.
        channel: share of the channels that a blur or a lower resolution changes.
        gamma_inverted: probability of a gamma of the inverted image.
        gamma: probability of a gamma; mean and standard deviation are kept.
        exponents: smallest and largest exponent of both.
        flip: probability of a left-right mirror.
        flip_vertical: probability of a top-bottom mirror.
        cutmix: probability of a region of another image of the batch, with its labels.

    Source: Isensee et al., nnU-Net, Nature Methods 18 (2021) 203; MIC-DKFZ/nnUNet 0e495086, nnUNetTrainer.py.
    """
    places = draw(0, (6,))
    if rotate or scale:
        images, labels = _turned(images, labels, places, (rotate, angle), (scale, sizes))
    chances, values = draw(6, (TONES,)), draw(7, (images.shape[-1], VALUES))
    if noise:
        images = _noisy(images, draw, chances, noise, deviation)
    planes = _Planes(images, chances, values)
    planes.change(1, blur, _planes.blur, _between(values[..., 1:3], sigmas), (channel, 0))
    planes.change(2, brightness, _brighter, _factor(values[..., 3], gains))
    planes.change(3, contrast, _planes.contrast, _factor(values[..., 4], contrasts))
    planes.change(
        4, low_resolution, _planes.low_resolution, _between(values[..., 6], resolutions), (channel, 5)
    )
    planes.change(5, gamma_inverted, _inverted, _factor(values[..., 7], exponents))
    planes.change(6, gamma, _planes.gamma, _factor(values[..., 8], exponents))
    images, labels = _mirrored(planes.images(), labels, places, flip, flip_vertical)
    return mixed(images, labels, draw, cutmix)


class _Planes:
    """The channels of a batch, each by itself."""

    def __init__(self, images: Any, chances: Any, values: Any) -> None:
        import tensorflow as tf

        self._shape, self._chances, self._values = images.shape, chances, values
        height, width, channels = images.shape[1:]
        planes = images if channels == 1 else tf.transpose(images, (0, 3, 1, 2))
        self._planes = tf.reshape(planes, (-1, height, width))

    def change(
        self, number: int, probability: float, function: Any, value: Any, channel: tuple[float, int] = (1, 0)
    ) -> None:
        """Apply ``function``, with ``value`` ``(batch, C, ...)``, to images with a ``probability``.

        Of these, to a share of the channels: ``channel`` is that, and the place of its chance.
        """
        import tensorflow as tf

        share, place = channel
        if probability and share:
            chosen = _happens(self._chances[:, number, None], probability)
            chosen &= _happens(self._values[..., place], share)
            flat = tf.reshape(value, (-1, *value.shape[2:]))
            self._planes = some(self._planes, tf.reshape(chosen, (-1,)), function, flat)

    def images(self) -> Any:
        """``(batch, H, W, C)``."""
        import tensorflow as tf

        height, width, channels = self._shape[1:]
        if channels == 1:
            return tf.reshape(self._planes, self._shape)
        return tf.transpose(tf.reshape(self._planes, (-1, channels, height, width)), (0, 2, 3, 1))


def _happens(chance: Any, probability: float) -> Any:
    """Whether what has a ``probability`` comes; ``chance`` is uniform in [-1, 1)."""
    return chance < 2.0 * probability - 1.0


def _between(value: Any, ends: tuple[float, float]) -> Any:
    """Uniform between ``ends``."""
    return ends[0] + (0.5 + 0.5 * value) * (ends[1] - ends[0])


def _factor(value: Any, ends: tuple[float, float]) -> Any:
    """Below 1 as often as above, uniform on either side; uniform between ``ends`` that 1 is not between."""
    import tensorflow as tf

    if not ends[0] < 1.0 < ends[1]:
        return _between(value, ends)
    return 1.0 + value * tf.where(value < 0.0, 1.0 - ends[0], ends[1] - 1.0)


def _turned(
    images: Any,
    labels: Any,
    places: Any,
    rotate: tuple[float, float],
    scale: tuple[float, tuple[float, float]],
) -> tuple[Any, Any]:
    """Rotated and scaled around the centre; the mirror image lies beyond the border, as in ``affine``."""
    import tensorflow as tf

    sides = images.shape[1:3]
    angle = rotate[1] if max(sides) <= LONG * min(sides) else min(rotate[1], SLIGHT)
    turns, scales = _happens(places[:, 0], rotate[0]), _happens(places[:, 2], scale[0])
    radians = tf.where(turns, places[:, 1] * (angle * math.pi / 180.0), 0.0)
    shown = tf.where(scales, _between(places[:, 3], scale[1]), 1.0)
    matrix = _moves.around_centre(radians, 1.0 / shown, *sides)
    return (
        some(images, turns | scales, _moves.transformed, matrix),
        some(labels, turns | scales, _moves.transformed_labels, matrix),
    )


def _noisy(images: Any, draw: Draw, chances: Any, probability: float, deviation: float) -> Any:
    """One noise for all channels."""
    import tensorflow as tf

    rows = tf.where(_happens(chances[:, 0], probability))[:, 0]
    noise = draw(8, (*images.shape[1:3], 1), normal=True, rows=rows)
    chosen = tf.gather(images, rows)
    strength = _between(tf.gather(chances[:, 7], rows), (0.0, deviation))[:, None, None, None]
    noisy = chosen + strength * _planes.deviation(chosen) * noise
    return tf.tensor_scatter_nd_update(images, rows[:, None], noisy)


def _brighter(planes: Any, factor: Any) -> Any:
    return planes * factor[:, None, None]


def _inverted(planes: Any, exponent: Any) -> Any:
    return -_planes.gamma(-planes, exponent)


def _mirrored(images: Any, labels: Any, places: Any, flip: float, vertical: float) -> tuple[Any, Any]:
    import tensorflow as tf

    for place, probability, axis in ((4, flip, 2), (5, vertical, 1)):
        if probability:
            turned = _happens(places[:, place], probability)[:, None, None]
            images = tf.where(turned[..., None], tf.reverse(images, [axis]), images)
            labels = tf.where(turned, tf.reverse(labels, [axis]), labels)
    return images, labels
