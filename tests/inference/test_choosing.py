"""What validation images choose, where it is kept, and that nothing else decides it."""

import json

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.errors import ConfigError
from dmf_cli.inference import choosing
from dmf_cli.run_folder.folder import RunFolder
from tests.inference.test_evaluation import Squares
from tests.raised import raises

SPEC = InputSpec((8, 8))
AUTO = ("predict.temperature=auto", "predict.component=auto", "predict.holes=auto", "metrics.threshold=auto")


def faint(images):
    """A network whose lesions have a probability of 0.3, and the background of 0.1."""
    return 0.1 + 0.2 * images[..., :1]


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def chosen(run, *words, predict=faint, images=None, **options):
    config = configs.compose(list(words))
    images = images or (lambda: (Squares([8, 4, 0, 12, 6]), [0, 1, 3]))
    return choosing.of_run(run, config, SPEC, predict, images, **options)


def test_the_threshold_is_chosen_by_the_images_of_the_validation_and_kept(run):
    asked = []

    def images():
        asked.append(1)
        return Squares([8, 4, 0, 12, 6]), [0, 1, 3]

    found = chosen(run, "metrics.threshold=auto", images=images)
    assert 0.1 < found.threshold <= 0.3
    kept = json.loads((run.path / "prediction.json").read_text())
    (entry,) = kept.values()
    assert entry == {"images": 3, "values": {"threshold": found.threshold}}
    assert chosen(run, "metrics.threshold=auto", images=images) == found
    assert len(asked) == 1
    chosen(run, "metrics.threshold=auto", "predict.mirror=true", images=images)  # something else
    assert len(asked) == 2
    assert len(choosing.read(run)) == 2
    chosen(run, "metrics.threshold=auto", images=images, fresh=True)  # of another network
    assert (len(asked), len(choosing.read(run))) == (3, 1)


@pytest.mark.parametrize("threshold", [0.3, np.float32(0.25)])
def test_a_threshold_is_any_number(threshold):
    config = configs.compose([])
    config = config.changed("metrics", threshold=threshold)
    assert choosing.plain(config, SPEC).threshold == float(threshold)


@pytest.mark.parametrize("threshold", [0, 1])
def test_a_threshold_that_is_none_is_an_error(threshold):
    with raises(ConfigError, key="metrics.threshold"):
        choosing.plain(configs.compose([]).changed("metrics", threshold=threshold), SPEC)


def test_nothing_is_opened_or_written_where_nothing_is_auto(run):
    found = chosen(run, "predict.decision=dice", "metrics.threshold=0.4", images=lambda: 1 / 0)
    assert (found.decision, found.threshold) == ("dice", 0.4)
    assert list(run.path.iterdir()) == []


def test_the_temperature_comes_first_and_its_calibration_error_is_kept(run):
    found = chosen(run, *AUTO, predict=lambda images: 0.3 + 0.4 * images[..., :1])
    assert found.temperature < 1  # a network that is right, and not sure
    (entry,) = choosing.read(run).values()
    assert entry["ece"]["after"] < entry["ece"]["before"]
    assert list(entry["values"]) == ["temperature", "threshold", "component", "holes"]
    assert (found.component, found.holes) == ("all", "keep")  # there is nothing to clean


def test_the_largest_component_is_kept_where_that_is_better(run):
    def spotted(images):
        found = images[..., :1].copy()
        found[:, 7, 7] = 1
        return found

    sizes = [8, 6, 10, 12, 8, 4, 8]
    found = chosen(
        run,
        "predict.component=auto",
        "predict.holes=auto",
        predict=spotted,
        images=lambda: (Squares(sizes), range(7)),
    )
    assert (found.component, found.holes) == ("largest", "keep")


def test_of_several_classes_the_likeliest_decides_and_no_threshold_is_chosen(run):
    names = ("background", "benign", "malignant")
    images = Squares([8, 4], names, value=2)

    def softmax(x):
        lesion = 0.2 + 0.6 * x[..., :1]
        return np.concatenate([1 - lesion, 0.1 * lesion, 0.9 * lesion], axis=-1)

    found = chosen(run, *AUTO, predict=softmax, images=lambda: (images, [0, 1]))
    (entry,) = choosing.read(run).values()
    assert "threshold" not in entry["values"]
    assert found.threshold == 0.5


def test_without_validation_images_nothing_can_be_chosen(run):
    with raises(ConfigError, what="there is no validation image of squares to choose temperature"):
        chosen(run, "predict.temperature=auto", images=lambda: (Squares([8]), []))
    assert not (run.path / "prediction.json").exists()
