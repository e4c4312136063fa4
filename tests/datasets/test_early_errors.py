"""What a look at the files shows is said before a framework is imported."""

import numpy as np
import pytest
from PIL import Image

from dmf_cli import runtime
from dmf_cli.cli.main import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three images with masks, and a table; a framework may not be started."""

    def start(trainer):
        raise AssertionError("a framework was started")

    monkeypatch.setattr(runtime, "start", start)
    monkeypatch.chdir(tmp_path)
    for part in ("images", "masks"):
        (tmp_path / "scans" / part).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((16, 16), 255 * (part == "masks"), np.uint8)).save(
                tmp_path / "scans" / part / f"{i}.png"
            )
    (tmp_path / "cases.csv").write_text("image,mask\nscans/images/0.png,scans/masks/9.png\n")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["dataset=folder"],
        ["dataset=folder", "dataset.dir=scnas"],
        ["dataset=folder", "dataset.dir=scans", "dataset.images=pictures/*"],
        ["dataset=folder", "dataset.dir=scans", "dataset.masks=labels/{stem}.png"],
        ["dataset=folder", "dataset.dir=scans", "dataset.strata=[benign]"],
        ["dataset=folder", "dataset.dir=scans", "dataset.parse=("],
        ["dataset=busi", "dataset.dir=scans"],
        ["dataset=table", "dataset.table=cases.csv"],
        ["dataset=table", "dataset.table=case.csv"],
    ],
)
def test_wrong_files_are_found_before_a_framework_is_imported(folder, capsys, words):
    assert main(["train", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert not (folder / "outputs").exists()
