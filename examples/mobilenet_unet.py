"""A network of another package: a U-Net decoder on a MobileNetV2 of keras.applications.

dmf check plugins=examples/mobilenet_unet.py model=mobilenet_unet
dmf train plugins=examples/mobilenet_unet.py model=mobilenet_unet model.filters=64
"""

from typing import Literal

import keras
from keras import layers

import dmf_cli
from dmf_cli.ranges import Channels

# The last map before each halving, the finest first.
SKIPS = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")


@dmf_cli.model
def mobilenet_unet(
    input_shape,
    classes,
    *,
    filters: Channels = 32,
    alpha: Literal[0.35, 0.5, 0.75, 1.0] = 0.35,
    start: Literal["random", "imagenet"] = "random",
):
    """U-Net whose encoder is a MobileNetV2; any image of 32x32 pixels or more.

    Args:
        filters: of the coarsest decoder level; halved at each finer one.
        alpha: width of the encoder.
        start: weights of the encoder; imagenet needs dataset.channels=3, and downloads them once.

    Source: Sandler et al., CVPR 2018, arXiv 1801.04381; Ronneberger et al., MICCAI 2015, arXiv 1505.04597.
    """
    height, width, _ = input_shape
    encoder = keras.applications.MobileNetV2(
        input_shape, alpha, include_top=False, weights=None if start == "random" else start
    )
    x = encoder.output
    for level, name in enumerate(reversed(SKIPS)):
        skip = encoder.get_layer(name).output
        x = layers.Resizing(skip.shape[1], skip.shape[2])(x)
        x = layers.Concatenate()([x, skip])
        x = layers.Conv2D(max(8, filters >> level), 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Resizing(height, width)(layers.Conv2D(classes, 1)(x))
    head = "sigmoid" if classes == 1 else "softmax"
    return keras.Model(encoder.input, layers.Activation(head, dtype="float32", name="probabilities")(x))
