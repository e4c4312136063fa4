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

from dmf_cli.datasets.sources.phantom.fields import border, centres, ridges, smooth
from dmf_cli.datasets.sources.phantom.lesion import LESIONS, add_lesion
from dmf_cli.errors import ConfigError, UnknownNameError

STRATA = ("normal", "benign", "malignant")
SHARES = (0.12, 0.52, 0.36)  # of the strata
DIFFICULTIES = {"easy": 0.1, "medium": 0.4, "hard": 0.8}
AXIAL, LATERAL = 0.0045, 0.0085  # standard deviations of the point-spread function, shares of the side
PERSISTENCE = 0.006  # standard deviation of the display's smoothing, share of the side
TASKS = {"lesion": ("background", "lesion"), "type": ("background", "benign", "malignant")}
AREAS = (0.002, 0.2)  # of `lesion_area`


@dataclasses.dataclass(frozen=True)
class Phantom:
    """One synthetic image.

    Args:
        image: ``(size, size, 1)`` uint8.
        label: ``(size, size)`` uint8 classes of ``TASKS``.
        stratum: ``normal`` (no lesion), ``benign`` or ``malignant``.
        amplitude: ``(size, size)`` float32, the envelope before gain and compression.
    """

    image: np.ndarray
    label: np.ndarray
    stratum: str
    amplitude: np.ndarray


def generate(
    index: int,
    *,
    seed: int = 0,
    size: int = 128,
    difficulty: float | str = "medium",
    task: str = "lesion",
    lesion_area: float | None = None,
) -> Phantom:
    """Image ``index`` of the endless dataset of ``seed``; depends on nothing else.

    Args:
        index: from 0.
        seed: of the dataset, >= 0.
        size: side in pixels, 16 to 1024.
        difficulty: 0 to 1 or ``easy``, ``medium``, ``hard``; lowers the contrast and the size of lesions,
            blurs their borders and adds distractors.
        task: ``lesion`` labels all lesions 1; ``type`` labels benign ones 1 and malignant ones 2, and draws
            them with signs that distinguish them.
        lesion_area: mean share of the pixels that a lesion covers, 0.002 to 0.2, half as much to half as much
            again in single images; None: some 7 % (easy) to 5 % (hard).

    Raises:
        ConfigError: an argument out of range.
    """
    level = check(size, difficulty, task, lesion_area)
    # Two streams: the number of speckle draws depends on the size, the anatomy must not.
    layout, noise = (
        np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, index, part]))) for part in (0, 1)
    )
    stratum = str(layout.choice(STRATA, p=SHARES))
    y, x = np.meshgrid(centres(size), centres(size), indexing="ij")
    backscatter, absorption, gland = _tissue(layout, x, y, level)
    label = np.zeros((size, size), np.uint8)
    if stratum != "normal":
        kind = LESIONS[task, stratum]
        label = add_lesion(layout, x, y, level, kind, backscatter, absorption, gland, lesion_area)
        label *= 2 if task == "type" and kind.malignant else 1
    amplitude = speckle(noise, size) * 10 ** (backscatter / 20)
    loss = np.cumsum(absorption, axis=0) / size
    image = _display(layout, amplitude, loss, y)
    return Phantom(image[..., None], label, stratum, amplitude.astype(np.float32))


def check(
    size: int, difficulty: float | str, task: str = "lesion", lesion_area: float | None = None
) -> float:
    """The difficulty as a number, or a ``ConfigError``."""
    if task not in TASKS:
        raise UnknownNameError("dataset.task", task, TASKS)
    if lesion_area is not None and not (
        isinstance(lesion_area, int | float) and AREAS[0] <= lesion_area <= AREAS[1]
    ):
        raise ConfigError(
            key="dataset.lesion_area",
            value=lesion_area,
            allowed=f"a share of the pixels from {AREAS[0]} to {AREAS[1]}, or null",
        )
    if not 16 <= size <= 1024:
        raise ConfigError(key="dataset.size", value=size, allowed="a side of 16 to 1024 pixels")
    level = DIFFICULTIES.get(difficulty, difficulty) if isinstance(difficulty, str) else difficulty
    if isinstance(level, str) or not 0.0 <= level <= 1.0:
        raise ConfigError(
            key="dataset.difficulty",
            value=difficulty,
            allowed="a number from 0 to 1, or easy, medium or hard",
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
    speckle: np.ndarray = envelope / np.sqrt(np.mean(envelope**2))
    return speckle


def _tissue(
    layout: np.random.Generator, x: np.ndarray, y: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Backscatter (dB), absorption (dB over the whole depth), and the depths of the gland."""
    skin, fat = layout.uniform(0.03, 0.06), layout.uniform(0.18, 0.34)
    muscle = layout.uniform(0.72, 0.9)
    to_fat = y > border(layout, x, skin, 0.006)
    to_gland = y > border(layout, x, fat, 0.035)
    bottom = border(layout, x, muscle, 0.03)
    to_muscle = y > bottom
    slant = y + layout.normal(0, 0.12) * (x - 0.5)  # fibres run nearly parallel to the skin
    patches, fibres = smooth(layout, x, y, 0.07, 0.04), ridges(layout, x, slant, 0.13, 0.014)
    septa, strands = ridges(layout, x, y + 0.25 * x, 0.16, 0.03), ridges(layout, x, slant, 0.22, 0.016)
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
    shown: np.ndarray = ndimage.gaussian_filter(grey, PERSISTENCE * max(y.shape[1], 128))
    return np.round(shown).astype(np.uint8)
