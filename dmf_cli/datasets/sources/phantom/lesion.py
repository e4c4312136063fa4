"""One lesion of the phantom: its outline, its border, what it does to the beam below it."""

import dataclasses

import numpy as np

from dmf_cli.datasets.sources.phantom.fields import centres, smooth

GRID = 128  # side of the grid that a wanted lesion size is measured on, whatever the size of the image


@dataclasses.dataclass(frozen=True)
class Lesion:
    """How a lesion is drawn: the ranges that depend on its kind and on the task.

    Args:
        malignant: spiculated with a halo, else smooth with a capsule.
        flat: range of height over width.
        absorption: range, in dB over the whole depth: a shadow above 0, enhancement below.
        spicules: range of their length, in radii; of malignant ones.
    """

    malignant: bool
    flat: tuple[float, float]
    absorption: tuple[float, float]
    spicules: tuple[float, float] = (0.05, 0.22)


# Benign lesions absorb less than the gland (enhancement), malignant ones mostly more (shadow). Where they are
# to be distinguishable, the signs of textbooks do not overlap.
LESIONS = {
    ("lesion", "benign"): Lesion(False, (0.5, 0.85), (-65, 5)),
    ("lesion", "malignant"): Lesion(True, (0.85, 1.25), (-10, 70)),
    ("type", "benign"): Lesion(False, (0.5, 0.8), (-70, -20)),
    ("type", "malignant"): Lesion(True, (1.25, 1.6), (25, 80), (0.15, 0.32)),
}


def add_lesion(
    layout: np.random.Generator,
    x: np.ndarray,
    y: np.ndarray,
    level: float,
    kind: Lesion,
    backscatter: np.ndarray,
    absorption: np.ndarray,
    gland: tuple[float, float],
    area: float | None,
) -> np.ndarray:
    """Draw one lesion into the maps and return its exact label map."""
    malignant = kind.malignant
    drawn = layout.uniform(0.08, 0.19)
    # The same number decides the size with a wanted area: 0.5 to 1.5 of it, evenly.
    share = area * (0.5 + (drawn - 0.08) / 0.11) if area else 0.0
    radius = np.sqrt(share / np.pi) if area else drawn * (1.1 - 0.3 * level)
    flat = layout.uniform(*kind.flat)  # height over width
    reach = radius * np.sqrt(flat)
    cx = layout.uniform(0.2, 0.8)
    cy = np.clip(layout.uniform(gland[0], gland[1] - 0.05), gland[0] + 0.5 * reach, 0.97 - reach)
    if area:  # a large lesion has to fit in
        beside = min(0.5, radius / np.sqrt(flat))
        cx = np.clip(cx, beside, 1 - beside)
    shape = _Shape(layout, flat, kind)
    distance, outline = shape.at(x - cx, y - cy)
    if area:
        # A point is inside where distance / outline is below the radius: the radius is a quantile.
        grid = np.meshgrid(centres(GRID) - cx, centres(GRID) - cy)
        radius = np.quantile(np.divide(*shape.at(*grid)), share)
    outline = radius * outline
    label = (distance < outline).astype(np.uint8)
    # The visible border is soft, the mask is its middle.
    edge = (0.004 + 0.018 * level) * (1.3 if malignant else 0.7)
    edge = min(edge, 0.3 * radius) if area else edge  # or a tiny lesion would be all border
    inside = 1 / (1 + np.exp((distance - outline) / edge))
    contrast = layout.uniform(15.0, 24.0) - 6.0 * level
    texture = 1.5 * smooth(layout, x, y, 0.05, 0.04)
    own = backscatter.copy()
    # Inside, the tissue's own pattern is mostly gone: a lesion has a level of its own.
    own = 0.3 * own + 0.7 * -6.0 - contrast + texture
    if malignant:  # echogenic halo
        backscatter += 3.0 * np.exp(-(((distance - 1.15 * outline) / (0.35 * radius)) ** 2)) * (1 - inside)
    else:  # thin bright capsule
        backscatter += layout.uniform(0, 5) * np.exp(-(((distance - outline) / 0.008) ** 2))
    backscatter += inside * (own - backscatter)
    absorption += inside * layout.uniform(*kind.absorption)
    return label


class _Shape:
    """One drawn outline for any grid: slightly turned; near-elliptic, or lobulated and spiculated."""

    def __init__(self, layout: np.random.Generator, flat: float, kind: Lesion) -> None:
        self.flat, self.turn = flat, layout.normal(0, 0.25)
        deviation = 0.05 if kind.malignant else 0.025
        self.waves = [(k, layout.normal(0, deviation), layout.uniform(0, 2 * np.pi)) for k in (2, 3, 4)]
        self.spicules: list[tuple[float, float, float]] = []
        if kind.malignant:
            depth = layout.uniform(*kind.spicules)
            for _ in range(layout.integers(5, 13)):
                towards = layout.uniform(-np.pi, np.pi)
                self.spicules.append((towards, depth * layout.uniform(0.4, 1.2), layout.uniform(0.07, 0.2)))

    def at(self, dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Elliptic distance from the centre, and where the border is at radius 1 (about 1)."""
        u = (dx * np.cos(self.turn) + dy * np.sin(self.turn)) * np.sqrt(self.flat)
        v = (dy * np.cos(self.turn) - dx * np.sin(self.turn)) / np.sqrt(self.flat)
        angle, radius = np.arctan2(v, u), np.ones_like(u)
        for k, height, phase in self.waves:
            radius += height * np.cos(k * angle + phase)
        for towards, height, width in self.spicules:
            away = np.angle(np.exp(1j * (angle - towards)))
            radius += height * np.exp(-((away / width) ** 2))
        return np.hypot(u, v), radius
