"""Synthetic B-mode breast ultrasound with exact masks; NumPy and SciPy only.

An image is drawn in four steps, each a physical one:

1. anatomy: skin, fat, gland and muscle with curved borders, ligaments, fat lobules and one lesion at
   most, as maps of backscatter (dB) and attenuation (dB per unit depth);
2. scattering: many scatterers a resolution cell, a complex Gaussian field, shaped by the backscatter and
   smoothed by a point-spread function that is narrower along the beam than across. Its magnitude is
   Rayleigh distributed: fully developed speckle (Burckhardt, IEEE Trans. Sonics Ultrason. 25 (1978) 1);
3. propagation: attenuation adds up along the beam, so that a lesion that absorbs little leaves a bright
   band below it (posterior enhancement) and one that absorbs much leaves a shadow;
4. display: gain, time-gain error, log compression to a dynamic range, 8 bits.

Everything but the speckle is drawn in coordinates from 0 to 1, so that a size changes the sampling and
not the anatomy.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from dmf_cli.errors import ConfigError

STRATA = ("normal", "benign", "malignant")
SHARES = (0.12, 0.52, 0.36)  # of the strata
DIFFICULTIES = {"easy": 0.1, "medium": 0.4, "hard": 0.8}
AXIAL, LATERAL = 0.0045, 0.0085  # standard deviations of the point-spread function, shares of the side
PERSISTENCE = 0.006  # standard deviation of the display's smoothing, share of the side
FIELD = 64  # side of the coarse grids that smooth random fields are drawn on


@dataclasses.dataclass(frozen=True)
class Phantom:
    """One synthetic image.

    Args:
        image: ``(size, size, 1)`` uint8.
        label: ``(size, size)`` uint8, 1 inside the lesion.
        stratum: ``normal`` (no lesion), ``benign`` or ``malignant``.
        amplitude: ``(size, size)`` float32, the envelope before gain and compression.
    """

    image: np.ndarray
    label: np.ndarray
    stratum: str
    amplitude: np.ndarray


def generate(index: int, *, seed: int = 0, size: int = 128, difficulty: float | str = "medium") -> Phantom:
    """Image ``index`` of the endless dataset of ``seed``; depends on nothing else.

    Args:
        index: from 0.
        seed: of the dataset, >= 0.
        size: side in pixels, 16 to 1024.
        difficulty: 0 to 1 or ``easy``, ``medium``, ``hard``; lowers the contrast and the size of lesions,
            blurs their borders and adds distractors.

    Raises:
        ConfigError: an argument out of range.
    """
    level = check(size, difficulty)
    # Two streams: the number of speckle draws depends on the size, the anatomy must not.
    layout, noise = (
        np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, index, part]))) for part in (0, 1)
    )
    stratum = str(layout.choice(STRATA, p=SHARES))
    y, x = np.meshgrid(_centres(size), _centres(size), indexing="ij")
    backscatter, absorption, gland = _tissue(layout, x, y, level)
    label = np.zeros((size, size), np.uint8)
    if stratum != "normal":
        label = _add_lesion(layout, x, y, level, stratum, backscatter, absorption, gland)
    amplitude = speckle(noise, size) * 10 ** (backscatter / 20)
    loss = np.cumsum(absorption, axis=0) / size
    image = _display(layout, amplitude, loss, y)
    return Phantom(image[..., None], label, stratum, amplitude.astype(np.float32))


def check(size: int, difficulty: float | str) -> float:
    """The difficulty as a number, or a ``ConfigError``."""
    if not 16 <= size <= 1024:
        raise ConfigError(f"dataset.size is {size}: give a side of 16 to 1024 pixels")
    level = DIFFICULTIES.get(difficulty, difficulty) if isinstance(difficulty, str) else difficulty
    if isinstance(level, str) or not 0.0 <= level <= 1.0:
        raise ConfigError(
            f"dataset.difficulty is {difficulty!r}: give a number from 0 to 1, or easy, medium or hard"
        )
    return float(level)


def speckle(noise: np.random.Generator, size: int) -> np.ndarray:
    """Envelope of fully developed speckle ``(size, size)`` with mean square 1, axial axis first.

    Narrower along the beam (rows) than across (columns); below 128 pixels the point-spread function is
    kept at the width of 128, or speckle would be finer than a pixel.
    """
    scale = max(size, 128)
    sigma = (AXIAL * scale, LATERAL * scale)
    field = noise.standard_normal((2, size, size))
    real, imaginary = (ndimage.gaussian_filter(part, sigma, mode="wrap") for part in field)
    envelope = np.hypot(real, imaginary)
    return envelope / np.sqrt(np.mean(envelope**2))


def _centres(size: int) -> np.ndarray:
    return (np.arange(size) + 0.5) / size


def _smooth(
    layout: np.random.Generator, x: np.ndarray, y: np.ndarray, across: float, along: float
) -> np.ndarray:
    """A smooth random field of mean 0 and deviation 1; correlation lengths are shares of the side."""
    coarse = layout.standard_normal((FIELD, FIELD))
    coarse = ndimage.gaussian_filter(coarse, (along * FIELD, across * FIELD), mode="reflect")
    coarse = (coarse - coarse.mean()) / (coarse.std() + 1e-9)
    where = np.stack([y, x]) * FIELD - 0.5
    return ndimage.map_coordinates(coarse, where, order=1, mode="nearest")


def _ridges(
    layout: np.random.Generator, x: np.ndarray, y: np.ndarray, across: float, along: float
) -> np.ndarray:
    """Bright strands in [0, 1] where a smooth field crosses zero: fibres, septa, ligaments."""
    return np.exp(-((_smooth(layout, x, y, across, along) / 0.28) ** 2))


def _border(layout: np.random.Generator, x: np.ndarray, depth: float, bend: float) -> np.ndarray:
    """Depth of a layer's border over x: a tilt, a bow and ripples."""
    tilt, bow = layout.normal(0, bend, 2)
    waves = sum(
        layout.normal(0, bend / (2 * k)) * np.sin(2 * np.pi * k * x + layout.uniform(0, 2 * np.pi))
        for k in (1, 2, 3, 5)
    )
    return depth + tilt * (x - 0.5) + bow * (2 * x - 1) ** 2 + waves


