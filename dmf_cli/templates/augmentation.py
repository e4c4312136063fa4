"""An augmentation of our own."""

import tensorflow as tf

import dmf_cli
from dmf_cli.ranges import Fraction, Share


@dmf_cli.augmentation
def mine(images, labels, draw, *, flip: Share = 0.5, fade: Fraction = 0.3):
    """Upside down with a probability, and brighter or darker from left to right.

    The first line is what ``dmf list`` shows. What stands after the ``*`` can be set on the command line, as
    ``augment.fade=0.1``.

    Args:
        images: float32 ``(batch, height, width, channels)``.
        labels: class of each pixel, integers ``(batch, height, width)``.
        draw: ``draw(stream, shape)`` gives random numbers ``(batch, *shape)`` in [-1, 1): the only ones to
            use, for they depend on seed, epoch and sample alone. Each stream is another sequence.
        flip: probability that an image is turned upside down.
        fade: largest change of brightness at the sides, share of it.

    Returns:
        Images and labels of the same shapes and types.
    """
    turned = draw(0, ()) < 2 * flip - 1
    images = tf.where(turned[:, None, None, None], images[:, ::-1], images)
    labels = tf.where(turned[:, None, None], labels[:, ::-1], labels)
    ramp = tf.linspace(-1.0, 1.0, tf.shape(images)[2])[None, None, :, None]
    return images * (1.0 + fade * draw(1, ())[:, None, None, None] * ramp), labels
