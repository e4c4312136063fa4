"""A network meets a dataset whose classes stand in another order."""

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import runtime
from dmf_cli.datasets.base import IGNORED
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.errors import ConfigError
from dmf_cli.inference import score
from dmf_cli.inference.class_order import as_trained, trained_classes
from dmf_cli.run_folder.folder import RunFolder
from tests.inference.scoring import evaluated
from tests.raised import raises

TRAINED = ("background", "benign", "malignant")
SIZE = 16


@pytest.fixture
def masks(tmp_path, monkeypatch):
    """One image; its mask holds 1 in 40 pixels and 2 in 12."""
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    label = np.zeros((SIZE, SIZE), np.uint8)
    label[2:7, 2:10], label[9:12, 2:6] = 1, 2
    for part, pixels in (("images", label * 100), ("masks", label)):
        (tmp_path / part).mkdir()
        Image.fromarray(pixels).save(tmp_path / part / "a.png")
    return {"name": "other", "dir": tmp_path, "images": "images/*", "masks": "masks/{stem}.png"}


def areas(dataset):
    return {name: int((dataset.load(0).label == c).sum()) for c, name in enumerate(dataset.classes)}


def test_classes_are_matched_by_name(masks):
    dataset = FolderDataset(**masks, classes=("background", "Malignant", "benign"))
    found = as_trained(dataset, TRAINED)
    assert found.classes == TRAINED
    assert areas(found) == {"background": 204, "benign": 12, "malignant": 40}
    assert (found.ids, found.fingerprint(), found.content(0)) == (
        dataset.ids,
        dataset.fingerprint(),
        dataset.content(0),
    )
    assert found.reading() != dataset.reading()
    assert as_trained(dataset, None) is as_trained(dataset, ("background", "lesion")) is dataset
    assert found._table[IGNORED] == IGNORED


def test_the_rest_of_a_dataset_stays_as_it_is(masks, monkeypatch):
    dataset = FolderDataset(**masks, classes=("background", "malignant", "benign"))
    monkeypatch.setattr(dataset, "pixel_size", lambda index: (0.1, 0.2))  # as each DICOM file says its own
    dataset.left_out, dataset.grouping = {"normal": 3}, "2 patients"
    found = as_trained(dataset, TRAINED)
    assert found.pixel_size(0) == (0.1, 0.2)
    assert np.array_equal(found.label(0), found.load(0).label)
    assert (found.left_out, found.grouping) == ({"normal": 3}, "2 patients")
    assert (found.remarks(), found.mask_remarks()) == (dataset.remarks(), dataset.mask_remarks())


def test_a_perfect_network_scores_one_in_every_order(masks):
    """It knows benign as grey 100 and malignant as 200, whatever the masks call them."""

    def predict(images):
        likely = np.clip(1 - np.abs(images * 2.55 - np.array([0, 2, 1])) * 4, 0, 1)
        return (likely / likely.sum(-1, keepdims=True)).astype(np.float32)

    dataset = FolderDataset(**masks, classes=("background", "malignant", "benign"))
    result = evaluated(predict, as_trained(dataset, TRAINED), [0], image_size=SIZE)
    assert {name: result.rows[0][f"class.{name}.dice"] for name in TRAINED} == dict.fromkeys(TRAINED, 1.0)


def test_other_classes_are_refused(masks):
    dataset = FolderDataset(**masks, classes=("background", "cyst", "benign"))
    both = "background, benign, malignant and other has background, cyst, benign"
    with raises(ConfigError, key="dataset.classes", what=both):
        as_trained(dataset, TRAINED)
    two = FolderDataset(**masks, classes=("background", "tumour"))
    assert as_trained(two, ("background", "lesion")) is two
    with raises(ConfigError, value=["background", "tumour"], hint="give its classes those names"):
        as_trained(two, ("pet", "background"))


def test_an_evaluation_on_another_dataset_is_in_the_order_of_the_run(masks, tmp_path, monkeypatch):
    words = ["dataset=folder", f"dataset.dir={masks['dir']}", "dataset.masks='masks/{stem}.png'"]
    trained = configs.compose([*words, "dataset.classes=[background,benign,malignant]"])
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(configs.to_yaml(trained))
    (run / "status.json").write_text('{"state": "completed"}')
    asked = []
    monkeypatch.setattr(runtime, "start", lambda trainer: None)
    monkeypatch.setattr(score, "score", lambda run, config, dataset, *rest, **options: asked.append(dataset))
    other = configs.compose([*words, "dataset.classes=[background,malignant,benign]"])
    score.evaluate_run(run, other, "all")
    assert areas(asked[0]) == {"background": 204, "benign": 12, "malignant": 40}
    assert trained_classes(RunFolder.open(run), configs.compose([])) == ("background", "lesion")
