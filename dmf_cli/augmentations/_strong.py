"""Everything there is."""

from typing import Any

from dmf_cli.augmentations import _elastic, _ultrasound
from dmf_cli.augmentations._affine import Draw
from dmf_cli.augmentations._cutmix import cutmix as mixed
from dmf_cli.parts import augmentation
from dmf_cli.ranges import Angle, Bend, Cells, Fraction, Share


@augmentation
def strong(
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
    elastic: Bend = 0.0,
    elastic_cells: Cells = 1,
    speckle: Fraction = 0.0,
    tgc: Fraction = 0.0,
    shadow: Share = 0.0,
    shadow_width: Share = 0.0,
    shadow_strength: Share = 0.0,
    cutmix: Share = 0.0,
) -> tuple[Any, Any]:
    """Affine, bending, speckle, depth gain and shadows; a region of another image.

    Args:
        images: see :func:`dmf_cli.augmentations.affine`.
        labels: see ``images``.
        draw: see ``images``; streams 0 to 5 and 9.
        flip: see :func:`dmf_cli.augmentations.elastic`; so are the next seven.
        rotate: see ``flip``.
        scale: see ``flip``.
        shift: see ``flip``.
        gain: see ``flip``.
        gamma: see ``flip``.
        elastic: see ``flip``.
        elastic_cells: see ``flip``.
        speckle: see :func:`dmf_cli.augmentations.ultrasound`; so are the next four.
        tgc: see ``speckle``.
        shadow: see ``speckle``.
        shadow_width: see ``speckle``.
        shadow_strength: see ``speckle``.
        cutmix: probability of a region of another image of the batch, with its labels.

    Source: as ``elastic`` and ``ultrasound``.
    """
    images, labels = _elastic.elastic(
        images, labels, draw, flip=flip, rotate=rotate, scale=scale, shift=shift, gain=gain, gamma=gamma,
        elastic=elastic, elastic_cells=elastic_cells,
    )  # fmt: skip
    dark = (shadow, shadow_width, shadow_strength)
    return mixed(_ultrasound.scanned(images, draw, speckle, tgc, dark), labels, draw, cutmix)
