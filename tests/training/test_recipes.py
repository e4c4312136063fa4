"""Every recipe trains from the words of its header to its scores."""

import json
import math
import shlex

import keras
import pytest

from dmf_cli import conf_files
from dmf_cli import config as configs
from dmf_cli.config.headers import read_header
from dmf_cli.training import trainer
from tests.tables import rows

SMALL = (
    "dataset.count=16",
    "dataset.size=32",
    "dataset.image_size=32",
    "report=false",
    "trainer.epochs=1",
    "trainer.batch_size=4",
)
SMALLER = ("dataset.size=16", "dataset.image_size=16")  # float16 is slow on a CPU
PARAMETERS = {"filters": 4, "depth": 2, "pretrained": "false"}  # of those networks that have them


@pytest.fixture(autouse=True)
def _float32_again():
    yield
    keras.config.set_dtype_policy("float32")


def composed(name, tmp_path):
    """What the header of the recipe says to run, with phantom images and a small network."""
    _, _, *said = shlex.split(read_header(conf_files.conf_dir() / "recipe" / f"{name}.yaml").run)
    words = [word for word in said if not word.startswith("dataset")]
    if not any(word.startswith("loss=") for word in words):
        words += ["loss=dice", "weighting=fixed"]  # the quickest to compile: the recipe works with every loss
    whole = configs.compose(words)
    words += [*SMALL, *(SMALLER if whole.trainer.precision != "float32" else ())]
    words += [f"model.{key}={value}" for key, value in PARAMETERS.items() if key in whole.model.params]
    return configs.compose([*words, f"run_dir={tmp_path / 'run'}", f"output_root={tmp_path / 'outputs'}"])


@pytest.mark.parametrize("name", conf_files.options("recipe"))
@pytest.mark.usefixtures("small_encoder")
def test_a_recipe_trains_to_finite_scores(name, tmp_path):
    config = composed(name, tmp_path)
    assert config.plain["recipe"] == name
    run = trainer.train(config)
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "completed"
    steps = rows(run / "steps.csv")
    assert all(math.isfinite(float(row["loss"])) for row in steps)
    assert status["skipped_steps"] < len(steps)  # float16 may skip the first while it looks for its scale
    summary = json.loads((run / "metrics/test_summary.json").read_text())
    for metric in ("dice", "iou"):
        assert 0.0 <= summary["foreground"][metric]["mean"] <= 1.0


def test_the_recipe_of_nnunet_is_trained_as_a_whole(tmp_path):
    """The test above leaves nothing out of it but size and length."""
    config = composed("nnunet", tmp_path)
    assert (config.trainer.precision, config.trainer.deep_supervision) == ("mixed_float16", "auto")
    assert (config.optimizer.name, config.optimizer.momentum, config.optimizer.clipnorm) == ("sgd", 0.99, 12)
    assert (config.schedule.name, config.predict.mirror, config.augment.name) == ("poly", "both", "nnunet")
    dice = config.plain["loss"]["terms"]["dice"]
    assert list(config.plain["loss"]["terms"]) == ["dice", "ce"]
    assert (dice["pool"], dice["background"]) == ("batch", False)
    assert (config.weighting.name, config.plain["weighting"]["total"]) == ("fixed", None)
