"""What holds for every loss: finite everywhere, differentiable, any rank, either head, clear errors."""

import functools
from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import ops

from dmf_cli import losses
from dmf_cli.checking.loss_cases import absent
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.lookup import keywords
from tests.losses.cases import (
    NAMES,
    OTHER,
    SHAPES,
    SPARSE,
    all_channels,
    can_be_negative,
    one_hot,
    random_case,
)
from tests.raised import raises

each_loss = pytest.mark.parametrize("name", NAMES)
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


@each_loss
@each_shape
def test_the_gradient_reaches_every_pixel(name: str, shape, gradient) -> None:
    y_true, y_pred = random_case(shape)
    loss = losses.get(name, **all_channels(name))
    value, slope = gradient(lambda p: loss(y_true, p), y_pred)
    assert value > 0 or can_be_negative(name)
    assert slope.shape == shape
    assert np.any(slope) if name in SPARSE else np.all(np.abs(slope).sum(axis=-1) > 0)


@each_loss
@each_shape
def test_a_perfect_match_is_zero(name: str, shape) -> None:
    y_true, y_pred = random_case(shape)
    value = float(losses.get(name)(y_true, y_true))
    if can_be_negative(name):
        assert value <= float(losses.get(name)(y_true, y_pred))
    else:
        assert abs(value) < 2e-6
        with_one_more, _ = absent((y_true, y_pred))
        assert abs(float(losses.get(name)(with_one_more, with_one_more))) < 2e-6


@pytest.mark.parametrize("name", [name for name in NAMES if name != "boundary"])  # 0 at the border
def test_a_pixel_that_is_wrong_with_certainty_has_a_gradient(name: str, gradient) -> None:
    y_true = np.array([[[0.0, 1.0], [1.0, 0.0]]], "float32")
    loss = losses.get(name, **all_channels(name))
    _, slope = gradient(lambda p: loss(y_true, p), 1.0 - y_true)
    # A batch with every overlap at 0: the true channel must be pulled up.
    assert slope[0, 0, 1] < 0
    assert slope[0, 1, 0] < 0


@each_loss
def test_rounding_outside_of_0_and_1_is_harmless(name: str, gradient) -> None:
    y_true = np.array([[[1.0], [0.0]]], "float32")
    for edge in (1.0000001, 1.0000002, -1e-7, -3e-7):
        value, slope = gradient(lambda p: losses.get(name)(y_true, p), np.full((1, 2, 1), edge, "float32"))
        assert np.isfinite(value)
        assert np.all(np.isfinite(slope))


@each_loss
def test_a_network_that_gives_nan_is_not_hidden(name: str) -> None:
    y_true, y_pred = random_case((2, 4, 5, 3))
    y_pred[0, 0, 0] = np.nan
    assert np.isnan(float(losses.get(name)(y_true, y_pred)))


@each_loss
def test_integer_labels_count_as_one_hot(name: str) -> None:
    y_true, y_pred = random_case((2, 4, 5, 3))
    assert float(losses.get(name)(y_true.astype("uint8"), y_pred)) == float(losses.get(name)(y_true, y_pred))


@each_loss
def test_pixels_without_any_label_give_a_finite_value(name: str, gradient) -> None:
    nothing = np.zeros((2, 4, 3), "float32")
    value, slope = gradient(lambda p: losses.get(name)(nothing, p), np.full((2, 4, 3), 1 / 3, "float32"))
    assert np.isfinite(value)
    assert np.all(np.isfinite(slope))


def numpy_dice(y: np.ndarray, p: np.ndarray, axes, smooth: float = 1e-5) -> np.ndarray:
    return 1 - (2 * (y * p).sum(axes) + smooth) / (y.sum(axes) + p.sum(axes) + smooth)


def test_pool_says_what_is_summed_before_the_ratio() -> None:
    y, p = random_case((3, 4, 5, 3))
    assert float(losses.dice(y, p)) == pytest.approx(numpy_dice(y, p, (1, 2)).mean(), abs=1e-6)
    assert float(losses.dice(y, p, pool="batch")) == pytest.approx(
        numpy_dice(y, p, (0, 1, 2)).mean(), abs=1e-6
    )
    assert float(losses.dice(y, p, pool="sample")) != pytest.approx(
        float(losses.dice(y, p, pool="batch")), abs=1e-5
    )


@pytest.mark.parametrize("name", ["dice", "iou"])
def test_background_leaves_channel_0_out(name: str) -> None:
    y, p = random_case((2, 4, 5, 3))
    loss, foreground = losses.get(name), losses.get(name, background=False)
    assert float(foreground(y, p)) == pytest.approx(float(loss(y[..., 1:], p[..., 1:])), abs=1e-6)
    assert float(foreground(y[..., :1], p[..., :1])) == float(loss(y[..., :1], p[..., :1]))


def test_an_empty_mask_alone_decides_a_sigmoid_dice() -> None:
    empty = np.zeros((1, 4, 4, 1), "float32")
    assert float(losses.dice(empty, empty)) == pytest.approx(0.0, abs=1e-6)
    assert float(losses.dice(empty, empty + 0.5)) == pytest.approx(1.0, abs=1e-5)