def _tissue(
    layout: np.random.Generator, x: np.ndarray, y: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Backscatter (dB), absorption (dB over the whole depth), and the depths of the gland."""
    skin, fat = layout.uniform(0.03, 0.06), layout.uniform(0.18, 0.34)
    muscle = layout.uniform(0.72, 0.9)
    to_fat = y > _border(layout, x, skin, 0.006)
    to_gland = y > _border(layout, x, fat, 0.035)
    bottom = _border(layout, x, muscle, 0.03)
    to_muscle = y > bottom
    slant = y + layout.normal(0, 0.12) * (x - 0.5)  # fibres run nearly parallel to the skin
    patches, fibres = _smooth(layout, x, y, 0.07, 0.04), _ridges(layout, x, slant, 0.13, 0.014)
    septa, strands = _ridges(layout, x, y + 0.25 * x, 0.16, 0.03), _ridges(layout, x, slant, 0.22, 0.016)
    backscatter = np.full(x.shape, 1.0)
    backscatter = np.where(to_fat, -21.0 + 1.5 * patches + 13.0 * septa, backscatter)
    backscatter = np.where(to_gland, -9.0 + 4.0 * patches + 7.0 * fibres, backscatter)
    backscatter = np.where(to_muscle, -20.0 + 2.0 * patches + 13.0 * strands, backscatter)
    fascia = np.exp(-(((y - bottom) / 0.012) ** 2))  # the bright line above the muscle
    backscatter = backscatter + 12.0 * fascia * np.clip(0.6 + 0.4 * patches, 0, 1)
    absorption = np.where(to_muscle, 34.0, np.where(to_gland, 20.0, 10.0)) + 4.0 * patches
    _add_lobules(layout, x, y, level, backscatter, (fat, muscle))
    _add_shadows(layout, x, y, level, absorption, fat)
    return backscatter, absorption, (fat, muscle)


def _add_lobules(
    layout: np.random.Generator,
    x: np.ndarray,
    y: np.ndarray,
    level: float,
    backscatter: np.ndarray,
    gland: tuple[float, float],
) -> None:
    """Fat lobules in the gland: dark like lesions, but flat, faint and with a bright capsule."""
    for _ in range(layout.poisson(1.0 + 2.5 * level)):
        cx, cy = layout.uniform(0, 1), layout.uniform(gland[0] + 0.03, gland[1] - 0.03)
        wide, high = layout.uniform(0.06, 0.16), layout.uniform(0.018, 0.045)
        turn = layout.normal(0, 0.25)
        u = ((x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)) / wide
        v = ((y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)) / high
        distance = np.sqrt(u**2 + v**2)
        inside = 1 / (1 + np.exp((distance - 1) / 0.08))
        backscatter += -8.0 * inside + 4.0 * np.exp(-(((distance - 1.05) / 0.12) ** 2))


def _add_shadows(
    layout: np.random.Generator,
    x: np.ndarray,
    y: np.ndarray,
    level: float,
    absorption: np.ndarray,
    fat: float,
) -> None:
    """Ligaments that absorb and throw narrow shadows, which have no lesion above them."""
    for _ in range(layout.poisson(0.5 + 1.5 * level)):
        cx, width = layout.uniform(0, 1), layout.uniform(0.03, 0.09)
        start = fat + layout.uniform(-0.08, 0.12)
        beam = np.exp(-(((x - cx) / width) ** 2)) * np.exp(-(((y - start) / 0.03) ** 2))
        absorption += beam * layout.uniform(60, 190)


def _add_lesion(
    layout: np.random.Generator,
    x: np.ndarray,
    y: np.ndarray,
    level: float,
    stratum: str,
    backscatter: np.ndarray,
    absorption: np.ndarray,
    gland: tuple[float, float],
) -> np.ndarray:
    """Draw one lesion into the maps and return its exact label map."""
    malignant = stratum == "malignant"
    radius = layout.uniform(0.08, 0.19) * (1.1 - 0.3 * level)
    flat = layout.uniform(0.85, 1.25) if malignant else layout.uniform(0.5, 0.85)  # height over width
    reach = radius * np.sqrt(flat)
    cx = layout.uniform(0.2, 0.8)
    cy = np.clip(layout.uniform(gland[0], gland[1] - 0.05), gland[0] + 0.5 * reach, 0.97 - reach)
    angle, distance = _polar(layout, x - cx, y - cy, flat)
    outline = radius * _outline(layout, angle, malignant)
    label = (distance < outline).astype(np.uint8)
    # The visible border is soft, the mask is its middle.
    edge = (0.004 + 0.018 * level) * (1.3 if malignant else 0.7)
    inside = 1 / (1 + np.exp((distance - outline) / edge))
    contrast = layout.uniform(15.0, 24.0) - 6.0 * level
    texture = 1.5 * _smooth(layout, x, y, 0.05, 0.04)
    own = backscatter.copy()
    # Inside, the tissue's own pattern is mostly gone: a lesion has a level of its own.
    own = 0.3 * own + 0.7 * -6.0 - contrast + texture
    if malignant:  # echogenic halo
        backscatter += 3.0 * np.exp(-(((distance - 1.15 * outline) / (0.35 * radius)) ** 2)) * (1 - inside)
    else:  # thin bright capsule
        backscatter += layout.uniform(0, 5) * np.exp(-(((distance - outline) / 0.008) ** 2))
    backscatter += inside * (own - backscatter)
    # Benign lesions absorb less than the gland (enhancement), malignant ones mostly more (shadow).
    more = layout.uniform(-10, 70) if malignant else layout.uniform(-65, 5)
    absorption += inside * more
    return label


def _polar(
    layout: np.random.Generator, dx: np.ndarray, dy: np.ndarray, flat: float
) -> tuple[np.ndarray, np.ndarray]:
    """Angle and elliptic distance from the centre, slightly turned."""
    turn = layout.normal(0, 0.25)
    u = (dx * np.cos(turn) + dy * np.sin(turn)) * np.sqrt(flat)
    v = (dy * np.cos(turn) - dx * np.sin(turn)) / np.sqrt(flat)
    return np.arctan2(v, u), np.hypot(u, v)


def _outline(layout: np.random.Generator, angle: np.ndarray, malignant: bool) -> np.ndarray:
    """Radius over the angle, about 1: near-elliptic, lobulated or spiculated."""
    radius = np.ones_like(angle)
    for k in (2, 3, 4):
        radius += layout.normal(0, 0.05 if malignant else 0.025) * np.cos(
            k * angle + layout.uniform(0, 2 * np.pi)
        )
    if malignant:
        depth = layout.uniform(0.05, 0.22)
        for _ in range(layout.integers(5, 13)):
            away = np.angle(np.exp(1j * (angle - layout.uniform(-np.pi, np.pi))))
            radius += depth * layout.uniform(0.4, 1.2) * np.exp(-((away / layout.uniform(0.07, 0.2)) ** 2))
    return radius


def _display(
    layout: np.random.Generator, amplitude: np.ndarray, loss: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Gain, time-gain compensation with an error, log compression: ``(size, size)`` uint8."""
    slope, gain = layout.uniform(9.0, 17.0), layout.uniform(-19.0, -10.0)
    dynamic_range = layout.uniform(48.0, 60.0)
    sides = layout.normal(0, 2.5) * (np.linspace(-1, 1, y.shape[1])[None, :] ** 2)
    decibel = 20 * np.log10(amplitude + 1e-6) - loss + slope * y + gain + sides
    grey = 255 * np.clip(decibel / dynamic_range + 1, 0, 1)
    # Scanners smooth what they show; the speckle statistics hold for the amplitude above.
    return np.round(ndimage.gaussian_filter(grey, PERSISTENCE * max(y.shape[1], 128))).astype(np.uint8)
