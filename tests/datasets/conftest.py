"""Small BUSI-like folders in a temporary path."""

import numpy as np
import pytest
from PIL import Image

BUSI = {
    "name": "busi",
    "images": "*/*.png",
    "exclude": "*/*_mask*.png",
    "masks": "{folder}/{stem}_mask*.png",
}


def blob(height, width, top, left, side=6):
    mask = np.zeros((height, width), bool)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.fixture
def busi(tmp_path):
    """benign 1..3 (1-bit, RGBA and two masks), malignant 1..2 (grey 254, palette), normal 1 (RGB, empty)."""
    root = tmp_path / "Dataset_BUSI_with_GT"
    rng = np.random.default_rng(0)
    for folder in ("benign", "malignant", "normal"):
        (root / folder).mkdir(parents=True)

    def image(name, height=20, width=30, mode="L"):
        pixels = rng.integers(0, 255, (height, width), np.uint8)
        Image.fromarray(pixels).convert(mode).save(root / f"{name}.png")

    def mask(name, pixels, mode="1"):
        grey = Image.fromarray((pixels * 255).astype(np.uint8))
        grey.convert(mode).save(root / f"{name}.png")

    image("benign/benign (1)")
    mask("benign/benign (1)_mask", blob(20, 30, 2, 2))
    image("benign/benign (2)", mode="RGB")
    mask("benign/benign (2)_mask", blob(20, 30, 4, 4), "RGBA")
    image("benign/benign (3)")
    mask("benign/benign (3)_mask", blob(20, 30, 1, 1))
    mask("benign/benign (3)_mask_1", blob(20, 30, 10, 20))
    image("malignant/malignant (1)")
    Image.fromarray(blob(20, 30, 3, 3).astype(np.uint8) * 254).save(root / "malignant/malignant (1)_mask.png")
    image("malignant/malignant (2)", 25, 17)
    mask("malignant/malignant (2)_mask", blob(25, 17, 5, 5), "P")
    image("normal/normal (1)")
    mask("normal/normal (1)_mask", np.zeros((20, 30)), "RGB")
    return root
