"""What validation images choose, where it is kept, and that nothing else decides it."""

import dataclasses
import json

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli.datasets.base import IGNORED, Sample
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.errors import ConfigError, RunFolderError
from dmf_cli.inference import choosing, kept_choices
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.predictor import predictions
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


def chosen(run, *words, predict=faint, images=None, spec=SPEC, **options):
    config = configs.compose(list(words))
    images = images or (lambda: (Squares([8, 4, 0, 12, 6]), [0, 1, 3]))
    return choosing.of_run(run, config, spec, predict, images, **options)


@pytest.fixture
def images():
    """Validation images that count how often they are opened."""

    def opened():
        opened.times += 1
        return Squares([8, 4, 0, 12, 6]), [0, 1, 3]

    opened.times = 0
    return opened


def test_the_threshold_is_chosen_by_the_images_of_the_validation_and_kept(run):
    asked = []

    def images():
        asked.append(1)
        return Squares([8, 4, 0, 12, 6]), [0, 1, 3]

    found = chosen(run, "metrics.threshold=auto", images=images)
    assert 0.1 < found.threshold <= 0.3
    kept = json.loads((run.path / "prediction.json").read_text())
    (entry,) = kept.values()
    assert (entry["images"], entry["values"]) == (3, {"threshold": found.threshold})
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
    assert chosen(run, *AUTO, predict=softmax, images=lambda: 1 / 0) == found  # known, without any
    (entry,) = choosing.read(run).values()
    assert "threshold" not in entry["values"]
    assert found.threshold == 0.5


def test_without_validation_images_nothing_can_be_chosen(run):
    with raises(ConfigError, what="there is no validation image of squares to choose temperature"):
        chosen(run, "predict.temperature=auto", images=lambda: (Squares([8]), []))
    assert not (run.path / "prediction.json").exists()


def test_what_was_chosen_for_another_network_is_chosen_again(run, images):
    run.best_model.parent.mkdir()
    for content, times in ((b"one", 1), (b"one", 1), (b"other", 2)):
        run.best_model.write_bytes(content)
        chosen(run, "metrics.threshold=auto", images=images)
        assert images.times == times
    (entry,) = choosing.read(run).values()
    assert entry["network"] == "d9298a10d1b0"  # SHA-256 of "other"


def test_what_was_chosen_for_other_inputs_is_chosen_again_and_both_are_kept(run, images):
    other = dataclasses.replace(SPEC, normalize="minmax")
    word = "metrics.threshold=auto"
    one = chosen(run, word, images=images, own=SPEC)
    two = chosen(run, word, images=images, spec=other, own=SPEC)
    assert images.times == 2
    assert chosen(run, word, images=images, own=SPEC) == one
    assert chosen(run, word, images=images, spec=other, own=SPEC) == two
    assert images.times == 2
    first, second = choosing.read(run)
    assert first == choosing.asked(configs.compose([word]))  # the page of the run looks for these words
    assert second == f"{first} dataset.normalize=minmax"
    (run.path / "prediction.json").write_text(json.dumps({first: choosing.read(run)[first]}))
    chosen(run, word, images=images, spec=other)  # whatever the key says, an entry is of one input
    assert images.times == 3


