"""The rules of nnU-Net: filters, halvings, blocks, what follows a convolution, first values."""

import keras
import numpy as np
import pytest
from keras import layers

from dmf_cli import models


def build(**options):
    return models.nnunet((64, 64, 1), 2, **options)


def of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(("side", "halvings"), [(16, 2), (33, 3), (64, 4), (128, 5), (256, 6)])
def test_it_halves_while_sides_stay_at_four_or_more(side, halvings):
    ups = of(models.nnunet((side, side, 1), 2, filters=1, widest=2), layers.Conv2DTranspose)
    assert len(ups) == halvings
    assert {(layer.kernel_size, layer.strides) for layer in ups} == {((2, 2), (2, 2))}
    assert ups[0].input.shape[1] >= 4


def test_residual_has_its_blocks_and_a_thin_decoder():
    model = build(filters=2, widest=8, residual=True)
    assert len(of(model, layers.Add)) == 1 + 3 + 4 + 6 + 6
    assert len(of(model, layers.AveragePooling2D)) == 4
    convolutions = of(model, layers.Conv2D)
    stem, shortcuts, decoder, logits = 1, 2, 4, 1  # from 8 to 8 filters there is no shortcut to convolve
    assert len(convolutions) == stem + 2 * 20 + shortcuts + decoder + logits
    assert [one.filters for one in convolutions if one.strides == (2, 2)] == [4, 8, 8, 8]


@pytest.mark.parametrize("norm", ["instance", "batch", "group"])
def test_a_residual_block_starts_as_its_shortcut(norm):
    """As nnU-Net's ResidualEncoderUNet does by `init_last_bn_before_add_to_0`."""
    model = build(filters=4, depth=2, residual=True, norm=norm)
    kinds = (layers.GroupNormalization, layers.BatchNormalization)
    last = [one.input[1]._keras_history.operation for one in of(model, layers.Add)]
    zero = [one for one in of(model, kinds) if not keras.ops.convert_to_numpy(one.gamma).any()]
    assert len(last) == 1 + 3 + 4
    assert {one.name for one in zero} == {one.name for one in last}


@pytest.mark.parametrize("residual", [False, True])
def test_norm_and_activation_are_those_of_nnunet(residual):
    model = build(filters=2, depth=1, residual=residual)
    norms, slopes = of(model, layers.GroupNormalization), of(model, layers.LeakyReLU)
    assert {(one.groups, one.epsilon) for one in norms} == {(2, 1e-5), (4, 1e-5)}  # a group a channel
    assert {round(one.negative_slope, 6) for one in slopes} == {0.01}
    other = build(filters=2, depth=1, residual=residual, activation="relu", norm="batch")
    assert not of(other, layers.LeakyReLU)
    assert len(of(other, layers.ReLU)) == len(slopes)
    assert {one.epsilon for one in of(other, layers.BatchNormalization)} == {1e-5}


def test_first_values_keep_the_variance():
    for layer in of(build(filters=32, depth=1), layers.Conv2D)[1:4]:
        kernel = keras.ops.convert_to_numpy(layer.kernel)
        assert kernel.std() == pytest.approx(np.sqrt(2 / (1.0001 * np.prod(kernel.shape[:3]))), rel=0.05)
