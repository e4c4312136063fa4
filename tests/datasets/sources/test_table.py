"""A CSV file beside the images: keys are names or paths, and a column may name the mask."""

import numpy as np
import pytest
from PIL import Image

from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.datasets.sources.table import row_of
from dmf_cli.errors import DatasetError
from tests.raised import raises


@pytest.fixture
def folder(tmp_path):
    """Two images of one name in folders of two patients, whose masks are called otherwise."""
    for patient, side in (("anna", 3), ("bert", 5)):
        mask = np.zeros((16, 16), np.uint8)
        mask[:side, :side] = 255
        for file, pixels in ((f"img/{patient}/1.png", mask // 2), (f"truth/{patient}-m.png", mask)):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / file)
    return tmp_path


def opened(folder, *keys, masks=("truth/anna-m.png", "truth/bert-m.png")):
    lines = [f"{key},{mask},{kind}" for key, mask, kind in zip(keys, masks, ("b", "m"), strict=True)]
    (folder / "info.csv").write_text("\n".join(["image,annotation,type", *lines]))
    return FolderDataset(
        name="x",
        dir=folder,
        images="img/*/*.png",
        masks="{mask}",
        table={"file": "info.csv", "key": "image", "mask": "annotation", "class": "type"},
    )


@pytest.mark.parametrize(
    "keys",
    [
        ("img/anna/1.png", "img/bert/1.png"),
        ("img/anna/1", "img/bert/1"),
        ("./img/anna/1.png", "img\\bert\\1.png"),
        ("anna/1.png", "bert/1.png"),
    ],
)
def test_keys_may_be_paths_and_a_column_may_name_the_mask(folder, keys):
    data = opened(folder, *keys)
    assert (data.ids, data.strata) == (("img/anna/1", "img/bert/1"), ("b", "m"))
    assert [int(data.load(i).label.sum()) for i in range(2)] == [9, 25]


def test_a_path_that_is_not_in_the_table_is_told(folder):
    with raises(DatasetError, path="bert/1.png", reason="has no row in info.csv"):
        opened(folder, "img/anna/1.png", "elsewhere/carl/1.png")


def test_the_longest_path_counts_and_names_alone_still_do(tmp_path):
    rows = {"1": {"class": "stem"}, "anna/1": {"class": "path"}}
    assert row_of(rows, tmp_path, tmp_path / "img/anna/1.png", "t")["class"] == "path"
    assert row_of(rows, tmp_path, tmp_path / "img/bert/1.png", "t")["class"] == "stem"
    assert row_of({"1.png": {"class": "name"}}, tmp_path, tmp_path / "1.png", "t")["class"] == "name"