DAMAGE = {
    "nothing of it": lambda entry: "auto",
    "no values": lambda entry: {**entry, "values": None},
    "no number": lambda entry: {**entry, "values": {"threshold": "high"}},
    "out of range": lambda entry: {**entry, "values": {"threshold": 1.5}},
    "NaN": lambda entry: {**entry, "values": {"threshold": float("nan")}},
    "a field less": lambda entry: {**entry, "values": {}},
    "no such field": lambda entry: {**entry, "values": {**entry["values"], "colour": 1}},
    "no network": lambda entry: {k: v for k, v in entry.items() if k != "network"},
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_was_damaged_by_hand_is_chosen_again(run, images, kind):
    found = chosen(run, "metrics.threshold=auto", images=images)
    entries = {key: DAMAGE[kind](entry) for key, entry in choosing.read(run).items()}
    (run.path / "prediction.json").write_text(json.dumps(entries))
    assert chosen(run, "metrics.threshold=auto", images=images) == found
    assert images.times == 2


def test_the_temperature_is_the_same_at_every_threshold_and_not_chosen_again(run, images):
    auto = "predict.temperature=auto"
    found = chosen(run, auto, images=images)
    again = chosen(run, auto, "metrics.threshold=0.4", "predict.holes=fill", images=lambda: 1 / 0)
    assert (again.temperature, again.threshold) == (found.temperature, 0.4)
    assert len(choosing.read(run)) == 1
    both = chosen(run, auto, "metrics.threshold=auto", images=images)  # the threshold is new
    assert (images.times, both.temperature) == (2, found.temperature)
    assert list(choosing.read(run).values())[1]["ece"]
    kept = chosen(run, auto, "metrics.threshold=auto", "predict.holes=fill", images=lambda: 1 / 0)
    assert (kept.threshold, kept.holes) == (both.threshold, "fill")
    chosen(run, auto, "predict.mirror=true", images=images)
    chosen(run, auto, "metrics.threshold=auto", "metrics.empty=one", images=images)
    assert images.times == 4


def test_where_nothing_can_be_written_it_is_said_and_the_choice_is_used(run, caplog, monkeypatch):
    def refuse(path, content):
        raise RunFolderError(path=path, reason="is read-only")

    monkeypatch.setattr(kept_choices, "write_atomic", refuse)
    assert chosen(run, "metrics.threshold=auto").threshold < 0.5
    assert "is read-only; what the validation images chose is not kept" in caplog.text


def test_a_calibration_error_of_no_pixel_is_null(run):
    class Void(Squares):
        ignores = True

        def load(self, index):
            sample = super().load(index)
            return dataclasses.replace(sample, label=np.full_like(sample.label, 255))

    found = chosen(run, "predict.temperature=auto", images=lambda: (Void([8, 4]), [0, 1]))
    assert found.temperature == 1.0
    (entry,) = choosing.read(run).values()
    assert entry["ece"] == {"before": None, "after": None}


def test_the_output_of_the_network_is_checked_before_the_temperature():
    prediction = Prediction(SPEC, temperature=2.0)
    with raises(ConfigError, what="the network predicts values from"):
        list(predictions(lambda images: 2 * images[..., :1] + 1, Squares([8]), [0], prediction, 1))


class HalfIgnored(Squares):
    """The right part of each image counts nowhere."""

    ignores = True

    def load(self, index):
        sample = super().load(index)
        label = sample.label.copy()
        label[:, 13:] = IGNORED
        return dataclasses.replace(sample, label=label)


def test_cleaning_is_judged_by_the_masks_that_are_made_also_of_ignored_pixels():
    """The largest component is the one that counts nowhere: to keep it loses every lesion."""

    def large_and_ignored(images):
        found = images[..., :1].copy()
        found[:, :, 7] = 1
        found[:, 7, 0] = 1  # a spot that speaks for the largest component
        return found

    config = configs.compose(["predict.component=auto"])
    images, prediction = HalfIgnored([4] * 9), choosing.plain(config, SPEC)
    chosen = choosing.choose(config, prediction, large_and_ignored, images, range(9))
    assert chosen["values"] == {"component": "all"}


def test_the_component_is_judged_before_holes_are_filled_as_masks_are_made():
    """A ring is smaller than the blob beside it and, when filled, larger: only the former order is used."""
    label = np.zeros((16, 16), np.uint8)
    label[1:8, 1:8] = 1  # a ring of 24 pixels, filled 49
    ring = label.copy()
    ring[2:7, 2:7] = 0
    blob = np.zeros((16, 16), np.uint8)
    blob[10:15, 10:15] = 1  # 25 pixels that are no lesion

    class Rings(Squares):
        def load(self, index):
            return Sample(((ring | blob)[..., None] * 255).astype(np.uint8), label)

    config = configs.compose(["predict.component=auto", "predict.holes=fill"])
    spec = InputSpec((16, 16))
    chosen = choosing.choose(
        config, choosing.plain(config, spec), lambda x: x[..., :1], Rings([1] * 9), range(9)
    )
    assert chosen["values"] == {"component": "all"}
