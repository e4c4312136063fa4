"""Networks of the keras-hub package with a head of ours, for images of any size."""

import importlib
from typing import Any, Literal

import keras
import numpy as np
from keras import layers

from dmf_cli import hints
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.models._blocks import Tensor, fit_size, head
from dmf_cli.models._parameters import check_options
from dmf_cli.parts import model
from dmf_cli.ranges import Fraction

Network = Literal["segformer_b0", "segformer_b1", "segformer_b2", "deeplabv3plus_resnet50"]
MULTIPLE = 32  # keras-hub's decoders join maps only where all halvings are even
SQUARE = 64  # its SegFormer takes the square root of the number of patches for both sides; 32 is too small
INSTALL = hints.install("hub")

# channels of the stages, blocks of the stages, channels of the decoder, published weights of the encoder
SEGFORMERS: dict[str, tuple[list[int], list[int], int, str]] = {
    "segformer_b0": ([32, 64, 160, 256], [2, 2, 2, 2], 256, "mit_b0_ade20k_512"),
    "segformer_b1": ([64, 128, 320, 512], [2, 2, 2, 2], 256, "mit_b1_ade20k_512"),
    "segformer_b2": ([64, 128, 320, 512], [3, 4, 6, 3], 768, "mit_b2_ade20k_512"),
}
NETWORKS = [*SEGFORMERS, "deeplabv3plus_resnet50"]


@model
def hub(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    network: Network = "segformer_b0",
    pretrained: bool = False,
    preset: str | None = None,
    dropout: Fraction = 0.0,
) -> keras.Model:
    """A segmentation network of keras-hub (https://keras.io/keras_hub), an optional package.

    keras-hub's segmenters give logits, take only sides that are multiples of 32, and SegFormer only square
    images: here images are padded with zeros at bottom and right, the result is cut, and a float32 head
    gives probabilities. Grey images are repeated three times. A saved model needs keras-hub to be loaded.

    Args:
        input_shape: (height, width, channels); any size.
        classes: 1 for a sigmoid foreground, else the number of softmax classes.
        network: SegFormer with an encoder of 3.3, 13.2 or 24.2 million weights, or DeepLabv3+ on ResNet-50.
        pretrained: start with published weights in the encoder and scale images as those expect, which
            takes ``dataset.normalize=unit``; False: random weights, nothing is downloaded.
        preset: other weights for the encoder: a preset's name, or a folder that holds one; null: those of
            ``network``.
        dropout: rate in [0, 1), before the head.

    Returns:
        A model from float32 images ``(batch, height, width, channels)`` to float32 probabilities
        ``(batch, height, width, classes)``.

    Raises:
        ConfigError: keras-hub is not installed, or the weights cannot be loaded.
    """
    if network not in NETWORKS:
        raise UnknownNameError("model.network", network, NETWORKS)
    check_options(dropout=dropout)
    if pretrained and input_shape[2] not in (1, 3):
        reason = f"which is for 1 or 3 channels, and the images have {input_shape[2]}"
        hint = "use model.pretrained=false"
        raise ConfigError(key="model.pretrained", value=pretrained, reason=reason, hint=hint)
    package = _package()
    images = keras.Input(input_shape, name="image")
    x = layers.Concatenate()([images] * 3) if input_shape[2] == 1 else images
    padded = (*_padded(network, input_shape), x.shape[-1])
    encoder, scale, offset = _encoder(package, network, padded, pretrained, preset)
    if pretrained:
        x = layers.Rescaling(scale, offset)(x)
    below, right = padded[0] - input_shape[0], padded[1] - input_shape[1]
    x = layers.ZeroPadding2D(((0, below), (0, right)))(x) if below or right else x
    x = _decoder(package, network, encoder, padded)(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    if network in SEGFORMERS:
        return keras.Model(images, head(x, classes, scale=4, like=images), name=network)
    return keras.Model(images, head(fit_size(x, images), classes), name=network)


def _padded(network: str, shape: tuple[int, int, int]) -> tuple[int, int]:
    """(height, width) of the images that ``network`` can take."""
    height, width = (side + -side % MULTIPLE for side in shape[:2])
    side = max(height, width, SQUARE)
    return (side, side) if network in SEGFORMERS else (height, width)


def _package() -> Any:
    try:
        return importlib.import_module("keras_hub")
    except ImportError as error:
        what = f"model=hub needs the package keras-hub ({error})"
        raise ConfigError(what, key="model", value="hub", hint=INSTALL) from None


def _encoder(
    package: Any, network: str, shape: tuple[int, int, int], pretrained: bool, preset: str | None
) -> tuple[keras.Model, Any, Any]:
    """The encoder, and (scale, offset) from images in [0, 1] to what it was trained on."""
    if not pretrained:
        return _random_encoder(package, network, shape), 1.0, 0.0
    backbone = package.models.MiTBackbone if network in SEGFORMERS else package.models.ResNetBackbone
    source = preset or (SEGFORMERS[network][3] if network in SEGFORMERS else "resnet_50_imagenet")
    try:
        encoder = backbone.from_preset(source, image_shape=shape)
        scaling = package.layers.ImageConverter.from_preset(source)
    except Exception as error:  # of the network, of Kaggle, of a folder's files: every package has its own
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
        what = f"the weights {source} cannot be loaded ({reason})"
        hint = (
            "check the network, give model.preset=FOLDER with a copy, or use model.pretrained=false for "
            "random weights"
        )
        raise ConfigError(what, key="model.preset", value=preset, hint=hint) from None
    scale = 1.0 if scaling.scale is None else scaling.scale
    offset = 0.0 if scaling.offset is None else scaling.offset
    return encoder, np.multiply(scale, 255.0).tolist(), np.asarray(offset).tolist()


def _random_encoder(package: Any, network: str, shape: tuple[int, int, int]) -> keras.Model:
    if network not in SEGFORMERS:
        return package.models.ResNetBackbone(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[7],
            stackwise_num_filters=[64, 128, 256, 512],
            stackwise_num_blocks=[3, 4, 6, 3],
            stackwise_num_strides=[1, 2, 2, 2],
            block_type="bottleneck_block",
            use_pre_activation=False,
            image_shape=shape,
        )
    channels, blocks, _, _ = SEGFORMERS[network]
    return package.models.MiTBackbone(
        hidden_dims=channels,
        layerwise_depths=blocks,
        num_layers=4,
        layerwise_num_heads=[1, 2, 5, 8],
        layerwise_sr_ratios=[8, 4, 2, 1],
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        max_drop_path_rate=0.1,
        image_shape=shape,
    )


def _decoder(package: Any, network: str, encoder: keras.Model, shape: tuple[int, int, int]) -> Tensor:
    """From padded images to features: at stride 4 (SegFormer), or at the size of the images."""
    if network in SEGFORMERS:
        width = SEGFORMERS[network][2]
        return package.models.SegFormerBackbone(image_encoder=encoder, projection_filters=width)
    return package.models.DeepLabV3Backbone(
        image_encoder=encoder,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P5",
        upsampling_size=8,
        dilation_rates=[6, 12, 18],
        projection_filters=48,
        image_shape=shape,
    )
