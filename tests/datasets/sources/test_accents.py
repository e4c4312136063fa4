"""Names that somebody typed, and the same names of files with their accents in the other form."""

import json
import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.datasets.sources.table import read_table
from dmf_cli.datasets.splits import division
from dmf_cli.errors import ConfigError, DatasetError
from dmf_cli.inference.find_files import find
from tests.raised import raises

FORMS = [("NFC", "NFD"), ("NFD", "NFC")]
NAMES = ("é0", "é1", "é2", "b3")


def form(text, name):
    return unicodedata.normalize(name, text)


@pytest.fixture(params=FORMS, ids=["typed-composed", "typed-decomposed"])
def typed(request, tmp_path):
    """A function (text) -> as typed; the names of files and folders are in the other form."""
    one, other = request.param
    for i, name in enumerate(NAMES):
        folder = tmp_path / form("bénin" if i % 2 else "sain", other)
        for end, value in (("", 90 + i), ("_mask", 255 * (i % 3 > 0))):
            folder.mkdir(exist_ok=True)
            image = np.full((8, 8), value, np.uint8)
            Image.fromarray(image).save(folder / f"{form(name, other)}{end}.png")
    return lambda text: form(text, one)


def dataset(folder, **given):
    patterns = {"images": "*/*.png", "exclude": "*_mask.png", **given}
    return FolderDataset(name="d", dir=folder, masks="{folder}/{stem}_mask.png", **patterns)


@pytest.fixture
def every(typed, tmp_path):
    return dataset(tmp_path)


def test_a_split_file_finds_its_images(typed, every, tmp_path):
    ids = [typed(name) for name in every.ids]
    hashes = {typed(name): every.content(i) for i, name in enumerate(every.ids)}
    content = {"train": ids[:2], "val": ids[2:3], "test": ids[3:], "hashes": hashes}
    file = tmp_path / "split.json"
    file.write_text(json.dumps(content))
    assert division.load_split(file, every).train == (0, 1)
    hashes[ids[0]] = "another"
    file.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="is not the one that"):
        division.load_split(file, every)


def test_exclude_leaves_out_what_it_names(typed, tmp_path):
    names = [id.rpartition("/")[2] for id in dataset(tmp_path).ids]
    assert sorted(names) == sorted(NAMES)
    found = dataset(tmp_path, images=typed("bénin/*[0-9].png"), exclude=typed("é1.png"))
    assert found.ids == ("bénin/b3",)


def test_strata_and_parse_are_of_the_names_as_they_are_typed(typed, tmp_path):
    assert len(dataset(tmp_path, strata=[typed("bénin")])) == 2
    parsed = dataset(tmp_path, parse=typed("(?P<class>bénin|sain)/.*"))
    assert set(parsed.strata) == {"bénin", "sain"}


def test_columns_and_patients_of_a_table(typed, tmp_path):
    rows = [f"{typed(id)},{form('Zoé', FORMS[i % 2][0])}" for i, id in enumerate(_ids(tmp_path))]
    (tmp_path / "info.csv").write_text("\n".join([f"clé,{form('prénom', 'NFD')}", *rows]))
    table = {"file": "info.csv", "key": typed("clé"), "patient": form("prénom", "NFC")}
    assert len(read_table(tmp_path, table)) == 4
    found = dataset(tmp_path, table=table)
    assert len(set(found.groups)) == 1, "one patient, whose name has two forms"
    with raises(ConfigError, key="dataset.table.key", value="nom"):
        read_table(tmp_path, {**table, "key": "nom"})


def _ids(folder):
    return dataset(folder).ids


def test_predict_knows_masks_and_what_to_leave_out(tmp_path):
    for name in (form("é", "NFC"), form("é_mask", "NFD"), form("café", "NFD")):
        (tmp_path / f"{name}.png").touch()
    names = [job.file.name for job in find([tmp_path], tmp_path / "out", form("café*", "NFC"))]
    assert names == [form("é.png", "NFC")]


@pytest.mark.parametrize(
    "ask",
    [
        lambda path: find([path], path.parent / "out"),
        lambda path: division.read_split(path),
        lambda path: dataset(path),
    ],
    ids=["predict", "split", "dir"],
)
def test_a_path_that_is_there_in_the_other_form_is_named(ask, tmp_path):
    (tmp_path / form("café", "NFD")).mkdir()
    with pytest.raises(DatasetError, match="with its accents written otherwise"):
        ask(tmp_path / form("café", "NFC"))


def test_names_that_are_no_utf8_are_ids_that_can_be_written(tmp_path):
    """Old archives have names in Latin-1: é is the byte e9."""
    folder = tmp_path / os.fsdecode(b"b\xe9nin")
    folder.mkdir()
    for number, name in enumerate((b"caf\xe9 1", b"caf\xe9 2", b"plain 3")):
        for end in ("", "_mask"):
            image = Image.fromarray(np.full((8, 8), 255 if end else number, np.uint8))
            image.save(folder / f"{os.fsdecode(name)}{end}.png")
    made = dataset(tmp_path)
    assert list(made.ids) == ["b\\udce9nin/caf\\udce9 1", "b\\udce9nin/caf\\udce9 2", "b\\udce9nin/plain 3"]
    assert {*made.strata} == {"b\\udce9nin"}
    assert len(made.fingerprint()) == 16
    "\n".join([*made.ids, *made.strata]).encode("utf-8")
    division.save_split(tmp_path / "split.json", made, division.Split((0,), (1,), (2,)))
    assert division.read_split(tmp_path / "split.json")["test"] == [made.ids[2]]
