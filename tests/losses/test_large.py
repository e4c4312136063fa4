"""Sums over millions of pixels: on a CPU TensorFlow loses some per cent of a plain one.

Every value is compared with float64, or with the same loss of a small image that is repeated: a ratio or a
mean does not change with the number of copies.
"""

import inspect
from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import ops

from dmf_cli import losses, metrics
from dmf_cli.fusion import logit_gradients
from dmf_cli.lookup import keywords
from dmf_cli.losses._lovasz import _jaccard_increments
from dmf_cli.ops import reduce
from tests.losses.cases import NAMES

MILLIONS = 2**25  # more than a count in float32 can reach
# Their distances are in pixels (hausdorff looks for those of the prediction, cldice for skeletons).
OWN_SIZE = ("hausdorff", "cldice")


def jitted(function: Callable) -> Callable:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def numpy(x) -> np.ndarray:
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("jit", [False, True], ids=["plain", "jit"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((64, 512, 512, 2), (0, 1, 2)),
        ((2, 2048, 4096, 2), (1, 2)),
        ((2, 256, 256, 128, 1), (0, 1, 2, 3)),
        ((1, MILLIONS // 2, 2), (1,)),
        ((1, 2039 * 4099, 1), (0, 1)),  # two primes: no even runs
        ((2, MILLIONS // 2), (1,)),
        ((64, 512, 512, 2), None),
    ],
    ids=str,
)
def test_sums_of_equal_values_are_exact(shape, axes, jit: bool) -> None:
    def summed(x):
        return reduce.total(x * x, axes)

    found = numpy((jitted(summed) if jit else summed)(ops.full(shape, 0.3)))
    kept = [side for axis, side in enumerate(shape) if axes is not None and axis not in axes]
    assert (found.shape, found.dtype) == (tuple(kept), "float32")
    value = float(np.float32(0.3) * np.float32(0.3))
    np.testing.assert_allclose(found, value * (np.prod(shape) / np.prod(kept)), rtol=2e-5)


def test_counts_go_on_above_2_to_the_24() -> None:
    ones = ops.ones((1, MILLIONS))
    assert float(reduce.total(ones)) == float(reduce.size(ones)) == MILLIONS
    found = numpy(reduce.running(ones))[0]
    places = np.array([0, 2**24, 2**24 + 2, MILLIONS - 1])
    np.testing.assert_allclose(found[places], places + 1, rtol=1e-7)


@pytest.mark.parametrize(
    "sides", [(None, 64, 64, 2), (None, None, None, 2), (None, None, 1), (None, 40000, 2)]
)
def test_unknown_sides_give_the_same(sides) -> None:
    if keras.backend.backend() != "tensorflow":
        sides = tuple(side or 64 for side in sides)
    x = np.random.default_rng(0).random([side or 64 for side in sides], "float32")
    axes = tuple(range(1, x.ndim - 1))

    def made(x):
        return reduce.total(x, axes), reduce.average(x), reduce.pixel_mean(x)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        made = tf.function(made, input_signature=[tf.TensorSpec(sides)], autograph=False)
    parts = [numpy(part) for part in made(ops.convert_to_tensor(x))]
    exact = x.astype("float64")
    np.testing.assert_allclose(parts[0], exact.sum(axes), rtol=1e-5)
    np.testing.assert_allclose(parts[1], exact.mean(), rtol=1e-5)
    np.testing.assert_allclose(parts[2], exact.sum(-1).mean(), rtol=1e-5)


def test_a_value_that_is_not_finite_is_seen() -> None:
    x = np.ones((2, 600, 2), "float32")
    x[1, 577, 1] = np.nan
    assert np.isnan(numpy(reduce.total(ops.convert_to_tensor(x), (0, 1)))).tolist() == [False, True]


def repeated(classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels and probabilities of a small image, and of a batch of many pixels that repeats it."""
    label = np.zeros((1, 8, 8), int)
    label[:, 2:5, 1:6] = 1
    front = np.where(label == 1, 0.7, 0.3).astype("float32")
    y, p = np.eye(2, dtype="float32")[label], np.stack([1 - front, front], -1)
    many = (4, 64, 128, 1)
    return (
        y[..., -classes:],
        p[..., -classes:],
        np.tile(y, many)[..., -classes:],
        np.tile(p, many)[..., -classes:],
    )


def pooled() -> list[tuple[str, dict[str, str]]]:
    """Each loss, once for each way of pooling that it has."""
    names = sorted(set(NAMES) - set(OWN_SIZE))
    ways = {name: ("batch", "sample") if "pool" in keywords(getattr(losses, name)) else () for name in names}
    return [(name, {"pool": way} if way else {}) for name in names for way in ways[name] or ("",)]


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize(
    ("name", "params"), pooled(), ids=lambda v: v if isinstance(v, str) else "".join(v.values())
)
def test_a_loss_of_millions_of_pixels_is_that_of_one_small_image(
    name: str, params: dict[str, str], classes: int
) -> None:
    loss = losses.get(name, **params)
    small_y, small_p, y, p = repeated(classes)
    near, far = {}, {}
    if "distance" in inspect.signature(loss).parameters:
        near, far = {"distance": 1.0 - 3.0 * small_y}, {"distance": 1.0 - 3.0 * y}
    assert float(loss(y, p, **far)) == pytest.approx(
        float(loss(small_y, small_p, **near)), rel=1e-4, abs=1e-6
    )


@pytest.mark.parametrize("name", OWN_SIZE)
def test_a_loss_of_many_images_is_that_of_each(name: str) -> None:
    small_y, small_p, _, _ = repeated(2)
    many = (2**15, 1, 1, 1)
    loss = losses.get(name)
    value = float(loss(np.tile(small_y, many), np.tile(small_p, many)))
    assert value == pytest.approx(float(loss(small_y, small_p)), rel=1e-4)


@pytest.mark.parametrize("name", ["dice", "mcc", "lovasz", "bce"])
def test_so_it_is_in_a_compiled_step(name: str) -> None:
    small_y, small_p, y, p = repeated(2)
    loss = losses.get(name)
    assert float(jitted(loss)(y, p)) == pytest.approx(float(loss(small_y, small_p)), rel=1e-4)


def test_increments_of_lovasz_are_those_of_float64() -> None:
    n = 2**22
    inside = n // 4
    truth = np.zeros((1, 1, n), "float32")
    truth[..., ::4] = 1.0
    found = numpy(_jaccard_increments(ops.convert_to_tensor(truth)))[0, 0]
    assert found.astype("float64").sum() == pytest.approx(1.0, rel=1e-5)
    i = np.array([1, 2, 1001, 2**20 + 1, n // 2 + 1, n - 2])  # pixels outside, of which U' is one less than U
    left = inside - (i // 4 + 1.0)
    union = inside + (i + 1.0 - (i // 4 + 1.0))
    np.testing.assert_allclose(found[i], left / (union * (union - 1)), rtol=1e-5, atol=1e-14)


def test_statistics_of_large_gradients() -> None:
    n = 2**24
    rows = [np.full(n, 0.3, "float32"), np.tile(np.array([0.3, 0.1], "float32"), n // 2)]
    found = jitted(lambda a, b: logit_gradients.gradient_statistics([a, b]))(
        *map(ops.convert_to_tensor, rows)
    )
    assert numpy(found["norm"]) == pytest.approx([0.3 * n**0.5, (0.05 * n) ** 0.5], rel=1e-4)
    assert numpy(found["mean_abs"]) == pytest.approx([0.3, 0.2], rel=1e-4)
    assert numpy(found["cosine"])[0, 1] == pytest.approx(0.2 / 0.05**0.5, rel=1e-4)


def test_the_dice_of_one_image_of_2_to_the_25_pixels() -> None:
    prediction = np.zeros((1, 4096, MILLIONS // 4096, 1), "float32")
    prediction[:, : 4096 // 4] = 1.0
    model = keras.Sequential([keras.Input(prediction.shape[1:]), keras.layers.Identity()])
    model.compile(
        loss="mse", metrics=[metrics.ForegroundDice()], jit_compile=keras.backend.backend() != "torch"
    )
    found = model.evaluate(prediction, np.ones_like(prediction), verbose=0, return_dict=True)
    assert found["foreground_dice"] == pytest.approx(0.4, rel=1e-4)
