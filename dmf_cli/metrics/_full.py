"""What ``metrics=full`` adds to the counts: its options, and all its figures of one structure."""

import dataclasses
import functools

import numpy as np

from dmf_cli import parameters
from dmf_cli.metrics._empty import empty_score
from dmf_cli.metrics._lesions import Connectivity, lesion_fp, lesion_sensitivity, lesions
from dmf_cli.metrics._surface import Missed, Spacing, surfaces
from dmf_cli.ranges import Count, Fraction, NotNegative


@dataclasses.dataclass(frozen=True)
class Full:
    """Options of surface distances, calibration and detection.

    Args:
        missed: ``diagonal``: a missed structure or a false alarm counts the image's diagonal as distance, and
            0 as surface Dice; ``nan``: it is excluded from their means.
        tolerance: of the surface Dice, in pixels, >= 0.
        tolerance_mm: the same in millimetres, for datasets with a spacing.
        bins: of the calibration error.
        connectivity: 1 or 2, see :func:`dmf_cli.metrics.lesions`.
        overlap: share of a component above which it is covered, in [0, 1).

    Raises:
        ConfigError: an option out of range, or a rule that does not exist.
    """

    missed: Missed = "diagonal"
    tolerance: NotNegative = 2.0
    tolerance_mm: NotNegative = 1.0
    bins: Count = 15
    connectivity: Connectivity = 2
    overlap: Fraction = 0.0

    def __post_init__(self) -> None:
        parameters.check(type(self), vars(self), "metrics.")

    def rules(self, millimetres: bool) -> tuple[str, ...]:
        """What the figures depend on, in words, for the notes of a table."""
        scored = "distances count the image's diagonal and NSD 0"
        within = f"{self.tolerance:g} px" + (f", {self.tolerance_mm:g} mm" if millimetres else "")
        return (
            f"missed lesion or false alarm, missed={self.missed}: "
            + (scored if self.missed == "diagonal" else "distances and NSD are excluded from the mean"),
            "both empty: distances are excluded from the mean, NSD as Dice",
            f"NSD (surface Dice) within {within}",
            f"ECE of the foreground in {self.bins} bins",
            f"lesions: components by {'sides' if self.connectivity == 1 else 'sides and corners'}, found if "
            f"more than {100 * self.overlap:g} % of the pixels are covered",
        )


def measure(
    truth: np.ndarray,
    prediction: np.ndarray,
    options: Full,
    *,
    spacing: Spacing | None = None,
    empty: str = "nan",
) -> dict[str, float]:
    """Every figure of two masks that is neither of counts nor of probabilities, by name in table order.

    Args:
        truth: mask ``(H, W)``.
        prediction: mask of the same shape.
        options: see :class:`Full`.
        spacing: millimetres per pixel and axis, or None; adds ``hd95_mm``, ``assd_mm``, ``nsd_mm``.
        empty: ``nan``, ``zero`` or ``one``: surface Dice of two empty masks.

    Returns:
        ``hd95 assd nsd lesion_sensitivity lesion_fp``, and the counts ``lesions lesions_found``.
    """
    both = functools.partial(surfaces, truth, prediction, missed=options.missed, empty=empty_score(empty))
    figures = both(tolerance=options.tolerance)
    if spacing:
        mm = both(spacing=spacing, tolerance=options.tolerance_mm)
        figures |= {f"{name}_mm": value for name, value in mm.items()}
    counts = lesions(truth, prediction, connectivity=options.connectivity, overlap=options.overlap)
    figures |= {
        "lesion_sensitivity": float(lesion_sensitivity(counts)),
        "lesion_fp": float(lesion_fp(counts)),
    }
    return {**figures, "lesions": int(counts.lesions), "lesions_found": int(counts.found)}
