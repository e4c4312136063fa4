"""A network of our own."""

import keras
from keras import layers

import dmf_cli
from dmf_cli.ranges import Blocks, Channels


@dmf_cli.model
def mine(input_shape, classes, *, filters: Channels = 16, blocks: Blocks = 3):
    """Dilated convolutions at the size of the image, which is never halved.

    The first line is what ``dmf list`` shows. What stands after the ``*`` can be set on the command line, as
    ``model.filters=32``; its annotation says what is allowed, its default what it is otherwise.

    Args:
        input_shape: ``(height, width, channels)``.
        classes: 1 for a sigmoid foreground, else the number of classes with the background.
        filters: of each convolution.
        blocks: convolutions, each of which sees twice as far as the one before.

    Returns:
        A model from images to probabilities ``(batch, height, width, classes)``.

    Source: where the architecture is from.
    """
    images = keras.Input(input_shape)
    x = images
    for block in range(blocks):
        x = layers.Conv2D(filters, 3, padding="same", dilation_rate=2**block, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    head = "sigmoid" if classes == 1 else "softmax"
    # float32, also where the rest computes in float16.
    x = layers.Conv2D(classes, 1, dtype="float32")(x)
    return keras.Model(images, layers.Activation(head, dtype="float32")(x))
