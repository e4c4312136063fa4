"""Which files `dmf predict` takes for images."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources.suffixes import SUFFIXES
from dmf_cli.errors import DatasetError, RunFolderError
from dmf_cli.inference import predict_files
from dmf_cli.inference.find_files import find, passed_over
from dmf_cli.inference.prediction import Prediction
from tests.raised import raises


def picture(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((6, 5), 200, np.uint8)).save(file)


def names(*paths, output):
    return sorted(job.file.name for job in find(paths, output))


def predict(paths, output):
    options = {
        "prediction": Prediction(InputSpec((4, 4))),
        "classes": ("background", "lesion"),
        "batch_size": 2,
    }
    return predict_files.predict_files(lambda x: x, find(paths, output), output, **options)


def test_what_training_reads_is_read_here_too(tmp_path):
    for suffix in SUFFIXES:
        (tmp_path / f"a{suffix}").write_text("")
        (tmp_path / f"b{suffix.upper()}").write_text("")
    assert len(find([tmp_path], tmp_path / "o")) == 2 * len(SUFFIXES)
    assert {".pgm", ".ppm", ".pbm", ".jp2", ".dcm", ".jfif"} < set(SUFFIXES)


def test_the_documents_list_the_same_suffixes():
    text = (Path(__file__).parents[2] / "docs/reference/datasets.md").read_text()
    listed = text.partition("whatever the case of their suffix")[2].partition("What begins with a dot")[0]
    assert tuple(re.findall(r"`(\.[a-z0-9]+)`", listed)) == SUFFIXES


def test_hidden_files_and_folders_hold_no_images(tmp_path):
    picture(tmp_path / ".ipynb_checkpoints/a.png", tmp_path / "._a.png", tmp_path / "a.png")
    assert names(tmp_path, output=tmp_path / "o") == ["a.png"]
    picture(tmp_path / ".hidden/photos/b.png")
    assert names(tmp_path / ".hidden/photos", output=tmp_path / "o") == [
        "b.png"
    ]  # who names a folder means it


@pytest.mark.parametrize("place", ["out", ".", "deep/out"])
def test_results_of_an_earlier_call_are_no_images(tmp_path, monkeypatch, place):
    picture(tmp_path / "a.png", tmp_path / "deep/b.png")
    monkeypatch.chdir(tmp_path)
    root = tmp_path.relative_to(tmp_path)
    for _ in range(2):  # the second call finds the masks of the first
        predict([root], root / place)
        written = sorted((root / place / "masks").rglob("*.png"))
        assert [file.name for file in written] == ["a.png", "b.png"]
    assert names(root, output=tmp_path / "elsewhere") == ["a.png", "b.png"]
    assert passed_over([root]) == ["predictions in . are not taken as images: 4"]
    with raises(DatasetError, what="no image in ", hint="its 2 files are results of dmf predict"):
        find([root / place / "masks"], tmp_path / "elsewhere")
    assert len(find([written[0]], tmp_path / "elsewhere")) == 1  # who names a file means it


def test_true_masks_are_not_replaced_by_predicted_ones(tmp_path):
    picture(tmp_path / "images/a.png", tmp_path / "masks/a.png")
    before = (tmp_path / "masks/a.png").read_bytes()
    reason = "holds files that dmf predict did not write"
    with raises(RunFolderError, path=tmp_path / "masks", reason=reason, hint="with -o DIR"):
        predict([tmp_path / "images"], tmp_path)
    assert (tmp_path / "masks/a.png").read_bytes() == before


def test_images_that_are_not_read_are_counted(tmp_path):
    picture(tmp_path / "a.png")
    for name in ("b.heic", "c.HEIC", "d.nii.gz", ".e.heic", "notes.txt"):
        (tmp_path / name).write_text("")
    assert passed_over([tmp_path]) == [f"not read in {tmp_path}: 1 .HEIC, 1 .heic, 1 .nii.gz"]
    (tmp_path / "a.png").unlink()
    with raises(DatasetError, path=str(tmp_path), hint="it holds 1 .HEIC, 1 .heic, 1 .nii.gz, and read are"):
        find([tmp_path], tmp_path / "o")
