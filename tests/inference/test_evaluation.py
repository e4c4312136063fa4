"""A dataset in memory and a made-up network: what is scored is known to the pixel."""

import json

import numpy as np
import pytest

from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.errors import ConfigError, DatasetError, NonFiniteError, UnknownNameError
from dmf_cli.inference import evaluation
from dmf_cli.metrics.summary import jsonable
from tests.inference.scoring import evaluated
from tests.raised import raises

NETWORK = 8


class Squares(Dataset):
    """Bright squares on black, of the sizes in ``sides``, in images twice the size of the network."""

    def __init__(self, sides, classes=("background", "lesion"), value=1):
        self.sides, self.classes, self.value, self.channels = sides, classes, value, 1
        self.name, self.ids = "squares", tuple(f"s/{i}" for i in range(len(sides)))
        self.strata = tuple("lesion" if side else "normal" for side in sides)

    def load(self, index):
        label = np.zeros((16, 16 + 4 * (index % 2)), np.uint8)
        label[: self.sides[index], : self.sides[index]] = self.value
        return Sample((label[..., None] > 0).astype(np.uint8) * 255, label)

    def fingerprint(self):
        return "squares"


def seen(x):
    """Foreground probability: the image itself."""
    return x[..., :1]


def softmax(x):
    return np.concatenate([1 - x, x], axis=-1)


def score(predict=seen, dataset=None, indices=None, **options):
    dataset = dataset or Squares([8, 4, 0, 12, 6])
    indices = range(len(dataset)) if indices is None else indices
    return evaluated(predict, dataset, indices, **{"image_size": NETWORK, "batch_size": 2, **options})


def test_a_perfect_network_is_perfect_at_the_size_of_the_network():
    result = score(resolution="network")
    assert result.summary["foreground"]["dice"]["mean"] == pytest.approx(1.0)
    assert [row["lesion_pixels"] for row in result.rows][:3:2] == [16, 0]  # 8 x 8 of 16 x 16, at 8 x 8
    assert result.summary["settings"]["resolution"] == "network"


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_the_original_size_is_what_is_scored_by_default(resize):
    result = score(resize=resize)
    assert [(row["height"], row["width"]) for row in result.rows[:2]] == [(16, 16), (16, 20)]
    assert [row["lesion_pixels"] for row in result.rows] == [64, 16, 0, 144, 36]
    # Resizing there and back costs some pixels of the border, no more.
    assert 0.8 < result.summary["foreground"]["dice"]["mean"] <= 1.0


def test_rows_hold_every_figure_of_an_image():
    row = score(predict=lambda x: np.ones_like(x), dataset=Squares([8])).rows[0]
    assert (row["id"], row["stratum"], row["outcome"]) == ("s/0", "lesion", "found")
    assert (row["lesion_pixels"], row["predicted_pixels"], row["overlap_pixels"]) == (64, 256, 64)
    assert row["foreground.dice"] == pytest.approx(2 * 64 / (64 + 256))
    assert row["foreground.precision"] == pytest.approx(0.25)
    assert row["class.lesion.recall"] == 1.0
    assert row["class.background.recall"] == 0.0


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_no_figure_depends_on_the_batch_size(size):
    one, other = score(batch_size=size), score(batch_size=4)
    assert jsonable(one.rows) == jsonable(other.rows)
    assert jsonable(one.summary) == jsonable(other.summary)


def test_a_last_smaller_batch_is_filled_up_so_that_a_compiled_network_sees_one_shape():
    shapes = []

    def predict(x):
        shapes.append(x.shape)
        return seen(x)

    result = score(predict, dataset=Squares([0] * 5), batch_size=2)
    assert shapes == [(2, NETWORK, NETWORK, 1)] * 3
    assert len(result.rows) == 5


def test_images_are_loaded_and_predicted_batch_by_batch():
    order, dataset = [], Squares([0] * 4)
    load = dataset.load
    dataset.load = lambda index: order.append(f"load {index}") or load(index)
    score(lambda x: order.append("predict") or seen(x), dataset=dataset)
    assert order == ["load 0", "load 1", "predict", "load 2", "load 3", "predict"]


def test_the_threshold_decides_for_one_and_two_channels():
    half = Squares([8, 8])

    def found(predict, threshold):
        return score(predict, half, threshold=threshold).summary["foreground"]["recall"]["mean"]

    for network in (lambda x: 0.4 * x, lambda x: softmax(0.4 * x)):
        assert found(network, 0.5) == 0.0
        assert found(network, 0.2) > 0.9
    assert found(lambda x: np.full_like(x, 0.5), 0.5) == 1.0  # at the threshold is foreground


def test_the_likeliest_of_several_classes_wins():
    dataset = Squares([8, 8], ("background", "benign", "malignant"), value=2)

    def predict(x):
        return np.concatenate([0.45 * np.ones_like(x) - 0.25 * x, 0.3 - 0.1 * x, 0.25 + 0.35 * x], axis=-1)

    result = score(predict, dataset, resolution="network", threshold=0.9)
    assert result.summary["classes"]["malignant"]["dice"]["mean"] == pytest.approx(1.0)
    assert result.summary["classes"]["benign"]["counts"]["both_empty"] == 2
    assert result.summary["all_classes"]["accuracy"]["mean"] == pytest.approx(1.0)


