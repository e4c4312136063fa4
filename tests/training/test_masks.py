"""Masks of loose image files: right size, right place, nothing lost, nothing stopped by a bad file."""

import csv

import numpy as np
import pytest
from PIL import Image

from dmf_cli.errors import DatasetError
from dmf_cli.training import masks
from dmf_cli.training.predicting import View

VIEW = View((8, 8))


def bright(inputs):
    """A network that finds what is bright."""
    return np.concatenate([1 - inputs, inputs], axis=-1)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    pixels = np.zeros((20, 30), np.uint8)
    pixels[5:15, :15] = 255
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels).save(folder / "a.jpg")
    Image.fromarray(np.dstack([pixels] * 3)[:10]).save(folder / "deep" / "b.png")
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("no image either")
    return folder


def predict(jobs, output, predict=bright, **options):
    common = {"view": VIEW, "classes": ("background", "lesion"), "channels": 1, "batch_size": 2}
    return masks.predict_files(predict, jobs, output, **{**common, **options})


def rows(output):
    with (output / "areas.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_masks_overlays_and_areas_at_the_images_own_size(photos, tmp_path):
    output, seen = tmp_path / "out", []
    skipped = predict(masks.find([photos], output), output, progress=lambda: seen.append(1))
    assert len(seen) == 4
    assert len(skipped) == 1
    assert "broken.png cannot be read" in skipped[0]
    # Two files that differ in their suffix only keep it.
    assert sorted(str(p.relative_to(output)) for p in output.rglob("*.png")) == [
        f"{folder}/{name}.png" for folder in ("masks", "overlays") for name in ("a.jpg", "a.png", "deep/b")
    ]
    mask = opened(output / "masks/a.png.png")
    assert mask.shape == (20, 30)
    assert set(np.unique(mask)) == {0, 255}
    assert mask[10, 5] == 255
    assert mask[10, 25] == 0
    row = next(r for r in rows(output) if r["image"].endswith("a.png"))
    assert (int(row["height"]), int(row["width"])) == (20, 30)
    assert int(row["lesion_pixels"]) == (mask > 0).sum()
    assert float(row["lesion_share"]) == pytest.approx((mask > 0).mean(), abs=1e-6)
    overlay = opened(output / "overlays/a.png.png")
    assert overlay.shape == (20, 30, 3)
    assert tuple(overlay[10, 0]) == masks.COLOURS[0]  # the border of the mask at the edge of the image
    assert tuple(overlay[10, 5]) == (255, 255, 255)


def test_a_batch_never_changes_its_size_and_memory_holds_one(photos, tmp_path):
    sizes = []
    predict(
        masks.find([photos], tmp_path / "o"), tmp_path / "o", lambda x: (sizes.append(len(x)), bright(x))[1]
    )
    assert sizes == [2, 2]


def test_what_is_computed_is_on_disk_when_the_run_is_interrupted(photos, tmp_path):
    calls = []

    def interrupted(inputs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return bright(inputs)

    with pytest.raises(KeyboardInterrupt):
        predict(masks.find([photos], tmp_path / "o"), tmp_path / "o", interrupted)
    assert len(rows(tmp_path / "o")) == len(list((tmp_path / "o/masks").rglob("*.png"))) == 2


def test_probabilities_and_several_classes(photos, tmp_path):
    def three(inputs):
        return np.concatenate([np.full_like(inputs, 0.2), 0.7 * inputs, 0.8 - 0.7 * inputs], axis=-1)

    jobs = masks.find([photos / "a.png"], tmp_path / "o")
    classes = ("background", "benign", "malignant")
    predict(jobs, tmp_path / "o", three, classes=classes, probabilities=True)
    mask = opened(tmp_path / "o/masks/a.png")
    assert set(np.unique(mask)) == {1, 2}
    assert np.abs(opened(tmp_path / "o/probabilities/a.png").astype(int) - round(0.8 * 65535)).max() <= 1
    assert {"benign_pixels", "malignant_share"} < set(rows(tmp_path / "o")[0])


def test_which_files_are_images(photos, tmp_path):
    found = masks.find([photos], photos / "deep", exclude="bro*")
    assert sorted(job.file.name for job in found) == ["a.jpg", "a.png"]
    for path, says in ((tmp_path / "gone", "does not exist"), (tmp_path, "no image in")):
        with pytest.raises(DatasetError, match=says):
            masks.find([path], tmp_path)
