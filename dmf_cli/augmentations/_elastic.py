"""Bending, as soft tissue bends under a probe."""

from typing import Any

from dmf_cli.augmentations._affine import Draw, moved
from dmf_cli.parts import augmentation
from dmf_cli.ranges import Angle, Bend, Cells, Fraction, Share


@augmentation
def elastic(
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
) -> tuple[Any, Any]:
    """Affine, with a smooth bending of image and mask.

    Args:
        images: see :func:`dmf_cli.augmentations.affine`; so are all arguments but the last two.
        labels: see ``images``.
        draw: see ``images``; streams 0 and 1.
        flip: see ``images``.
        rotate: see ``images``.
        scale: see ``images``.
        shift: see ``images``.
        gain: see ``images``.
        gamma: see ``images``.
        elastic: largest displacement, share of the shorter side; below 1 / (4 elastic_cells): no folds.
        elastic_cells: cells of the grid along a side: more bend at a finer scale.

    Source: Ronneberger et al., U-Net, MICCAI 2015, arXiv 1505.04597, sec. 3.1.
    """
    nodes = elastic_cells + 3
    bend = elastic * draw(1, (nodes, nodes, 2)) if elastic else None
    return moved(images, labels, draw, bend, (flip, rotate, scale, shift), gain, gamma)