def test_cbdice_of_one_channel_is_that_of_both() -> None:
    y, p = random_case((2, 4, 5, 1))
    both = losses.cbdice(np.concatenate([1 - y, y], -1), np.concatenate([1 - p, p], -1))
    assert float(losses.cbdice(y, p)) == pytest.approx(float(both), abs=1e-6)
    assert 0 < float(both) < 1


def test_cbdice_weighs_the_rare_class_more(gradient) -> None:
    labels = np.zeros((1, 10, 10), dtype=int)
    labels[0, 0, :2] = 1
    y = one_hot(labels, 2)
    _, slope = gradient(lambda p: losses.cbdice(y, p), np.full(y.shape, 0.5, "float32"))
    assert abs(slope[0, 0, 0, 1]) > 10 * abs(slope[0, 5, 5, 0])


def test_cbdice_of_each_sample_is_averaged() -> None:
    y, p = random_case((3, 4, 5, 2))
    each = [float(losses.cbdice(y[i : i + 1], p[i : i + 1])) for i in range(3)]
    assert float(losses.cbdice(y, p, pool="sample")) == pytest.approx(np.mean(each), abs=1e-6)


def test_ce_of_one_channel_is_bce_and_counts_pixels_not_channels() -> None:
    y, p = random_case((2, 4, 5, 1))
    assert float(losses.ce(y, p)) == float(losses.bce(y, p))
    y, p = random_case((2, 4, 5, 3))
    assert float(losses.ce(y, p)) == pytest.approx(-np.log((y * p).sum(-1)).mean(), rel=1e-5)


@pytest.mark.parametrize(("name", "classes"), [("ce", 3), ("bce", 2)])
def test_label_smoothing_moves_the_labels_towards_equal(name: str, classes: int) -> None:
    y, p = random_case((2, 4, 5, 3))
    smooth = y * 0.8 + 0.2 / classes
    loss = losses.get(name)
    assert float(losses.get(name, label_smoothing=0.2)(y, p)) == pytest.approx(
        float(loss(smooth, p)), rel=1e-5
    )


@each_loss
def test_shapes_that_do_not_belong_together(name: str) -> None:
    y, p = random_case((2, 4, 5, 3))
    for truth, guess in ((y[..., :2], p), (y.argmax(-1), p), (y[0, 0], p[0, 0]), (y[:1], p)):
        with raises(ConfigError, key="y_true", hint="one-hot"):
            losses.get(name)(truth, guess)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("dice", {"pool": "smaple"}),
        ("cbdice", {"absent": "zeros"}),
        ("dice", {"smooth": 0.0}),
        ("iou", {"smooth": -1.0}),
        ("cbdice", {"eps": 0.0}),
        ("ce", {"label_smoothing": 1.0}),
        ("bce", {"label_smoothing": float("nan")}),
    ],
)
def test_a_value_out_of_range(name: str, params: dict) -> None:
    ((wrong, given),) = params.items()
    loss, case = getattr(losses, name), random_case((2, 4, 3))
    for call in (
        lambda: losses.get(name, **params),
        lambda: loss(*case, **params),
        lambda: losses.unchecked(functools.partial(loss, **params)),
    ):
        with raises(ConfigError, key=wrong) as caught:
            call()
        assert repr(caught.value.value) == repr(given)


def test_a_misspelt_name_or_parameter_names_the_closest() -> None:
    with raises(UnknownNameError, key="loss", value="cbdcie"):
        losses.get("cbdcie")
    with raises(UnknownNameError, key="parameter of dice", value="smoth"):
        losses.get("dice", smoth=1.0)


@each_loss
def test_a_loss_survives_as_plain_data(name: str) -> None:
    first, *_ = keywords(getattr(losses, name))
    value = OTHER[first] if name != "gdice" else "simple"
    y, p = random_case((2, 4, 5, 3))
    for loss in (getattr(losses, name), losses.get(name), losses.get(name, **{first: value})):
        config = losses.serialize(loss)
        assert config["name"] == name
        assert config["params"] == getattr(loss, "keywords", {})
        assert float(losses.deserialize(config)(y, p)) == float(loss(y, p))


def test_a_function_of_the_users_own_survives_too() -> None:
    def dice(y_true, y_pred):  # the name of one of ours
        return ops.mean(y_true * y_pred)

    registered: Callable = keras.saving.register_keras_serializable(package="mine")(dice)
    assert losses.deserialize(losses.serialize(registered)) is registered


def test_losses_that_are_no_plain_functions_survive_as_keras_saves_them() -> None:
    loss = keras.losses.Dice(axis=1)
    assert losses.deserialize(losses.serialize(loss)).get_config() == loss.get_config()
    with pytest.warns(UserWarning, match="lambda"):
        assert "registered" not in losses.serialize(lambda y_true, y_pred: ops.mean(y_true * y_pred))


def test_a_registered_loss_whose_module_is_not_imported_is_named() -> None:
    with raises(ConfigError, key="loss", value="mine>gone", hint="import the module"):
        losses.deserialize({"registered": "mine>gone"})
