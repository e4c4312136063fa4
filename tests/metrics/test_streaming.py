import subprocess
import sys

import keras
import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.metrics.streaming import ForegroundDice, MeanDice
from dmf_cli.metrics.summary import summarize
from tests.raised import raises


def masks(*rows):
    return np.array(rows, np.float32)[:, None, :, None]


# Dice by hand: 2/3, missed 0, false alarm 0, both empty, perfect 1
TRUTH = masks([1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1])
PREDICTION = masks([0.9, 0.2, 0.1, 0], [0.4, 0, 0, 0], [0, 0, 0.6, 0], [0, 0, 0.4, 0], [0, 0.5, 1, 1])
DICE = np.array([2 / 3, 0.0, 0.0, np.nan, 1.0])


def channels(foreground, classes):
    """One sigmoid channel, or ``classes`` channels whose last ones share the foreground."""
    if classes == 1:
        return foreground
    share = [foreground / (classes - 1)] * (classes - 1)
    return np.concatenate([1 - foreground, *share], axis=-1)


def score(metric, *batches):
    for batch in batches:
        metric.update_state(*batch)
    return float(metric.result())


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize(("empty", "expected"), [("nan", 5 / 12), ("zero", 1 / 3), ("one", 8 / 15)])
def test_mean_over_images_by_hand(classes, empty, expected):
    batch = channels(TRUTH, classes), channels(PREDICTION, classes)
    assert score(ForegroundDice(empty=empty), batch) == pytest.approx(expected)


def test_several_classes_count_as_one_foreground_where_the_likeliest_is_none_of_the_background():
    truth, prediction = np.eye(3)[[[0, 1, 2, 2]]], np.array([[[0.4, 0.3, 0.3], *np.eye(3)[[2, 1, 0]]]])
    # The first pixel stays background at a foreground of .6; a wrong lesion class is right.
    assert score(ForegroundDice(), (truth[None], prediction[None])) == pytest.approx(2 * 2 / (3 + 2))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_batch_size_does_not_matter(size):
    batches = [(TRUTH[i : i + size], PREDICTION[i : i + size]) for i in range(0, len(TRUTH), size)]
    assert score(ForegroundDice(), *batches) == pytest.approx(5 / 12)


def test_it_is_the_metric_of_the_tables():
    generator = np.random.default_rng(0)
    truth = (generator.random((6, 8, 8, 1)) > 0.7).astype("float32")
    prediction = generator.random((6, 8, 8, 1)).astype("float32")
    pairs = zip(truth > 0, prediction >= 0.6, strict=True)
    matrices = np.stack([metrics.confusion(t, p, 2) for t, p in pairs])
    expected = metrics.dice(metrics.foreground_counts(matrices)).mean()
    assert score(ForegroundDice(threshold=0.6), (truth, prediction)) == pytest.approx(expected)


def test_volumes_and_other_dtypes():
    truth, prediction = TRUTH[:1].reshape(1, 2, 1, 2, 1), PREDICTION[:1].reshape(1, 2, 1, 2, 1)
    assert score(ForegroundDice(), (truth.astype("int32"), prediction.astype("float16"))) == pytest.approx(
        2 / 3
    )


def test_weights_of_images_and_of_pixels():
    weights = np.array([3.0, 1.0, 0.0, 5.0, 2.0])
    expected = np.nansum(weights * DICE) / weights[~np.isnan(DICE)].sum()
    assert score(ForegroundDice(), (TRUTH, PREDICTION, weights)) == pytest.approx(expected)
    assert score(ForegroundDice(), (TRUTH, PREDICTION, weights[:, None])) == pytest.approx(expected)
    found = np.ones((1, 1, 4), "float32")
    found[..., 1] = 0.0  # the pixel that was not found
    assert score(ForegroundDice(), (TRUTH[:1], PREDICTION[:1], found)) == pytest.approx(1.0)
    assert score(ForegroundDice(), (TRUTH[:1], PREDICTION[:1], found[..., None])) == pytest.approx(1.0)


def test_undefined_is_nan_and_reset_forgets():
    metric = ForegroundDice()
    assert np.isnan(float(metric.result()))
    assert np.isnan(score(metric, (TRUTH[3:4], PREDICTION[3:4])))
    metric.update_state(TRUTH, PREDICTION)
    metric.reset_state()
    assert np.isnan(float(metric.result()))


