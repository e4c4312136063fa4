"""Each shipped dataset in miniature, laid out as it is distributed: ``NAME(root)`` writes it."""

import csv

import numpy as np
from PIL import Image

LESION = np.zeros((20, 30), bool)
LESION[4:10, 4:10] = True


def save(path, pixels, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).convert(mode).save(path)


def image(path, mode="L", size=(20, 30)):
    save(path, np.random.default_rng(len(str(path))).integers(1, 255, size), mode)


def mask(path, pixels=LESION, mode="L"):
    save(path, pixels * 255, mode)


def table(path, rows, delimiter=","):
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def coloured(path, colour):
    save(path, LESION[..., None] * np.array(colour), "RGB")


def busi(root):
    for stratum in ("benign", "malignant", "normal"):
        image(root / stratum / f"{stratum} (1).png", "RGB")
        mask(root / stratum / f"{stratum} (1)_mask.png", LESION & (stratum != "normal"))
    mask(root / "benign/benign (1)_mask_1.png", np.roll(LESION, 15, axis=1))


def bus_bra(root):
    rows = [["ID", "Case", "Histology", "Pathology", "BIRADS", "Device", "Width", "Height", "Side"]]
    for number, case, pathology in (
        ("0001-l", 1, "malignant"),
        ("0001-r", 1, "malignant"),
        ("0002-l", 2, "benign"),
    ):
        image(root / f"Images/bus_{number}.png")
        mask(root / f"Masks/mask_{number}.png", mode="1")
        rows.append([f"bus_{number}", case, "", pathology, 4, "", 30, 20, number[-1]])
    table(root / "bus_data.csv", rows)


def bus_uclm(root):
    colours = {"ALWI_000": (0, 255, 0), "ALWI_001": (255, 0, 0), "COPE_000": (0, 0, 0)}
    for name, colour in colours.items():
        image(root / f"images/{name}.png", "RGB")
        coloured(root / f"masks/{name}.png", colour)
    image(root / "images/COPE_001.png", size=(15, 30))  # cropped, its mask is not
    coloured(root / "masks/COPE_001.png", (0, 255, 0))
    labels = ["Benign", "Malignant", "Normal", "Benign"]
    rows = [
        [f"{name}.png", label, "No", "No"] for name, label in zip([*colours, "COPE_001"], labels, strict=True)
    ]
    table(root / "INFO.csv", [["Image", "Label", "Doppler", "Marks"], *rows], ";")


def udiat(root):
    for number in (1, 2):
        image(root / f"original/{number:06d}.png")
        mask(root / f"GT/{number:06d}.png")
    (root / "Thumbs.db").write_text("")


def breast(root):
    for case in (1, 2, 3):
        image(root / f"case{case:03d}.png", "RGBA")
    mask(root / "case001_tumor.png")
    mask(root / "case001_other1.png", np.ones_like(LESION))
    mask(root / "case002_tumor1.png")
    mask(root / "case002_tumor2.png", np.roll(LESION, 15, axis=1))


def buid(root):
    for stratum in ("Benign", "Malignant"):
        for number in (1, 11):
            image(root / f"{stratum}/{number} {stratum} Image.bmp", "RGB")
            image(root / f"{stratum}/{number} {stratum} Lesion.bmp", "RGB")
            mask(root / f"{stratum}/{number} {stratum} Mask.tif", mode="1")


def bus_synthetic(root):
    for number in (1, 2):
        image(root / f"images/{number}.png")
        mask(root / f"masks/{number}.png", LESION * (0.98 + 0.01 * number))


# What each miniature holds: strata, pixels of each class that is not the background, groups.
EXPECTED = {
    "busi": (("benign", "malignant"), [{1: 72}, {1: 36}], None),
    "bus_bra": (("malignant", "malignant", "benign"), [{1: 36}] * 3, ("1", "1", "2")),
    "bus_uclm": (("Benign", "Malignant", "Normal"), [{1: 36}, {2: 36}, {}], ("ALWI", "ALWI", "COPE")),
    "udiat": (("original",) * 2, [{1: 36}] * 2, None),
    "breast": (("breast",) * 3, [{1: 36}, {1: 72}, {}], ("case001", "case002", "case003")),
    "buid": (("Benign", "Benign", "Malignant", "Malignant"), [{1: 36}] * 4, None),
    "bus_synthetic": (("images",) * 2, [{1: 36}] * 2, None),
}
