"""Masks of loose image files: right size, right place, nothing lost, nothing stopped by a bad file."""

import json
import os
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli.datasets.input import input_profile as inputs
from dmf_cli.datasets.input_spec import InputSpec, Reading
from dmf_cli.errors import DatasetError, RunFolderError
from dmf_cli.figures import palette
from dmf_cli.inference import ensemble, mask_files, predict_files
from dmf_cli.inference.find_files import find
from dmf_cli.inference.prediction import Prediction
from tests import tables
from tests.datasets.sources.test_dicom import frame
from tests.raised import raises

PREDICTION = Prediction(InputSpec((8, 8)))


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
    common = {"prediction": PREDICTION, "classes": ("background", "lesion"), "batch_size": 2}
    return predict_files.predict_files(predict, jobs, output, **{**common, **options})


def rows(output):
    return tables.rows(output / "areas.csv")


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_expected_dice_and_a_map_of_the_uncertainty(photos, tmp_path):
    output = tmp_path / "out"
    options = {"predict": lambda x: 0.2 + 0.7 * x, "uncertain": True, "probabilities": True}
    outcome = predict(find([photos], output), output, **options)
    bits = opened(output / "uncertainty/a.png.png")
    assert bits[10, 5] < bits[10, 25] < 65535  # 0.9 is surer than 0.2
    assert bits[10, 25] == pytest.approx(65535 * 0.7219, rel=1e-3)  # entropy of 0.2
    row = next(r for r in rows(output) if r["image"].endswith("a.png"))
    mask, p = (opened(output / folder / "a.png.png") for folder in ("masks", "probabilities"))
    wanted = 2 * (p[mask > 0] / 65535).sum() / ((mask > 0).sum() + (p / 65535).sum())
    assert float(row["expected_dice"]) == pytest.approx(wanted, abs=1e-3)
    doubtful = outcome.doubtful(1.0)
    assert len(doubtful) == 3
    assert [dice for _, dice in doubtful] == sorted(outcome.expected.values())
    assert outcome.doubtful(0.1) == []


def test_masks_overlays_and_areas_at_the_images_own_size(photos, tmp_path):
    output, seen = tmp_path / "out", []
    skipped = predict(find([photos], output), output, progress=lambda: seen.append(1)).skipped
    assert len(seen) == 4
    assert len(skipped) == 1
    assert "broken.png cannot be read" in str(skipped[0])
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
    assert tuple(overlay[10, 0]) == palette.rgb(
        palette.PREDICTION
    )  # the border of the mask at the edge of the image
    assert tuple(overlay[10, 5]) == (255, 255, 255)


def test_of_several_classes_overlays_have_the_colours_of_a_legend():
    mask = np.array([[1, 1, 0, 2, 2]], np.uint8)
    made = mask_files.overlay(np.zeros((1, 5, 1), np.uint8), mask, 3)
    assert [tuple(pixel) for pixel in made[0, [0, 3]]] == [palette.rgb(c) for c in palette.CLASSES[:2]]
    legend = mask_files.legend(("background", "benign", "malignant"))
    drawn = {tuple(pixel) for pixel in legend.reshape(-1, 3).tolist()}
    assert {palette.rgb(colour) for colour in palette.CLASSES[:2]} <= drawn
    assert mask_files.legend(("background", "lesion")) is None


def test_a_batch_never_changes_its_size_and_memory_holds_one(photos, tmp_path):
    sizes = []
    predict(find([photos], tmp_path / "o"), tmp_path / "o", lambda x: (sizes.append(len(x)), bright(x))[1])
    assert sizes == [2, 2]


