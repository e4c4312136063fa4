"""What every architecture must do, whatever its form."""

import functools
import itertools

import keras
import numpy as np
import pytest

from dmf_cli import models
from dmf_cli.checking.findings import PASSED
from dmf_cli.checking.models import PROPERTIES, Network
from dmf_cli.errors import ConfigError, UnknownNameError
from tests.raised import raises

# As small as each gets, so that every case takes a fraction of a second.
TINY = {
    "attention_unet": {"filters": 4, "depth": 2, "convs": 1},
    "deeplabv3plus": {"filters": 4, "blocks": 1},
    "nnunet": {"filters": 4, "widest": 8, "depth": 2},
    "resunet": {"filters": 4, "depth": 2},
    "segformer": {"filters": 4, "blocks": 1, "decoder": 8},
    "unet": {"filters": 4, "depth": 2, "convs": 1},
    "unetpp": {"filters": 4, "depth": 2, "convs": 1},
}
NAMES = sorted(TINY)
NORMS = ("group", "instance", "none")


def build(name, shape=(16, 16, 1), classes=2, **options):
    return getattr(models, name)(shape, classes, **{**TINY[name], **options})


@functools.cache
def tiny(name):
    return Network(functools.partial(getattr(models, name), **TINY[name]))


def noise(shape, n=2):
    return np.random.default_rng(0).normal(size=(n, *shape)).astype("float32")


def test_every_architecture_is_tested_here():
    elsewhere = {"hub", "unet_encoder"}  # test_hub.py, test_unet_encoder.py
    assert {*TINY} | elsewhere == set(models.__registry__)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wanted", PROPERTIES, ids=lambda wanted: wanted.name)
