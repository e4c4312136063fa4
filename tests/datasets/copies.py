"""Synthetic ultrasound images that differ, and changed copies of them."""

import io

import numpy as np
from PIL import Image

from dmf_cli.datasets.sources.phantom import scan


def images(count, size=96):
    made = [scan.generate(index, seed=5, size=size, difficulty=0.4) for index in range(count)]
    return [one.image[..., 0] if one.image.ndim == 3 else one.image for one in made]


def smaller(image):
    return np.asarray(Image.fromarray(image).resize((70, 60), Image.Resampling.BICUBIC))


def encoded(image, quality=50):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def cropped(image):
    """Of each side 10 %: all of it above, and at the right."""
    height, width = image.shape
    return image[height // 10 :, : width - width // 10]


def darker(image):
    return np.round(255 * (image / 255) ** 1.5).astype(np.uint8)


CHANGES = {"smaller": smaller, "encoded": encoded, "cropped": cropped, "darker": darker}


def all_at_once(image):
    for change in CHANGES.values():
        image = change(image)
    return image