def test_outcomes_are_counted_and_the_rule_is_in_the_settings():
    missed_and_false = {0: 0.0, 2: 1.0}  # sides 8 and 0: nothing found, everything found

    def predict(x):
        return np.stack([np.full_like(one, missed_and_false.get(i, one)) for i, one in enumerate(x)])

    result = score(predict, Squares([8, 4, 0, 0]), batch_size=4, empty="one", resolution="network")
    counts = result.summary["counts"]
    assert (counts["images"], counts["missed"], counts["false_alarm"], counts["both_empty"]) == (4, 1, 1, 1)
    assert result.summary["foreground"]["dice"]["mean"] == pytest.approx((0 + 1 + 0 + 1) / 4)
    assert result.summary["settings"]["empty"] == "one"
    assert "both empty: Dice, IoU, F1 and precision count 1" in result.summary["settings"]["rules"]


def test_layout_of_the_summary():
    found = json.loads(json.dumps(jsonable(score(split="test").summary), allow_nan=False))
    assert 0.8 < found["foreground"]["dice"]["mean"] <= 1.0
    assert set(found) == {"foreground", "classes", "all_classes", "counts", "trivial", "settings"}
    assert set(found["foreground"]["dice"]) == {"mean", "std", "median", "n", "pooled"}
    assert found["trivial"]["nothing"]["dice"]["mean"] == 0.0
    assert found["trivial"]["everything"]["recall"]["mean"] == 1.0
    assert {k: found["settings"][k] for k in ("dataset", "split", "threshold", "image_size")} == {
        "dataset": "squares", "split": "test", "threshold": 0.5, "image_size": [NETWORK, NETWORK],
    }  # fmt: skip


def test_examples_from_best_to_worst_then_what_was_missed():
    # The found part of the square shrinks with the index; the last two are wrong altogether.
    dataset = Squares([8, 8, 8, 8, 8, 8, 0])
    load = dataset.load

    def darker(index):
        sample = load(index)
        image = sample.image.copy()
        image[4 + 4 - index :] = 0 if index < 6 else 255
        return Sample(image if index != 5 else np.zeros_like(image), sample.label)

    dataset.load = darker
    result = score(dataset=dataset)
    kinds = [example.kind for example in result.examples]
    assert kinds == ["best", "upper quartile", "median", "lower quartile", "worst", "missed", "false alarm"]
    assert [example.id for example in result.examples] == [f"s/{i}" for i in range(7)]
    dice = [example.dice for example in result.examples[:5]]
    assert dice == sorted(dice, reverse=True)
    for example, row in zip(result.examples, result.rows, strict=True):
        assert example.image.shape[:2] == example.truth.shape == example.prediction.shape
        assert int((example.prediction > 0).sum()) == row["predicted_pixels"]


def test_examples_of_few_images_are_not_repeated_and_large_ones_are_thinned_out():
    assert [e.kind for e in score(dataset=Squares([8])).examples] == ["best"]
    assert score(dataset=Squares([0])).examples == []

    class Large(Squares):
        def load(self, index):
            label = np.zeros((1500, 900), np.uint8)
            label[:600] = 1
            return Sample(label[..., None] * 255, label)

    example = score(dataset=Large([1])).examples[0]
    assert example.image.shape == (500, 300, 1)
    assert example.truth.shape == example.prediction.shape == (500, 300)
    assert example.truth[199].all()
    assert not example.truth[200].any()


def test_examples_of_very_many_images_are_predicted_again(monkeypatch):
    calls = []

    def counted(x):
        calls.append(len(x))
        return seen(x)

    first = score(counted)
    once = len(calls)
    monkeypatch.setattr(evaluation, "KEPT", 0)
    again = score(counted)
    assert len(calls) > 2 * once
    for one, other in zip(first.examples + first.cases, again.examples + again.cases, strict=True):
        assert (one.id, one.kind, one.dice) == (other.id, other.kind, other.dice)
        for name in ("image", "truth", "prediction"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_examples_at_the_size_of_the_network_show_what_the_network_saw():
    example = score(lambda x: (x > 0) * 1.0, resolution="network", normalize="zscore").examples[0]
    assert example.image.shape == (NETWORK, NETWORK, 1)
    assert example.image.dtype == np.uint8
    assert (example.image.min(), example.image.max()) == (0, 255)


def test_progress_is_reported():
    calls = []
    score(progress=lambda done, total: calls.append((done, total)))
    assert calls == [(i, 5) for i in range(1, 6)]


@pytest.mark.parametrize(
    ("options", "error", "fields"),
    [
        ({"indices": []}, DatasetError, {"what": "no images of squares"}),
        ({"threshold": 1.0}, ConfigError, {"key": "metrics.threshold", "value": 1.0}),
        ({"batch_size": 0}, ConfigError, {"key": "trainer.batch_size", "value": 0}),
        ({"resolution": "orignal"}, UnknownNameError, {"key": "eval.resolution", "value": "orignal"}),
        ({"empty": "ones"}, UnknownNameError, {"value": "ones", "allowed": "one"}),
        ({"predict": lambda x: x + np.nan}, NonFiniteError, {"hint": "its training diverged"}),
        ({"predict": lambda x: 9 * x - 4}, ConfigError, {"hint": "softmax or a sigmoid"}),
        (
            {"predict": lambda x: np.zeros((*x.shape[:3], 5))},
            ConfigError,
            {"what": "squares has 2 classes"},
        ),
        ({"dataset": Squares([8], value=3)}, DatasetError, {"what": "squares, image 's/0': "}),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(options, error, fields):
    with raises(error, **fields) as caught:
        score(**options)
    assert "\n" not in str(caught.value)
