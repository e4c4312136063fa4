import multiprocessing
import os
import tempfile

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli.config import typed
from dmf_cli.datasets import open_dataset
from dmf_cli.datasets.sources.phantom import scan
from dmf_cli.errors import ConfigError, DatasetError
from tests.raised import raises

INPUT = {"name": "phantom", "kind": "phantom", "image_size": 32, "resize": "stretch", "normalize": "unit"}
SMALL = {**INPUT, "size": 32, "count": 6, "seed": 0, "difficulty": "easy"}


def opened(tmp_path, **changes):
    return open_dataset(typed.dataset({**SMALL, "data_dir": tmp_path, **changes}))


def test_the_records_hold_what_the_generator_makes(tmp_path):
    data = opened(tmp_path)
    assert len(data) == 6
    for index in range(6):
        made, sample = scan.generate(index, size=32, difficulty="easy"), data.load(index)
        np.testing.assert_array_equal(sample.image, made.image)
        np.testing.assert_array_equal(sample.label, made.label)
        assert data.strata[index] == made.stratum


def test_it_is_a_tensorflow_dataset(tmp_path):
    from dmf_cli.datasets.sources.phantom.builder import BreastPhantom

    info = BreastPhantom(data_dir=tmp_path, config="size128_count800_seed0_difficulty0.4").info
    assert info.features["image"].shape == (128, 128, 1)
    assert info.supervised_keys == ("image", "label")


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"count": 7}, {"difficulty": "hard"}, {"size": 48}, {"task": "type"}, {"lesion_area": 0.1}],
)
def test_other_settings_never_give_older_data(tmp_path, change):
    first, second = opened(tmp_path), opened(tmp_path, **change)
    assert first.fingerprint() != second.fingerprint()
    assert opened(tmp_path).fingerprint() == first.fingerprint()


def test_a_folder_that_an_interrupted_run_left_is_not_read(tmp_path):
    data = opened(tmp_path)
    (ready,) = tmp_path.glob("breast_phantom/*/1.0.0")
    broken = ready.with_name("1.0.0.incomplete.ABC_breast_phantom")
    ready.rename(broken)
    assert opened(tmp_path).fingerprint() == data.fingerprint()


def _open(path):
    return opened(path).fingerprint()


def test_processes_that_prepare_at_once_get_the_same_data(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert len(set(pool.map(_open, [tmp_path] * 2))) == 1


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with raises(DatasetError, hint="set dataset.data_dir=PATH or the environment variable DMF_CACHE"):
        opened(tmp_path / "file")


def test_the_cache_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DMF_CACHE", os.fspath(tmp_path / "cache"))
    open_dataset(typed.dataset({**SMALL, "data_dir": None}))
    assert (tmp_path / "cache/breast_phantom").is_dir()


def test_the_shipped_config_is_the_default_and_checked(tmp_path):
    config = configs.compose([]).plain["dataset"]
    assert (config["name"], config["count"], config["size"]) == ("phantom", 800, 128)
    with raises(ConfigError, key="dataset.count", value=2):
        opened(tmp_path, count=2)


def test_types_of_lesions_are_classes(tmp_path):
    data = opened(tmp_path, task="type", lesion_area=0.1)
    assert data.classes == ("background", "benign", "malignant")
    for index in range(6):
        made = scan.generate(index, size=32, difficulty="easy", task="type", lesion_area=0.1)
        np.testing.assert_array_equal(data.load(index).label, made.label)


def test_a_new_phantom_leaves_nothing_in_the_temporary_folder(tmp_path, monkeypatch):
    """tensorflow-datasets makes a folder there for each set that is not prepared, and forgets it."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    config = {"size": 16, "count": 3, "seed": 5, "difficulty": "easy", "data_dir": str(tmp_path / "data")}
    assert len(open_dataset(typed.dataset({**INPUT, **config}))) == 3
    assert list((tmp_path / "temporary").iterdir()) == []
    assert tempfile.tempdir == str(tmp_path / "temporary")


def test_what_libraries_greet_with_while_it_is_prepared_is_not_shown(tmp_path, monkeypatch, capfd):
    from dmf_cli.datasets.sources.phantom.builder import BreastPhantom

    prepare = BreastPhantom.download_and_prepare

    def greeting(self):
        os.write(2, b"All log messages before absl::InitializeLog() is called are written to STDERR")
        print("Downloading")
        prepare(self)

    monkeypatch.setattr(BreastPhantom, "download_and_prepare", greeting)
    assert len(opened(tmp_path)) == 6
    assert capfd.readouterr() == ("", "")
