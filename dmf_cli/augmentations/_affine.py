"""Mirror, rotation, scale and shift; gain and gamma."""

from collections.abc import Callable
from typing import Any

from dmf_cli.augmentations import _moves, _tones
from dmf_cli.parts import augmentation
from dmf_cli.ranges import Angle, Fraction, Share

Draw = Callable[..., Any]  # (stream, shape, normal=False) -> (batch, *shape)


@augmentation
def affine(
    images: Any,
    labels: Any,
    draw: Draw,
    *,
    flip: Share = 0.0,
    rotate: Angle = 0.0,
    scale: Fraction = 0.0,
    shift: Fraction = 0.0,
    gain: Fraction = 0.0,
    gamma: Fraction = 0.0,
) -> tuple[Any, Any]:
    """Mirror, rotation, scale and shift of image and mask, gain and gamma of the image.

    Args:
        images: float32 ``(batch, H, W, C)``.
        labels: class indices ``(batch, H, W)``.
        draw: the random numbers of each sample, stream 0.
        flip: probability of a left-right mirror.
        rotate: largest rotation, degrees to either side.
        scale: largest change of size, share to either side.
        shift: largest shift, share of the side.
        gain: largest change of brightness, share to either side.
        gamma: largest change of the exponent of grey values.

    Source: common practice, e.g. Isensee et al., nnU-Net, Nature Methods 18 (2021) 203.
    """
    return moved(images, labels, draw, None, (flip, rotate, scale, shift), gain, gamma)


def moved(
    images: Any,
    labels: Any,
    draw: Draw,
    bend: Any,
    limits: tuple[float, float, float, float],
    gain: float,
    gamma: float,
) -> tuple[Any, Any]:
    """Move image and labels as one, then change the brightness of the image.

    Args:
        images: see :func:`affine`; so are ``labels``, ``draw``, ``gain`` and ``gamma``.
        labels: see ``images``.
        draw: see ``images``.
        bend: see :func:`dmf_cli.augmentations._moves.move`.
        limits: ``flip``, ``rotate``, ``scale`` and ``shift``.
        gain: see ``images``.
        gamma: see ``images``.
    """
    basic = draw(0, (7,))
    flip, rotate, scale, shift = limits
    images, labels = _moves.move(
        images, labels, basic, flip=flip, rotate=rotate, scale=scale, shift=shift, bend=bend
    )
    return _tones.gain_and_gamma(images, basic[:, 5] * gain, basic[:, 6] * gamma), labels
