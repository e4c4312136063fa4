"""What changes the id of a run, and what does not."""

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli.errors import DatasetError
from dmf_cli.run_folder import identity


def run_id(*overrides):
    return identity.run_id(configs.compose(overrides))


@pytest.fixture
def images(tmp_path):
    """Makes a folder of three images with masks."""

    def make(name, shade=10):
        folder = tmp_path / name
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True)
            for number in range(3):
                pixels = np.full((16, 16), shade * number, np.uint8)
                Image.fromarray(pixels).save(folder / kind / f"{number}.png")
        return folder

    return make


def folder_id(folder, *overrides):
    return run_id("dataset=folder", f"dataset.dir={folder}", *overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        ["run_dir=x"],
        ["output_root=x"],
        ["sweep.workers=3", "sweep.on_error=stop"],
        ["dataset.data_dir=x"],
        ["trainer.cache=disk"],
        ["optimizer.learning_rate=0.002"],
        ["optimizer.learning_rate=2e-3"],
    ],
)
def test_what_does_not_change_the_result_does_not_change_the_id(overrides):
    assert run_id(*overrides) == run_id()


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "split.seed=1",
        "loss=dice+ce",
        "dataset.seed=1",
        "weighting.window=151",
        "trainer.precision=mixed_bfloat16",
        "trainer.oversample=1",
        "trainer.on_diverge=rollback",
        "trainer.deep_supervision=auto",
        "optimizer.ema=0.9",
        "optimizer.encoder_rate=0.1",
        "optimizer.frozen=0.1",
    ],
)
def test_what_changes_the_result_changes_the_id(override):
    assert run_id(override) != run_id()


def test_a_key_that_is_null_counts_as_absent():
    config = configs.compose()
    assert identity.run_id(config.changed("split", new_option=None)) == identity.run_id(config)


def test_another_version_is_another_run(monkeypatch):
    before = run_id()
    monkeypatch.setattr(identity, "__version__", "9.9.9")
    assert run_id() != before


def test_a_folder_of_images_is_known_by_what_is_in_it(images):
    first = folder_id(images("here"))
    assert folder_id(images("there")) == first
    assert folder_id(images("other", shade=20)) != first
    from dmf_cli import datasets

    config = configs.compose(["dataset=folder", f"dataset.dir={images('third')}"])
    assert identity.run_id(config, datasets.open_dataset(config.dataset)) == first


def test_a_split_file_is_known_by_what_it_says(tmp_path):
    for name, train in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).write_text(f'{{"train": ["{train}"], "val": ["x"], "test": ["y"]}}')
    ids = [run_id(f"split.file={tmp_path / name}") for name in "abc"]
    assert ids[0] == ids[1] != ids[2]
    with pytest.raises(DatasetError, match=r"split.file=null"):
        run_id(f"split.file={tmp_path / 'missing'}")
    (tmp_path / "status.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"is no split file"):
        run_id(f"split.file={tmp_path / 'status.json'}")


def without(settings, *keys):
    """The config of a run that was made when the dataset had no such keys."""
    kept = {k: v for k, v in settings.plain["dataset"].items() if k not in keys}
    return settings.with_group("dataset", kept)


def test_a_plain_prediction_is_as_if_it_were_not_there():
    new = configs.compose([])
    old = configs.Config({key: value for key, value in new.plain.items() if key != "predict"})
    assert identity.run_id(new) == identity.run_id(old)
    assert identity.run_id(configs.compose(["predict.mirror=true"])) != identity.run_id(old)


def test_options_that_came_later_leave_earlier_runs_what_they_are():
    phantom = configs.compose([])
    assert identity.run_id(phantom) == identity.run_id(without(phantom, "task", "lesion_area"))
    trainer = {
        k: v
        for k, v in phantom.plain["trainer"].items()
        if k
        not in (
            "cache",
            "oversample",
            "deep_supervision",
            "keep",
            "checkpoint_minutes",
            "on_diverge",
            "devices",
            "hosts",
        )
    }
    assert identity.run_id(phantom) == identity.run_id(phantom.with_group("trainer", trainer))
    model = {k: v for k, v in phantom.plain["model"].items() if k != "activation"}
    assert identity.run_id(phantom) == identity.run_id(phantom.with_group("model", model))
    assert identity.run_id(phantom) != identity.run_id(configs.compose(["model.activation=leaky_relu"]))
    descent = configs.compose(["optimizer=sgd"])
    kept = {
        k: descent.plain["optimizer"][k]
        for k in ("name", "learning_rate", "clipnorm", "momentum", "nesterov")
    }
    assert identity.run_id(descent) == identity.run_id(descent.with_group("optimizer", kept))
    often = configs.compose(
        ["trainer.keep=5", "trainer.checkpoint_minutes=1", "trainer.devices=all", "trainer.hosts=2"]
    )
    assert identity.run_id(phantom) == identity.run_id(often)
    assert identity.run_id(phantom) != identity.run_id(configs.compose(["dataset.task=type"]))
    assert identity.run_id(phantom) != identity.run_id(configs.compose(["dataset.lesion_area=0.1"]))


@pytest.mark.parametrize(
    ("group", "option", "own"),
    [("model", {"activation": "relu"}, "mine"), ("augment", {"cutmix": 0.0}, "mine")],
)
def test_a_parameter_of_a_part_of_ones_own_is_no_option_that_came_later(group, option, own):
    (key,) = option
    config = configs.compose(["augment=strong"])

    def id_of(name, values):
        kept = {k: v for k, v in config.plain[group].items() if k != key}
        return identity.run_id(config.with_group(group, {**kept, **values, "name": name}))

    assert id_of(own, option) != id_of(own, {})
    name = config.plain[group]["name"]
    assert id_of(name, option) == id_of(name, {})


def test_images_are_the_same_wherever_they_are_and_come_from(tmp_path):
    class Images:
        def fingerprint(self):
            return "abc"

    there = configs.compose(["dataset=busi", f"dataset.dir={tmp_path}"])
    here = configs.compose(["dataset=busi", "dataset.download.sha256=[null]"])
    assert identity.run_id(there, Images()) == identity.run_id(here, Images())
    assert identity.run_id(here, Images()) == identity.run_id(
        without(here, "download", "size_mismatch", "table", "on_bad", "max_pixels"), Images()
    )


def test_a_set_that_is_not_there_is_told_before_any_run_of_a_sweep(tmp_path):
    with pytest.raises(DatasetError, match="get it by `dmf data prepare dataset=oxford_pets`"):
        run_id("dataset=oxford_pets", f"dataset.data_dir={tmp_path}")
