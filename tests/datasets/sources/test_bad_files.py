"""Images that cannot be used: all of them are reported at once, or excluded."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli.config import typed
from dmf_cli.datasets.input import keeping, run_data
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import bad_files
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.datasets.sources.grouping import describe
from dmf_cli.datasets.sources.survey import survey
from dmf_cli.datasets.splits.division import make_split, save_split
from dmf_cli.errors import DatasetError, LabelError, UnknownNameError, UnreadableError
from dmf_cli.report import run_page
from dmf_cli.report.reading import RunFacts
from tests.raised import raises

DATA = {"name": "set", "images": "images/*.png", "masks": "masks/{stem}.png"}
CONFIG = {"kind": "folder", "image_size": 8, "resize": "stretch", "normalize": "unit"}
PARTS = {"train": [0, 1, 2], "val": [3, 4], "test": [5, 6]}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Images 0 to 6; 1 is cut off, the mask of 3 is no image, that of 5 has another size."""
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    for number in range(7):
        pixels = rng.integers(0, 255, (9, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.png")
        Image.fromarray((pixels > 99).astype(np.uint8) * 255).save(tmp_path / f"masks/{number}.png")
    return tmp_path


def damage(root):
    file = root / "images/1.png"
    file.write_bytes(file.read_bytes()[:-40])
    (root / "masks/3.png").write_text("no image")
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(root / "masks/5.png")


def assert_names_all(error):
    lines = str(error).splitlines()
    assert lines[0] == "3 images cannot be used:"
    assert ["images/1.png cannot be read" in lines[1], "masks/3.png cannot be read" in lines[2]] == [True] * 2
    assert "masks/5.png is 5x4 pixels and its image images/5.png 8x9" in lines[3]
    assert lines[4] == "mend or remove them, or exclude them by dataset.on_bad=skip"
    assert len(error.errors) == 3
    assert pickle.loads(pickle.dumps(error)).args == error.args  # a sweep's worker sends it home


@pytest.mark.parametrize("mode", ["memory", "disk", "none"])
def test_bad_files_of_all_parts_are_reported_at_once_before_the_training(root, mode):
    dataset, group = FolderDataset(**DATA, dir=root), typed.dataset({**CONFIG, **DATA})
    damage(root)
    with pytest.raises(bad_files.BadFilesError) as caught:
        keeping.open_parts(dataset, PARTS, mode, InputSpec.of(group), group)
    assert_names_all(caught.value)


def test_the_search_for_near_duplicates_reports_them_at_once_too(root):
    dataset = FolderDataset(**DATA, dir=root)
    damage(root)
    with pytest.raises(bad_files.BadFilesError) as caught:
        survey(dataset).refuse()
    assert_names_all(caught.value)


def test_a_single_bad_file_is_one_line_of_its_own_kind(root):
    (root / "images/1.png").write_text("no image")
    with pytest.raises(UnreadableError, match=r"^[^\n]*images/1\.png cannot be read[^\n]*$"):
        survey(FolderDataset(**DATA, dir=root)).refuse()


def test_they_are_excluded_if_one_says_so(root, caplog):
    damage(root)
    dataset = FolderDataset(**DATA, dir=root, on_bad="skip")
    assert dataset.ids == tuple(f"images/{number}" for number in (0, 2, 4, 6))
    assert len(dataset.strata) == 4
    assert len(survey(dataset).labels) == 4
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith("excluded because they cannot be used (dataset.on_bad=skip): 3 of 7 images\n")
    assert all(f"/{name}.png" in line for name in ("images/1", "masks/3", "masks/5"))


def test_they_are_excluded_beside_masks_of_another_size_too(root, caplog):
    damage(root)
    dataset = FolderDataset(**DATA, dir=root, on_bad="skip", size_mismatch="skip")
    assert dataset.ids == tuple(f"images/{number}" for number in (0, 2, 4, 6))
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert lines[0] == "excluded because their masks have another size: 1 of 7 images, first images/5"
    assert lines[1].startswith("excluded because they cannot be used (dataset.on_bad=skip): 2 of 6 images\n")


def test_what_is_excluded_is_recorded(root, tmp_path, monkeypatch):
    """In split.json, the report, the first lines of a training and its log; by name, with what is wrong."""
    damage(root)
    dataset = FolderDataset(**DATA, dir=root, on_bad="skip", size_mismatch="skip")
    assert list(dataset.unusable) == ["images/5", "images/1", "images/3"]
    assert dataset.unusable["images/5"] == "the mask of 'images/5' has another size than the image"
    assert "images/1.png cannot be read" in dataset.unusable["images/1"]
    said = "3 images (images/5, images/1, images/3)"
    assert describe(dataset)["unusable"] == f"{said}, excluded"
    save_split(tmp_path / "split.json", dataset, make_split(dataset))
    kept = json.loads((tmp_path / "split.json").read_text())
    assert kept["unusable"] == dataset.unusable
    assert dict(run_page._data(RunFacts(tmp_path, split=kept)))["Unusable, excluded"] == said
    words = ["split.leak_free=false", "split.fractions=[0.5,0.25,0.25]", "trainer.batch_size=1"]
    config = configs.compose(words).with_group("dataset", {**CONFIG, **DATA, "dir": root, "on_bad": "skip"})
    note = run_data.open_data(config).note
    assert all(
        f"excluded: {reason}" in note for reason in run_data.open_data(config).dataset.unusable.values()
    )


def test_only_bad_images_are_decoded_again(root, monkeypatch):
    damage(root)
    first = FolderDataset(**DATA, dir=root, on_bad="skip")
    decoded, examine = [], FolderDataset.examine

    def counted(self, index):
        decoded.append(self.ids[index])
        return examine(self, index)

    monkeypatch.setattr(FolderDataset, "examine", counted)
    again = FolderDataset(**DATA, dir=root, on_bad="skip")
    assert (again.ids, again.unusable) == (first.ids, first.unusable)
    assert sorted(decoded) == sorted(first.unusable)
    (root / "images/2.png").write_text("no image")  # the content decides
    assert "images/2" in FolderDataset(**DATA, dir=root, on_bad="skip").unusable
    with pytest.raises(DatasetError, match="7 images cannot be used"):
        FolderDataset(**DATA, dir=root, on_bad="skip", max_pixels=4)


def test_nothing_but_bad_files_is_an_error_still(root):
    for file in root.glob("images/*"):
        file.write_text("no image")
    with pytest.raises(DatasetError, match="7 images cannot be used"):
        FolderDataset(**DATA, dir=root, on_bad="skip")


def test_a_message_names_some_of_very_many():
    errors = [UnreadableError(str(number)) for number in range(25)]
    with pytest.raises(
        bad_files.BadFilesError, match=r"25 images cannot be used(.|\n)*  19\n  \.\.\. and 5 more"
    ):
        bad_files.refuse(errors)


def test_the_choice_is_checked(root):
    with raises(UnknownNameError, key="dataset.on_bad", value="skpi"):
        FolderDataset(**DATA, dir=root, on_bad="skpi")


def test_files_with_the_same_fault_share_a_line():
    gone = [UnreadableError(path=f"{i}.png", reason="is empty", hint="remove it") for i in range(5)]
    other = LabelError(path="a.png", reason="holds the value 3", hint="set dataset.values")
    assert bad_files.listed([other, *gone]).splitlines() == [
        "  a.png holds the value 3: set dataset.values",
        "  0.png, 1.png, 2.png and 2 more: each is empty: remove it",
    ]
