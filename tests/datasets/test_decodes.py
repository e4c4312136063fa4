"""How often files are decoded: once for all that is asked before a training, once as inputs or for scores."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import datasets
from dmf_cli.cli.data_check import _check
from dmf_cli.datasets.input import run_data
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import image_files, mask_report
from dmf_cli.datasets.sources.survey import survey
from dmf_cli.datasets.splits.division import save_split
from tests.inference.scoring import evaluated

N = 12


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Twelve noisy images with masks of two values."""
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for number in range(N):
        pixels = rng.integers(0, 255, (20, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.png")
        mask = np.zeros((20, 24), np.uint8)
        mask[4:14, 5 : 12 + number % 4] = 255
        Image.fromarray(mask).save(tmp_path / f"masks/{number}.png")
    return tmp_path


@pytest.fixture
def decodes(monkeypatch):
    """A function: how often each file was decoded since the last call, as {times: files} of each folder."""
    calls, opened = Counter(), image_files._opened

    def counted(path, file, max_pixels):
        calls[path] += 1
        return opened(path, file, max_pixels)

    def since():
        found = {"images": Counter(), "masks": Counter()}
        for file, times in calls.items():
            found[file.parent.name][times] += 1
        calls.clear()
        return {part: dict(times) for part, times in found.items()}

    monkeypatch.setattr(image_files, "_opened", counted)
    return since


def compose(folder, *words):
    place = [f"dataset.dir={folder}", "dataset.images=images/*", "dataset.masks='masks/{stem}.*'"]
    return configs.compose(
        [
            "dataset=folder",
            "dataset.name=set",
            *place,
            "dataset.image_size=16",
            "trainer.batch_size=2",
            *words,
        ]
    )


def soften(folder):
    """Masks with soft edges, whose threshold depends on all of them."""
    for file in (folder / "masks").iterdir():
        with Image.open(file) as image:
            small = image.resize((7, 6), Image.Resampling.BILINEAR)
        small.resize((24, 20), Image.Resampling.BILINEAR).save(file)


ONCE = {"images": {1: N}, "masks": {1: N}}
NOTHING = {"images": {}, "masks": {}}


@pytest.mark.parametrize("bad", ["error", "skip"])
def test_one_decoding_serves_the_check_the_split_and_every_report(folder, decodes, bad):
    config = compose(folder, f"dataset.on_bad={bad}")
    dataset, spec = datasets.open_dataset(config.dataset), InputSpec.of(config.dataset)
    assert decodes() == (NOTHING if bad == "error" else ONCE)
    survey(dataset, spec, alike=True)
    mask_report.report(dataset, spec)
    split = run_data.make_split(config.split, dataset)
    save_split(folder / "split.json", dataset, split)
    # That bad images are left out is decided before anybody knows the size of the network.
    again = {"images": {}, "masks": {1: N}}
    assert decodes() == (ONCE if bad == "error" else again)
    _check(config)
    _check(config)
    assert decodes() == NOTHING


def test_what_is_left_out_does_not_make_the_rest_be_decoded_again(folder, decodes):
    (folder / "images/3.png").write_text("no image")
    config = compose(folder, "dataset.on_bad=skip")
    dataset = datasets.open_dataset(config.dataset)
    assert len(dataset) == N - 1
    assert decodes() == {"images": {1: N}, "masks": {1: N}}
    run_data.make_split(config.split, dataset)
    assert decodes() == NOTHING
    again = datasets.open_dataset(config.dataset)
    run_data.make_split(config.split, again)
    assert decodes() == {"images": {1: 1}, "masks": {1: 1}}  # the bad one, which may have been mended
    assert again.unusable == dataset.unusable


def test_the_check_decodes_each_file_once(folder, decodes):
    _check(compose(folder))
    assert decodes() == ONCE


def test_a_training_decodes_its_images_twice_and_the_next_one_once(folder, decodes):
    kept = N - len(run_data.open_data(compose(folder)).split.test)
    assert decodes() == {part: {2: kept, 1: N - kept} for part in ("images", "masks")}
    opened = run_data.open_data(compose(folder))
    assert decodes() == {part: {1: kept} for part in ("images", "masks")}
    opened.train.rows(np.arange(len(opened.train)))  # an epoch
    assert decodes() == NOTHING


def test_scores_decode_each_image_once(folder, decodes):
    config = compose(folder)
    opened, spec = run_data.open_data(config), InputSpec.of(config.dataset)
    decodes()
    evaluated(lambda x: 0.5 * x + 0.25, opened.dataset, opened.split.test, image_size=spec.size)
    times = len(opened.split.test)
    assert decodes() == {"images": {1: times}, "masks": {1: times}}


def test_soft_masks_are_read_again_by_the_threshold_of_all(folder, decodes):
    soften(folder)
    config = compose(folder)
    dataset, spec = datasets.open_dataset(config.dataset), InputSpec.of(config.dataset)
    found = survey(dataset, spec)
    assert decodes() == {"images": {1: N}, "masks": {2: N}}
    assert dataset.mask_reader.level() > 0
    fresh = datasets.open_dataset(config.dataset)
    areas = [float((fresh.load(index).label == 1).mean()) for index in range(N)]
    assert [label.area for label in found.labels] == areas


def test_one_more_image_does_not_hide_what_is_wrong_with_it(folder, decodes):
    survey(datasets.open_dataset(compose(folder).dataset))
    (folder / "images/3.png").write_text("no image")
    found = survey(datasets.open_dataset(compose(folder).dataset))
    assert [str(error).split(" cannot")[0][-5:] for error in found.errors.values()] == ["3.png"]
