"""Networks of keras-hub with our head; keras-hub is no dependency, so most of these have its marker."""

import sys

import keras
import numpy as np
import pytest

from dmf_cli import models
from dmf_cli.errors import CheckpointError, ConfigError, UnknownNameError
from dmf_cli.inference.network_file import load_network
from tests.raised import raises

hub = pytest.mark.hub


def noise(shape):
    return np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")


@hub
@pytest.mark.parametrize(
    ("network", "shape", "classes"),
    [("segformer_b0", (33, 97, 1), 2), ("deeplabv3plus_resnet50", (32, 70, 3), 1)],
)
def test_any_size_gives_probabilities_and_survives_saving(network, shape, classes, tmp_path):
    model, images = models.hub(shape, classes, network=network), noise(shape)
    found = keras.ops.convert_to_numpy(model(images))
    assert found.shape == (2, *shape[:2], classes)
    assert ((found >= 0) & (found <= 1)).all()
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(found, load_network(tmp_path / "model.keras")(images))


@hub
def test_the_head_is_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = models.hub((32, 32, 1), 2)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("logits").output.dtype == model.output.dtype == "float32"
    assert np.isfinite(keras.ops.convert_to_numpy(model(noise((32, 32, 1))))).all()


@hub
def test_pretrained_takes_weights_and_scaling_of_a_folder(tmp_path):
    import keras_hub

    def encoder(model):
        return next(layer for layer in model.layers if hasattr(layer, "image_encoder")).image_encoder

    theirs = encoder(models.hub((32, 32, 3), 2))
    theirs.save_to_preset(str(tmp_path))
    options = {"scale": [1 / 51, 1 / 51, 1 / 51], "offset": [-1.0, -2.0, -3.0]}
    keras_hub.layers.MiTImageConverter(image_size=(32, 32), **options).save_to_preset(str(tmp_path))
    model = models.hub((40, 32, 1), 2, pretrained=True, preset=str(tmp_path))
    for one, other in zip(theirs.weights, encoder(model).weights, strict=True):
        np.testing.assert_array_equal(one, other)
    scaling = next(layer for layer in model.layers if isinstance(layer, keras.layers.Rescaling))
    np.testing.assert_allclose(scaling.scale, 5.0)  # images are in [0, 1] here, in [0, 255] there
    np.testing.assert_allclose(scaling.offset, [-1.0, -2.0, -3.0])


@hub
def test_weights_that_cannot_be_had_are_one_line(tmp_path):
    preset = str(tmp_path / "nothing")
    with raises(ConfigError, key="model.preset", value=preset, hint="model.pretrained=false") as error:
        models.hub((32, 32, 3), 2, pretrained=True, preset=preset)
    assert "\n" not in str(error.value)


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with raises(ConfigError, key="model", value="hub", hint="pip install '.[hub]'"):
        models.hub((32, 32, 3), 2)


def test_a_saved_network_without_the_package_says_so(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise TypeError("Could not deserialize class 'MiTBackbone': keras_hub.models cannot be imported")

    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1)]).save(tmp_path / "best.keras")
    monkeypatch.setattr(keras.models, "model_from_json", refuse)
    with raises(CheckpointError, path=tmp_path / "best.keras", reason="needs keras-hub"):
        load_network(tmp_path / "best.keras")


def test_wrong_choices_are_reported():
    with raises(UnknownNameError, key="model.network", value="segformer_0", allowed="segformer_b0"):
        models.hub((32, 32, 3), 2, network="segformer_0")
    with raises(ConfigError, key="model.pretrained", value=True, reason="1 or 3 channels"):
        models.hub((32, 32, 2), 2, pretrained=True)
