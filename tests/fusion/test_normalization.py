"""Batch normalisation in one operation: the numbers of Keras's layer, and its layer still."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dmf_cli import fuse, models
from dmf_cli.ops import normalization

OPERATION = "FusedBatchNormV3"


def made(shape, join=True, **options):
    """A network of one layer, with scales and shifts that differ."""
    layer = keras.layers.BatchNormalization(momentum=0.9, **options)
    inputs = keras.Input(shape[1:])
    network = keras.Model(inputs, layer(inputs))
    if layer.scale:
        layer.gamma.assign(np.linspace(0.5, 2, shape[-1]))
    if layer.center:
        layer.beta.assign(np.linspace(-1, 1, shape[-1]))
    if join:
        normalization.join(network)
    return network, layer


def operations(network, shape, training=True):
    """Kinds of the operations of a step, the gradient's among them."""

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            made = tf.reduce_sum(network(x, training=training) ** 2)
        return tape.gradient(made, x)

    graph = step.get_concrete_function(tf.TensorSpec(shape, "float32")).graph
    return {one.type for one in graph.get_operations()}


@pytest.mark.parametrize("shape", [(4, 8, 8, 5), (1, 1, 1, 3), (2, 1, 1, 3), (3, 7, 5, 16)])
def test_output_gradients_and_statistics_are_those_of_keras(shape):
    rng = np.random.default_rng(0)
    x, weights = (rng.normal(2, 3, shape).astype("float32") for _ in range(2))
    found = []
    for join in (False, True):
        network, layer = made(shape, join)
        images = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = network(images, training=True)
            loss = tf.reduce_sum(output * weights)
        gradients = tape.gradient(loss, [images, layer.gamma.value, layer.beta.value])
        found.append([output, *gradients, layer.moving_mean, layer.moving_variance])
    for ours, keras_own in zip(*found, strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(keras_own), rtol=1e-4, atol=1e-4)


def in_float64(x, weights, layer):
    """As NumPy computes it: output, gradients at the input, scale and shift, statistics."""
    x, weights, scale, shift = (np.asarray(one, "float64") for one in (x, weights, layer.gamma, layer.beta))
    axes = (0, 1, 2)
    mean, variance = x.mean(axes), x.var(axes)
    deviation = np.sqrt(variance + layer.epsilon)
    normal, at_normal = (x - mean) / deviation, weights * scale
    rest = at_normal.mean(axes) + normal * (at_normal * normal).mean(axes)
    slopes = [(at_normal - rest) / deviation, (weights * normal).sum(axes), weights.sum(axes)]
    kept = layer.momentum
    return [normal * scale + shift, *slopes, (1 - kept) * mean, kept + (1 - kept) * variance]


@pytest.mark.parametrize("shape", [(4, 8, 8, 5), (3, 7, 5, 16)])
def test_bfloat16_is_rounded_no_more_than_by_keras(shape):
    rng = np.random.default_rng(0)
    x, weights = (rng.normal(2, 3, shape).astype("float32") for _ in range(2))
    x, weights = (np.asarray(tf.cast(tf.cast(one, "bfloat16"), "float32")) for one in (x, weights))
    errors = []
    for join in (False, True):
        network, layer = made(shape, join, dtype="mixed_bfloat16")
        images = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = network(images, training=True)
            loss = tf.reduce_sum(tf.cast(output, "float32") * weights)
        gradients = tape.gradient(loss, [images, layer.gamma.value, layer.beta.value])
        found = [output, *gradients, layer.moving_mean, layer.moving_variance]
        assert output.dtype == "bfloat16"
        assert {one.dtype for one in (layer.moving_mean, layer.moving_variance)} == {"float32"}
        exact = in_float64(x, weights, layer)
        pairs = [(np.asarray(tf.cast(one, "float64")), true) for one, true in zip(found, exact, strict=True)]
        errors.append([np.abs(one - true).max() / np.abs(true).max() for one, true in pairs])
    digit = 2.0**-8  # of a number in bfloat16, relative to it
    assert all(ours <= 2 * keras_own + digit / 100 for keras_own, ours in zip(*errors, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_step_holds_one_operation_for_each_layer_and_prediction_none(dtype):
    network, _ = made((2, 8, 8, 3), dtype=dtype)
    assert {OPERATION, "FusedBatchNormGradV3"} <= operations(network, (2, 8, 8, 3))
    assert OPERATION not in operations(network, (2, 8, 8, 3), training=False)


@pytest.mark.parametrize(
    "options",
    [{"trainable": False}, {"scale": False}, {"center": False}, {"dtype": "mixed_float16"}, {"axis": 1}],
)
def test_where_the_operation_differs_the_layer_computes_as_keras_does(options):
    trainable = options.pop("trainable", True)
    network, layer = made((2, 4, 4, 4), **options)
    layer.trainable = trainable
    assert OPERATION not in operations(network, (2, 4, 4, 4))


def test_replicas_normalise_over_all_of_them_as_keras_does():
    network, layer = made((2, 4, 4, 4))
    layer.synchronized = True
    assert OPERATION not in operations(network, (2, 4, 4, 4))


def test_a_trained_network_is_written_and_read_as_one_of_keras(tmp_path):
    network = models.unet((16, 16, 1), 2, filters=2, depth=1)
    before = network.to_json()
    model = fuse(network, "dice+bce", "fixed")
    model.compile(keras.optimizers.Adam())
    images = np.random.default_rng(0).random((4, 16, 16, 1), dtype="float32")
    model.fit(images, np.eye(2, dtype="float32")[(images[..., 0] > 0.5).astype(int)], verbose=0)
    assert OPERATION in operations(network, (4, 16, 16, 1))
    assert network.to_json() == before
    network.save(tmp_path / "network.keras")
    read = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(read(images), network(images))
    assert OPERATION not in operations(keras.models.clone_model(network), (4, 16, 16, 1))
