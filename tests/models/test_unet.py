import keras
import numpy as np
import pytest

from dmf_cli import fuse, models
from dmf_cli.errors import ConfigError, UnknownNameError
from tests.raised import raises


@pytest.mark.parametrize("shape", [(37, 50, 1), (32, 32, 3), (1, 9, 1), (65, 33, 3)])
@pytest.mark.parametrize("classes", [1, 2, 5])
def test_any_size_gives_probabilities_of_that_size(shape, classes):
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    found = models.unet(shape, classes, filters=4).predict_on_batch(images)
    assert found.shape == (2, *shape[:2], classes)
    assert found.dtype == np.float32
    if classes > 1:
        np.testing.assert_allclose(found.sum(axis=-1), 1.0, rtol=1e-5)
    assert ((found >= 0) & (found <= 1)).all()


def test_the_notebook_has_the_parameters_counted_by_hand():
    """128x128x1 to 8x8, 32 filters, 2 classes; convolutions without bias before batch normalisation (4 n)."""
    widths = [32, 64, 128, 256, 512]
    down = sum(9 * a * b + 4 * b for a, b in zip([1, *widths], widths, strict=False))
    up, below = 0, 512
    for width in (256, 128, 64, 32):
        up += 9 * below * width + 4 * width
        below = 2 * width
    assert models.unet((128, 128, 1), 2, filters=32, convs=1).count_params() == down + up + (64 * 2 + 2)


@pytest.mark.parametrize("depth", ["auto", 1, 3])
def test_depth_is_the_number_of_poolings(depth):
    model = models.unet((64, 64, 1), 2, filters=2, depth=depth)
    pools = [layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert len(pools) == (3 if depth == "auto" else depth)


def test_options_change_what_they_name():
    def layers(kind, **options):
        found = models.unet((16, 16, 1), 2, filters=8, depth=1, **options).layers
        return [layer for layer in found if isinstance(layer, kind)]

    assert layers(keras.layers.BatchNormalization)[0].momentum == 0.9
    assert not layers(keras.layers.BatchNormalization, norm="none")
    assert layers(keras.layers.GroupNormalization, norm="group", groups=4)[0].groups == 4
    assert layers(keras.layers.GroupNormalization, norm="instance")[0].groups == 8  # one a channel
    assert layers(keras.layers.Dropout, dropout=0.3)[0].rate == 0.3
    assert len(layers(keras.layers.Conv2D)) == len(layers(keras.layers.Conv2D, convs=1)) + 3


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_the_head_stays_float32_under_mixed_precision(precision):
    keras.config.set_dtype_policy(precision)
    try:
        model = models.unet((16, 16, 1), 2, filters=2, depth=1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert {layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.ReLU)} == {
        precision[6:]
    }


def test_a_saved_model_loads_without_custom_objects(tmp_path):
    images = np.random.default_rng(0).normal(size=(1, 20, 20, 1)).astype("float32")
    model = models.unet((20, 20, 1), 2, filters=2, norm="instance")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(model.predict_on_batch(images), loaded.predict_on_batch(images))


@pytest.mark.parametrize(
    ("options", "key", "allowed"),
    [
        ({"depth": 5}, "depth", "4 or less"),
        ({"depth": 0}, "depth", "a whole number of 1 or above, or auto"),
        ({"filters": 0}, "filters", "a whole number of 1 or above"),
        ({"convs": 0}, "convs", "a whole number of 1 or above"),
        ({"dropout": 1.0}, "dropout", "a number of 0 or above and below 1"),
        ({"momentum": 1.0}, "momentum", "a number above 0 and below 1"),
        ({"groups": 4, "norm": "group", "filters": 6}, "groups", "a divisor of them"),
    ],
)
def test_impossible_settings_are_reported(options, key, allowed):
    with raises(ConfigError, key=f"model.{key}", value=options[key], allowed=allowed):
        models.unet((16, 16, 1), 2, **options)


def test_a_network_that_is_too_deep_is_one_line():
    with raises(ConfigError) as caught:
        models.unet((16, 32, 1), 2, depth=5)
    assert str(caught.value) == (
        "model.depth is 5, and the image is 16x32: give 4 or less, or a larger dataset.image_size"
    )


def test_a_misspelt_norm_names_the_closest():
    with raises(UnknownNameError, key="model.norm", value="bach"):
        models.unet((16, 16, 1), 2, norm="bach")


def blobs(n, size=32):
    """Noisy discs: darker than their surroundings, as lesions are."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    cy, cx, r = (rng.uniform(a, b, (n, 1, 1)) for a, b in ((8, 24), (8, 24), (4, 8)))
    masks = ((y - cy) ** 2 + (x - cx) ** 2 < r**2).astype(int)
    images = 0.6 - 0.3 * masks + rng.normal(0, 0.1, masks.shape)
    return images[..., None].astype("float32"), np.eye(2, dtype="float32")[masks]


def trained_dice(momentum, steps=60):
    """(Dice in inference mode, Dice with the statistics of the batch) after a short training."""
    keras.utils.set_random_seed(0)
    images, truth = blobs(16)
    network = models.unet(images.shape[1:], 2, filters=8, depth=2, convs=1, momentum=momentum)
    model = fuse(network, ["ce", "dice"], "fixed")
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(images, truth, batch_size=16, epochs=steps, verbose=0)

    def dice(training):
        found = keras.ops.convert_to_numpy(network(images, training=training))[..., 1] >= 0.5
        return 2 * (found & (truth[..., 1] > 0)).sum() / (found.sum() + truth[..., 1].sum())

    return dice(training=False), dice(training=True)


def test_the_default_evaluates_right_after_a_short_training():
    """The notebook's momentum of .99 lags: the same weights score far less in inference mode."""
    inference, recalibrated = trained_dice(0.9)
    assert recalibrated > 0.8
    assert inference > recalibrated - 0.05
    lagging, recalibrated = trained_dice(0.99)
    assert lagging < recalibrated - 0.1
