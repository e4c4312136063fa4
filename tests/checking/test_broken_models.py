"""A network with one fault fails the property of that name."""

import os

import keras
import pytest
from keras import layers

from dmf_cli.checking import models
from dmf_cli.checking.findings import FAILED, NOTED, PASSED, SKIPPED, outcomes
from dmf_cli.errors import ConfigError


def network(input_shape, classes, head="right", dtype="float32", halves=False):
    images = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, padding="same")(images)
    x = layers.Conv2DTranspose(4, 2, strides=2)(layers.MaxPooling2D(2)(x)) if halves else x
    x = layers.Conv2D(classes, 1, dtype=dtype)(x)
    right = "sigmoid" if classes == 1 else "softmax"
    activation = right if head == "right" else head
    return keras.Model(images, layers.Activation(activation, dtype=dtype)(x) if activation else x)


def logits(input_shape, classes):
    return network(input_shape, classes, head=None)


def sigmoids(input_shape, classes):
    return network(input_shape, classes, head="sigmoid")


def too_many_channels(input_shape, classes):
    return network(input_shape, classes + 1)


def half_at_the_end(input_shape, classes):
    return network(input_shape, classes, dtype=None)


def halved(input_shape, classes):
    return network(input_shape, classes, halves=True)


def refuses_odd_sizes(input_shape, classes):
    if input_shape[0] % 2:
        raise ConfigError(key="dataset.image_size", value=input_shape[0], allowed="an even number")
    return network(input_shape, classes)


def raises_at_odd_sizes(input_shape, classes):
    if input_shape[0] % 2:
        raise ValueError("height is odd")
    return network(input_shape, classes)


def grey_only(input_shape, classes):
    return network((*input_shape[:2], 1), classes)


def frozen(input_shape, classes):
    model = network(input_shape, classes)
    model.trainable = False
    return model


def half_frozen(input_shape, classes):
    model = network(input_shape, classes)
    (first, *_) = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    images = keras.Input(input_shape)
    x = keras.layers.Lambda(keras.ops.stop_gradient, output_shape=lambda s: s)(first(images))
    return keras.Model(images, layers.Conv2D(classes, 1, activation="softmax", dtype="float32")(x))


def a_layer(input_shape, classes):
    return layers.Conv2D(classes, 1)


def found(build, state=FAILED):
    return {one.name: one for one in outcomes(models.Network(build), models.PROPERTIES) if one.state == state}


@pytest.mark.parametrize(
    ("build", "name", "said"),
    [
        (logits, "probabilities", "not in logits"),
        (sigmoids, "probabilities", "over 2 classes: end in a softmax"),
        (
            too_many_channels,
            "probabilities",
            "gives (2, 32, 32, 2) for images of (2, 32, 32, 1) and 1 classes",
        ),
        (half_at_the_end, "float32 head", "gives float16 under mixed_float16"),
        (grey_only, "1 and 3 channels", "incompatible with the layer"),
        (frozen, "a step changes every weight", "no weight that can be trained"),
        (a_layer, "gives a network", "returns Conv2D: return a keras.Model"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_property_that_fails(build, name, said) -> None:
    outcome = found(build)[name]
    assert said in outcome.detail
    assert "input_shape = (3" in outcome.example


def test_sizes_that_a_network_refuses_are_no_failure() -> None:
    assert found(refuses_odd_sizes, SKIPPED).keys() == {"odd sizes"}
    assert not found(refuses_odd_sizes)
    assert "height is odd" in found(raises_at_odd_sizes, NOTED)["odd sizes"].detail
    assert "gives (2, 32, 46, 2)" in found(halved, NOTED)["odd sizes"].detail
    assert not found(halved)


def test_weights_behind_a_stopped_gradient_are_noted() -> None:
    assert "a step does not change" in found(half_frozen, NOTED)["a step changes every weight"].detail


def test_a_good_network_has_every_property() -> None:
    assert {one.state for one in outcomes(models.Network(network), models.PROPERTIES)} == {PASSED}


def test_what_a_library_says_of_float16_is_not_shown_between_the_lines(capfd):
    def chatty(input_shape, classes):
        if keras.config.dtype_policy().name == "mixed_float16":
            os.write(2, b"oneDNN supports DT_HALF only on platforms with AVX-512\n")
        return network(input_shape, classes)

    (head,) = [each for each in models.PROPERTIES if each.name == "float32 head"]
    assert head.of(models.Network(chatty)).state == PASSED
    assert "oneDNN" not in capfd.readouterr().err  # the backend may say more, where it starts here