def test_what_dmf_check_looks_for(name, wanted):
    found = wanted.of(tiny(name))
    assert (found.state, found.example) == (PASSED, ""), found.detail


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "classes"), [((32, 16, 3), 5), ((5, 9, 1), 1)])
def test_any_size_gives_probabilities_of_that_size(name, shape, classes):
    found = keras.ops.convert_to_numpy(build(name, shape, classes)(noise(shape)))
    assert found.shape == (2, *shape[:2], classes)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    if classes > 1:
        np.testing.assert_allclose(found.sum(axis=-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_head_gives_logits_and_then_probabilities_in_float32_under_mixed_precision(name):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    logits, probabilities = model.get_layer("logits"), model.layers[-1]
    assert logits.output is probabilities.input
    assert {logits.compute_dtype, probabilities.compute_dtype, model.output.dtype} == {"float32"}
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [c.name for c in convolutions if c.compute_dtype != "float16"] in (["logits"], ["coarse_logits"])
    assert np.isfinite(keras.ops.convert_to_numpy(model(noise((16, 16, 1))))).all()


def test_a_gate_trains_compiled_in_mixed_precision():
    """XLA, the default on a GPU, has no float16 gradient of a bilinear resize."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = models.attention_unet((6, 7, 1), 2, filters=1, depth=1, convs=1, norm="none")
        model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", jit_compile=True)
        truth = np.eye(2, dtype="float32")[np.zeros((2, 6, 7), int)]
        assert np.isfinite(model.train_on_batch(noise((6, 7, 1)), truth))
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_stock_keras(name):
    model = build(name, norm="batch")
    assert [type(layer) for layer in model.layers if not type(layer).__module__.startswith("keras.")] == []
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in norms} == {0.9}  # Keras's own lags behind on small data


@pytest.mark.parametrize(("name", "norm"), [*zip(NAMES, itertools.cycle(NORMS), strict=False)])
def test_other_normalisations(name, norm):
    kinds = {type(layer) for layer in build(name, norm=norm, dropout=0.5).layers}
    assert keras.layers.BatchNormalization not in kinds
    assert (keras.layers.GroupNormalization in kinds) == (norm != "none")
    assert keras.layers.Dropout in kinds


@pytest.mark.parametrize("name", ["attention_unet", "nnunet", "resunet", "unet", "unetpp"])
def test_a_leaky_relu_takes_the_place_of_each_relu(name):
    plain, leaky = (
        [type(layer) for layer in build(name, activation=activation).layers]
        for activation in ("relu", "leaky_relu")
    )
    gates = plain.count(keras.layers.ReLU) - leaky.count(keras.layers.LeakyReLU)
    assert leaky.count(keras.layers.ReLU) == gates == (2 if name == "attention_unet" else 0)
    with raises(UnknownNameError, key="model.activation", value="leaky"):
        build(name, activation="leaky")


def layers(name, kind, **options):
    return [layer for layer in build(name, **options).layers if isinstance(layer, kind)]


def test_each_skip_of_the_attention_unet_has_a_gate_at_half_its_size():
    gates = layers("attention_unet", keras.layers.Multiply, depth=3)
    assert [gate.input[0].shape[1:3] for gate in gates] == [(4, 4), (8, 8), (16, 16)]
    psi = [layer for layer in layers("attention_unet", keras.layers.Conv2D) if layer.filters == 1]
    assert [layer.output.shape[1] for layer in psi] == [4, 8]


def test_unetpp_has_all_nodes_of_the_triangle():
    for depth in (1, 2, 3):
        joins = layers("unetpp", keras.layers.Concatenate, depth=depth)
        assert len(joins) == depth * (depth + 1) // 2
        assert len(joins[-1].input) == depth + 1  # the last node of level 0 sees all before it


def test_resunet_has_no_pooling_and_one_shortcut_a_block():
    assert not layers("resunet", keras.layers.MaxPooling2D)
    assert len(layers("resunet", keras.layers.Add, depth=2, blocks=2)) == 2 * (3 + 2)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_deeplab_dilates_where_it_does_not_halve(output_stride):
    found = layers(
        "deeplabv3plus",
        keras.layers.Conv2D,
        shape=(64, 64, 1),
        output_stride=output_stride,
        rates=(1, 3, 5),
    )
    assert min(layer.output.shape[1] for layer in found) in (64 // output_stride, 1)
    dilated = [layer.dilation_rate[0] for layer in found if layer.dilation_rate[0] > 1]
    assert sorted(dilated) == sorted([3, 5, *([2, 2] if output_stride == 8 else [])])


def test_segformer_attends_to_a_coarser_map():
    attention = layers("segformer", keras.layers.MultiHeadAttention, shape=(64, 64, 1))
    sizes = [[tensor.shape[1] for tensor in layer.input] for layer in attention]  # queries, keys
    assert sizes == [[256, 4], [64, 4], [16, 4], [4, 4]]


@pytest.mark.parametrize(
    ("name", "options", "key", "line"),
    [
        ("attention_unet", {"depth": 9}, "depth", "give 4 or less"),
        ("unetpp", {"convs": 0}, "convs", "is 0: give a whole number of 1 or above"),
        ("resunet", {"blocks": 0}, "blocks", "is 0"),
        ("deeplabv3plus", {"output_stride": 4}, "output_stride", "is 4: give 8 or 16"),
        ("deeplabv3plus", {"rates": (1, 2)}, "rates", "three whole numbers"),
        ("deeplabv3plus", {"rates": (0, 1, 2)}, "rates", "is [0, 1, 2]"),
        ("segformer", {"decoder": 0}, "decoder", "is 0"),
        ("segformer", {"decoder": 6, "norm": "group"}, "groups", "is 4, and model.decoder is 6"),
        ("segformer", {"dropout": 1.0}, "dropout", "is 1.0"),
        ("resunet", {"momentum": 0.0}, "momentum", "is 0.0"),
    ],
)
def test_impossible_settings_are_reported(name, options, key, line):
    with raises(ConfigError, key=f"model.{key}", args=line):
        build(name, **options)


@pytest.mark.parametrize("name", ["deeplabv3plus", "resunet"])
def test_a_misspelt_norm_names_the_closest(name):
    with raises(UnknownNameError, key="model.norm", value="bach"):
        build(name, norm="bach")