def test_what_is_computed_is_on_disk_when_the_run_is_interrupted(photos, tmp_path):
    calls = []

    def interrupted(inputs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return bright(inputs)

    with pytest.raises(KeyboardInterrupt):
        predict(find([photos], tmp_path / "o"), tmp_path / "o", interrupted)
    assert len(rows(tmp_path / "o")) == len(list((tmp_path / "o/masks").rglob("*.png"))) == 2


def test_probabilities_and_several_classes(photos, tmp_path):
    def three(inputs):
        return np.concatenate([np.full_like(inputs, 0.2), 0.7 * inputs, 0.8 - 0.7 * inputs], axis=-1)

    jobs = find([photos / "a.png"], tmp_path / "o")
    classes = ("background", "benign", "malignant")
    predict(jobs, tmp_path / "o", three, classes=classes, probabilities=True)
    mask = opened(tmp_path / "o/masks/a.png")
    assert set(np.unique(mask)) == {1, 2}
    assert np.abs(opened(tmp_path / "o/probabilities/a.png").astype(int) - round(0.8 * 65535)).max() <= 1
    assert {"benign_pixels", "malignant_share"} < set(rows(tmp_path / "o")[0])


def test_which_files_are_images(photos, tmp_path):
    found = find([photos], tmp_path / "o", exclude="bro*")
    assert sorted(job.file.name for job in found) == ["a.jpg", "a.png", "b.png"]
    (tmp_path / "bare").mkdir()
    for path, says in ((tmp_path / "gone", "does not exist"), (tmp_path / "bare", "no image in")):
        with raises(DatasetError, what=says):
            find([path], tmp_path)


def test_masks_beside_their_images_are_no_images(tmp_path):
    for name in (
        "a (1).png",
        "a (1)_mask.png",
        "a (1)_mask_1.png",
        "b.jpg",
        "b_mask.png",
        "face_mask.png",
        "c_mask.png",
        "._mask.png",
    ):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name)
    (tmp_path / "face").mkdir()
    (tmp_path / "c.json").write_text("{}")  # neither is an image whose mask there could be
    found = {job.file.name for job in find([tmp_path], tmp_path / "o")}
    assert found == {"a (1).png", "b.jpg", "face_mask.png", "c_mask.png"}
    assert len(find([tmp_path / "b_mask.png"], tmp_path / "o")) == 1  # asked for by name