@pytest.mark.parametrize(("empty", "expected"), [("nan", np.nan), ("zero", 0.0), ("one", 0.5)])
def test_images_without_a_lesion_have_no_dice_whatever_is_predicted(empty, expected):
    # A false alarm and an image in which both are empty: with "nan" nothing of it is an overlap.
    batch = TRUTH[2:4], PREDICTION[2:4]
    assert score(ForegroundDice(empty=empty), batch) == pytest.approx(expected, nan_ok=True)
    several = [channels(one, 2) for one in batch]
    several = [np.concatenate([one, 0 * one[..., :1]], axis=-1) for one in several]
    assert score(MeanDice(3, empty=empty), several) == pytest.approx(
        {"nan": np.nan, "zero": 0.0, "one": 0.75}[empty], nan_ok=True
    )


@pytest.mark.parametrize("empty", ["nan", "zero", "one"])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_mean_over_classes_is_that_of_the_tables(size, empty):
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 4, (7, 6, 5)) * (generator.random((7, 1, 1)) > 0.3)
    labels[labels == 3] = 0  # a class that no image has
    truth, prediction = np.eye(4)[labels], generator.random((7, 6, 5, 4)) * [4, 1, 1, 0.1]
    matrices = np.stack(
        [metrics.confusion(t, p.argmax(-1), 4) for t, p in zip(labels, prediction, strict=True)]
    )
    tables = summarize(matrices, ("background", "a", "b", "c"), empty=empty)
    expected = tables["mean"]["dice"]["mean"]
    metric = MeanDice(4, empty=empty)
    batches = [(truth[i : i + size], prediction[i : i + size]) for i in range(0, 7, size)]
    assert score(metric, *batches) == pytest.approx(expected)
    each = [tables["classes"][name]["dice"]["mean"] for name in "abc"]
    assert np.array(metric.of_classes()).tolist() == pytest.approx(each, nan_ok=True)
    seen = metrics.class_counts(matrices)
    assert np.array(metric.present).tolist() == (seen.truth > 0).sum(axis=0)[1:].tolist()
    assert np.array(metric.predicted).tolist() == (seen.predicted > 0).sum(axis=0)[1:].tolist()


def test_the_mean_over_classes_in_a_compiled_step_and_saved():
    model = keras.Sequential([keras.Input((1, 4, 3)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[MeanDice(3)], jit_compile=True)
    truth = np.eye(3, dtype="float32")[[[[1, 1, 0, 2]], [[0, 0, 0, 0]], [[1, 0, 0, 0]]]]
    prediction = np.eye(3, dtype="float32")[[[[1, 0, 0, 1]], [[0, 0, 0, 0]], [[1, 0, 0, 0]]]]
    found = model.evaluate(prediction, truth, batch_size=2, verbose=0, return_dict=True)
    assert found["mean_dice"] == pytest.approx(((0.5 + 1.0) / 2 + 0.0) / 2)
    copy = keras.metrics.deserialize(keras.metrics.serialize(MeanDice(5, empty="one")))
    assert (copy.classes, copy.empty, copy.name) == (5, "one", "mean_dice")


@pytest.mark.parametrize("jit", [False, True])
def test_inside_a_compiled_step_with_a_smaller_last_batch(jit):
    model = keras.Sequential([keras.Input((1, 4, 1)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[ForegroundDice()], jit_compile=jit)
    found = model.evaluate(PREDICTION, TRUTH, batch_size=2, verbose=0, return_dict=True)
    assert found["foreground_dice"] == pytest.approx(5 / 12)


def test_it_is_saved_with_its_settings():
    metric = ForegroundDice(threshold=0.3, empty="one", name="mine")
    copy = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert (copy.threshold, copy.empty, copy.name) == (0.3, "one", "mine")


def test_wrong_settings():
    with raises(ConfigError, key="metrics.threshold", value=1.5):
        ForegroundDice(threshold=1.5)
    with raises(UnknownNameError, key="metrics.empty", value="zeros"):
        ForegroundDice(empty="zeros")


def test_the_registry_needs_no_keras():
    code = "import sys, dmf_cli.metrics, dmf_cli.inference.tables; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert metrics.ForegroundDice is ForegroundDice
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = metrics.Nothing
