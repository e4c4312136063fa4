"""Sets of tensorflow-datasets, made here on the spot."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds

from dmf_cli import config as configs
from dmf_cli import datasets
from dmf_cli.cli.main import main
from dmf_cli.datasets.input.run_data import make_split
from dmf_cli.datasets.splits import division
from dmf_cli.errors import ConfigError, DatasetError, DownloadError
from tests.raised import raises


class _Base(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.0.0")
    SPLITS: tuple[str, ...] = ("train", "test")
    code_path = tfds.core.Path(__file__)  # 4.9.6 does not find it in a folder without __init__.py

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "segmentation_mask": tfds.features.Image(shape=(None, None, 1)),
            "species": tfds.features.ClassLabel(names=["cat", "dog"]),
            "owner": tfds.features.Text(),
            "film": tfds.features.Video(shape=(None, 8, 9, 3)),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(10 - 2 * k, 20 * k) for k, name in enumerate(self.SPLITS)}

    def _generate_examples(self, count, first):
        for i in range(first, first + count):
            mask = np.full((8, 9, 1), 2, np.uint8)
            mask[2:5, 2:5], mask[3, 3] = 3, 1
            image = np.full((8, 9, 3), (i, 100, 200), np.uint8)
            film = np.zeros((2, 8, 9, 3), np.uint8)
            example = {"image": image, "segmentation_mask": mask, "species": i % 2, "owner": f"o{i // 2}"}
            yield i, {**example, "film": film}


class OxfordIiitPetMini(_Base):
    """Stands in for the real one, which a test may not download."""


class ThreeParts(_Base):
    SPLITS = ("train", "validation", "test")


class Broken(_Base):
    def _split_generators(self, dl_manager):
        raise ZeroDivisionError("no\nserver")


def group(data_dir, *overrides, option="tfds"):
    return configs.compose([f"dataset={option}", f"dataset.data_dir={data_dir}", *overrides]).dataset


PETS = ("dataset.builder=oxford_iiit_pet_mini",)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    from dmf_cli.datasets.sources.tfds import prepare_tfds

    folder = tmp_path_factory.mktemp("records")
    prepare_tfds(group(folder, *PETS, option="oxford_pets"))
    prepare_tfds(group(folder, "dataset.name=three_parts"))
    return folder


def pets(data_dir, *overrides):
    return datasets.open_dataset(group(data_dir, *PETS, *overrides, option="oxford_pets"))


def test_the_notebooks_split_and_classes(data_dir):
    data = pets(data_dir)
    assert (data.name, data.channels, data.classes) == ("oxford_pets", 3, ("pet", "background", "border"))
    assert [data.parts.count(part) for part in division.PARTS] == [8, 2, 8]
    assert data.ids[0] == "train/000000"
    assert data.ids[-1] == "test/000007"
    sample = data.load(17)
    assert sample.image.shape == (8, 9, 3)
    assert sample.image[0, 0, 1:].tolist() == [100, 200]
    assert sample.image[0, 0, 0] >= 20  # an image of the test split
    assert np.bincount(sample.label.ravel()).tolist() == [1, 63, 8]  # 1, 2, 3 are 0, 1, 2


def test_the_shipped_set_is_the_real_one():
    config = configs.compose(["dataset=oxford_pets"]).dataset
    assert config.builder == "oxford_iiit_pet"
    assert config.parts == {"train": "train[:80%]", "val": "train[80%:]", "test": "test"}
    assert config.builder in tfds.list_builders(with_community_datasets=False)


def test_its_own_parts_are_the_split_and_can_be_pooled(data_dir):
    data, config = pets(data_dir), configs.compose([]).split
    split = make_split(config, data)
    assert (split.train, split.val, split.test) == (tuple(range(8)), (8, 9), tuple(range(10, 18)))
    with pytest.raises(DatasetError, match=r"has its own train, val and test: set dataset\.parts=pool"):
        make_split(dataclasses.replace(config, folds=3), data)
    pooled = pets(data_dir, "dataset.parts=pool", "dataset.stratum=species", "dataset.patient=owner")
    assert pooled.parts is None
    assert set(pooled.strata) == {"cat", "dog"}
    assert len(set(pooled.groups)) == 9
    divided = make_split(dataclasses.replace(config, folds=3, fold=1, similarity=None), pooled)
    sides = {pooled.groups[i]: part for part in division.PARTS for i in getattr(divided, part)}
    assert all(sides[pooled.groups[i]] == part for part in division.PARTS for i in getattr(divided, part))


def test_any_set_opens_by_its_name_with_features_found(data_dir):
    data = datasets.open_dataset(group(data_dir, "dataset.name=three_parts", "dataset.threshold=2"))
    assert [data.parts.count(part) for part in division.PARTS] == [10, 8, 6]
    assert data.load(0).label.sum() == 8  # binary: above the threshold
    grey = datasets.open_dataset(
        group(data_dir, "dataset.name=three_parts", "dataset.channels=1", "dataset.image=segmentation_mask")
    )
    assert grey.load(0).image.shape == (8, 9, 1)


def test_the_fingerprint_follows_what_is_read(data_dir):
    data = pets(data_dir)
    assert data.fingerprint() == pets(data_dir).fingerprint()
    for kept in (data_dir / "oxford_iiit_pet_mini/1.0.0").glob("dmf_fingerprint_*.txt"):
        kept.unlink()
    assert pets(data_dir).fingerprint() == data.fingerprint()
    assert pets(data_dir, "dataset.channels=1").fingerprint() != data.fingerprint()
    assert pets(data_dir, "dataset.parts=pool").fingerprint() != data.fingerprint()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("dataset.mask=segmentation", r"no feature 'segmentation' .* \(pictures: image, segmentation_mask\)"),
        ("dataset.image=film", "is a volume or a film: only pictures of two dimensions"),
        ("dataset.stratum=specie", "did you mean 'species'"),
        (
            "dataset.parts=mine",
            "dataset.parts is 'mine': give one of own, pool, or a mapping",
        ),
        ("dataset.parts.val=tran", "'tran' is no split of oxford_iiit_pet_mini .* it has train, test"),
        ("dataset.parts.val='train[:10%]'", "puts train/000000 into train and val"),
        ("dataset.parts.val='train[100%:]'", "is empty"),
        ("dataset.parts.val=null", "give train, val and test"),
        ("dataset.values={1:9}", "maps 1 to class 9"),
        ("dataset.classes=[pet]", "name the background and at least one class"),
        ("dataset.channels=2", "dataset.channels is 2: give one of 1, 3"),
        ("dataset.name=a/b", "give a plain name"),
        ("dataset.builder=oxford_iiit_pt", "did you mean 'oxford_iiit_pet"),
    ],
)
def test_wrong_settings_are_told(data_dir, override, says):
    with pytest.raises(ConfigError, match=says) as caught:
        pets(data_dir, override)
    assert "\n" not in str(caught.value)


def test_a_value_that_is_no_class_is_told(data_dir):
    data = pets(data_dir, "dataset.classes=[a,b,c,d]", "dataset.values={1:0,2:1,3:2}")
    assert data.load(0).label.max() == 2
    data.mask_reader.values = {1: 0, 2: 1}
    with raises(DatasetError, path="train/000000", reason="holds the value 3"):
        data.load(0)


def test_grey_values_that_are_black_and_white_can_be_given(data_dir):
    plain, wide = pets(data_dir), pets(data_dir, "dataset.range=[50,250]")
    assert wide.load(0).image[0, 0].tolist() == pytest.approx([0.0, 63.75, 191.25])
    assert plain.load(0).image.dtype == np.uint8
    assert wide.reading() != plain.reading()


def test_colours_that_nobody_explains_are_not_read_as_grey(data_dir):
    words = ("dataset.name=three_parts", "dataset.mask=image", "dataset.classes=[a,b,c]")
    data = datasets.open_dataset(group(data_dir, *words))
    with raises(DatasetError, path="train/000000", hint="say in dataset.values which colour"):
        data.load(0)


def test_one_that_is_not_there_names_the_command_that_gets_it(tmp_path):
    with raises(DatasetError, hint="get it by `dmf data prepare dataset=oxford_pets`"):
        pets(tmp_path)
    with raises(DatasetError, hint="dmf data prepare dataset=tfds dataset.name=three_parts"):
        datasets.open_dataset(group(tmp_path, "dataset.name=three_parts"))


def test_prepare_makes_the_records_or_says_in_one_line_why_not(tmp_path, data_dir, capsys):
    from dmf_cli.datasets.sources.tfds import prepare_tfds

    with pytest.raises(DownloadError, match=r"could not prepare broken \(ZeroDivisionError: no server\)"):
        prepare_tfds(group(tmp_path, "dataset.name=broken"))
    words = ["dataset=oxford_pets", *PETS, f"dataset.data_dir={data_dir}"]
    assert main(["data", "prepare", *words]) == 0
    assert "oxford_pets: 18 images, pet, background, border" in capsys.readouterr().out


def test_records_that_cannot_be_read_in_any_order_are_told(tmp_path):
    tfds.builder("three_parts", data_dir=tmp_path).download_and_prepare()
    with pytest.raises(DatasetError, match="array_record"):
        datasets.open_dataset(group(tmp_path, "dataset.name=three_parts"))
