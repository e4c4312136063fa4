"""How far two contours are from each other, by Google DeepMind's ``surface-distance``.

Contours are line elements between pixels, weighted by their length, so that a figure does not depend on how
a contour runs through the grid. The edge of the image closes a mask that touches it. The library is never
given an empty mask: what a missed structure scores is decided here.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from dmf_cli import parameters
from dmf_cli.errors import DatasetError
from dmf_cli.parts import metric
from dmf_cli.ranges import NotNegative

Missed = Literal["diagonal", "nan"]
Spacing = tuple[float, ...]


@metric(better="low")
def hd95(
    truth: np.ndarray, prediction: np.ndarray, *, spacing: Spacing | None = None, missed: Missed = "diagonal"
) -> float:
    """Hausdorff distance, 95th percentile: the larger of the two 95th percentiles of contour distances.

    Range [0, diagonal], 0 is best, in pixels or in the unit of ``spacing``. A missed structure and a false
    alarm count the image's diagonal (``missed="diagonal"``) or are NaN; both empty: NaN.

    Args:
        truth: mask ``(H, W)`` or ``(D, H, W)``; everything that is not 0 is inside.
        prediction: mask of the same shape.
        spacing: size of a pixel along each axis, e.g. in millimetres; None: 1, in pixels.
        missed: ``diagonal`` or ``nan``.

    Source: Huttenlocher et al., IEEE PAMI 15 (1993) 850; `surface-distance` 0.1.

    Example:
        >>> square, moved = np.zeros((2, 8, 8), bool)
        >>> square[2:5, 2:5] = moved[3:6, 2:5] = True
        >>> hd95(square, moved)
        1.0
    """
    return surfaces(truth, prediction, spacing=spacing, missed=missed)["hd95"]


@metric(better="low")
def assd(
    truth: np.ndarray, prediction: np.ndarray, *, spacing: Spacing | None = None, missed: Missed = "diagonal"
) -> float:
    """Average symmetric surface distance: the mean distance over the length of both contours.

    Range [0, diagonal], 0 is best; arguments and empty masks as in :func:`hd95`.

    Source: Heimann et al., IEEE Trans. Med. Imaging 28 (2009) 1251; `surface-distance` 0.1.
    """
    return surfaces(truth, prediction, spacing=spacing, missed=missed)["assd"]


@metric(better="high")
def nsd(
    truth: np.ndarray,
    prediction: np.ndarray,
    *,
    tolerance: NotNegative = 2.0,
    spacing: Spacing | None = None,
    missed: Missed = "diagonal",
    empty: float = math.nan,
) -> float:
    """Normalised surface Dice: the share of both contours that lies within the tolerance of the other one.

    Range [0, 1], 1 is best. A missed structure and a false alarm are 0 (NaN with ``missed="nan"``);
    ``empty`` where truth and prediction are both empty. Other arguments as in :func:`hd95`.

    Args:
        truth: see :func:`hd95`.
        prediction: see :func:`hd95`.
        tolerance: >= 0, in pixels or in the unit of ``spacing``.
        spacing: see :func:`hd95`.
        missed: see :func:`hd95`.
        empty: the score of two empty masks.

    Source: Nikolov et al., J. Med. Internet Res. 23 (2021) e26151; `surface-distance` 0.1.
    """
    return surfaces(
        truth, prediction, spacing=spacing, tolerance=tolerance, missed=missed, empty=empty
    )["nsd"]  # fmt: skip


def surfaces(
    truth: np.ndarray,
    prediction: np.ndarray,
    *,
    spacing: Spacing | None = None,
    tolerance: NotNegative = 2.0,
    missed: Missed = "diagonal",
    empty: float = math.nan,
) -> dict[str, float]:
    """``hd95``, ``assd`` and ``nsd`` from contours that are traced once; see there.

    Raises:
        DatasetError: masks of different shapes, or not of two or three axes.
        ConfigError: a rule other than ``diagonal`` and ``nan``, or a tolerance below 0.
    """
    truth, prediction = np.asarray(truth) != 0, np.asarray(prediction) != 0
    parameters.check(surfaces, {"missed": missed, "tolerance": tolerance}, "metrics.")
    if truth.shape != prediction.shape or truth.ndim not in (2, 3):
        reason = f"has shape {truth.shape} and prediction {prediction.shape}"
        raise DatasetError(key="truth", reason=reason, allowed="masks of one size, (H, W) or (D, H, W)")
    spacing = spacing or (1.0,) * truth.ndim
    if truth.any() and prediction.any():
        return _measured(truth, prediction, spacing, tolerance)
    if not truth.any() and not prediction.any():
        return {"hd95": math.nan, "assd": math.nan, "nsd": empty}
    far = math.hypot(*(s * n for s, n in zip(spacing, truth.shape, strict=True)))
    worst, none = (far, 0.0) if missed == "diagonal" else (math.nan, math.nan)
    return {"hd95": worst, "assd": worst, "nsd": none}


def _measured(
    truth: np.ndarray, prediction: np.ndarray, spacing: Spacing, tolerance: float
) -> dict[str, float]:
    """The figures of two masks that both have a contour."""
    library = _library()
    distances = library("compute_surface_distances")(truth, prediction, spacing)
    there, back = library("compute_average_surface_distance")(distances)
    lengths = [float(distances[f"surfel_areas_{side}"].sum()) for side in ("gt", "pred")]
    return {
        "hd95": float(library("compute_robust_hausdorff")(distances, 95)),
        "assd": float((there * lengths[0] + back * lengths[1]) / sum(lengths)),
        "nsd": float(library("compute_surface_dice_at_tolerance")(distances, tolerance)),
    }


def _library() -> Callable[[str], Any]:
    """Functions of ``surface_distance`` by name; SciPy is slow to import, so on first use."""
    import surface_distance

    return lambda name: getattr(surface_distance, name)
