"""The Kaggle-like folder: what the example says at its top, on a folder that is made here."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dmf_cli.cli.main import main
from dmf_cli.parts import plugins
from tests.datasets.copies import images

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/kaggle_folder/kaggle.py"
TINY = (
    "dataset.image_size=32",
    "model.filters=2",
    "trainer.epochs=1",
    "trainer.batch_size=4",
    "report=false",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """24 photographs of 12 patients, of which the last four are in a table of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    shutil.copy(EXAMPLE, tmp_path)
    for name in ("images", "masks"):
        (tmp_path / "input" / name).mkdir(parents=True)
    rows = []
    for number, pixels in enumerate(images(24, size=64)):
        mask = np.zeros((64, 64), np.uint8)
        mask[9:30, 9 : 20 + number] = 255
        Image.fromarray(np.stack([pixels] * 3, -1)).save(tmp_path / f"input/images/{number:04x}.jpg")
        Image.fromarray(mask).save(tmp_path / f"input/masks/{number:04x}.png")
        rows.append(
            {"id": f"{number:04x}", "patient": number // 2, "diagnosis": ("nevus", "melanoma")[number % 2]}
        )
    for name, some in (("train.csv", rows[:20]), ("holdout.csv", rows[20:])):
        with (tmp_path / "input" / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(some)
    with plugins.isolated():
        yield tmp_path


def test_its_commands_do_what_they_say(folder):
    lines = [line.split()[1:] for line in EXAMPLE.read_text().splitlines() if line.startswith("dmf ")]
    check, show, train, again = lines
    assert main(check) == 0
    found = json.loads((folder / "kaggle_check/check.json").read_text())
    assert (found["images"], found["findings"]) == (20, [])
    assert found["grouping"]["strata"] == "melanoma 10, nevus 10"
    assert main(show) == 0
    assert (folder / "kaggle.png").is_file()
    assert main([*train, *TINY]) == 0
    split = json.loads((folder / "outputs/kaggle/split.json").read_text())
    sides = {name: part for part in ("train", "val", "test") for name in split[part]}
    assert all(sides[f"{n:04x}"] == sides[f"{n + 1:04x}"] for n in range(0, 20, 2))
    assert main(again) == 0
    (scores,) = (folder / "outputs/kaggle/metrics").glob("all_table=holdout.csv_summary.json")
    assert json.loads(scores.read_text())["counts"]["images"] == 4
