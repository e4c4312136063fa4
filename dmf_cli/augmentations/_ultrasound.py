"""What changes between two scans of one organ: speckle, depth gain, acoustic shadows."""

from typing import Any

from dmf_cli.augmentations import _tones
from dmf_cli.augmentations._affine import Draw, moved
from dmf_cli.parts import augmentation
from dmf_cli.ranges import Angle, Fraction, Share


@augmentation
def ultrasound(
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
    speckle: Fraction = 0.0,
    tgc: Fraction = 0.0,
    shadow: Share = 0.0,
    shadow_width: Share = 0.0,
    shadow_strength: Share = 0.0,
) -> tuple[Any, Any]:
    """Affine, with speckle, depth gain and acoustic shadows.

    Args:
        images: see :func:`dmf_cli.augmentations.affine`; so are all arguments but the last five.
        labels: see ``images``.
        draw: see ``images``; streams 0 and 2 to 5.
        flip: see ``images``.
        rotate: see ``images``.
        scale: see ``images``.
        shift: see ``images``.
        gain: see ``images``.
        gamma: see ``images``.
        speckle: largest standard deviation of multiplicative noise, grains of two pixels.
        tgc: largest change of brightness at any depth (time-gain compensation).
        shadow: probability of an acoustic shadow, which hides a part of the image but not of the mask.
        shadow_width: its largest width, share of the side.
        shadow_strength: the largest share of brightness that it takes.

    Source: dmf; speckle as multiplicative noise after Burckhardt, IEEE Trans. Sonics Ultrason. 25 (1978) 1.
    """
    images, labels = moved(images, labels, draw, None, (flip, rotate, scale, shift), gain, gamma)
    return scanned(images, draw, speckle, tgc, (shadow, shadow_width, shadow_strength)), labels


def scanned(images: Any, draw: Draw, speckle: float, tgc: float, shadow: tuple[float, float, float]) -> Any:
    """The images as another scan would show them; ``shadow`` is its probability, width and strength."""
    probability, largest, darkest = shadow
    if tgc:
        images = _tones.depth_gain(images, tgc * draw(2, (_tones.SLIDERS,)))
    if probability:
        images = _tones.shadow(
            images, draw(3, (5,)), probability=probability, largest=largest, darkest=darkest
        )
    if speckle:
        noise = draw(5, (images.shape[1] + 2, images.shape[2] + 2), normal=True)
        images = _tones.speckle(images, noise, speckle * draw(4, ()))
    return images
