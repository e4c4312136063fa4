"""Pixels that `dataset.ignore` names count in no score, from the file to the tables."""

import numpy as np
import pytest
from PIL import Image

from dmf_cli import metrics
from dmf_cli.config.inputs import check_classes
from dmf_cli.datasets.base import IGNORED
from dmf_cli.datasets.input import pipeline, prepared
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.inspect.check import check
from dmf_cli.datasets.sources import mask_report
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.datasets.sources.survey import survey
from dmf_cli.errors import ConfigError, LabelError
from dmf_cli.figures.gallery import small
from tests.inference.scoring import evaluated

N, HALF = 32, 16  # the right half is void


def mask(lesion=1, void=255):
    """A lesion in the left half, a part of it in the right one, and void all over that."""
    made = np.zeros((N, N), np.uint8)
    made[8:20, 4:24] = lesion
    made[:, HALF:] = void
    return made


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)

    def make(*masks, **options):
        for number, pixels in enumerate(masks):
            for part, plane in (("images", rng.integers(0, 255, (N, N), np.uint8)), ("masks", pixels)):
                (tmp_path / part).mkdir(exist_ok=True)
                Image.fromarray(plane).save(tmp_path / part / f"{number}.png")
        return FolderDataset(name="x", dir=tmp_path, images="images/*", masks="masks/{stem}.*", **options)

    return make


WAYS = {
    "binary": ({"ignore": 255}, mask()),
    "a list": ({"ignore": [255, 7]}, mask(void=7)),
    "by value": ({"ignore": 255, "values": {0: 0, 100: 1}}, mask(100)),
    "a typed threshold": ({"ignore": 255, "threshold": 0}, mask(3)),
    "by colour": (
        {"ignore": "white", "values": {"black": 0, "red": 1}},
        np.dstack([mask(255), mask(0), mask(0)]),
    ),
    "binary colours": ({"ignore": "0xffffff"}, np.dstack([mask(255), mask(0), mask(0)])),
}


@pytest.mark.parametrize(("options", "pixels"), WAYS.values(), ids=WAYS)
def test_ignored_pixels_are_of_no_class(folder, options, pixels):
    dataset = folder(pixels, **options)
    label = dataset.load(0).label
    assert (label[:, HALF:] == IGNORED).all()
    assert (label[:, :HALF] == (mask()[:, :HALF] == 1)).all()
    assert mask_report.report(dataset, InputSpec((N, N))) == []
    assert dataset.reading() != folder().reading()


def test_a_wrong_key_is_one_line(folder):
    for wrong in ("nocolour", [], True, {"a": 1}, [1.5, "x"]):
        with pytest.raises(ConfigError, match=r"dataset\.ignore is .*: give a pixel value, a colour"):
            folder(mask(), ignore=wrong)
    names = [f"c{number}" for number in range(256)]
    check_classes(names)
    with pytest.raises(ConfigError, match="and there are 256 classes: give at most 255"):
        folder(mask(), classes=names, ignore=3)
    with pytest.raises(LabelError, match="holds the value 9"):
        folder(mask(9), classes=["background", "a", "b"], ignore=255).load(0)


def test_shares_and_statistics_are_of_the_pixels_that_count(folder):
    dataset = folder(mask(), np.full((N, N), 255, np.uint8), ignore=255)
    seen, share = survey(dataset), 12 * 12 / (N * HALF)
    assert [label.area for label in seen.labels] == [share, 0.0]

    def divide(*_, **__):
        raise LabelError("no split")

    found = check(dataset, seen, divide, similarity=None)
    classes = found.statistics.summary()["classes"]
    assert classes["lesion"] == {"images": 1, "pixels": round(share / 2, 5)}
    assert not (small(dataset.load(0)).label == IGNORED).any()  # what is drawn


@pytest.mark.parametrize("channels", [1, 2])
def test_targets_say_which_pixels_count(folder, channels):
    part = prepared.load(folder(mask(), ignore=255), [0], InputSpec((N, N)))
    ((_, target),) = pipeline.evaluation_batches(part, batch_size=1, channels_out=channels, ignores=True)
    assert target["valid"].shape == (1, N, N, 1)
    np.testing.assert_array_equal(target["valid"].numpy()[0, ..., 0], mask() != 255)
    labels = target["labels"].numpy()[0]
    assert not labels[:, HALF:].any()
    np.testing.assert_array_equal(labels[:, :HALF, -1], mask()[:, :HALF] == 1)


def predict(images):
    """Bright pixels are lesions."""
    return np.concatenate([1 - images, images], axis=-1)


@pytest.mark.parametrize("resolution", ["original", "network"])
@pytest.mark.parametrize("full", [None, metrics.Full()])
def test_scores_are_those_of_the_images_without_these_pixels(folder, tmp_path, resolution, full):
    dataset = folder(mask(), mask(), ignore=255)
    options = {"resolution": resolution, "full": full, "batch_size": 2}
    whole = evaluated(predict, dataset, [0, 1], image_size=N, **options)
    for file in tmp_path.glob("*/*.png"):
        with Image.open(file) as image:
            cut = image.crop((0, 0, HALF, N))
        cut.save(file)
    halves = evaluated(predict, folder(), [0, 1], image_size=(N, HALF), **options)
    for one, other in zip(whole.rows, halves.rows, strict=True):
        assert {**one, "width": 0} == pytest.approx({**other, "width": 0}, nan_ok=True)
    for name, figures in whole.summary["foreground"].items():
        assert figures == pytest.approx(halves.summary["foreground"][name], nan_ok=True), name
    assert not whole.examples[0].truth[:, HALF:].any()
