"""An augmentation with some of its keys changed, and what it makes of a batch."""

import tensorflow as tf

from dmf_cli import config as configs
from dmf_cli.config.typed import Choice
from dmf_cli.datasets.input import augment


def group(name, **changes):
    chosen = configs.compose([f"augment={name}"]).augment
    return Choice(name, {**chosen.params, **changes})


def changed(name, images, labels, *, seed=0, epoch=0, index=None, **changes):
    index = tf.range(len(images)) if index is None else tf.constant(index)
    function = tf.function(augment.make(group(name, **changes), seed))
    moved, marked = function(tf.constant(images), tf.constant(labels), tf.constant(epoch), index)
    return moved.numpy(), marked.numpy()