def test_files_of_one_name_never_share_a_mask(tmp_path):
    pixels = Image.fromarray(np.zeros((4, 4), np.uint8))
    for name in ("one/a.png", "two/a.png", "two/a.png.png", "two/sub/a.bmp", "x/two/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pixels.save(tmp_path / name)
    given = [tmp_path / "one", tmp_path / "two", tmp_path / "x/two", tmp_path / "one/../one/a.png"]
    jobs = find(given, tmp_path / "o")
    names = {str(job.file.relative_to(tmp_path)): job.name for job in jobs}
    assert len(set(names.values())) == len(jobs) == 5
    assert str(names["one/a.png"]) == "one/a.png"
    assert str(names["two/sub/a.bmp"]) == "sub/a"
    assert names["x/two/a.png"].parts[-3:] == ("x", "two", "a.png")
    predict(jobs, tmp_path / "o")
    assert len(list((tmp_path / "o/masks").rglob("*.png"))) == 5


@pytest.mark.parametrize(
    ("name", "pixels", "mode"),
    [
        ("deep.png", np.full((5, 6), 65535, np.uint16), None),
        ("alpha.png", np.full((5, 6, 4), 255, np.uint8), None),
        ("palette.gif", np.full((5, 6), 255, np.uint8), "P"),
        ("print.jpg", np.full((5, 6, 3), 255, np.uint8), "CMYK"),
        ("bits.bmp", np.full((5, 6), 255, np.uint8), "1"),
        ("one.png", np.full((1, 1), 255, np.uint8), None),
        ("line.png", np.full((1, 300), 255, np.uint8), None),
    ],
)
def test_images_of_every_kind_and_size(tmp_path, name, pixels, mode):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(tmp_path / name)
    assert predict(find([tmp_path / name], tmp_path / "o"), tmp_path / "o").skipped == []
    mask = opened((tmp_path / "o/masks" / name).with_suffix(".png"))
    assert mask.shape == pixels.shape[:2]
    assert mask.min() == 255


def test_areas_in_square_millimetres_if_the_size_of_a_pixel_is_known(photos, tmp_path):
    predict(find([photos / "a.png"], tmp_path / "o"), tmp_path / "o", spacing=(0.1, 0.2))
    (row,) = rows(tmp_path / "o")
    assert float(row["lesion_mm2"]) == pytest.approx(int(row["lesion_pixels"]) * 0.02)


def test_probabilities_of_each_of_several_classes(photos, tmp_path):
    def three(inputs):
        return np.concatenate([np.full_like(inputs, share) for share in (0.5, 0.3, 0.2)], axis=-1)

    classes = ("background", "a/b", "malignant")
    jobs = find([photos / "a.png"], tmp_path / "o")
    predict(jobs, tmp_path / "o", three, classes=classes, probabilities=True)
    found = {
        folder.name: opened(folder / "a.png").astype(float).mean() / 65535
        for folder in (tmp_path / "o").glob("prob*")
    }
    wanted = {"": 0.5, "_background": 0.5, "_a_b": 0.3, "_malignant": 0.2}
    assert found == pytest.approx({f"probabilities{k}": v for k, v in wanted.items()}, abs=1e-4)
    assert len(np.unique(opened(tmp_path / "o/overlays/a.png"))) <= 2  # background has no outline


def test_memory_does_not_grow_with_the_number_of_images(tmp_path, monkeypatch):
    monkeypatch.setattr(predict_files, "processors", lambda: 1)  # how many threads meet is a matter of chance
    pixels = np.random.default_rng(0).integers(0, 255, (300, 300), np.uint8)
    for number in range(24):
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    jobs, peaks = find([tmp_path], tmp_path / "o"), []
    predict(jobs[:2], tmp_path / "o")
    for count in (4, 24):
        tracemalloc.start()
        predict(jobs[:count], tmp_path / "o")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Twenty images more; the overlay alone of one of them is 270 kB.
    assert peaks[1] - peaks[0] < 500_000


def test_large_images_are_predicted_alone(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(predict_files, "PIXELS", 700)
    found = predict_files._batches(find([photos], tmp_path / "o", exclude="broken*"), 8)
    assert [[job.file.name for job in batch] for batch in found] == [["a.jpg"], ["a.png"], ["b.png"]]
    assert predict(find([photos / "a.png"], tmp_path / "o"), tmp_path / "o").skipped == []


def test_a_file_that_is_there_under_its_name_is_whole(photos, tmp_path, monkeypatch):
    def halfway(image, file, *args, **kwargs):
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", halfway)
    with pytest.raises(KeyboardInterrupt):
        predict(find([photos / "a.png"], tmp_path / "o"), tmp_path / "o")
    assert [p.name for p in (tmp_path / "o").rglob("*") if p.is_file()] == ["areas.csv"]


@pytest.mark.parametrize("way", ["is a file", "is in the way"])
def test_an_output_that_cannot_be_written_is_one_line(photos, tmp_path, way):
    output = tmp_path / "o"
    if way == "is a file":
        output.write_text("")
    else:
        (output / "masks" / "a.png").mkdir(parents=True)
    with raises(RunFolderError, what="cannot write ", hint="give another folder with -o DIR"):
        predict(find([photos / "a.png"], output), output)


def test_classes_have_the_names_of_the_config_else_those_of_the_scores(tmp_path):
    run, phantom = SimpleNamespace(metrics=tmp_path), configs.compose([])
    given = configs.compose(["dataset=busi", "dataset.classes=[background,a,b]"])
    assert ensemble.class_names(run, given, 3) == ["background", "a", "b"]
    assert ensemble.class_names(run, phantom, 3) == ["class_0", "class_1", "class_2"]
    assert ensemble.class_names(run, phantom, 2) == ["background", "lesion"]
    names = {"background": {}, "benign": {}, "malignant": {}}
    (tmp_path / "test_summary.json").write_text(json.dumps({"classes": names}))
    assert ensemble.class_names(run, phantom, 3) == list(names)
    assert ensemble.class_names(run, given, 3) == ["background", "a", "b"]


def test_the_mask_of_a_turned_photograph_lies_as_viewers_show_it(tmp_path):
    pixels, exif = np.zeros((20, 30), np.uint8), Image.Exif()
    pixels[:, :10] = 255
    exif[0x0112] = 6  # a quarter turn clockwise: what is left is at the top
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    predict(find([tmp_path / "a.jpg"], tmp_path / "o"), tmp_path / "o")
    mask = opened(tmp_path / "o/masks/a.png")
    assert mask.shape == (30, 20)
    assert mask[:5].min() == 255
    assert mask[15:].max() == 0
    assert opened(tmp_path / "o/overlays/a.png").shape == (30, 20, 3)


def test_empty_masks_and_images_unlike_the_training_are_counted(tmp_path):
    for name, level in (("a", 200), ("b", 20), ("c", 10)):
        Image.fromarray(np.full((8, 8), level, np.uint8)).save(tmp_path / f"{name}.png")
    note = {"usual_deviation": 0.04, "range": {name: [0.0, 0.1] for name in inputs.NAMES}}
    outcome = predict(find([tmp_path], tmp_path / "o"), tmp_path / "o", trained=note)
    assert outcome.empty == 2
    (line,) = outcome.unlike
    assert line == f"{tmp_path / 'a.png'} (mean 0.784, in training 0 to 0.1)"
    assert predict(find([tmp_path], tmp_path / "o"), tmp_path / "o").unlike == []


def test_deep_images_are_predicted_with_their_depth_and_shown_in_eight_bits(tmp_path):
    levels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    seen = []
    prediction = Prediction(InputSpec((8, 8), normalize="minmax"))
    predict(
        find([tmp_path / "a.png"], tmp_path / "o"),
        tmp_path / "o",
        lambda x: seen.append(x) or bright(x),
        prediction=prediction,
    )
    assert len(np.unique(seen[0][0])) == 64
    assert np.ptp(opened(tmp_path / "o/overlays/a.png")[..., 1].astype(int)) > 200
    seen.clear()
    prediction = Prediction(InputSpec((8, 8), reading=Reading([0, 63])))
    predict(
        find([tmp_path / "a.png"], tmp_path / "o"),
        tmp_path / "o",
        lambda x: seen.append(x) or bright(x),
        prediction=prediction,
    )
    np.testing.assert_allclose(seen[0][0, ..., 0], levels / 63, atol=1e-6)


def test_areas_of_dicom_files_are_in_square_millimetres(photos, tmp_path):
    frame(tmp_path / "s.dcm", np.full((4, 6), 255, np.uint8), PixelSpacing=[0.1, 0.2])
    frame(tmp_path / "t.dcm", np.full((4, 6), 255, np.uint8))
    predict(find([tmp_path / "s.dcm", tmp_path / "t.dcm"], tmp_path / "o"), tmp_path / "o")
    assert [row["lesion_mm2"] for row in rows(tmp_path / "o")] == [f"{24 * 0.02:.4f}", ""]
    predict(find([tmp_path / "s.dcm"], tmp_path / "o"), tmp_path / "o", spacing=(1, 1))
    assert rows(tmp_path / "o")[0]["lesion_mm2"] == "24.0000"  # what the user says counts


def test_a_name_that_is_no_utf8_loses_neither_its_own_masks_nor_the_rest(photos, tmp_path):
    (photos / "a.png").rename(photos / os.fsdecode(b"a\xff.png"))
    jobs = find([photos], tmp_path / "out")
    outcome = predict(jobs, tmp_path / "out")
    assert len(rows(tmp_path / "out")) == len(jobs) - 1 == 3
    assert any(row["image"].endswith("a\\udcff.png") for row in rows(tmp_path / "out"))
    assert (tmp_path / "out/masks" / os.fsdecode(b"a\xff.png")).is_file()
    assert "broken.png" in str(outcome.skipped[0])
