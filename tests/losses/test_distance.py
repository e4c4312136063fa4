"""Distance maps against SciPy, and the three losses that are made of them."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops
from scipy.ndimage import distance_transform_edt

from dmf_cli import fuse, losses
from dmf_cli.errors import ConfigError
from dmf_cli.losses import _distance
from dmf_cli.ops.backend import compiled
from tests.raised import raises

# Few shapes, so that each is compiled once.
SHAPES = {"1-D": (2, 9, 3), "2-D": (2, 5, 7, 2), "3-D": (1, 3, 4, 5, 2)}
NAMES = ("boundary", "hausdorff", "distance_ce")
each_name = pytest.mark.parametrize("name", NAMES)


@functools.cache
def graph_of(name: str) -> Callable:
    return compiled(lambda x: getattr(_distance, name)(x > 0.5))


def run(name: str, mask: np.ndarray) -> np.ndarray:
    return ops.convert_to_numpy(graph_of(name)(ops.convert_to_tensor(mask.astype("float32"))))


def scipy_distance(mask: np.ndarray) -> np.ndarray:
    """The border distance of each sample and channel; 0 without a border, which SciPy leaves open."""
    found = np.zeros(mask.shape)
    for sample, channel in np.ndindex(mask.shape[0], mask.shape[-1]):
        one = mask[sample, ..., channel]
        if one.any() and not one.all():
            found[sample, ..., channel] = distance_transform_edt(one) + distance_transform_edt(~one)
    return found


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_distances_are_those_of_scipy(shape: tuple[int, ...], data: st.DataObject) -> None:
    fill = data.draw(st.sampled_from([st.just(False), st.just(True)]))
    mask = data.draw(arrays.arrays(bool, shape, elements=st.booleans(), fill=fill))
    exact = scipy_distance(mask)
    np.testing.assert_allclose(run("border_distance", mask), exact, rtol=1e-6)
    signed = np.where(mask, np.minimum(1 - exact, 0), exact)
    np.testing.assert_allclose(run("signed_distance", mask), signed, rtol=1e-6)
    np.testing.assert_allclose(losses.signed_distance_numpy(mask), signed, rtol=1e-6)
    derived = _distance.unsigned(ops.convert_to_tensor(signed.astype("float32")), ops.convert_to_tensor(mask))
    np.testing.assert_allclose(ops.convert_to_numpy(derived), exact, rtol=1e-6)


def test_the_loop_over_a_long_side_gives_the_same_as_all_at_once(monkeypatch) -> None:
    mask = np.random.default_rng(2).random((2, 6, 5, 2)) > 0.7
    at_once = _distance.signed_distance(ops.convert_to_tensor(mask))
    monkeypatch.setattr(_distance, "AT_ONCE", 0)
    looped = compiled(_distance.signed_distance)(ops.convert_to_tensor(mask))
    np.testing.assert_array_equal(ops.convert_to_numpy(looped), ops.convert_to_numpy(at_once))
    np.testing.assert_allclose(ops.convert_to_numpy(looped), losses.signed_distance_numpy(mask), rtol=1e-6)


def test_squares_are_exact_and_a_mask_without_sites_is_0() -> None:
    sites = np.zeros((1, 3, 600, 2), bool)
    sites[0, 1, 0, 0] = True
    found = run("squared_distance", sites)
    rows, columns = np.mgrid[:3, :600]
    np.testing.assert_array_equal(found[0, ..., 0], (rows - 1) ** 2 + columns**2)
    np.testing.assert_array_equal(found[0, ..., 1], 0.0)


def test_unknown_sizes_are_allowed_in_a_graph() -> None:
    if keras.backend.backend() != "tensorflow":
        assert run("border_distance", np.eye(4)[None, ..., None])[0, 0, 0, 0] == 1.0
        return
    import tensorflow as tf

    any_size = tf.TensorSpec((None, None, None, 2))
    graph = tf.function(lambda x: _distance.border_distance(x > 0.5), input_signature=[any_size])
    for shape in ((1, 4, 6, 2), (3, 7, 2, 2)):
        mask = np.random.default_rng(0).random(shape) > 0.7
        np.testing.assert_allclose(graph(mask.astype("float32")), scipy_distance(mask), rtol=1e-6)


GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "losses.json").read_text())
# (case, loss, parameters, value, sum of |gradient at the logits|): from MONAI (d388d1c6f) `hausdorff_dt`, and
# from the code of the boundary loss (171c32d): its classes 1 and 2, all classes, and its Hausdorff loss.
PEERS = [
    ("A", "boundary", {}, 0.14259932935237885, None),
    ("A", "boundary", {"background": True}, 0.05371837317943573, None),
    ("A", "hausdorff", {"inside_only": True, "binarize": "argmax"}, 0.0343477429869381, None),
    ("A", "hausdorff", {}, 0.1838814616203308, 0.361664742231369),
    ("C", "hausdorff", {"background": True}, 0.540571928024292, 0.38620519638061523),
    ("D", "hausdorff", {"background": True}, 0.0, 0.0),
]


def logits_and_labels(case: str) -> tuple[np.ndarray, np.ndarray]:
    stored = GOLDEN["cases"][case]
    raw = next(value for key, value in stored.items() if key.startswith("logits"))
    logits, labels = np.moveaxis(np.array(raw, "float32"), 1, -1), np.array(stored["labels"])
    classes = logits.shape[-1]
    return logits, (np.eye(classes)[labels] if classes > 1 else labels[..., None]).astype("float32")


@pytest.mark.parametrize(("case", "name", "params", "value", "slopes"), PEERS)
def test_value_and_gradient_of_the_peers(case, name, params, value, slopes, gradient) -> None:
    logits, y = logits_and_labels(case)
    head = ops.softmax if logits.shape[-1] > 1 else ops.sigmoid
    found, slope = gradient(lambda x: losses.get(name, **params)(y, head(x)), logits)
    assert found == pytest.approx(value, rel=1e-5, abs=1e-7)
    if slopes is not None:
        assert np.abs(slope).sum() == pytest.approx(slopes, rel=2e-4)


def test_the_map_of_the_boundary_loss_code() -> None:
    corner = np.sqrt(2)
    expected = [
        [corner, 1.0, 1.0, corner],
        [1.0, 0.0, 0.0, 1.0],
        [1.0, 0.0, 0.0, 1.0],
        [corner, 1.0, 1.0, corner],
    ]
    y = logits_and_labels("A")[1]
    np.testing.assert_allclose(run("signed_distance", y)[0, ..., 1], expected, rtol=1e-6)


def blobs(classes: int = 2, size: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """A disc, a corner and an empty image, with probabilities."""
    rows, columns = np.mgrid[:size, :size]
    masks = np.stack([(rows - 5) ** 2 + (columns - 6) ** 2 < 12, rows + columns < 4, rows < 0])
    labels = masks.astype(int) * (1 if classes < 3 else 2)
    y = np.eye(classes, dtype="float32")[labels] if classes > 1 else masks[..., None].astype("float32")
    noise = np.random.default_rng(1).uniform(0.1, 0.9, y.shape).astype("float32")
    return y, noise if classes == 1 else noise / noise.sum(-1, keepdims=True)


@each_name
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_the_map_of_the_pipeline_gives_the_same_value_and_gradient(name, classes, gradient) -> None:
    y, p = blobs(classes)
    loss, given_map = getattr(losses, name), losses.signed_distance_numpy(y)
    value, slope = gradient(lambda x: loss(y, x), p)
    other, other_slope = gradient(lambda x: loss(y, x, distance=given_map), p)
    assert value == pytest.approx(other, rel=1e-6)
    np.testing.assert_allclose(slope, other_slope, rtol=1e-5, atol=1e-9)
    assert loss.needs == ("distance",)


def test_boundary_is_the_mean_of_probability_times_distance_and_can_be_negative() -> None:
    y, p = blobs()
    phi = losses.signed_distance_numpy(y)
    assert float(losses.boundary(y, p)) == pytest.approx(float((phi * p)[..., 1].mean()), rel=1e-5)
    assert float(losses.boundary(y, p, background=True)) == pytest.approx(float((phi * p).mean()), rel=1e-4)
    assert losses.boundary.can_be_negative
    assert float(losses.boundary(y, y)) < 0
    worse = np.roll(y, 1, axis=1)
    assert float(losses.boundary(y, y)) < float(losses.boundary(y, worse))
    scaled = losses.boundary(y, p, normalize=True)
    assert float(scaled) == pytest.approx(float(losses.boundary(y, p)) / np.hypot(12, 12), rel=1e-5)


def test_an_image_without_the_class_gives_boundary_nothing(gradient) -> None:
    y, p = blobs()
    value, slope = gradient(lambda x: losses.boundary(y[2:], x), p[2:])
    assert value == 0.0
    assert not slope.any()


def test_hausdorff_weighs_far_errors_more() -> None:
    y = np.zeros((1, 24, 24, 1), "float32")
    y[0, 8:12, 8:12] = 1.0

    def cost(column: int, **options) -> float:
        p = y.copy()
        p[0, 9, column] = 1.0
        return float(losses.hausdorff(y, p, **options))

    assert losses.hausdorff(y, y) == 0.0
    assert 0 < cost(13) < cost(16) < cost(20)
    assert cost(20, exponent=3.0) / cost(13, exponent=3.0) > cost(20) / cost(13)
    assert cost(20) / np.hypot(24, 24) ** 2 == pytest.approx(cost(20, normalize=True), rel=1e-5)
    assert cost(20, inside_only=True) < cost(20)


def test_distance_ce_is_cross_entropy_that_counts_the_border_more(gradient) -> None:
    y, p = blobs()
    plain = float(losses.ce(y, p))
    assert float(losses.distance_ce(y, p, weight=0.0)) == pytest.approx(plain, rel=1e-6)
    assert plain < float(losses.distance_ce(y, p)) < 2 * plain
    assert float(losses.distance_ce(y[2:], p[2:])) == pytest.approx(float(losses.ce(y[2:], p[2:])), rel=1e-6)
    _, slope = gradient(lambda x: losses.distance_ce(y[:1], x, exponent=4.0), np.full_like(p[:1], 0.5))
    at_border, far = abs(slope[0, 8, 6, 1]), abs(slope[0, 5, 6, 1])
    assert y[0, 8, 6, 1] == y[0, 5, 6, 1] == 1
    assert far * 1.5 < at_border < far * 2
    one, two = blobs(1), blobs(2)
    probabilities = np.concatenate([1 - one[1], one[1]], -1)
    both = losses.distance_ce(two[0], probabilities)
    assert float(losses.distance_ce(*one)) == pytest.approx(float(both), rel=1e-5)


def test_what_is_wrong_is_said() -> None:
    y, p = blobs(3)
    with raises(ConfigError, key="exponent", value=0.0):
        losses.hausdorff(y, p, exponent=0.0)
    with raises(ConfigError, key="weight", value=-1.0):
        losses.distance_ce(y, p, weight=-1.0)
    with raises(ConfigError, key="binarize", value="argmx"):
        losses.hausdorff(y, p, binarize="argmx")
    with raises(ConfigError, key="distance", allowed="a map of each class"):
        losses.boundary(y, p, distance=y[..., :1])


def test_a_fused_model_takes_the_map_along_with_the_labels() -> None:
    y, x = blobs(2)[0], np.random.default_rng(3).random((3, 12, 12, 1)).astype("float32")
    histories = []
    for targets in (y, {"labels": y, "distance": losses.signed_distance_numpy(y)}):
        keras.utils.set_random_seed(0)
        net = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(2, 3, padding="same")])
        net.add(keras.layers.Softmax())
        model = fuse(net, ["boundary", "dice"], "fixed")
        assert model.needs == ("distance",)
        model.compile(keras.optimizers.SGD(0.1), metrics=[keras.metrics.CategoricalAccuracy()])
        options = {"batch_size": 3, "epochs": 2, "verbose": 0, "shuffle": False}
        histories.append(model.fit(x, targets, validation_data=(x, targets), **options).history)
    plain, mapped = histories
    assert plain.keys() == mapped.keys()
    for key in ("loss", "loss.boundary", "val_loss.boundary", "val_categorical_accuracy"):
        assert plain[key] == pytest.approx(mapped[key], rel=1e-5), key


def test_a_map_that_is_given_is_used() -> None:
    y, p = blobs()
    from dmf_cli.fusion.targets import Targets, term_value

    zero, y = Targets.of({"labels": y, "distance": np.zeros_like(y)}), Targets.of(y)
    assert float(term_value("boundary", losses.get("boundary"), zero, p)) == 0.0
    assert float(term_value("boundary", losses.get("boundary"), y, p)) != 0.0
    assert float(term_value("dice", losses.dice, zero, p)) == pytest.approx(float(losses.dice(y.labels, p)))
